"""Lists of many repositories show what one that passes over nothing would, page by page."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.store.database import Database
from bot.store.queries import JobsQuery, RunsQuery, Scope, list_jobs, list_runs, many_repositories
from bot.store.queries import scope as scopes
from bot.store.queries.pages import COUNTED_EXACTLY
from tests import builders as make
from tests.recorder.records import clear
from tests.store.recording import NOON, record, stamp

REPOSITORIES = range(1, 9)


class Told(NamedTuple):
    """A run and its job: of which repository, when in seconds, and how it ended."""

    repository: int
    second: int
    conclusion: str


told = st.lists(
    st.builds(
        Told, st.sampled_from(REPOSITORIES), st.integers(0, 9), st.sampled_from(["success", "success", "failure"])
    ),
    max_size=25,
)
narrowed = st.fixed_dictionaries(
    {},
    optional={
        "since": st.integers(0, 9).map(lambda second: NOON + timedelta(seconds=second)),
        "until": st.integers(0, 9).map(lambda second: NOON + timedelta(seconds=second)),
        "status": st.just("completed"),
        "conclusion": st.just("success"),
    },
)


@pytest.fixture(autouse=True)
def merged(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let two repositories be many, and return what says how many of the team's rows are looked through."""
    monkeypatch.setattr(scopes, "MOST_MERGED", 1)
    return lambda rows: monkeypatch.setattr(many_repositories, "LOOKED_THROUGH", rows)


async def _record(database: Database, rows: Sequence[Told]) -> Scope:
    for repository in REPOSITORIES:
        of_it = [(number, row) for number, row in enumerate(rows, 1) if row.repository == repository]
        runs = [make.run(number, conclusion=row.conclusion, created_at=stamp(row.second)) for number, row in of_it]
        jobs = [
            make.job(number, number, conclusion=row.conclusion, created_at=stamp(row.second)) for number, row in of_it
        ]
        home = make.repository(f"octo-org/r{repository}", repository)
        scope = await record(database, home, runs=runs, jobs=jobs)
    return scope


def _fits(row: Told, seen: frozenset[int], filters: dict[str, Any]) -> bool:
    moment: datetime = NOON + timedelta(seconds=row.second)
    return (
        row.repository in seen
        and filters.get("since", moment) <= moment <= filters.get("until", moment)
        and row.conclusion == filters.get("conclusion", row.conclusion)
    )


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=told,
    seen=st.frozensets(st.sampled_from(REPOSITORIES), min_size=2),
    filters=narrowed,
    limit=st.integers(1, 4),
    looked_through=st.integers(0, 3),
)
async def test_page_by_page(
    database: Database,
    merged: Callable[[int], None],
    rows: list[Told],
    seen: frozenset[int],
    filters: dict[str, Any],
    limit: int,
    looked_through: int,
) -> None:
    merged(looked_through)
    await clear(database)
    whole = await _record(database, rows)
    scope = Scope(whole.team_id, whole.slug, seen, seen)
    numbered = sorted(((row.second, number) for number, row in enumerate(rows, 1) if _fits(row, seen, filters)))
    expected = [number for _, number in reversed(numbered)]
    assert await _walked(scope, RunsQuery, limit, filters) == expected
    assert await _walked(scope, JobsQuery, limit, filters) == expected


async def _walked(scope: Scope, query: type[RunsQuery | JobsQuery], limit: int, filters: dict[str, Any]) -> list[int]:
    shown: list[int] = []
    cursor, total = None, None
    while True:
        asked = query(team="octo-org", limit=limit, cursor=cursor, **filters)
        if isinstance(asked, RunsQuery):
            runs = await list_runs(scope, asked)
            found, page_total, cursor = [run.run_id for run in runs.runs], runs.total, runs.next_cursor
        else:
            jobs = await list_jobs(scope, asked)
            found, page_total, cursor = [job.job_id for job in jobs.jobs], jobs.total, jobs.next_cursor
        shown += found
        total = page_total if total is None else total
        # Each page tells the same.
        assert page_total == total
        if cursor is None:
            assert total == len(shown)
            return shown


async def test_more_are_counted_than_one_repository_has(database: Database, merged: Callable[[int], None]) -> None:
    merged(0)
    for repository in (1, 2):
        first = repository * COUNTED_EXACTLY
        runs = [make.run(first + number, created_at=stamp(number)) for number in range(COUNTED_EXACTLY // 2 + 1)]
        scope = await record(database, make.repository(f"octo-org/r{repository}", repository), runs=runs)
    seen = Scope(scope.team_id, scope.slug, frozenset({1, 2, 3}))
    page = await list_runs(seen, RunsQuery(team="octo-org", limit=3))
    assert (page.total, page.total_is_exact) == (COUNTED_EXACTLY, False)
    assert [run.run_id for run in page.runs] == [2500, 1500, 2499]


async def test_what_is_deleted_meanwhile_ends_no_list(
    database: Database, merged: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    merged(1)
    rows = [Told(3, 9, "success")] * 2 + [Told(1 + number % 2, number, "success") for number in range(6)]
    whole = await _record(database, rows)
    scope = Scope(whole.team_id, whole.slug, frozenset({1, 2}))
    places = many_repositories._newest

    def and_one_that_is_gone(*asked: Any) -> Any:
        found = yield from places(*asked)
        return [("9999", 12345), *found][: len(found)]

    monkeypatch.setattr(many_repositories, "_newest", and_one_that_is_gone)
    page = await list_runs(scope, RunsQuery(team="octo-org", limit=3))
    assert [run.run_id for run in page.runs] == [8, 7, 6]
    assert page.next_cursor is not None
