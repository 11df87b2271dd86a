"""Timed jobs: each once in its interval, however many workers there are."""

import asyncio
from datetime import timedelta

import pytest

from bot.clock import Clock, ManualClock
from bot.settings import Settings
from bot.store.database import Database, to_moment
from bot.store.leases import LASTS
from bot.worker import Worker, running, timed_jobs
from bot.worker.timed_jobs import TIMED_JOBS, Occasion, TimedJob
from tests.inbox.deliveries import NOW, rows_by_guid

SETTINGS = Settings(_env_file=None, retention_days=30)


async def _all_run(several: list[Worker]) -> list[str]:
    ran = await asyncio.gather(*(worker.run_timed_jobs() for worker in several))
    return sorted(name for names in ran for name in names)


async def _hold_on(_: Occasion) -> int:
    # Long enough that every other worker has looked meanwhile.
    await Clock().sleep(0.05)
    return 0


async def test_each_runs_once_an_interval_among_several_workers(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = (TimedJob("often", timedelta(hours=1), _hold_on), TimedJob("seldom", timedelta(hours=6), _hold_on))
    monkeypatch.setattr(timed_jobs, "TIMED_JOBS", jobs)
    clock = ManualClock(NOW)
    several = [Worker(database, clock, SETTINGS) for _ in range(5)]
    assert await _all_run(several) == ["often", "seldom"]
    await clock.advance(59 * 60)
    assert await _all_run(several) == []
    await clock.advance(61)
    assert await _all_run(several) == ["often"]
    await clock.advance(6 * 3600)
    assert await _all_run(several) == ["often", "seldom"]


async def test_without_an_app_those_that_ask_github_do_nothing(database: Database) -> None:
    names = sorted(await Worker(database, ManualClock(NOW), SETTINGS).run_timed_jobs())
    assert names == sorted(job.name for job in TIMED_JOBS)


async def test_one_that_must_not_wait_is_due_again_after_a_start(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def noting(name: str) -> TimedJob:
        async def run(_: Occasion) -> int:
            ran.append(name)
            return 1

        return TimedJob(name, timedelta(hours=1), run, at_start=name == "soon")

    monkeypatch.setattr(timed_jobs, "TIMED_JOBS", (noting("soon"), noting("patient")))
    for times in (1, 2):
        await _work_until(database, ran, [*["soon"] * times, "patient"])
    assert sorted(ran) == ["patient", "soon", "soon"]


async def _work_until(database: Database, ran: list[str], wanted: list[str]) -> None:
    async with running(Worker(database, ManualClock(NOW), SETTINGS)), asyncio.timeout(10):
        while sorted(ran) != sorted(wanted):
            await asyncio.sleep(0.01)


async def test_they_do_their_work(database: Database) -> None:
    insert = (
        "INSERT INTO delivery (guid, event, state, received_at, available_at, tries, handlings)"
        " VALUES ('old', 'star', 'ignored', ?, ?, 0, 0)"
    )
    long_ago = NOW - timedelta(days=36)
    await database.execute(insert, long_ago, long_ago)
    await Worker(database, ManualClock(NOW), SETTINGS).run_timed_jobs()
    assert await rows_by_guid(database) == {}


async def test_one_that_fails_holds_up_neither_deliveries_nor_the_others(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ran = []

    async def fail(_: Occasion) -> int:
        message = "no luck"
        raise LookupError(message)

    async def succeed(occasion: Occasion) -> int:
        ran.append(occasion.now)
        return 1

    hourly = timedelta(hours=1)
    monkeypatch.setattr(timed_jobs, "TIMED_JOBS", (TimedJob("bad", hourly, fail), TimedJob("good", hourly, succeed)))
    assert await Worker(database, ManualClock(NOW), SETTINGS).run_timed_jobs() == ["good"]
    assert ran == [NOW]
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == ["a timed job failed"]


async def until_renewed(database: Database, clock: ManualClock) -> None:
    """Let no more time pass than the database, which has to keep the lease, can keep up with."""
    async with asyncio.timeout(30):
        while True:
            await asyncio.sleep(0.001)
            (row,) = await database.fetch("SELECT until FROM lease")
            until = to_moment(row["until"])
            if until is not None and until - clock.now() > LASTS / 2:
                return


async def test_one_that_takes_longer_than_its_interval_is_begun_by_nobody_else(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def take_long(_: Occasion) -> int:
        begun.set()
        await may_end.wait()
        return 1

    monkeypatch.setattr(timed_jobs, "TIMED_JOBS", (TimedJob("long", timedelta(seconds=30), take_long),))
    clock = ManualClock(NOW)
    one, another = (Worker(database, clock, SETTINGS) for _ in range(2))
    running_it = asyncio.create_task(one.run_timed_jobs())
    await begun.wait()
    for seconds in range(100):
        await clock.advance(1)
        await until_renewed(database, clock)
        if seconds % 10 == 0:
            assert await another.run_timed_jobs() == []
    may_end.set()
    assert await running_it == ["long"]
    assert await another.run_timed_jobs() == ["long"]


async def test_one_that_failed_is_not_left_for_a_day(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    async def fail_at_first(occasion: Occasion) -> int:
        tries.append(occasion.now)
        if len(tries) == 1:
            raise LookupError
        return 1

    monkeypatch.setattr(timed_jobs, "TIMED_JOBS", (TimedJob("daily", timedelta(days=1), fail_at_first),))
    clock = ManualClock(NOW)
    worker = Worker(database, clock, SETTINGS)
    assert await worker.run_timed_jobs() == []
    await clock.advance(299)
    assert await worker.run_timed_jobs() == []
    await clock.advance(1)
    assert await worker.run_timed_jobs() == ["daily"]
    await clock.advance(86400 - 1)
    assert await worker.run_timed_jobs() == []
    await clock.advance(1)
    assert await worker.run_timed_jobs() == ["daily"]


async def test_what_people_leave_behind_is_tidied_up(database: Database) -> None:
    session = "INSERT INTO session (hash, created_at, used_at, expires_at, revoked_at) VALUES (?, ?, ?, ?, ?)"
    later, before = NOW + timedelta(days=1), NOW - timedelta(days=2)
    for name, expires_at, revoked_at in (("alive", later, None), ("over", before, None), ("out", later, before)):
        await database.execute(session, name, NOW, NOW, expires_at, revoked_at)
    state = (
        "INSERT INTO pending_state (hash, purpose, browser, details, created_at, expires_at)"
        " VALUES (?, 'sign_in', 'b', '{}', ?, ?)"
    )
    for name, expires_at in (("away", later), ("never back", before)):
        await database.execute(state, name, NOW, expires_at)
    await Worker(database, ManualClock(NOW), SETTINGS).run_timed_jobs()
    for table, left in (("session", ["alive"]), ("pending_state", ["away"])):
        assert [row["hash"] for row in await database.fetch(f"SELECT hash FROM {table}")] == left
