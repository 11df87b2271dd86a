"""What looks have found is committed together where it waits together, and one bad find harms no other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest
from msgspec.structs import replace
from tortoise.exceptions import DBConnectionError

from bot.domain import facts, payloads
from bot.domain.wanting import RunState, Urgency
from bot.errors import DatabaseUnavailable
from bot.history import looking
from bot.history.keeping import Keeper
from bot.history.requests import Kind, Target, add_backfill
from bot.recorder import record, repository_as_known
from bot.settings import Dialect
from bot.store import models
from bot.store.database import Database, Transaction
from bot.store.wanted import WantedRun, want_runs
from tests.domain.sent import sent
from tests.history.house import House, housed

RUNS = range(501, 507)


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    async with housed(database) as opened:
        yield opened


@pytest.fixture
async def found(house: House) -> list[looking.Found]:
    """Give what a look at each of some runs has found, which are recorded and wanted: a job that has ended."""
    repository = await models.Repository.get(repository_id=house.stage.repository.id)
    now, identifier = house.clock.now(), repository.repository_id
    runs = [_run(identifier, run_id) for run_id in RUNS]
    wanted = [
        WantedRun(run_id, house.installation_id, identifier, None, Urgency.OTHER, True, now, now) for run_id in RUNS
    ]
    async with house.database.transaction() as tx:
        await record(tx, [repository_as_known(repository), *runs], now)
        await want_runs(tx, wanted)
    ended = RunState("completed", "success", "push", now, now, 1, 1, 0, False, False)
    jobs = {run_id: _job(identifier, run_id, 10 * run_id) for run_id in RUNS}
    return [looking.Found(repository, each, ended, jobs=[jobs[each.run_id]], listed=1) for each in wanted]


def _run(repository_id: int, run_id: int) -> facts.WorkflowRun:
    body = sent("workflow_run")["workflow_run"] | {"id": run_id}
    return facts.workflow_run(payloads.read(body, payloads.WorkflowRun), repository_id, 1)


def _job(repository_id: int, run_id: int, job_id: int, status: str = "completed") -> facts.WorkflowJob:
    body = sent("workflow_job")["workflow_job"] | {"id": job_id, "run_id": run_id, "status": status}
    return facts.workflow_job(payloads.read(body, payloads.WorkflowJob), repository_id, 1)


class Commits:
    """Stands before a database, and counts the transactions that were committed."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.begun = asyncio.Event()
        self._transact = database.transact
        monkeypatch.setattr(database, "transact", self._counted)

    async def _counted(self, work: Callable[[Transaction], Awaitable[None]]) -> None:
        self.begun.set()
        await self._transact(work)
        self.count += 1


async def keep_all(house: House, found: Sequence[looking.Found]) -> list[BaseException | None]:
    keeper = Keeper(house.database, house.clock)
    return await asyncio.gather(*map(keeper.keep, found), return_exceptions=True)


_KEPT = (
    "SELECT run_id FROM workflow_job",
    "SELECT run_id FROM run_wanted",
    "SELECT run_id FROM workflow_run WHERE jobs_attempt = 1",
)


async def kept(house: House) -> tuple[set[int], set[int], set[int]]:
    """Return the runs that have a job, those that are wanted still, and those noted as listed."""
    jobs, wanted, listed = [{row["run_id"] for row in await house.database.fetch(sql)} for sql in _KEPT]
    return jobs, wanted, listed


async def test_whoever_is_there_shares_a_commit(
    house: House, found: list[looking.Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = Commits(house.database, monkeypatch)
    assert await keep_all(house, found) == [None] * len(RUNS)
    assert await kept(house) == (set(RUNS), set(), set(RUNS))
    assert commits.count == 1


async def test_whoever_waits_shares_the_next_commit(
    house: House, found: list[looking.Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = Commits(house.database, monkeypatch)
    keeper = Keeper(house.database, house.clock)
    first = asyncio.ensure_future(keeper.keep(found[0]))
    await commits.begun.wait()
    await asyncio.gather(first, *map(keeper.keep, found[1:]))
    assert await kept(house) == (set(RUNS), set(), set(RUNS))
    assert commits.count == 1 + 1


async def test_one_that_cannot_be_kept_harms_no_other(house: House, found: list[looking.Found]) -> None:
    bad = found[3]
    # Nobody knows whose it is.
    bad.jobs.append(_job(999, bad.wanted.run_id, 1))
    outcomes = await keep_all(house, found)
    assert [type(each) for each in outcomes] == [KeyError if each is bad else type(None) for each in found]
    others = set(RUNS) - {bad.wanted.run_id}
    assert await kept(house) == (others, {bad.wanted.run_id}, others)


async def test_nobody_waits_for_a_database_once_more_that_the_group_waited_for(
    house: House, found: list[looking.Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def locked(_: Callable[[Transaction], Awaitable[None]]) -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        raise DBConnectionError

    monkeypatch.setattr(house.database, "transact", locked)
    assert {type(each) for each in await keep_all(house, found)} == {DatabaseUnavailable}
    assert asked == 1
    (alone,) = await keep_all(house, found[:1])
    assert isinstance(alone, DBConnectionError)


async def test_whoever_is_told_to_end_keeps_nothing_more(
    house: House, found: list[looking.Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, commits = Keeper(house.database, house.clock), Commits(house.database, monkeypatch)
    async with house.database.transaction():
        keeping = [asyncio.ensure_future(keeper.keep(each)) for each in found]
        await commits.begun.wait()
        for each in keeping:
            each.cancel()
        await asyncio.wait(keeping)
    assert all(each.cancelled() for each in keeping)
    assert await kept(house) == (set(), set(RUNS), set())


async def test_nobody_keeps_what_was_told_to_end_before_its_commit(house: House, found: list[looking.Found]) -> None:
    keeper = Keeper(house.database, house.clock)
    first = asyncio.ensure_future(keeper.keep(found[0]))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(*map(keeper.keep, found[1:]))
    assert first.cancelled()
    assert await kept(house) == (set(RUNS[1:]), {RUNS[0]}, set(RUNS[1:]))


async def test_a_check_that_is_begun_meanwhile_is_looked_at_again(
    house: House, found: list[looking.Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, commits = Keeper(house.database, house.clock), Commits(house.database, monkeypatch)
    now, target = house.clock.now(), Target(found[0].wanted.repository_id, house.installation_id)
    again = replace(_run(target.repository_id, RUNS[0]), run_attempt=2)
    async with house.database.transaction() as tx:
        await tx.execute("DELETE FROM check_summary")
        # What is fetched for somebody's request begins no check.
        backfill_id = await add_backfill(tx, Kind.REQUEST, 1, [target], now, now, now)
    first = found[0]
    first.wanted = replace(first.wanted, backfill_id=backfill_id)
    async with house.database.transaction() as tx:
        # Whoever records a delivery of the run holds it until the check is begun.
        await record(tx, [repository_as_known(first.repository), again], now)
        keeping = asyncio.ensure_future(keeper.keep(first))
        await commits.begun.wait()
        await until_somebody_waits(house.database)
    await keeping
    assert await house.database.fetch("SELECT revision FROM check_summary") == [{"revision": 2}]


async def test_where_one_of_them_is_told_to_end_all_are_counted_once(house: House, found: list[looking.Found]) -> None:
    now, target = house.clock.now(), Target(found[0].wanted.repository_id, house.installation_id)
    async with house.database.transaction() as tx:
        backfill_id = await add_backfill(tx, Kind.REQUEST, 1, [target], now, now, now)
    for each in found:
        each.wanted = replace(each.wanted, backfill_id=backfill_id)
    for turns in range(30):
        async with house.database.transaction() as tx:
            await tx.execute("DELETE FROM workflow_job")
            await tx.execute("UPDATE backfill SET jobs_stored = 0")
            await want_runs(tx, [each.wanted for each in found])
        keeper = Keeper(house.database, house.clock)
        keeping = [asyncio.ensure_future(keeper.keep(each)) for each in found]
        # Wherever the first one is by then, which commits for all of them.
        await pass_turns(turns)
        keeping[0].cancel()
        await asyncio.gather(*keeping, return_exceptions=True)
        jobs, *_ = await kept(house)
        assert jobs >= set(RUNS[1:])
        assert (await models.Backfill.get(id=backfill_id)).jobs_stored == len(jobs)


async def pass_turns(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0 if turns % 2 else 0.0003)


@pytest.mark.parametrize("status", ["completed", "in_progress"])
async def test_a_backfill_that_came_to_wait_for_a_run_meanwhile_is_ended(
    house: House, found: list[looking.Found], status: str
) -> None:
    first, now = found[0], house.clock.now()
    repository_id = first.wanted.repository_id
    async with house.database.transaction() as tx:
        target = Target(repository_id, house.installation_id)
        backfill_id = await add_backfill(tx, Kind.REQUEST, 1, [target], now, now, now)
        # All is listed, and this run is the last of it.
        await tx.execute("DELETE FROM backfill_window")
        await want_runs(tx, [replace(first.wanted, backfill_id=backfill_id)])
    first.jobs = [_job(repository_id, RUNS[0], 1, status)]
    assert await keep_all(house, [first]) == [None]
    assert (await models.Backfill.get(id=backfill_id)).state == "done"
    wanted = {row["backfill_id"] for row in await house.database.fetch("SELECT backfill_id FROM run_wanted")}
    assert wanted == {None}


async def until_somebody_waits(database: Database) -> None:
    """Return once PostgreSQL has somebody wait for a lock; on SQLite nobody gets so far as to ask for one."""
    waits = database.dialect is Dialect.SQLITE
    while not waits:
        waits = bool(await database.reader.fetch("SELECT 1 FROM pg_locks WHERE NOT granted"))


async def test_jobs_that_are_not_listed_any_more_end_with_the_run(house: House, found: list[looking.Found]) -> None:
    lost = _job(house.stage.repository.id, RUNS[0], 7, "in_progress")
    async with house.database.transaction() as tx:
        await record(tx, [repository_as_known(found[0].repository), lost], house.clock.now())
    await keep_all(house, found)
    (row,) = await house.database.fetch("SELECT status, conclusion FROM workflow_job WHERE job_id = 7")
    assert (row["status"], row["conclusion"]) == ("completed", None)


async def test_jobs_end_with_a_run_that_was_noted_before(house: House, found: list[looking.Found]) -> None:
    await keep_all(house, found)
    lost = _job(house.stage.repository.id, RUNS[0], 7, "in_progress")
    async with house.database.transaction() as tx:
        await record(tx, [repository_as_known(found[0].repository), lost], house.clock.now())
    await keep_all(house, found)
    (row,) = await house.database.fetch("SELECT status FROM workflow_job WHERE job_id = 7")
    assert row["status"] == "completed"


async def test_each_run_is_noted_up_to_its_own_attempt_and_never_back(house: House, found: list[looking.Found]) -> None:
    attempts = [2, 2, 1, 3, 1, 1]
    await keep_all(house, [replace(each, listed=attempt) for each, attempt in zip(found, attempts, strict=True)])
    await keep_all(house, [replace(each, listed=2) for each in found])
    rows = await house.database.fetch("SELECT jobs_attempt FROM workflow_run ORDER BY run_id")
    assert [row["jobs_attempt"] for row in rows] == [2, 2, 2, 3, 2, 2]


@pytest.mark.parametrize("is_there", [True, False])
async def test_the_commit_of_a_run_is_looked_at_once_its_jobs_are_known(
    house: House, found: list[looking.Found], is_there: bool
) -> None:
    known: list[facts.Facts] = [repository_as_known(found[0].repository), *(job for each in found for job in each.jobs)]
    async with house.database.transaction() as tx:
        await record(tx, known, house.clock.now())
    change = "UPDATE check_summary SET due_at = NULL, revision = 0" if is_there else "DELETE FROM check_summary"
    await house.database.execute(change)
    await keep_all(house, found)
    marked = await house.database.fetch("SELECT head_sha FROM check_summary WHERE due_at IS NOT NULL AND revision > 0")
    assert len(marked) == is_there
