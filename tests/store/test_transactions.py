"""Transactions: whole or not at all, whoever is cancelled in them and whoever they collide with."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from bot.store import connected
from bot.store.database import TRIES_AFTER_COLLISION, Database, Executor, Transaction

NOTE = "INSERT INTO heartbeat (name, at) VALUES (?, '2026-11-02 12:00:00+00:00')"
TOUCH = "UPDATE heartbeat SET at = at WHERE name = ?"


@pytest.fixture
async def postgres(migrated_postgres: str) -> AsyncIterator[Database]:
    async with connected(migrated_postgres) as opened:
        yield opened


async def names(executor: Executor) -> list[str]:
    return [row["name"] for row in await executor.fetch("SELECT name FROM heartbeat ORDER BY name")]


async def note_both(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(NOTE, "first")
        await tx.execute(NOTE, "second")


async def test_whoever_is_cancelled_leaves_all_of_it_or_nothing(database: Database) -> None:
    for turns in range(60):
        # Wherever it is by then: at its begin, within, at its commit, or through.
        task = asyncio.create_task(note_both(database))
        for _ in range(turns // 2):
            await asyncio.sleep(0 if turns % 2 else 0.0002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await names(database) in ([], ["first", "second"])
        async with database.transaction() as tx:
            await tx.execute("DELETE FROM heartbeat")
            await tx.execute(NOTE, "another")
        assert await names(database.reader) == ["another"]
        await database.execute("DELETE FROM heartbeat")


async def test_what_is_wrong_is_tried_once_and_leaves_nothing(database: Database) -> None:
    tries = []

    async def fail(tx: Transaction) -> None:
        await tx.execute(NOTE, "first")
        tries.append(tx)
        raise LookupError

    with pytest.raises(LookupError):
        await database.transact(fail)
    assert len(tries) == 1
    assert await names(database) == []


class Writers:
    """Two who lock what the other will want next: at the first try while the other does the same."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._meet = asyncio.Barrier(2)
        self.tries: Counter[str] = Counter()

    async def write(self, first: str, second: str) -> str:
        async def work(tx: Transaction) -> str:
            self.tries[first] += 1
            await tx.execute("SET LOCAL deadlock_timeout = '20ms'")
            await tx.execute(TOUCH, first)
            if self.tries[first] == 1:
                await self._meet.wait()
            await tx.execute(TOUCH, second)
            return first

        return await self._database.transact(work)


async def test_who_collides_is_called_again(postgres: Database) -> None:
    await note_both(postgres)
    writers = Writers(postgres)
    done = await asyncio.gather(writers.write("first", "second"), writers.write("second", "first"))
    assert list(done) == ["first", "second"]
    assert sorted(writers.tries.values()) == [1, 2]


async def test_nobody_is_called_for_ever(postgres: Database) -> None:
    calls = []

    async def collide(tx: Transaction) -> None:
        calls.append(tx)
        await tx.execute("DO $$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$")

    with pytest.raises(Exception, match="deadlock detected"):
        await postgres.transact(collide)
    assert len(calls) == TRIES_AFTER_COLLISION
