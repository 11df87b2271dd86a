"""The journal: how it is written down, what a killed process leaves in it, and what can't be read any more."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from bot import events, inbox
from bot.clock import ManualClock
from bot.domain import facts
from bot.domain.news import News
from bot.errors import MalformedPayload
from bot.handling import EventHandler
from bot.inbox import behind, bodies, journal
from bot.inbox.journal import LEFT_BEHIND_SECONDS, Entry, Told
from bot.store import connected
from bot.store.database import Database
from bot.worker import Worker
from tests.inbox.deliveries import NOW, delivery, rows_by_guid, run_body
from tests.inbox.facts_of_each_kind import AT, OF_EACH_KIND
from tests.worker.test_batches import SETTINGS

PAYLOADS = Path(__file__).parents[1] / "payloads"
# An entry of the first version that had a journal, with a fact of each kind: what such a version leaves must be read.
OF_THE_FIRST_VERSION = Path(__file__).parent / "kept" / "0007_journal.msgpack"


def an_entry() -> list[Told]:
    """Return what an entry of two deliveries holds: one tells a fact of each kind, of the other nothing is told."""
    return [Told("guid", "workflow_run", AT, News(1, 2, list(OF_EACH_KIND))), Told("other", "star", AT, None)]


def test_there_is_a_fact_of_each_kind() -> None:
    assert {type(fact) for fact in OF_EACH_KIND} == set(facts.Facts.__args__)


def test_what_the_first_version_left_can_be_read() -> None:
    told = msgspec.msgpack.decode(OF_THE_FIRST_VERSION.read_bytes(), type=list[Told])
    assert told == an_entry()


def test_what_a_later_version_leaves_can_be_read() -> None:
    plain = msgspec.msgpack.decode(msgspec.msgpack.encode(an_entry()))
    for fact in plain[0][3][2]:
        fact.append("a field that this version does not know")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(plain), type=list[Told]) == an_entry()


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("*.json")), ids=lambda path: path.stem)
async def test_what_payloads_tell_comes_back_as_it_was(path: Path) -> None:
    event = path.name.partition(".")[0]
    body = json.dumps(json.loads(path.read_text())).encode()
    told = [Told("guid", event, NOW, await events.read("guid", event, body, NOW))]
    kept = journal.encode(told)
    assert journal.decode(kept) == told
    assert journal.find_told(kept) == told[0]


def test_bodies_as_they_were_posted_are_no_entries() -> None:
    assert journal.find_told(bodies.pack(b"told")) is None


@pytest.mark.parametrize("kept", [b"", b"told", b"told(\xb5/\xfd", bodies.pack(b"[]"), bodies.pack(b"\x91\1")])
def test_what_is_damaged_says_so(kept: bytes) -> None:
    with pytest.raises(MalformedPayload):
        journal.decode(kept)


async def _left_behind(database: Database, *told: Told) -> int:
    async with database.transaction() as tx:
        return await tx.finish(journal.written(told, NOW, "a process that is no more"))


async def _told(guid: str, body: bytes, event: str = "workflow_run") -> Told:
    return Told(guid, event, NOW, await events.read(guid, event, body, NOW))


@asynccontextmanager
async def connected_to(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Be another process on PostgreSQL."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def _runs(database: Database) -> list[int]:
    return [row["run_id"] for row in await database.fetch("SELECT run_id FROM workflow_run ORDER BY run_id")]


async def _state(database: Database, guid: str) -> tuple[Any, ...]:
    (row,) = await database.fetch("SELECT state, handlings, body FROM delivery WHERE guid = ?", guid)
    return row["state"], row["handlings"], row["body"]


async def test_a_worker_records_what_a_killed_process_left(database: Database) -> None:
    clock = ManualClock(NOW)
    worker = Worker(database, clock, SETTINGS)
    await _left_behind(database, await _told("run", run_body(7)), Told("star", "star", NOW, None))
    await clock.advance(LEFT_BEHIND_SECONDS - 0.5)
    # Its holder may be at work on it still.
    assert await worker.handle_all() == 0
    assert (await inbox.get_statistics()).waiting == 2
    await clock.advance(1)
    assert await worker.handle_all() == 2
    assert await _runs(database) == [7]
    assert (await inbox.get_statistics()).waiting == 0
    assert await _state(database, "run") == ("handled", 1, None)
    assert await _state(database, "star") == ("ignored", 0, None)


async def test_what_two_record_at_once_is_recorded_once(database: Database) -> None:
    told = await _told("run", run_body(7))
    entry = Entry(await _left_behind(database, told), [told])
    handler = EventHandler(ManualClock(NOW))
    await asyncio.gather(*(behind.record(database, handler, [entry], NOW) for _ in range(4)))
    assert (await rows_by_guid(database))["run"]["handlings"] == 1


async def test_a_guid_in_two_entries_is_recorded_once(database: Database) -> None:
    first, again = await _told("run", run_body(7)), await _told("run", run_body(8))
    await _left_behind(database, first, await _told("other", run_body(9)))
    await _left_behind(database, again)
    await inbox.record_left_behind(database, EventHandler(ManualClock(NOW)), NOW + timedelta(minutes=1))
    assert await _runs(database) == [7, 9]
    assert {row["handlings"] for row in (await rows_by_guid(database)).values()} == {1}


async def test_what_a_frozen_process_holds_keeps_nobody_from_the_rest(migrated_postgres: str) -> None:
    clock = ManualClock(NOW)
    async with connected(migrated_postgres) as database, connected_to(migrated_postgres) as frozen:
        worker = Worker(database, clock, SETTINGS)
        held = await _left_behind(database, await _told("held", run_body(7)))
        await _left_behind(database, await _told("free", run_body(8)))
        await clock.advance(2 * LEFT_BEHIND_SECONDS)
        async with frozen.transaction():
            # It has begun to record its entry, and goes on whenever it is let.
            await frozen.execute("DELETE FROM journal_entry WHERE id = $1", held)
            async with asyncio.timeout(20):
                await worker.handle_all()
            assert await _runs(database) == [8]
        await worker.handle_all()
        assert (await rows_by_guid(database)).keys() == {"free"}


async def test_what_a_frozen_process_lets_go_of_is_recorded(migrated_postgres: str) -> None:
    clock = ManualClock(NOW)
    async with connected(migrated_postgres) as database, connected_to(migrated_postgres) as frozen:
        worker = Worker(database, clock, SETTINGS)
        told = await _told("held", run_body(7))
        await _left_behind(database, told)
        await clock.advance(2 * LEFT_BEHIND_SECONDS)
        lost = frozen.transaction()
        await lost.start()
        await frozen.execute("DELETE FROM journal_entry")
        assert not await worker.handle_all()
        await lost.rollback()
        await worker.handle_all()
        assert await _runs(database) == [7]


async def test_what_can_t_be_read_harms_no_neighbour_and_is_told(database: Database) -> None:
    await _left_behind(database, Told("damaged-1", "star", NOW, None), Told("damaged-2", "star", NOW, None))
    await database.execute("UPDATE journal_entry SET body = ?", b"told and damaged")
    await _left_behind(database, await _told("run", run_body(7)))
    clock = ManualClock(NOW + timedelta(minutes=1))
    assert await Worker(database, clock, SETTINGS).handle_all() == 1
    assert await _runs(database) == [7]
    statistics = await inbox.get_statistics()
    assert (statistics.waiting, statistics.dead) == (0, 2)
    lines = await inbox.list_deliveries("dead")
    assert [line.guid for line in lines] == ["damaged-2", "damaged-1"]
    assert all("can't be read" in (line.error or "") or "damaged" in (line.error or "") for line in lines)


async def test_what_can_t_be_read_can_be_delivered_again_and_goes_in_the_end(database: Database) -> None:
    await _left_behind(database, Told("again", "workflow_run", NOW, None))
    await database.execute("UPDATE journal_entry SET body = ?", b"told and damaged")
    clock = ManualClock(NOW + timedelta(minutes=1))
    assert await Worker(database, clock, SETTINGS).handle_all() == 0
    async with inbox.Inbox(database, clock, events.ACTED_ON, handler=EventHandler(clock)) as opened:
        assert await opened.append(delivery("again", run_body(7))) == "accepted"
    assert await _runs(database) == [7]
    await inbox.prune(NOW + timedelta(days=6))
    assert (await inbox.get_statistics()).dead == 1
    await inbox.prune(NOW + timedelta(days=8))
    assert (await inbox.get_statistics()).dead == 0


async def test_a_list_shows_what_is_in_the_journal(database: Database) -> None:
    async with inbox.Inbox(
        database, ManualClock(NOW), events.ACTED_ON, handler=EventHandler(ManualClock(NOW))
    ) as opened:
        await opened.append(delivery("recorded", run_body(7)))
    await _left_behind(database, await _told("first", run_body(8)), await _told("second", run_body(9)))
    lines = [(line.guid, line.state) for line in await inbox.list_deliveries()]
    assert lines == [("second", "waiting"), ("first", "waiting"), ("recorded", "handled")]
    assert [line.guid for line in await inbox.list_deliveries("waiting")] == ["second", "first"]
    assert [line.guid for line in await inbox.list_deliveries("handled")] == ["recorded"]
    assert [line.guid for line in await inbox.list_deliveries(limit=1)] == ["second"]


async def test_what_is_too_much_to_hold_is_left_in_the_journal(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behind, "MOST_HELD", 1)
    clock = ManualClock(NOW)
    async with inbox.Inbox(database, clock, events.ACTED_ON, handler=EventHandler(clock)) as opened:
        async with database.transaction() as tx:
            # Nothing can be recorded meanwhile, nor committed: so all of them come at once.
            await tx.execute("DELETE FROM journal_entry")
            posts = [asyncio.create_task(opened.append(delivery(f"run {n}", run_body(n)))) for n in range(1, 6)]
            await asyncio.sleep(0)
        assert set(await asyncio.gather(*posts)) == {"accepted"}
    await clock.advance(LEFT_BEHIND_SECONDS + 1)
    await Worker(database, clock, SETTINGS).handle_all()
    assert await _runs(database) == [1, 2, 3, 4, 5]
    assert {row["handlings"] for row in (await rows_by_guid(database)).values()} == {1}
