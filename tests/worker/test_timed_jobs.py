"""Timed jobs: each once in its interval, however many workers there are."""

import asyncio
from datetime import datetime, timedelta

import pytest

from bot import worker as workers
from bot.clock import ManualClock
from bot.settings import Settings
from bot.store.database import Database
from bot.worker import TIMED_JOBS, TimedJob, Worker
from tests.inbox.deliveries import NOW, rows_by_guid

SETTINGS = Settings(_env_file=None, retention_days=30)


async def _all_run(several: list[Worker]) -> list[str]:
    ran = await asyncio.gather(*(worker.run_timed_jobs() for worker in several))
    return sorted(name for names in ran for name in names)


async def test_each_runs_once_an_interval_among_several_workers(database: Database) -> None:
    clock = ManualClock(NOW)
    several = [Worker(database, clock, SETTINGS) for _ in range(5)]
    names = sorted(job.name for job in TIMED_JOBS)
    assert await _all_run(several) == names
    await clock.advance(59 * 60)
    assert await _all_run(several) == []
    await clock.advance(61)
    assert await _all_run(several) == ["prune-inbox"]
    await clock.advance(6 * 3600)
    assert await _all_run(several) == names


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
    ran: list[datetime] = []

    async def fail(_now: datetime, _settings: Settings) -> None:
        message = "no luck"
        raise LookupError(message)

    async def succeed(now: datetime, _settings: Settings) -> None:
        ran.append(now)

    hourly = timedelta(hours=1)
    monkeypatch.setattr(workers, "TIMED_JOBS", (TimedJob("bad", hourly, fail), TimedJob("good", hourly, succeed)))
    monkeypatch.setattr(workers, "TIMED_JOBS_SECONDS", 0.02)
    async with workers.running(Worker(database, ManualClock(NOW), SETTINGS)), asyncio.timeout(10):
        while not ran:
            await asyncio.sleep(0.01)
    assert ran == [NOW]
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == ["a timed job failed"]
