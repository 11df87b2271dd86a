"""Runs without jobs are marked, whichever of the two is recorded last, and whatever was recorded by others."""

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import recorder
from bot.domain import facts, ordering, payloads
from bot.domain.lateness import LATE_AFTER
from bot.domain.wanting import JOBS_SPAN
from bot.recorder import mark_runs
from bot.store import connected
from bot.store.database import Database
from bot.store.migrate import migrate
from bot.store.queries import JobsQuery, list_jobs
from tests import builders as make
from tests.recorder.records import clear
from tests.recorder.schema import migrate_to
from tests.store.recording import NOON, record, stamp

HOUR, DAY = 3600, 24 * 3600
LONG_AGO = -60 * DAY
ENDED_BEFORE = -LATE_AFTER.total_seconds() - HOUR


async def marked(database: Database) -> set[int]:
    """Return the runs that are marked as having no jobs."""
    return {row["run_id"] for row in await database.fetch("SELECT run_id FROM workflow_run WHERE without_jobs")}


def _run(number: int = 1, began: float = LONG_AGO, **changes: Any) -> make.Body:
    return make.run(number, event="schedule", created_at=stamp(began), run_started_at=stamp(began), **changes)


def _job(number: int = 1, run_id: int = 1, listed: float = LONG_AGO) -> make.Body:
    return make.job(number, run_id, created_at=stamp(listed))


JUST_WITHIN = -JOBS_SPAN.total_seconds()


@pytest.mark.parametrize(
    ("told", "stays_without"),
    [
        ({}, True),
        ({"conclusion": "cancelled"}, True),
        # Their jobs are asked for.
        ({"conclusion": "failure"}, False),
        ({"began": JUST_WITHIN}, False),
        ({"began": JUST_WITHIN - 1}, True),
        ({"conclusion": "startup_failure", "began": -DAY}, True),
        ({"conclusion": "startup_failure", "run_attempt": 2, "began": -DAY}, False),
        # They have not ended.
        ({"status": "in_progress", "conclusion": None}, False),
        ({"conclusion": "action_required"}, False),
    ],
)
async def test_which_are_marked_when_they_are_recorded(
    database: Database, told: dict[str, Any], *, stays_without: bool
) -> None:
    await record(database, make.repository(), runs=[_run(**told)])
    assert await marked(database) == ({1} if stays_without else set())


runs_and_jobs = st.lists(st.integers(0, 2), min_size=1, max_size=4)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(jobs_of_each=runs_and_jobs, data=st.data())
async def test_whichever_comes_last_sees_to_the_mark(
    database: Database, jobs_of_each: list[int], data: st.DataObject
) -> None:
    await clear(database)
    told: list[tuple[str, make.Body]] = [("runs", _run(run_id)) for run_id, _ in enumerate(jobs_of_each, 1)]
    told += [
        ("jobs", _job(10 * run_id + number, run_id))
        for run_id, jobs in enumerate(jobs_of_each, 1)
        for number in range(jobs)
    ]
    shuffled = data.draw(st.permutations(told))
    # In batches of any size.
    cuts = sorted(data.draw(st.sets(st.integers(0, len(told)))) | {0, len(told)})
    for begin, end in itertools.pairwise(cuts):
        batch = shuffled[begin:end]
        runs, jobs = ([body for each, body in batch if each == kind] for kind in ("runs", "jobs"))
        scope = await record(database, make.repository(), runs=runs, jobs=jobs)
    assert await marked(database) == {run_id for run_id, jobs in enumerate(jobs_of_each, 1) if not jobs}
    page = await list_jobs(scope, JobsQuery(team="octo-org", event="schedule"))
    assert {job.job_id for job in page.jobs} == {body["id"] for kind, body in told if kind == "jobs"}


async def test_a_run_that_is_run_again_has_jobs_from_then_on(database: Database) -> None:
    await record(database, make.repository(), runs=[_run()])
    await record(database, make.repository(), runs=[_run(run_attempt=2, status="queued", conclusion=None)])
    assert await marked(database) == {1}
    await record(database, make.repository(), jobs=[_job(listed=0)])
    assert await marked(database) == set()
    await record(database, make.repository(), runs=[_run()])
    assert await marked(database) == set()


async def test_what_came_to_have_none_is_marked_later(database: Database) -> None:
    runs = [_run(number, ENDED_BEFORE, conclusion="failure") for number in (1, 2)]
    runs += [_run(3, ENDED_BEFORE + 2 * HOUR), _run(4, ENDED_BEFORE, status="in_progress", conclusion=None)]
    await record(database, make.repository(), runs=runs, jobs=[_job(run_id=2, listed=ENDED_BEFORE)])
    assert await marked(database) == set()
    assert await mark_runs(NOON) == 1
    assert await marked(database) == {1}
    assert await mark_runs(NOON) == 0
    # The third was too young then.
    assert await mark_runs(NOON + timedelta(hours=3)) == 1
    assert await marked(database) == {1, 3}


async def test_a_mark_that_an_older_version_left_is_taken_back(database: Database) -> None:
    await record(database, make.repository(), runs=[_run(1), _run(2)], jobs=[_job(listed=-DAY)])
    await database.execute("UPDATE workflow_run SET without_jobs = TRUE")
    assert await mark_runs(NOON) == 1
    assert await marked(database) == {2}


def _facts(*, runs: list[make.Body], jobs: list[make.Body]) -> list[facts.Facts]:
    home = payloads.read(make.repository(), payloads.Repository)
    told: list[facts.Facts] = [facts.repository(home, make.INSTALLATION, ordering.microseconds(NOON))]
    told += [facts.workflow_run(payloads.read(each, payloads.WorkflowRun), home.id, 1) for each in runs]
    return told + [facts.workflow_job(payloads.read(each, payloads.WorkflowJob), home.id, 1) for each in jobs]


@pytest.mark.parametrize("first", ["run", "job"])
async def test_two_that_record_run_and_job_at_once_see_each_other(postgres: Database, first: str) -> None:
    await record(postgres, make.repository())
    told = {"run": _facts(runs=[_run()], jobs=[]), "job": _facts(runs=[], jobs=[_job()])}
    has_recorded = asyncio.Event()

    async def record_and_wait() -> None:
        async with postgres.transaction() as tx:
            await recorder.record(tx, told[first], NOON)
            has_recorded.set()
            # The other one has to have begun meanwhile.
            await asyncio.sleep(0.3)

    async def record_meanwhile() -> None:
        await has_recorded.wait()
        async with postgres.transaction() as tx:
            await recorder.record(tx, told["job" if first == "run" else "run"], NOON)

    await asyncio.gather(record_and_wait(), record_meanwhile())
    assert await marked(postgres) == set()


async def test_whoever_marks_later_waits_for_who_records_a_job(postgres: Database) -> None:
    await record(postgres, make.repository(), runs=[_run(began=ENDED_BEFORE)])
    async with postgres.transaction() as tx:
        await recorder.record(tx, _facts(runs=[], jobs=[_job(listed=ENDED_BEFORE)]), NOON)
        marking = asyncio.create_task(mark_runs(NOON))
        await asyncio.sleep(0.3)
        assert not marking.done()
    await marking
    assert await marked(postgres) == set()


async def test_what_was_recorded_before_there_were_marks_is_marked(database_url: str) -> None:
    await migrate_to(database_url, "0008_late_jobs")
    async with connected(database_url) as database:
        for run_id, created in ((1, LONG_AGO), (2, LONG_AGO), (3, 10_000 * DAY)):
            both = {"repository_id": 9, "team_id": 1, "run_id": run_id, "status": "completed", "version": b"1"}
            times = {"created_at": NOON + timedelta(seconds=created), "updated_at": NOON}
            await _insert(database, "workflow_run", both | times | {"run_attempt": 1})
            if run_id == 1:
                told = {"job_id": run_id, "name": "build", "labels": "[]", "steps": "[]", "listed_at": NOON}
                await _insert(database, "workflow_job", both | told)
    await migrate(database_url)
    async with connected(database_url) as database:
        assert await marked(database) == {2}


async def _insert(database: Database, table: str, row: dict[str, Any]) -> None:
    places = ", ".join("?" * len(row))
    await database.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *row.values())
