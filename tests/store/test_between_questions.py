"""Lists that ask several questions, each of which may be answered as of another moment, while others write."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bot.store.conversation import Conversation, Question, Rows, Step
from bot.store.database import Database
from bot.store.queries import JobsQuery, Scope
from bot.store.queries.jobs import _listed
from bot.store.views import JobPage
from bot.store.written import read_back
from tests import builders as make
from tests.store.recording import record, stamp

QUERY = JobsQuery(team="octo-org", event="schedule", conclusion="failure", limit=5)
FAILED = range(1, 21)


async def _asked(
    database: Database, scope: Scope, between: Callable[[str], Awaitable[None]], query: JobsQuery = QUERY
) -> JobPage:
    """Return a page of which each question is one by itself, with something done before it."""

    def alone(step: Step) -> Conversation[Rows]:
        return (yield step)

    asking: Any = _listed(scope, query)
    rows: Any = None
    try:
        while True:
            step = asking.send(rows)
            if isinstance(step, Question):
                await between(step.sql)
            rows = await database.reader.converse(alone(step))
    except StopIteration as end:
        page: JobPage = end.value
        return read_back(page)


@pytest.fixture
async def scope(database: Database) -> Scope:
    runs = [make.run(n, event="schedule", created_at=stamp(n)) for n in FAILED]
    jobs = [make.job(10 * n, n, conclusion="failure", created_at=stamp(n)) for n in FAILED]
    return await record(database, make.repository(), runs=runs, jobs=jobs)


@pytest.mark.parametrize("query", [QUERY, JobsQuery(team="octo-org", event="schedule", limit=5)])
async def test_a_job_that_is_told_otherwise_meanwhile_ends_no_list(
    database: Database, scope: Scope, query: JobsQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.queries.jobs.MOST_LOOKED_THROUGH", 0)

    async def tell_the_newest_otherwise(sql: str) -> None:
        # Of the jobs of the runs, the newest are asked for by when they are listed.
        if sql.startswith("SELECT job.listed_at, ") and "job.listed_at >= " in sql:
            passed = make.job(200, 20, conclusion="success", created_at=stamp(20))
            await record(database, make.repository(), jobs=[passed], minute=2)
            if query.conclusion is None:
                await database.execute("DELETE FROM workflow_job WHERE job_id = ?", 200)

    page = await _asked(database, scope, tell_the_newest_otherwise, query)
    assert [job.job_id for job in page.jobs] == [190, 180, 170, 160, 150]
    assert page.next_cursor is not None


async def test_a_job_that_is_deleted_meanwhile_ends_no_list(database: Database, scope: Scope) -> None:
    async def delete_the_newest(sql: str) -> None:
        if sql.startswith("SELECT job.job_id"):
            await database.execute("DELETE FROM workflow_job WHERE job_id = ?", 200)

    page = await _asked(database, scope, delete_the_newest)
    assert [job.job_id for job in page.jobs] == [190, 180, 170, 160, 150]
    assert page.next_cursor is not None


async def test_a_job_that_is_called_otherwise_meanwhile_is_listed_once(database: Database, scope: Scope) -> None:
    path, asked_for_runs = make.run(1)["path"], False
    await database.execute("UPDATE workflow_job SET workflow_name = ? WHERE job_id = ?", path, 200)

    async def call_it_otherwise(sql: str) -> None:
        nonlocal asked_for_runs
        if sql.startswith("SELECT job.listed_at FROM (SELECT run.run_id FROM workflow_run ") and not asked_for_runs:
            asked_for_runs = True
            await database.execute("UPDATE workflow_job SET workflow_name = ? WHERE job_id = ?", "CI", 200)

    page = await _asked(database, scope, call_it_otherwise, JobsQuery(team="octo-org", workflow=path, limit=5))
    assert asked_for_runs
    assert [job.job_id for job in page.jobs] == [200, 190, 180, 170, 160]


async def test_nothing_in_between(database: Database, scope: Scope) -> None:
    async def nothing(_: str) -> None: ...

    page = await _asked(database, scope, nothing)
    assert [job.job_id for job in page.jobs] == [200, 190, 180, 170, 160]
    assert page.next_cursor is not None
