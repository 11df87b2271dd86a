"""Runs with late jobs are marked, whichever of the two is recorded last, and whatever was recorded by others."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import ANY

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import recorder
from bot.clock import ManualClock
from bot.domain import facts, ordering, payloads
from bot.domain.facts import NO_TIME
from bot.domain.lateness import EARLY_BEFORE, LATE_AFTER, on_time_since, on_time_until
from bot.recorder import mark_runs, run_marks
from bot.settings import Settings
from bot.store import connected
from bot.store.database import Database, to_moment
from bot.store.migrate import migrate
from bot.store.queries import JobsQuery, list_jobs
from bot.worker import Worker
from bot.worker.timed_jobs import TIMED_JOBS, TimedJob
from tests import builders as make
from tests.recorder.records import clear
from tests.recorder.schema import migrate_to
from tests.store.recording import NOON, record, stamp

HOUR, DAY = 3600, 24 * 3600
LONG_AGO = -60 * DAY
JUST_ON_TIME, JUST_LATE = LATE_AFTER.total_seconds(), LATE_AFTER.total_seconds() + 1
JUST_EARLY = -EARLY_BEFORE.total_seconds() - 1
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


async def marked(database: Database) -> dict[int, datetime | None]:
    """Return what each run is marked with."""
    rows = await database.fetch("SELECT run_id, late_job_at FROM workflow_run")
    return {row["run_id"]: to_moment(row["late_job_at"]) for row in rows}


def _at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_what_is_on_time() -> None:
    assert on_time_since(NOON) == NOON - LATE_AFTER
    assert on_time_since(FIRST) == FIRST
    assert on_time_until(NOON) == NOON + EARLY_BEFORE
    assert on_time_until(LAST) == LAST


# Of each run, how long after it was created its jobs are.
late = [JUST_ON_TIME, JUST_LATE, 2 * DAY, 50 * DAY]
early = [JUST_EARLY + 1, JUST_EARLY, -2 * DAY]
waits = st.lists(st.sampled_from([0, HOUR, *late, *early]), max_size=3)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=st.lists(waits, min_size=1, max_size=3), data=st.data())
async def test_whichever_comes_last_marks(database: Database, runs: list[list[float]], data: st.DataObject) -> None:
    await clear(database)
    told: list[dict[str, Any]] = []
    expected: dict[int, tuple[datetime, datetime] | None] = {}
    for run_id, waited in enumerate(runs, 1):
        began = LONG_AGO + run_id
        told.append({"runs": [make.run(run_id, created_at=stamp(began))]})
        for number, wait in enumerate(waited):
            job = make.job(10 * run_id + number, run_id, created_at=stamp(began + wait))
            told.append({"jobs": [job]})
        untimely = [wait for wait in waited if not JUST_EARLY < wait < JUST_LATE]
        expected[run_id] = (_at(began + max(untimely)), _at(began + max(waited))) if untimely else None
    for each in data.draw(st.permutations(told)):
        await record(database, make.repository(), **each)
    found = await marked(database)
    for run_id, between in expected.items():
        # Of jobs that are told together, the last one's time is taken, be it on time.
        mark = found.pop(run_id)
        assert (mark is None and between is None) or (mark and between and between[0] <= mark <= between[1])
    assert not found
    # What was known before marks nothing anew.
    found = await marked(database)
    for each in data.draw(st.permutations(told)):
        await record(database, make.repository(), **each)
    assert await marked(database) == found


async def test_a_batch_of_both_marks(database: Database) -> None:
    runs = [make.run(number, created_at=stamp(LONG_AGO)) for number in (1, 2)]
    jobs = [make.job(number, 1, created_at=stamp(LONG_AGO + number * DAY)) for number in (3, 5, 4)]
    await record(database, make.repository(), runs=runs, jobs=jobs)
    assert await marked(database) == {1: _at(LONG_AGO + 5 * DAY), 2: None}


async def test_each_that_is_later_still_marks(database: Database) -> None:
    await record(database, make.repository(), runs=[make.run(1, created_at=stamp(LONG_AGO))])
    for days, newest in ((1, 1), (3, 3), (2, 3)):
        await record(database, make.repository(), jobs=[_late_job(days)])
        assert await marked(database) == {1: _at(LONG_AGO + newest * DAY)}


async def test_the_run_of_a_job_that_is_hardly_late_is_marked_as_well(database: Database) -> None:
    await record(database, make.repository(), jobs=[make.job(1, 1, created_at=stamp(0))])
    await record(database, make.repository(), runs=[make.run(1, created_at=stamp(-JUST_LATE))])
    assert await marked(database) == {1: NOON}


async def test_a_job_without_times_is_early(database: Database) -> None:
    untold = make.job(7, 1, created_at=None, started_at=None)
    await record(database, make.repository(), runs=[make.run(1, created_at=stamp(LONG_AGO))], jobs=[untold])
    assert await marked(database) == {1: NO_TIME}
    scope = await record(database, make.repository(), jobs=[make.job(8, 1, created_at=stamp(LONG_AGO))])
    query = JobsQuery(team="octo-org", event="pull_request", limit=1)
    page = await list_jobs(scope, query)
    last = await list_jobs(scope, msgspec.structs.replace(query, cursor=page.next_cursor))
    assert [job.job_id for job in (*page.jobs, *last.jobs)] == [8, 7]


async def test_a_job_is_found_however_late_it_is(database: Database) -> None:
    recent = range(2, 9)
    runs = [make.run(number, event="schedule", created_at=stamp(-number)) for number in recent]
    runs += [make.run(1, event="schedule", created_at=stamp(-500 * DAY))]
    jobs = [make.job(number, number, created_at=stamp(-number)) for number in (1, *recent)]
    scope = await record(database, make.repository(), runs=runs, jobs=jobs)
    page = await list_jobs(scope, JobsQuery(team="octo-org", event="schedule", limit=3))
    assert [job.job_id for job in page.jobs] == [1, 2, 3]


async def _record_unmarked(database: Database, late_at: float) -> dict[int, datetime | None]:
    """Record as a version of the service did that marked nothing; return how the runs are to be marked."""
    # The second job is on time.
    created = {1: late_at - 30 * DAY, 2: late_at}
    runs = [make.run(number, created_at=stamp(moment)) for number, moment in created.items()]
    jobs = [make.job(number, number, created_at=stamp(late_at)) for number in created]
    await record(database, make.repository(), runs=runs, jobs=jobs)
    await database.execute("UPDATE workflow_run SET late_job_at = NULL")
    return {1: _at(late_at), 2: None}


@pytest.mark.parametrize("late_at", [0, -30 * 60, -3.9 * DAY])
async def test_what_is_listed_of_late_is_looked_through(database: Database, late_at: float) -> None:
    expected = await _record_unmarked(database, late_at)
    assert await mark_runs(NOON) == 1
    assert await marked(database) == expected
    assert await mark_runs(NOON) == 0
    # Of a run that is marked already, a newer job may not be.
    await database.execute("UPDATE workflow_run SET late_job_at = ? WHERE run_id = 1", _at(late_at - HOUR))
    assert await mark_runs(NOON) == 1
    assert await marked(database) == expected


async def test_it_is_looked_through_for_each_team(database: Database) -> None:
    for number in (1, 2):
        home = make.repository(f"team-{number}/hello", number, number)
        await record(database, home, runs=[make.run(number, created_at=stamp(-9 * DAY))], installation=number)
        await record(database, home, jobs=[make.job(number, number, created_at=stamp(-DAY))], installation=number)
    await database.execute("UPDATE workflow_run SET late_job_at = NULL")
    assert await mark_runs(NOON) == 2


async def test_early_jobs_are_looked_through_as_well(database: Database) -> None:
    # Its jobs came before it, when it had just begun.
    await record(database, make.repository(), jobs=[make.job(1, 1, created_at=stamp(-9 * DAY))])
    await record(database, make.repository(), runs=[make.run(1, created_at=stamp(0))])
    assert await marked(database) == {1: None}
    assert await mark_runs(NOON + timedelta(hours=1)) == 1
    assert await marked(database) == {1: _at(-9 * DAY)}
    assert await mark_runs(NOON + timedelta(hours=1)) == 0


async def test_no_more_is_looked_through(database: Database) -> None:
    await _record_unmarked(database, -4.1 * DAY)
    assert await mark_runs(NOON) == 0


async def test_a_worker_looks_through_it_when_it_starts(database: Database) -> None:
    expected = await _record_unmarked(database, -DAY)
    assert TimedJob("mark-runs", timedelta(hours=1), ANY, at_start=True) in TIMED_JOBS
    await Worker(database, ManualClock(NOON), Settings(_env_file=None)).run_timed_jobs()
    assert await marked(database) == expected


def _facts(seen: int, *, runs: Iterable[make.Body] = (), jobs: Iterable[make.Body] = ()) -> list[facts.Facts]:
    home = payloads.read(make.repository(), payloads.Repository)
    told: list[facts.Facts] = [facts.repository(home, make.INSTALLATION, ordering.microseconds(NOON))]
    told += [facts.workflow_run(payloads.read(each, payloads.WorkflowRun), home.id, seen) for each in runs]
    return told + [facts.workflow_job(payloads.read(each, payloads.WorkflowJob), home.id, seen) for each in jobs]


@pytest.mark.parametrize("first", ["run", "job"])
async def test_two_that_record_run_and_job_at_once_see_each_other(postgres: Database, first: str) -> None:
    await record(postgres, make.repository())
    told = {"run": {"runs": [make.run(1, created_at=stamp(LONG_AGO))]}, "job": {"jobs": [_late_job(1)]}}
    has_recorded = asyncio.Event()

    async def record_and_wait(what: str) -> None:
        async with postgres.transaction() as tx:
            await recorder.record(tx, _facts(1, **told[what]), NOON)
            has_recorded.set()
            # The other one has to have begun meanwhile.
            await asyncio.sleep(0.3)

    async def record_meanwhile(what: str) -> None:
        await has_recorded.wait()
        async with postgres.transaction() as tx:
            await recorder.record(tx, _facts(1, **told[what]), NOON)

    await asyncio.gather(record_and_wait(first), record_meanwhile("job" if first == "run" else "run"))
    assert await marked(postgres) == {1: _at(LONG_AGO + DAY)}


async def test_a_past_that_is_listed_marks_as_well(database: Database) -> None:
    await record(database, make.repository(), jobs=[_late_job(1)])
    for _ in range(2):
        async with database.transaction() as tx:
            told = _facts(1, runs=[make.run(1, created_at=stamp(LONG_AGO))])
            await recorder.record(tx, told, NOON, marks=recorder.Marks.IF_TOLD)
        assert await marked(database) == {1: _at(LONG_AGO + DAY)}


def _late_job(number: int, **changes: Any) -> make.Body:
    return make.job(number, 1, created_at=stamp(LONG_AGO + number * DAY), **changes)


async def test_two_that_record_a_late_job_with_and_without_its_run_never_deadlock(postgres: Database) -> None:
    await record(postgres, make.repository(), runs=[make.run(1, created_at=stamp(LONG_AGO))])

    async def tell(**told: list[make.Body]) -> None:
        async with postgres.transaction() as tx:
            await recorder.record(tx, _facts(1, **told), NOON)

    for number in range(1, 21):
        again = make.run(1, created_at=stamp(LONG_AGO), run_attempt=1 + number)
        alone, together = _late_job(number, status="in_progress"), _late_job(number)
        await asyncio.gather(tell(jobs=[alone]), tell(runs=[again], jobs=[together]), tell(runs=[again]))
    assert await marked(postgres) == {1: _at(LONG_AGO + 20 * DAY)}


async def test_known_runs_do_not_wait_for_each_other_however_old(postgres: Database) -> None:
    runs = [make.run(number, workflow_id=number, created_at=stamp(LONG_AGO)) for number in (1, 2)]
    one, two = [each | {"head_sha": f"{each['id']}" * 40, "run_attempt": 2} for each in runs]
    await record(postgres, make.repository(), runs=runs)
    async with postgres.transaction() as tx:
        await recorder.record(tx, _facts(1, runs=[one]), NOON)
        async with asyncio.timeout(10), postgres.transaction() as other:
            await recorder.record(other, _facts(1, runs=[two]), NOON)


async def test_a_known_run_that_is_told_to_be_older_is_looked_at_again(database: Database) -> None:
    await record(database, make.repository(), runs=[make.run(1, created_at=stamp(-DAY))])
    await record(database, make.repository(), jobs=[make.job(1, 1, created_at=stamp(-DAY + HOUR))])
    assert await marked(database) == {1: None}
    older = make.run(1, created_at=stamp(-2 * DAY), run_attempt=2)
    await record(database, make.repository(), runs=[older])
    assert await marked(database) == {1: _at(-DAY + HOUR)}


async def test_a_known_run_that_is_told_to_be_younger_is_looked_at_again(database: Database) -> None:
    await record(database, make.repository(), runs=[make.run(1, created_at=stamp(-3 * DAY))])
    await record(database, make.repository(), jobs=[make.job(1, 1, created_at=stamp(-3 * DAY + HOUR))])
    younger = make.run(1, created_at=stamp(-2 * DAY), run_attempt=2)
    await record(database, make.repository(), runs=[younger])
    assert await marked(database) == {1: _at(-3 * DAY + HOUR)}


@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
async def test_looking_through_reads_no_jobs_but_in_indexes(database: Database) -> None:
    plan = await database.fetch(f"EXPLAIN QUERY PLAN {run_marks._LATE_OF_A_SLICE}", NOON, NOON, NOON)
    of_jobs = [row["detail"] for row in plan if " job " in row["detail"]]
    assert len(of_jobs) == 3
    assert all(" USING COVERING INDEX workflow_job_by_" in step for step in of_jobs)


async def test_what_was_recorded_before_there_were_marks_is_marked(database_url: str) -> None:
    await migrate_to(database_url, "0007_journal")
    async with connected(database_url) as database:
        for run_id, wait in enumerate((JUST_ON_TIME, JUST_LATE, JUST_EARLY + 1, JUST_EARLY), 1):
            both = {"repository_id": 9, "team_id": 1, "run_id": run_id, "status": "completed", "version": b"1"}
            created, listed = {"created_at": _at(LONG_AGO), "updated_at": NOON}, {"listed_at": _at(LONG_AGO + wait)}
            await _insert(database, "workflow_run", both | created | {"run_attempt": 1})
            told = {"job_id": run_id, "name": "build", "labels": "[]", "steps": "[]"}
            await _insert(database, "workflow_job", both | listed | told)
    await migrate(database_url)
    async with connected(database_url) as database:
        found = await marked(database)
    assert found == {1: None, 2: _at(LONG_AGO + JUST_LATE), 3: None, 4: _at(LONG_AGO + JUST_EARLY)}


async def _insert(database: Database, table: str, row: dict[str, Any]) -> None:
    places = ", ".join("?" * len(row))
    await database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())
