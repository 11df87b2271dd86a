"""Pages: nothing left out, nothing twice, whatever arrives meanwhile; and how far totals count."""

import asyncio
import base64
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.errors import ParameterError
from bot.settings import Dialect
from bot.store.database import Database
from bot.store.queries import JobsQuery, RunsQuery, list_jobs, list_runs
from bot.store.queries.pages import decode_cursor, encode_cursor
from tests import builders as make
from tests.store.recording import record, stamp

HOME = make.repository()


async def test_pages_are_complete_while_new_runs_arrive(database: Database) -> None:
    old = [make.run(number, created_at=stamp(number % 3)) for number in range(1, 41)]
    scope = await record(database, HOME, runs=old)
    shown: list[int] = []
    cursor, arriving = None, 1000
    while True:
        page = await list_runs(scope, RunsQuery(team="octo-org", limit=7, cursor=cursor))
        shown += [run.run_id for run in page.runs]
        if (cursor := page.next_cursor) is None:
            break
        # One that is newer than all, and one that shares the newest time.
        arriving += 2
        await record(
            database,
            HOME,
            runs=[make.run(arriving, created_at=stamp(60)), make.run(arriving + 1, created_at=stamp(2))],
        )
    wanted = sorted(range(1, 41), key=lambda number: (number % 3, number), reverse=True)
    assert [run_id for run_id in shown if run_id < 1000] == wanted
    assert len(shown) == len(set(shown))


async def test_the_last_page_is_full_and_still_the_last(database: Database) -> None:
    scope = await record(database, HOME, runs=[make.run(number) for number in range(1, 11)])
    first = await list_runs(scope, RunsQuery(team="octo-org", limit=5))
    second = await list_runs(scope, RunsQuery(team="octo-org", limit=5, cursor=first.next_cursor))
    assert [len(first.runs), len(second.runs), second.next_cursor] == [5, 5, None]
    # A run that GitHub has moved on since the first page stays in its place.
    await record(database, HOME, runs=[make.run(4, status="in_progress", run_attempt=2)])
    again = await list_runs(scope, RunsQuery(team="octo-org", limit=5, cursor=first.next_cursor))
    assert [run.run_id for run in again.runs] == [run.run_id for run in second.runs]


async def test_totals_are_exact_up_to_a_thousand(database: Database) -> None:
    ids = range(1, 1000)
    jobs = [make.job(id, steps=[]) for id in ids]
    scope = await record(database, HOME, runs=[make.run(id) for id in ids], jobs=jobs)
    for extra, total, exact in ((999, 999, True), (1000, 1000, True), (1001, 1000, False), (1002, 1000, False)):
        await record(database, HOME, runs=[make.run(extra)], jobs=[make.job(extra, steps=[])])
        runs = await list_runs(scope, RunsQuery(team="octo-org", limit=1))
        listed = await list_jobs(scope, JobsQuery(team="octo-org", limit=100))
        assert [(page.total, page.total_is_exact) for page in (runs, listed)] == [(total, exact)] * 2
        assert (len(runs.runs), len(listed.jobs)) == (1, 100)
    narrowed = await list_runs(scope, RunsQuery(team="octo-org", branch="none"))
    assert (narrowed.total, narrowed.total_is_exact, narrowed.next_cursor) == (0, True, None)


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


WRONG_CURSORS = [
    "x",
    "not a cursor",
    "💥",
    *map(
        _encoded,
        (
            "1.-1",
            "1",
            "1.2.3",
            "a.b",
            "1.1' OR 1=1 --",
            " 1.1",
            "1_0.1",
            f"{10**17 * 3}.1",
            f"{-(10**17)}.1",
            f"{10**30}.1",
            f"1.{2**63}",
            "٣.1",
        ),
    ),
    _encoded("1.1") + "=",
]


async def test_a_cursor_that_no_list_gave_out_is_refused(database: Database) -> None:
    scope = await record(database, HOME, runs=[make.run()], jobs=[make.job()])
    for cursor in WRONG_CURSORS:
        with pytest.raises(ParameterError, match="cursor: is not a cursor"):
            await list_runs(scope, RunsQuery(team="octo-org", cursor=cursor))
        with pytest.raises(ParameterError, match="cursor: is not a cursor"):
            await list_jobs(scope, JobsQuery(team="octo-org", cursor=cursor))


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 2**63 - 1))
@example(datetime.min.replace(tzinfo=UTC), 0)
@example(datetime.max.replace(tzinfo=UTC), 2**63 - 1)
def test_any_place_comes_back_from_its_cursor(moment: datetime, identifier: int) -> None:
    assert decode_cursor(encode_cursor(moment, identifier)) == (moment, identifier)


async def test_a_list_takes_its_own_cursors_at_both_ends_of_time(database: Database) -> None:
    moments = ["0001-01-01T00:00:00Z", "0970-01-01T00:00:00Z", stamp(1), "9999-12-31T23:59:59Z"]
    runs = [make.run(number, created_at=moment) for number, moment in enumerate(moments, 1)]
    scope = await record(database, HOME, runs=runs)
    shown, cursor = [], None
    for _ in moments:
        page = await list_runs(scope, RunsQuery(team="octo-org", limit=1, cursor=cursor))
        shown += [run.run_id for run in page.runs]
        cursor = page.next_cursor
    assert (shown, cursor) == ([4, 3, 2, 1], None)


async def test_a_list_is_answered_while_a_transaction_writes(database: Database) -> None:
    scope = await record(database, HOME, runs=[make.run(1)], jobs=[make.job()])
    async with database.transaction() as tx:
        await tx.execute("UPDATE workflow_run SET conclusion = ?", "cancelled")
        async with asyncio.timeout(10):
            page = await list_runs(scope, RunsQuery(team="octo-org"))
            jobs = await list_jobs(scope, JobsQuery(team="octo-org"))
    assert ([run.conclusion for run in page.runs], jobs.total) == (["success"], 1)
    assert (await list_runs(scope, RunsQuery(team="octo-org"))).runs[0].conclusion == "cancelled"


async def test_the_readers_connection_does_not_write(database: Database) -> None:
    if database.dialect is Dialect.SQLITE:
        with pytest.raises(Exception, match="readonly"):
            await database.reader.execute("DELETE FROM workflow_run")


@pytest.mark.parametrize("limit", [3, 7, 50])
async def test_jobs_of_few_runs_come_in_order_whichever_run_is_newer(database: Database, limit: int) -> None:
    runs = [make.run(number, event="schedule", created_at=stamp(number)) for number in range(1, 13)]
    # Every third run was run again long after, when others were new.
    times = {10 * run + part: run + (100 if run % 3 == 0 else 0) + part for run in range(1, 13) for part in range(2)}
    jobs = [make.job(job, job // 10, created_at=stamp(at)) for job, at in times.items()]
    others = [make.run(number, event="push", created_at=stamp(number)) for number in range(20, 30)]
    other_jobs = [make.job(10 * run["id"], run["id"], created_at=stamp(run["id"])) for run in others]
    scope = await record(database, HOME, runs=[*runs, *others], jobs=[*jobs, *other_jobs])
    shown: list[int] = []
    cursor = None
    while True:
        page = await list_jobs(scope, JobsQuery(team="octo-org", event="schedule", limit=limit, cursor=cursor))
        shown += [job.job_id for job in page.jobs]
        assert (page.total, page.total_is_exact) == (len(jobs), True)
        if (cursor := page.next_cursor) is None:
            break
    assert shown == sorted(times, key=lambda job: (times[job], job), reverse=True)


@pytest.mark.parametrize("days", [0, 31, 64])
async def test_a_job_that_came_long_after_its_run_is_among_the_newest(database: Database, days: int) -> None:
    day = 24 * 60 * 60
    runs = [make.run(n, event="schedule", created_at=stamp(n - days * day * (n == 1))) for n in range(1, 8)]
    jobs = [make.job(10 * n, n, created_at=stamp(n)) for n in range(1, 8)]
    again = make.job(11, 1, run_attempt=2, created_at=stamp(100))
    scope = await record(database, HOME, runs=runs, jobs=[*jobs, again])
    page = await list_jobs(scope, JobsQuery(team="octo-org", event="schedule", limit=3))
    assert [job.job_id for job in page.jobs] == [11, 70, 60]


async def test_jobs_of_few_runs_that_tell_no_time_come_last(database: Database) -> None:
    runs = [make.run(n, event="schedule", created_at=stamp(n)) for n in range(1, 4)]
    # What Go writes where there is no time.
    times = ["0001-01-01T00:00:00Z", stamp(1), stamp(2)]
    jobs = [make.job(10 * n, n, created_at=at) for n, at in enumerate(times, 1)]
    scope = await record(database, HOME, runs=runs, jobs=jobs)
    for limit, expected in ((1, [30]), (2, [30, 20]), (5, [30, 20, 10])):
        page = await list_jobs(scope, JobsQuery(team="octo-org", event="schedule", limit=limit))
        assert [job.job_id for job in page.jobs] == expected
