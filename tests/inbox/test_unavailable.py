"""A database that can't take it: everybody who waits is told, nothing is acknowledged, and it goes on afterwards."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.clock import ManualClock
from bot.errors import DatabaseUnavailable
from bot.inbox import Inbox, Outcome
from bot.store import connected
from bot.store.database import Database
from tests.inbox.deliveries import count, delivery
from tests.inbox.sessions import other_session

MANY = 20


@asynccontextmanager
async def _inbox(url: str, options: str = "") -> AsyncIterator[tuple[Database, Inbox]]:
    async with (
        connected(url + options) as database,
        Inbox(database, ManualClock(), frozenset({"workflow_run"})) as inbox,
    ):
        yield database, inbox


def _posts(inbox: Inbox, size: int = 10) -> list[Awaitable[Outcome]]:
    return [inbox.append(delivery(f"guid-{number}", os.urandom(size))) for number in range(MANY)]


async def _refused(inbox: Inbox, size: int = 10) -> None:
    outcomes = await asyncio.gather(*_posts(inbox, size), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * MANY


async def _accepted(database: Database, inbox: Inbox) -> None:
    assert await asyncio.gather(*_posts(inbox)) == ["accepted"] * MANY
    assert await count(database) == MANY


async def test_sqlite_that_is_read_only(migrated_sqlite: str) -> None:
    async with _inbox(migrated_sqlite) as (database, inbox):
        await database.execute("PRAGMA query_only = ON")
        await _refused(inbox)
        assert await count(database) == 0
        await database.execute("PRAGMA query_only = OFF")
        await _accepted(database, inbox)


async def test_sqlite_that_another_process_writes(migrated_sqlite: str) -> None:
    path = migrated_sqlite.removeprefix("sqlite://")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    async with _inbox(migrated_sqlite, "?busy_timeout=100") as (database, inbox):
        await _refused(inbox)
        other.execute("ROLLBACK")
        other.close()
        assert await count(database) == 0
        await _accepted(database, inbox)


async def test_sqlite_that_fills_its_disk(migrated_sqlite: str) -> None:
    path = Path(migrated_sqlite.removeprefix("sqlite://"))
    pages = path.stat().st_size // 4096
    async with _inbox(migrated_sqlite, f"?max_page_count={pages + 5}") as (database, inbox):
        await _refused(inbox, size=50_000)
        assert await count(database) == 0
        await database.execute("PRAGMA max_page_count = 1000000")
        await _accepted(database, inbox)


async def test_sqlite_that_is_overwritten_with_something_else(migrated_sqlite: str) -> None:
    Path(migrated_sqlite.removeprefix("sqlite://")).write_bytes(b"this is no database " * 1000)
    with pytest.raises(DatabaseUnavailable):
        async with connected(migrated_sqlite):
            pytest.fail("it was opened")


async def test_postgresql_that_ends_our_connection_in_the_middle(migrated_postgres: str) -> None:
    async with other_session(migrated_postgres) as other, _inbox(migrated_postgres) as (database, inbox):
        async with other.connection.transaction():
            await other.connection.execute("LOCK TABLE delivery IN ACCESS EXCLUSIVE MODE")
            posts = asyncio.gather(*_posts(inbox), return_exceptions=True)
            await other.until_somebody_waits()
            await other.end_all_others()
            assert [type(outcome) for outcome in await posts] == [DatabaseUnavailable] * MANY
        assert await count(database) == 0
        await _accepted(database, inbox)


async def test_postgresql_that_ended_our_connection_while_it_idled(migrated_postgres: str) -> None:
    async with other_session(migrated_postgres) as other, _inbox(migrated_postgres) as (_, inbox):
        await inbox.append(delivery("before"))
        await other.end_all_others()
        await asyncio.sleep(0.2)
        assert await inbox.append(delivery("before")) == "duplicate"
        assert await inbox.append(delivery("after")) == "accepted"


async def test_postgresql_that_only_reads(migrated_postgres: str) -> None:
    async with other_session(migrated_postgres) as other:
        await other.alter_database("SET default_transaction_read_only = on")
        async with _inbox(migrated_postgres) as (database, inbox):
            await _refused(inbox)
            assert await count(database) == 0
            await other.alter_database("RESET default_transaction_read_only")
            await other.end_all_others()
            await asyncio.sleep(0.2)
            await _accepted(database, inbox)
