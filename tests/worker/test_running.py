"""A worker that runs: it is woken, it beats, it outlives its database's absence, and it stops in good order."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from bot import events
from bot.clock import Clock
from bot.inbox import Inbox
from bot.settings import Settings
from bot.store import connected, health
from bot.store.database import Database
from bot.worker import Worker, running
from bot.worker.worker import pause_after
from tests.inbox.deliveries import count, delivery, rows_by_guid, run_body
from tests.inbox.sessions import other_session

SETTINGS = Settings(_env_file=None)
GRACE_SECONDS = 10


@asynccontextmanager
async def _working(database: Database) -> AsyncIterator[tuple[Inbox, Worker]]:
    async with (
        Inbox(database, Clock(), events.ACTED_ON) as inbox,
        running(Worker(database, Clock(), SETTINGS, inbox.arrived)) as worker,
    ):
        yield inbox, worker


async def _until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await is_so():
            await asyncio.sleep(0.02)


async def _until_handled(database: Database, number: int) -> None:
    async def handled() -> bool:
        return await count(database.reader, "handled") == number

    await _until(handled)


async def test_it_handles_what_arrives_and_beats(database: Database) -> None:
    async with _working(database) as (inbox, worker):
        await asyncio.gather(*(inbox.append(delivery(f"run {number}", run_body(number))) for number in range(1, 31)))
        await _until_handled(database, 30)
        await asyncio.gather(*(inbox.append(delivery(f"late {number}", run_body(number))) for number in range(31, 61)))
        await _until_handled(database, 60)
        assert await health.newest_heartbeat() is not None
        assert worker.name in {row["name"] for row in await database.fetch("SELECT name FROM heartbeat")}
    assert {row["handlings"] for row in (await rows_by_guid(database)).values()} == {1}
    # Who stops on purpose is not missed.
    assert await health.newest_heartbeat() is None


async def test_stopping_ends_the_batch_in_hand_and_leaves_nothing_locked(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = asyncio.Event()
    read = events.read

    async def slowly(*told: object) -> object:
        reading.set()
        await asyncio.sleep(0.005)
        return await read(*told)  # type: ignore[arg-type]

    async with Inbox(database, Clock(), events.ACTED_ON) as inbox:
        await asyncio.gather(*(inbox.append(delivery(f"run {number}", run_body(number))) for number in range(1, 201)))
    monkeypatch.setattr(events, "read", slowly)
    worker = Worker(database, Clock(), SETTINGS)
    async with asyncio.timeout(GRACE_SECONDS):
        async with running(worker):
            await reading.wait()
        # The batch that was begun is whole, and no other was begun after it.
        assert (await count(database, "handled"), await count(database, "waiting")) == (100, 100)
        assert len(await database.fetch("SELECT run_id FROM workflow_run")) == 100
        async with database.transaction() as tx:
            assert await tx.execute("UPDATE delivery SET tries = tries") == 200


async def test_stopping_an_idle_worker_takes_no_time(database: Database) -> None:
    async with asyncio.timeout(3):
        async with _working(database):
            await asyncio.sleep(0.05)


async def test_it_outlives_a_postgresql_that_ends_its_connections(migrated_postgres: str) -> None:
    async with (
        other_session(migrated_postgres) as other,
        connected(migrated_postgres) as database,
        _working(database) as (inbox, _),
    ):
        await inbox.append(delivery("before", run_body(1)))
        await other.until_handled(1)
        # The worker is in the middle of a batch, waiting for a table, when its connection goes.
        async with other.connection.transaction():
            await other.connection.execute("LOCK TABLE workflow_run IN ACCESS EXCLUSIVE MODE")
            await inbox.append(delivery("meanwhile", run_body(2)))
            await other.until_somebody_waits()
            await other.end_all_others()
        await other.until_handled(2)
        await inbox.append(delivery("after", run_body(3)))
        await other.until_handled(3)
        handled = await other.connection.fetch("SELECT guid, handlings, tries FROM delivery")
    assert sorted(map(tuple, handled)) == [("after", 1, 0), ("before", 1, 0), ("meanwhile", 1, 0)]


async def test_it_outlives_a_postgresql_that_takes_nobody_in(migrated_postgres: str) -> None:
    async with (
        other_session(migrated_postgres, server_wide=True) as operator,
        connected(migrated_postgres) as database,
        _working(database) as (inbox, _),
    ):
        await inbox.append(delivery("before", run_body(1)))
        await operator.alter_database("ALLOW_CONNECTIONS false")
        await operator.end_all_others()
        await asyncio.sleep(0.8)
        await operator.alter_database("ALLOW_CONNECTIONS true")
        async with other_session(migrated_postgres) as other:
            await other.until_handled(1)
            await inbox.append(delivery("after", run_body(2)))
            await other.until_handled(2)


async def test_it_outlives_a_sqlite_that_another_process_writes(migrated_sqlite: str) -> None:
    async with connected(migrated_sqlite + "?busy_timeout=50") as database, _working(database) as (inbox, _worker):
        await inbox.append(delivery("before", run_body(1)))
        await _until_handled(database, 1)
        await inbox.append(delivery("meanwhile", run_body(2)))
        path = migrated_sqlite.removeprefix("sqlite://")
        other = sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=False)
        # Not on the loop: whoever has the lock now needs it to go on.
        await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")
        await asyncio.sleep(0.6)
        other.execute("ROLLBACK")
        other.close()
        await _until_handled(database, 2)


def test_pauses_grow_to_half_a_minute_and_never_past_it() -> None:
    assert [pause_after(failures) for failures in (1, 2, 5, 6, 7, 100, 100_000)] == [1, 2, 16, 30, 30, 30, 30]
