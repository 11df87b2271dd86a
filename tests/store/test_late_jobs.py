"""Jobs that follow from runs are listed in their order, however long after their run each is listed, or before."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.domain.lateness import EARLY_BEFORE, LATE_AFTER
from bot.store.database import Database
from bot.store.queries import JobsQuery, Scope, jobs, list_jobs
from bot.store.queries.job_filters import Between, are_few_runs, told_by_runs
from tests import builders as make
from tests.recorder.records import clear
from tests.store.recording import NOON, record, stamp

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
# After which time of its run a job is listed.
LATE = (LATE_AFTER - SECOND, LATE_AFTER, LATE_AFTER + SECOND, 8 * HOUR, 40 * HOUR)
EARLY = (SECOND - EARLY_BEFORE, -EARLY_BEFORE, -EARLY_BEFORE - SECOND, -3 * HOUR, -40 * HOUR)
WAITS = (0 * HOUR, HOUR, *LATE, *EARLY)
Told = list[tuple[int, list[timedelta]]]


def _bodies(told: Told) -> Iterator[tuple[make.Body, list[make.Body]]]:
    for run_id, (hour, waits) in enumerate(told, 1):
        began = (hour - 100) * HOUR
        run = make.run(run_id, event="schedule", created_at=stamp(began.total_seconds()))
        listed = [stamp((began + wait).total_seconds()) for wait in waits]
        yield run, [make.job(10 * run_id + n, run_id, created_at=moment) for n, moment in enumerate(listed)]


runs = st.lists(
    st.tuples(st.integers(0, 20), st.lists(st.sampled_from(WAITS), min_size=1, max_size=3)), min_size=1, max_size=12
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=runs, limit=st.integers(1, 4), newest=st.sampled_from((1, 3, 200)), passed=st.sampled_from((0, 5000)))
# On time at the last moment, late at the first, and both as old as the oldest of the page.
@example(told=[(6, [0 * HOUR]), (6, [0 * HOUR]), (0, [LATE_AFTER, HOUR])], limit=1, newest=200, passed=5000)
@example(
    told=[(6, [0 * HOUR]), (6, [0 * HOUR]), (0, [LATE_AFTER - SECOND, HOUR]), (1, [LATE_AFTER - SECOND])],
    limit=1,
    newest=200,
    passed=5000,
)
@example(told=[(8, [0 * HOUR]), (8, [0 * HOUR]), (0, [8 * HOUR])], limit=1, newest=200, passed=5000)
@example(told=[(7, [0 * HOUR]), (7, [0 * HOUR]), (0, [LATE_AFTER + SECOND + HOUR])], limit=1, newest=200, passed=5000)
async def test_in_their_order(database: Database, told: Told, limit: int, newest: int, passed: int) -> None:
    await clear(database)
    both = [*_bodies(told)]
    of_runs = [job for _, of_run in both for job in of_run]
    scope = await record(database, make.repository(), runs=[run for run, _ in both], jobs=of_runs)
    wanted = [job["id"] for job in sorted(of_runs, key=lambda job: (job["created_at"], job["id"]), reverse=True)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(jobs, "NEWEST_RUNS", newest)
        patched.setattr(jobs, "MOST_LOOKED_THROUGH", passed)
        assert await _page_by_page(scope, limit) == wanted


async def _page_by_page(scope: Scope, limit: int) -> list[int]:
    shown: list[int] = []
    cursor = None
    while True:
        page = await list_jobs(scope, JobsQuery(team="octo-org", event="schedule", limit=limit, cursor=cursor))
        shown += [job.job_id for job in page.jobs]
        if (cursor := page.next_cursor) is None:
            return shown


async def test_a_run_that_is_new_and_has_a_late_job_counts_once(database: Database) -> None:
    ((run, of_run),) = _bodies([(0, [7 * HOUR])])
    scope = await record(database, make.repository(), runs=[run], jobs=of_run)
    told = told_by_runs(scope, JobsQuery(team="octo-org", event="schedule"), None)
    assert told is not None
    for since, most, expected in ((3 * HOUR, 1, True), (3 * HOUR, 0, False), (8 * HOUR, 0, True)):
        asked = are_few_runs(told, Between(NOON - 100 * HOUR + since), most)
        assert await database.reader.converse(asked) is expected


async def test_of_runs_created_long_after_a_page_none_is_looked_at(database: Database) -> None:
    both = [*_bodies([(hour, [0 * HOUR]) for hour in range(20)])]
    of_runs = [job for _, of_run in both for job in of_run]
    scope = await record(database, make.repository(), runs=[run for run, _ in both], jobs=of_runs)
    told = told_by_runs(scope, JobsQuery(team="octo-org", event="schedule"), None)
    assert told is not None
    # Of the runs of the tenth hour, an hour before and after it, and six before the one, there are nine.
    between = Between(NOON - 91 * HOUR, NOON - 90 * HOUR)
    assert await database.reader.converse(are_few_runs(told, between, 9))
    assert not await database.reader.converse(are_few_runs(told, between, 8))
