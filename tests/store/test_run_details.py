"""One run: its attempts, newest first, and the jobs of one of them."""

import pytest

from bot.errors import NotFound
from bot.recorder import marking_gone
from bot.store.database import Database
from bot.store.queries import RunsQuery, Scope, get_run_details, get_scope, list_runs
from tests import builders as make
from tests.store.recording import NOON, record, record_installation

HOME = make.repository()


@pytest.fixture
async def scope(database: Database) -> Scope:
    attempts = [
        make.run(100, run_attempt=1, conclusion="failure"),
        make.run(100, run_attempt=3, status="in_progress", conclusion=None, triggering_actor=None),
        make.run(100, run_attempt=2, conclusion="cancelled", pull_requests=[make.linked(7)]),
        make.run(101),
    ]
    jobs = [make.job(attempt * 10 + part, run_attempt=attempt) for attempt in (3, 1, 2) for part in (2, 1)]
    jobs += [make.job(40, 101), make.job(41, 101, run_attempt=None), make.job(42, 102)]
    return await record(database, HOME, runs=attempts, jobs=jobs)


async def test_newest_attempt_first_with_its_jobs(scope: Scope) -> None:
    details = await get_run_details(scope, 100)
    assert [each.run_attempt for each in details.attempts] == [3, 2, 1]
    assert [each.conclusion for each in details.attempts] == [None, "cancelled", "failure"]
    assert details.run == details.attempts[0]
    assert [job.job_id for job in details.jobs] == [31, 32]
    # Attempts share the commit, and so the pull request.
    assert {each.pull_requests[0].number for each in details.attempts} == {7}


async def test_an_attempt_can_be_picked(scope: Scope) -> None:
    for attempt in (1, 2, 3):
        details = await get_run_details(scope, 100, attempt)
        assert details.run.run_attempt == attempt
        assert [job.job_id for job in details.jobs] == [attempt * 10 + 1, attempt * 10 + 2]
        assert len(details.attempts) == 3


async def test_a_job_without_an_attempt_is_the_first_ones(scope: Scope) -> None:
    assert [job.job_id for job in (await get_run_details(scope, 101)).jobs] == [40, 41]


async def test_what_is_not_there(scope: Scope) -> None:
    for run_id, attempt in ((100, 4), (99, None), (102, None), (0, None), (2**63 - 1, None)):
        with pytest.raises(NotFound):
            await get_run_details(scope, run_id, attempt)


async def test_what_is_not_to_be_seen_is_not_there_either(scope: Scope, database: Database) -> None:
    stranger = await record(database, make.repository("stranger/x", 90, 91), runs=[make.run(900)], installation=92)
    with pytest.raises(NotFound) as theirs:
        await get_run_details(stranger, 100)
    with pytest.raises(NotFound) as nobodys:
        await get_run_details(stranger, 99)
    assert str(theirs.value) == str(nobodys.value)
    with pytest.raises(NotFound):
        await get_run_details(Scope(scope.team_id, scope.slug, frozenset({10})), 100)
    assert await get_run_details(Scope(scope.team_id, scope.slug, frozenset({9, 10})), 100)
    await record_installation(database, "deleted", minute=2)
    with pytest.raises(NotFound):
        await get_run_details(await get_scope("octo-org"), 100)


# Jobs that nobody has asked GitHub for yet.


async def pending(scope: Scope, run_id: int, attempt: int | None = None) -> bool:
    return (await get_run_details(scope, run_id, attempt)).jobs_pending


async def test_jobs_are_pending_where_an_attempt_has_ended_without_any(database: Database) -> None:
    ended = [
        make.run(200, conclusion="success"),
        make.run(201, conclusion="startup_failure"),
        make.run(202, conclusion="action_required"),
        make.run(203, status="in_progress", conclusion=None),
        make.run(204, run_attempt=1, conclusion="failure"),
        make.run(204, run_attempt=2, conclusion="success"),
    ]
    scope = await record(database, HOME, runs=ended, jobs=[make.job(1, 204, run_attempt=2)])
    assert [await pending(scope, run_id) for run_id in range(200, 205)] == [True, False, False, False, False]
    assert await pending(scope, 204, 1)
    # Once GitHub was asked for them, there are none.
    await database.execute("UPDATE workflow_run SET jobs_attempt = 1")
    assert not await pending(scope, 200)
    assert not await pending(scope, 204, 1)


async def test_a_run_that_is_gone_is_so_in_every_attempt_and_has_no_jobs_to_come(database: Database) -> None:
    attempts = [
        make.run(300, run_attempt=1, conclusion="failure"),
        make.run(300, run_attempt=2, status="in_progress", conclusion=None),
    ]
    scope = await record(database, HOME, runs=attempts)
    assert {each.gone_at for each in (await get_run_details(scope, 300)).attempts} == {None}
    async with database.transaction() as tx:
        await tx.converse(marking_gone(300, NOON))
    details = await get_run_details(scope, 300)
    (listed,) = (await list_runs(scope, RunsQuery(team=scope.slug))).runs
    assert {each.gone_at for each in (*details.attempts, listed)} == {NOON}
    assert not details.jobs_pending
    ended, first = details.attempts
    # Nobody was told how, or when, the second ended.
    assert (ended.status, ended.conclusion, ended.run_completed_at, ended.run_duration) == (
        "completed",
        None,
        None,
        None,
    )
    assert (first.conclusion, first.run_completed_at) == ("failure", first.updated_at)
