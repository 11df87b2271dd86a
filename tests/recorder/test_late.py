"""Runs with late jobs are marked, whichever of the two is recorded last, and whatever was recorded by others."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget

from bot.domain.lateness import LATE_AFTER, on_time_since
from bot.recorder import mark_late
from bot.store import connected
from bot.store.connections import APP, WRITER
from bot.store.database import Database, to_moment
from bot.store.migrate import _context, migrate
from bot.store.queries import JobsQuery, list_jobs
from tests import builders as make
from tests.recorder.records import clear
from tests.store.recording import NOON, record, stamp

HOUR, DAY = 3600, 24 * 3600
LONG_AGO = -60 * DAY
JUST_ON_TIME, JUST_LATE = LATE_AFTER.total_seconds(), LATE_AFTER.total_seconds() + 1
FIRST = datetime.min.replace(tzinfo=UTC)


async def marked(database: Database) -> dict[int, datetime | None]:
    """Return what each run is marked with."""
    rows = await database.fetch("SELECT run_id, late_job_at FROM workflow_run")
    return {row["run_id"]: to_moment(row["late_job_at"]) for row in rows}


def _at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_what_is_on_time() -> None:
    assert on_time_since(NOON) == NOON - LATE_AFTER
    assert on_time_since(FIRST) == FIRST


# Of each run, how long after it was created its jobs are.
waits = st.lists(st.sampled_from([0, HOUR, JUST_ON_TIME, JUST_LATE, 2 * DAY, 50 * DAY]), max_size=3)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=st.lists(waits, min_size=1, max_size=3), data=st.data())
async def test_whichever_comes_last_marks(database: Database, runs: list[list[float]], data: st.DataObject) -> None:
    await clear(database)
    told: list[dict[str, Any]] = []
    expected: dict[int, datetime | None] = {}
    for run_id, waited in enumerate(runs, 1):
        began = LONG_AGO + run_id
        told.append({"runs": [make.run(run_id, created_at=stamp(began))]})
        for number, wait in enumerate(waited):
            job = make.job(10 * run_id + number, run_id, created_at=stamp(began + wait))
            told.append({"jobs": [job]})
        newest = max(waited, default=0)
        expected[run_id] = _at(began + newest) if newest > JUST_ON_TIME else None
    for each in data.draw(st.permutations(told)):
        await record(database, make.repository(), **each)
    assert await marked(database) == expected
    # What was known before marks nothing anew.
    for each in data.draw(st.permutations(told)):
        await record(database, make.repository(), **each)
    assert await marked(database) == expected


async def test_a_batch_of_both_marks(database: Database) -> None:
    runs = [make.run(number, created_at=stamp(LONG_AGO)) for number in (1, 2)]
    jobs = [make.job(number, 1, created_at=stamp(LONG_AGO + number * DAY)) for number in (3, 5, 4)]
    await record(database, make.repository(), runs=runs, jobs=jobs)
    assert await marked(database) == {1: _at(LONG_AGO + 5 * DAY), 2: None}


async def test_a_job_without_times_is_not_late(database: Database) -> None:
    untold = make.job(7, 1, created_at=None, started_at=None)
    await record(database, make.repository(), runs=[make.run(1, created_at=stamp(LONG_AGO))], jobs=[untold])
    assert await marked(database) == {1: None}


async def test_a_job_is_found_however_late_it_is(database: Database) -> None:
    recent = range(2, 9)
    runs = [make.run(number, event="schedule", created_at=stamp(-number)) for number in recent]
    runs += [make.run(1, event="schedule", created_at=stamp(-500 * DAY))]
    jobs = [make.job(number, number, created_at=stamp(-number)) for number in (1, *recent)]
    scope = await record(database, make.repository(), runs=runs, jobs=jobs)
    page = await list_jobs(scope, JobsQuery(team="octo-org", event="schedule", limit=3))
    assert [job.job_id for job in page.jobs] == [1, 2, 3]


async def _record_unmarked(database: Database, late_at: float) -> None:
    """Record as a version of the service did that marked nothing."""
    runs = [make.run(number, created_at=stamp(late_at - 30 * DAY)) for number in (1, 2)]
    jobs = [make.job(1, 1, created_at=stamp(late_at)), make.job(2, 2, created_at=stamp(late_at - 30 * DAY))]
    await record(database, make.repository(), runs=runs, jobs=jobs)
    await database.execute("UPDATE workflow_run SET late_job_at = NULL")


@pytest.mark.parametrize(("late_at", "found"), [(-HOUR, 1), (-2.9 * DAY, 1), (-3.1 * DAY, 0)])
async def test_what_was_listed_of_late_is_gone_through(database: Database, late_at: float, found: int) -> None:
    await _record_unmarked(database, late_at)
    assert await mark_late(NOON) == found
    assert await marked(database) == {1: _at(late_at) if found else None, 2: None}
    assert await mark_late(NOON) == 0


async def test_what_was_recorded_before_there_were_marks_is_marked(database_url: str) -> None:
    async with _context(database_url) as (context, apps):
        await MigrationExecutor(context.connections.get(WRITER), apps).migrate([MigrationTarget(APP, "0007_journal")])
    async with connected(database_url) as database:
        for run_id, wait in enumerate((JUST_ON_TIME, JUST_LATE), 1):
            both = {"repository_id": 9, "team_id": 1, "run_id": run_id, "status": "completed", "version": b"1"}
            created, listed = {"created_at": _at(LONG_AGO), "updated_at": NOON}, {"listed_at": _at(LONG_AGO + wait)}
            await _insert(database, "workflow_run", both | created | {"run_attempt": 1})
            told = {"job_id": run_id, "name": "build", "labels": "[]", "steps": "[]"}
            await _insert(database, "workflow_job", both | listed | told)
    await migrate(database_url)
    async with connected(database_url) as database:
        found = await marked(database)
    assert found == {1: None, 2: _at(LONG_AGO + JUST_LATE)}


async def _insert(database: Database, table: str, row: dict[str, Any]) -> None:
    places = ", ".join("?" * len(row))
    await database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())
