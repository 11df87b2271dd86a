"""When tokens and sessions were last used: known to some minutes, and at the cost of nobody's request."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from bot.access import create_token
from bot.access.people import People
from bot.access.sessions import IDLE_LASTS, Session, find_session, open_session
from bot.access.tokens import USE_NOTED_EVERY, Token, find_token
from bot.access.uses import AGAIN_AFTER_FAULT, Uses
from bot.clock import ManualClock
from bot.recorder import upsert_workflow_run
from bot.settings import Settings
from bot.store.database import Database, to_moment
from bot.store.leases import Leases
from bot.store.registration import Configuration
from tests import builders as make

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
SOON, LATER = NOW + USE_NOTED_EVERY - timedelta(seconds=1), NOW + USE_NOTED_EVERY
# Whoever waits for the lock waits for longer.
AT_ONCE = 4.0


@pytest.fixture
async def token(database: Database) -> str:
    await upsert_workflow_run(make.run(), make.repository())
    return await create_token("octo-org", "ci", NOW)


@asynccontextmanager
async def people_at(database: Database, now: datetime) -> AsyncIterator[People]:
    """Open what is known of people at a time; what is noted is there when this is left."""
    clock = ManualClock(now)
    configuration = Configuration(Settings(_env_file=None), clock)
    async with People(configuration, clock, database, Leases(database, clock, "here")) as people:
        yield people


async def noted(database: Database, column: str, table: str) -> datetime | None:
    (row,) = await database.fetch(f"SELECT {column} FROM {table}")
    return to_moment(row[column])


async def known(secret: str, now: datetime) -> Session:
    session = await find_session(secret, now)
    assert session is not None
    return session


@asynccontextmanager
async def written_to(url: str) -> AsyncIterator[None]:
    """Have another process hold what it has written of tokens and sessions, without an end."""
    changes = ("UPDATE api_token SET name = name", "UPDATE session SET hash = hash")
    if url.startswith("sqlite:"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite://"), isolation_level=None)) as file:
            file.execute("BEGIN IMMEDIATE")
            yield
            file.execute("ROLLBACK")
        return
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            for change in changes:
                await connection.execute(change)
            yield
    finally:
        await connection.close()


async def test_the_last_use_of_a_token_is_known_to_some_minutes(database: Database, token: str) -> None:
    seen = []
    for now in (NOW, SOON, LATER):
        async with people_at(database, now) as people:
            assert await people.find_caller(token)
        seen.append(await noted(database, "last_used_at", "api_token"))
    assert seen == [NOW, NOW, LATER]


async def test_the_last_use_of_a_session_is_known_to_some_minutes(database: Database) -> None:
    secret = (await open_session(None, NOW)).secret
    seen = []
    for now in (SOON, LATER):
        async with people_at(database, now) as people:
            people.note_use(await known(secret, now))
        seen.append(await noted(database, "used_at", "session"))
    assert seen == [NOW, LATER]


async def test_a_session_that_is_used_goes_on(database: Database) -> None:
    secret = (await open_session(7, NOW)).secret
    for days in range(1, 15):
        async with people_at(database, NOW + timedelta(days=days)) as people:
            people.note_use(await known(secret, NOW + timedelta(days=days)))
    assert await find_session(secret, NOW + timedelta(days=14) + IDLE_LASTS) is None


async def test_nobody_waits_for_whoever_writes(database: Database, token: str, migrated_url: str) -> None:
    secret = (await open_session(7, NOW)).secret
    async with people_at(database, LATER) as people, written_to(migrated_url), asyncio.timeout(AT_ONCE):
        for _ in range(5):
            assert await people.find_caller(token)
            people.note_use(await known(secret, LATER))
    assert await noted(database, "last_used_at", "api_token") == LATER
    assert await noted(database, "used_at", "session") == LATER


async def test_many_at_once_are_noted_once_each(
    database: Database, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: list[int] = []
    execute = database.execute

    async def counted(sql: str, *parameters: Any) -> int:
        changed.append(await execute(sql, *parameters))
        return changed[-1]

    monkeypatch.setattr(database, "execute", counted)
    async with people_at(database, NOW) as people:
        assert all(await asyncio.gather(*(people.find_caller(token) for _ in range(20))))
    # Whoever had read of the token before it was noted has it noted again, which then changes nothing.
    assert sum(changed) == 1
    assert len(changed) < 20


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_ERROR])
async def test_what_can_not_be_written_is_tried_again_a_minute_later(
    database: Database, token: str, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    tries = 0

    async def fail(*_: Any) -> int:
        nonlocal tries
        tries += 1
        error = sqlite3.OperationalError("something went wrong")
        error.sqlite_errorcode = code
        raise error

    async def use(now: datetime) -> None:
        clock._now = now
        assert isinstance(found, Token)
        uses.note_token(found)
        await uses.close()

    found = await find_token(token, NOW)
    clock = ManualClock(NOW)
    uses = Uses(database, clock)
    with monkeypatch.context() as patched:
        patched.setattr(database, "execute", fail)
        for seconds in (0, 1, AGAIN_AFTER_FAULT.total_seconds() - 1, AGAIN_AFTER_FAULT.total_seconds()):
            await use(NOW + timedelta(seconds=seconds))
    assert tries == 2
    await use(LATER)
    assert await noted(database, "last_used_at", "api_token") == LATER
