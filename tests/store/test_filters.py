"""Every filter, and all of them together, against plain conditions on plain lists."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.access.teams import link_installation
from bot.clock import Clock
from bot.store.database import Database
from bot.store.queries import JobsQuery, RunsQuery, Scope, get_scope, job_filters, jobs, list_jobs, list_runs
from bot.store.views import JobPage, RunPage
from tests import builders as make
from tests.store.plain_record import (
    CHOICES,
    INSTALLATIONS,
    JOB_FILTERS,
    NAMES,
    RUN_FILTERS,
    WORKFLOWS,
    Row,
    draw,
    matching,
)
from tests.store.recording import record

RUNS, JOBS = draw()
once_filled = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
async def scope(database: Database) -> Scope:
    """Fill the record with what was drawn, and with the same again for another team; give the first team's scope."""
    for row_id, name in NAMES.items():
        installation = INSTALLATIONS[row_id]
        owner = 5 if installation == 71 else 6
        home = make.repository(name.replace("octo-org", "octo-org" if owner == 5 else "second"), row_id, owner)
        await record(database, home, **_of(row_id, 0), installation=installation)
        # What is now octo-org/other.repo was the second account's; both installations map to one team.
        await record(database, make.repository(name, row_id, owner), installation=installation, minute=1)
    await link_installation(72, "octo-org", now=Clock().now())
    elsewhere = make.repository("stranger/hello", 99, 55)
    await record(database, elsewhere, **_of(9, 500_000), installation=73)
    return await get_scope("octo-org")


def _of(repository: int, shift: int) -> dict[str, Any]:
    bodies: dict[str, list[make.Body]] = defaultdict(list)
    for kind, rows in (("runs", RUNS), ("jobs", JOBS)):
        for row in rows:
            if row.repository == repository:
                moved = {name: row.body[name] + shift for name in ("id", "run_id") if name in row.body}
                bodies[kind].append(row.body | moved)
    return dict(bodies)


def _chosen(names: Any) -> st.SearchStrategy[dict[str, Any]]:
    each = {name: st.sampled_from(CHOICES[name]) for name in names}
    few = st.lists(st.sampled_from(sorted(names)), max_size=3, unique=True)
    return few.flatmap(lambda some: st.fixed_dictionaries({name: each[name] for name in some}))


async def _all_pages(ask: Callable[[str | None], Awaitable[RunPage | JobPage]], total: int) -> list[int]:
    shown: list[int] = []
    cursor = None
    while True:
        page = await ask(cursor)
        assert (page.total, page.total_is_exact) == (total, True)
        shown += [run.run_id for run in page.runs] if isinstance(page, RunPage) else [job.job_id for job in page.jobs]
        if (cursor := page.next_cursor) is None:
            return shown


@once_filled
@given(filters=_chosen(RUN_FILTERS), limit=st.integers(1, 100))
async def test_runs_are_those_that_fit(scope: Scope, filters: dict[str, Any], limit: int) -> None:
    wanted = matching(RUNS, RUN_FILTERS, filters)

    def ask(cursor: str | None) -> Awaitable[RunPage]:
        return list_runs(scope, RunsQuery(team="octo-org", limit=limit, cursor=cursor, **filters))

    assert await _all_pages(ask, len(wanted)) == wanted


# What few and many are decides in which way jobs are found of which only their runs tell what is asked for.
FEW = ("FEW_RUNS", "MANY_RUNS", "MOST_LOOKED_THROUGH", "NEWEST_RUNS", "MOST_PUT_IN_ORDER")


@once_filled
@given(
    filters=_chosen(JOB_FILTERS),
    limit=st.integers(1, 100),
    few=st.fixed_dictionaries({name: st.sampled_from((1, 7, 20_000)) for name in FEW}),
    few_unnamed=st.sampled_from((0, 200)),
)
async def test_jobs_are_those_that_fit(
    scope: Scope, filters: dict[str, Any], limit: int, few: dict[str, int], few_unnamed: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(job_filters, "FEW_UNNAMED", few_unnamed)
        await _check_jobs(scope, filters, limit, few)


@pytest.mark.parametrize("few", [1, 20_000])
@pytest.mark.parametrize("limit", [1, 7, 100])
@pytest.mark.parametrize("called", sorted({name for name, _ in WORKFLOWS.values() if name}))
async def test_jobs_are_found_by_what_their_run_is_called(
    scope: Scope, called: str, limit: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_filters, "FEW_UNNAMED", 0)
    await _check_jobs(scope, {"workflow": called}, limit, dict.fromkeys(FEW, few))


@pytest.mark.parametrize("few", [1, 20_000])
@pytest.mark.parametrize("limit", [1, 7, 100])
@pytest.mark.parametrize("path", [path for _, path in WORKFLOWS.values() if path])
async def test_jobs_of_a_path_are_listed_and_counted_once(scope: Scope, path: str, limit: int, few: int) -> None:
    # Some jobs of its runs are called by it, and some of other runs.
    await _check_jobs(scope, {"workflow": path}, limit, dict.fromkeys(FEW, few))


async def _check_jobs(scope: Scope, filters: dict[str, Any], limit: int, few: dict[str, int]) -> None:
    wanted = matching(JOBS, JOB_FILTERS, filters)

    def ask(cursor: str | None) -> Awaitable[JobPage]:
        return list_jobs(scope, JobsQuery(team="octo-org", limit=limit, cursor=cursor, **filters))

    with pytest.MonkeyPatch.context() as patched:
        for name, number in few.items():
            patched.setattr(jobs, name, number)
        assert await _all_pages(ask, len(wanted)) == wanted


@pytest.mark.parametrize(("rows", "conditions"), [(RUNS, RUN_FILTERS), (JOBS, JOB_FILTERS)], ids=["runs", "jobs"])
def test_what_was_drawn_tells_every_filter_apart(rows: list[Row], conditions: Any) -> None:
    for name in conditions:
        answers = {tuple(matching(rows, conditions, {name: value})) for value in CHOICES[name]}
        assert len(answers) > 2, name
        assert len(rows) not in {len(ids) for ids in answers} or name in {"since", "until", "installation_id"}


def test_every_filter_is_tried() -> None:
    assert set(RUN_FILTERS) == set(RunsQuery.__struct_fields__) - {"team", "limit", "cursor"}
    assert set(JOB_FILTERS) == set(JobsQuery.__struct_fields__) - {"team", "limit", "cursor"}
