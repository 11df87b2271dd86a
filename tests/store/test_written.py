"""Rows of lists that are kept as JSON: that none is shown when it stands otherwise by now."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from bot.recorder import forms
from bot.recorder.gone import ending_unlisted_jobs, marking_gone
from bot.settings import Dialect
from bot.store import models
from bot.store.conversation import Question
from bot.store.database import Database
from bot.store.queries import (
    JobsQuery,
    PullRequestRunsQuery,
    RunsQuery,
    Scope,
    list_jobs,
    list_pull_request_runs,
    list_runs,
)
from bot.store.queries.jobs import JOB_FILLED_IN
from bot.store.queries.run_rows import RUN_FILLED_IN
from bot.store.views import Job, LinkedPullRequest, Run
from bot.store.written import Columns, Written
from tests import builders as make
from tests.recorder.records import clear
from tests.store.recording import NOON, record, record_installation, stamp
from tests.store.shown import assert_shown_as_it_stands

HOME, TEAM, NAME = make.repository(), "octo-org", "octo-org/hello"
FORK = make.repository("stranger/hello", id=77, owner_id=78)
SOON, LATER = 1, 2

Change = Callable[[Database], Awaitable[object]]


def told(minute: int = SOON, repository: make.Body = HOME, **what: Any) -> Change:
    async def change(database: Database) -> None:
        await record(database, repository, minute=minute, **what)

    return change


def done(sql: str, *parameters: Any) -> Change:
    async def change(database: Database) -> None:
        await database.execute(sql, *parameters)

    return change


async def found_gone(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.converse(marking_gone(1, NOON))


async def listed_no_more(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.converse(ending_unlisted_jobs(1, 1, NOON))


async def recorded_anew(database: Database) -> None:
    await clear(database)
    # Of the same version, which tells nothing of what never changes.
    await record(database, HOME, runs=[run(display_title="Another title")], jobs=[job(name="another")], minute=SOON)


def run(**changes: Any) -> make.Body:
    return make.run(1, **{"status": "queued", "conclusion": None, "created_at": stamp(1), **changes})


def job(**changes: Any) -> make.Body:
    return make.job(10, 1, **{"status": "queued", "conclusion": None, "created_at": stamp(1), **changes})


BARE = {"display_title": None, "actor": None, "head_branch": None, "workflow_id": None}
ENDED = {"status": "completed", "conclusion": "success"}
OF_A_FORK = {"head_repository": FORK, "pull_requests": []}
# What stands first, and each thing that may happen to it; after each the lists show it.
STORIES: dict[str, tuple[Change, ...]] = {
    "it goes on": (
        told(runs=[run()], jobs=[job()]),
        told(LATER, runs=[run(status="in_progress", updated_at=stamp(20))], jobs=[job(status="in_progress")]),
        told(3, runs=[run(status="completed", conclusion="failure", updated_at=stamp(40))]),
        told(4, runs=[run(run_attempt=2, updated_at=stamp(60))]),
    ),
    "it has another title, and its job another step": (
        told(runs=[run()], jobs=[job()]),
        told(
            LATER, runs=[run(display_title="Another", updated_at=stamp(20))], jobs=[job(steps=[make.step(1, "Test")])]
        ),
    ),
    "it comes by another installation": (told(runs=[run()]), told(LATER, installation=make.INSTALLATION + 1)),
    "an older snapshot fills in what a newer one left out": (
        told(LATER, runs=[run(**BARE, updated_at=stamp(9))], jobs=[job(head_branch=None, workflow_name=None)]),
        told(SOON, runs=[run()], jobs=[job()]),
    ),
    "it is found to be gone": (told(runs=[run()], jobs=[job()]), found_gone),
    "it is found to be gone when it had ended": (told(runs=[run(**ENDED)]), found_gone),
    "it waits for an approval, and is found to be gone once more": (
        told(runs=[run(**ENDED)]),
        found_gone,
        told(LATER, runs=[run(status="completed", conclusion="action_required", run_attempt=2, updated_at=stamp(20))]),
        found_gone,
    ),
    "it is told of once more, and found to be gone once more": (
        told(runs=[run()], jobs=[job()]),
        found_gone,
        told(LATER, runs=[run(status="in_progress", updated_at=stamp(20))], jobs=[job(status="in_progress")]),
        found_gone,
    ),
    "a job is listed no more": (told(runs=[run()], jobs=[job()]), listed_no_more),
    "GitHub lists a pull request with it": (
        told(runs=[run()]),
        told(LATER, runs=[run(pull_requests=[make.linked(5)], updated_at=stamp(20))]),
        told(3, runs=[run(pull_requests=[make.linked(5), make.linked(6)], updated_at=stamp(30))]),
    ),
    "the pull request of a fork is told of, and its base changes": (
        told(runs=[run(**OF_A_FORK)]),
        told(LATER, pull_requests=[make.pull_request(5, head_repository=FORK)]),
        done("UPDATE pull_request SET base_ref = 'another'"),
    ),
    "its repository has another name": (
        told(runs=[run()], jobs=[job()]),
        told(LATER, repository=make.repository("octo-org/renamed")),
    ),
    "it is recorded anew": (told(runs=[run()], jobs=[job()]), recorded_anew),
    "the App is taken away and comes back": (
        told(runs=[run()], jobs=[job()]),
        lambda database: record_installation(database, "deleted", 2),
        lambda database: record_installation(database, "created", 3),
    ),
}


@pytest.mark.parametrize("story", STORIES)
async def test_lists_show_what_stands(database: Database, story: str) -> None:
    for change in STORIES[story]:
        await change(database)
        await assert_shown_as_it_stands(database, TEAM)


async def test_a_run_is_of_the_team_that_asks(database: Database) -> None:
    scope = await record(database, HOME, runs=[make.run(1)])
    for slug in ("one", "one", "another"):
        page = await list_runs(Scope(scope.team_id, slug), RunsQuery(team=slug))
        assert [each.team for each in page.runs] == [slug]


class Noting:
    """A memory that notes which rows it asks for whole."""

    def __init__(self, written: Written, noted: list[int]) -> None:
        self._written, self._noted = written, noted

    def views_of(self, keys: Any, columns: Any, view: Callable[[Any], Any], beside: Any = lambda _: None) -> Any:
        def noting(row: Any) -> Any:
            self._noted.append(row[0])
            return view(row)

        return self._written.views_of(keys, columns, noting, beside)


async def test_only_what_stands_otherwise_is_read_whole(database: Database) -> None:
    if database.dialect is Dialect.POSTGRESQL:
        pytest.skip("PostgreSQL is asked for whole rows")
    noted: list[int] = []
    memories: Any = Noting(database.written_runs, noted), Noting(database.written_jobs, noted)
    database.written_runs, database.written_jobs = memories
    runs = [make.run(1), make.run(2, pull_requests=[make.linked(5)])]
    scope = await record(database, HOME, runs=runs, jobs=[make.job(7, 1), make.job(8, 1)])
    pull = PullRequestRunsQuery(team=TEAM, repo_full_name=NAME, pr_number=5)

    async def read() -> list[int]:
        noted.clear()
        await list_runs(scope, RunsQuery(team=TEAM))
        await list_jobs(scope, JobsQuery(team=TEAM))
        return sorted(noted)

    assert [await read() for _ in range(3)] == [[1, 2, 7, 8], [1, 2, 7, 8], []]
    noted.clear()
    await list_pull_request_runs(scope, pull)
    assert noted == []
    await record(database, HOME, runs=[make.run(2, run_attempt=2)], jobs=[make.job(9, 1)])
    assert [await read() for _ in range(3)] == [[2, 9], [9], []]


COLUMNS = Columns("thing", "thing.id", ("thing.state",), "thing.number, thing.sha")


def _pull(row: Any) -> LinkedPullRequest:
    return LinkedPullRequest(number=row[0], head_sha=row[1], base_ref=None)


def test_rows_are_asked_for_by_key_and_come_in_order() -> None:
    asking: Any = Written(1000).views_of([1, 2], COLUMNS, _pull)
    sql = "SELECT thing.id, thing.state, thing.number, thing.sha FROM thing WHERE thing.id IN (?, ?)"
    assert next(asking) == Question(sql, [1, 2])
    with pytest.raises(StopIteration) as end:
        asking.send([(2, "as it is", 6, None), (1, "as it is", 5, None)])
    assert [pull.number for pull in end.value.value] == [5, 6]


def _read_whole(written: Written, *keys: int) -> list[int]:
    """Ask for things that all stand as ever, and return those that are asked for whole."""
    whole: list[int] = []
    asking: Any = written.views_of(keys, COLUMNS, _pull)
    rows = None
    with contextlib.suppress(StopIteration):
        while True:
            question = asking.send(rows)
            is_whole = "number" in question.sql
            rows = [(key, "as ever", *([key, "x" * 1000] if is_whole else ())) for key in question.parameters]
            whole += question.parameters if is_whole else []
    return whole


def test_what_is_not_asked_for_longest_goes_first() -> None:
    # Three fill a half.
    written = Written(6 * 1650)
    for number in range(1, 4):
        assert [_read_whole(written, number) for _ in range(3)] == [[number], [number], []]
    # The first is asked for again as others come, and so stays.
    for number in range(4, 20):
        assert _read_whole(written, 1) == []
        assert [_read_whole(written, number) for _ in range(3)] == [[number], [number], []]
    assert _read_whole(written, 2) == [2]
    assert len(written._recent) + len(written._older) <= 7


def test_what_is_asked_for_once_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.store.written.MOST_SEEN_ONCE", 10)
    written = Written(6 * 1650)
    assert [_read_whole(written, 1, 2) for _ in range(3)] == [[1, 2], [1, 2], []]
    for number in range(100, 200):
        assert _read_whole(written, number) == [number]
        assert len(written._once) <= 10
    assert _read_whole(written, 1, 2) == []


@pytest.mark.parametrize(
    ("model", "form", "shown", "filled_in"),
    [
        (models.WorkflowRun, forms.runs(), Run, RUN_FILLED_IN),
        (models.WorkflowJob, forms.jobs(), Job, JOB_FILLED_IN),
    ],
)
def test_every_column_that_is_filled_in_later_is_looked_at(
    model: Any, form: Any, shown: Any, filled_in: tuple[str, ...]
) -> None:
    mutable = {models.WorkflowRun: forms.RUN_MUTABLE, models.WorkflowJob: forms.JOB_MUTABLE}[model]
    changes_alone = {"team_id", *form.key, *mutable}
    nullable = {name for name, field in model._meta.fields_map.items() if field.null}
    names = {field.name for field in msgspec.structs.fields(shown)}
    assert set(filled_in) == (set(form.columns) & nullable & names) - changes_alone
