"""After a transaction that could not begin, whoever shares the connection writes in transactions of their own again."""

import asyncio
import sqlite3

import asyncpg
import pytest

from bot.clock import Clock, ManualClock
from bot.errors import DatabaseUnavailable
from bot.inbox import Inbox
from bot.settings import load_settings
from bot.store import connected
from bot.store.database import Database
from bot.worker import Worker, running
from tests.inbox.deliveries import count, delivery
from tests.inbox.sessions import other_session

ACTED_ON = frozenset({"workflow_run"})


class _Writer:
    """A task of its own, as a worker is, that fails to begin once and then holds a transaction open that fails."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.refused, self.go = asyncio.Event(), asyncio.Event()
        self.holds, self.fail = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        with pytest.raises(Exception, match="locked"):
            async with self._database.transaction() as tx:
                await tx.fetch("SELECT 1 FROM delivery")
        self.refused.set()
        await self.go.wait()
        with pytest.raises(ZeroDivisionError):
            await self._hold_and_fail()

    async def _hold_and_fail(self) -> None:
        async with self._database.transaction() as tx:
            await tx.fetch("SELECT 1 FROM delivery")
            self.holds.set()
            await self.fail.wait()
            raise ZeroDivisionError


async def test_what_is_acknowledged_is_there_whatever_the_neighbour_does(migrated_sqlite: str) -> None:
    other = sqlite3.connect(migrated_sqlite.removeprefix("sqlite://"), isolation_level=None)
    async with (
        connected(migrated_sqlite + "?busy_timeout=100") as database,
        Inbox(database, ManualClock(), ACTED_ON) as inbox,
    ):
        writer = _Writer(database)
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(writer.run())
        await writer.refused.wait()
        with pytest.raises(DatabaseUnavailable):
            await inbox.append(delivery("refused"))
        other.execute("ROLLBACK")
        other.close()
        writer.go.set()
        await writer.holds.wait()
        appending = asyncio.create_task(inbox.append(delivery("kept")))
        await asyncio.sleep(0.1)
        assert not appending.done(), "it was acknowledged inside of somebody else's transaction"
        writer.fail.set()
        await writing
        assert await appending == "accepted"
        assert await count(database) == 1


async def test_connections_that_are_ended_under_load_leave_nothing_behind(migrated_postgres: str) -> None:
    settings = load_settings(database_url=migrated_postgres)
    acknowledged: set[str] = set()

    async def post(inbox: Inbox, number: int) -> None:
        try:
            await inbox.append(delivery(f"guid-{number}"))
        except (DatabaseUnavailable, asyncpg.PostgresError):
            return
        acknowledged.add(f"guid-{number}")

    async with (
        connected(migrated_postgres) as database,
        Inbox(database, Clock(), ACTED_ON) as inbox,
        running(Worker(database, Clock(), settings, inbox.arrived)),
        other_session(migrated_postgres) as operator,
    ):
        for round_ in range(12):
            posts = asyncio.gather(*(post(inbox, round_ * 40 + number) for number in range(40)))
            await operator.end_all_others()
            await posts
        outcomes = await asyncio.gather(*(inbox.append(delivery(f"after-{number}")) for number in range(20)))
        assert outcomes == ["accepted"] * 20
        rows = await database.reader.fetch("SELECT guid FROM delivery")
        assert {row["guid"] for row in rows} >= acknowledged
