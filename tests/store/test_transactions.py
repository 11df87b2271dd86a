"""Transactions: whole or not at all, whoever is cancelled in them and whoever they collide with."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from tortoise.exceptions import IntegrityError, TransactionManagementError

from bot.store import connected
from bot.store.conversation import Conversation, Question, Rows
from bot.store.database import TRIES_AFTER_COLLISION, Database, Executor, Transaction
from bot.store.writes import Statement

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


async def note_both_in_one_go(database: Database) -> None:
    await database.transact(lambda tx: tx.converse(noting("first", "second")))


@pytest.mark.parametrize("note", [note_both, note_both_in_one_go])
async def test_whoever_is_cancelled_leaves_all_of_it_or_nothing(
    database: Database, note: Callable[[Database], Awaitable[None]]
) -> None:
    for turns in range(60):
        # Wherever it is by then: at its begin, within, at its commit, or through.
        task = asyncio.ensure_future(note(database))
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


def noting(*noted: str, fails: bool = False) -> Conversation[str]:
    yield Statement(NOTE, [(name,) for name in noted])
    if fails:
        raise LookupError
    return noted[-1]


async def test_the_last_steps_of_a_transaction(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(NOTE, "first")
        assert await tx.finish(noting("second", "third")) == "third"
    assert await names(database.reader) == ["first", "second", "third"]


async def test_what_is_not_finished_may_go_on(database: Database) -> None:
    async with database.transaction() as tx:
        with pytest.raises(LookupError):
            await tx.finish(noting("first", fails=True))
        assert await names(database.reader) == []
        await tx.finish(noting("second"))
    assert await names(database.reader) == ["first", "second"]


async def test_what_can_not_be_written_ends_a_conversation(database: Database) -> None:
    went_on: list[Rows] = []

    def noting_twice() -> Conversation[None]:
        yield from noting("first", "first")
        went_on.append((yield Question("SELECT 1")))

    with pytest.raises(IntegrityError):
        await database.transact(lambda tx: tx.converse(noting_twice()))
    assert not went_on
    with pytest.raises(IntegrityError):
        await database.transact(lambda tx: tx.converse(noting("second", "second", fails=True)))
    several = [Statement(NOTE, [(name,)]) for name in ("third", "third", "fourth", "fifth")]
    with pytest.raises(IntegrityError):
        await database.transact(lambda tx: tx.write(several))
    await note_both(database)
    assert await names(database.reader) == ["first", "second"]


async def test_what_follows_a_write_is_made_ready_while_it_waits(postgres: Database) -> None:
    ready = asyncio.Event()

    def touching() -> Conversation[None]:
        yield Statement(TOUCH, [("first",)])
        ready.set()
        yield Statement(NOTE, [("second",)])

    await postgres.execute(NOTE, "first")
    async with postgres.transaction() as tx:
        await tx.execute(TOUCH, "first")
        task = asyncio.create_task(postgres.transact(lambda other: other.converse(touching())))
        await asyncio.wait_for(ready.wait(), 20)
        assert await names(postgres.reader) == ["first"]
        assert not task.done()
    await task
    assert await names(postgres.reader) == ["first", "second"]


async def test_what_has_not_begun_leaves_nothing(database: Database) -> None:
    async with database.transaction():
        pass
    with pytest.raises(LookupError):
        async with database.transaction():
            raise LookupError
    await note_both(database)
    assert await names(database.reader) == ["first", "second"]


async def test_nothing_is_written_after_the_end(migrated_sqlite: str) -> None:
    async with connected(migrated_sqlite) as database:
        async with database.transaction() as tx:
            await tx.finish(noting("first"))
            for late in (tx.execute(NOTE, "second"), tx.write([Statement(NOTE, [("third",)])])):
                with pytest.raises(TransactionManagementError):
                    await late
        assert await names(database.reader) == ["first"]


async def test_whoever_only_reads_in_a_transaction_may_write_later(migrated_sqlite: str) -> None:
    # A transaction that began with a read could not go on once another has written.
    async with connected(migrated_sqlite) as one:
        with sqlite3.connect(migrated_sqlite.removeprefix("sqlite://"), timeout=0, isolation_level=None) as other:
            async with one.transaction() as tx:
                assert await names(tx) == []
                with pytest.raises(sqlite3.OperationalError, match="locked"):
                    other.execute(NOTE, ("other",))
                await tx.execute(NOTE, "one")
            other.execute(NOTE, ("other",))
        other.close()
        assert await names(one.reader) == ["one", "other"]


async def test_a_connection_has_nothing_to_forget(postgres: Database) -> None:
    before = await postgres.fetch("SELECT pg_backend_pid() AS pid, current_setting('deadlock_timeout') AS timeout")
    async with postgres.transaction() as tx:
        await tx.execute("SET LOCAL deadlock_timeout = '20ms'")
        await tx.fetch("SELECT pg_advisory_xact_lock(?)", 1)
    after = await postgres.fetch("SELECT pg_backend_pid() AS pid, current_setting('deadlock_timeout') AS timeout")
    assert after == before
    assert await postgres.fetch("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'") == []


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
    # One of them at the least; again where it is back before the other has woken and taken what was left to it.
    assert sum(writers.tries.values()) > 2


async def test_nobody_is_called_for_ever(postgres: Database) -> None:
    calls = []

    async def collide(tx: Transaction) -> None:
        calls.append(tx)
        await tx.execute("DO $$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$")

    with pytest.raises(Exception, match="deadlock detected"):
        await postgres.transact(collide)
    assert len(calls) == TRIES_AFTER_COLLISION


async def _outcome(doing: Awaitable[object]) -> BaseException:
    (outcome,) = await asyncio.gather(doing, return_exceptions=True)
    assert isinstance(outcome, BaseException)
    return outcome


async def test_a_connection_that_is_lost_in_a_transaction_is_the_databases_fault(
    postgres: Database, migrated_postgres: str
) -> None:
    async def lose() -> None:
        async with postgres.transaction() as tx:
            (mine,) = await tx.fetch("SELECT pg_backend_pid() AS pid")
            await other.execute("SELECT pg_terminate_backend($1, 5000)", mine["pid"])
            await tx.execute(NOTE, "lost")

    other = await asyncpg.connect(migrated_postgres)
    lost = await _outcome(lose())
    await other.close()
    # It is there again by then.
    assert await postgres.fetch("SELECT 1")
    assert await postgres.is_away_by(lost)


async def test_what_takes_too_long_or_has_too_many_parts_is_not(postgres: Database) -> None:
    async def linger() -> None:
        async with postgres.transaction() as tx:
            await tx.execute("SET LOCAL statement_timeout = '50ms'")
            await tx.fetch("SELECT pg_sleep(20)")

    many = postgres.fetch(f"SELECT 1 WHERE 1 IN ({', '.join('?' * 40_000)})", *range(40_000))
    for doing in (linger(), many):
        assert not await postgres.is_away_by(await _outcome(doing))
