"""Taking deliveries: what is due, the longest due first, never what another worker holds; and how back-off grows."""

import asyncio
import os
from datetime import timedelta

import pytest

from bot import inbox
from bot.clock import ManualClock
from bot.errors import MalformedPayload
from bot.inbox import Inbox, LeasedDelivery
from bot.inbox.lease import FIRST_DELAY, LARGE, LONGEST_DELAY, MAX_TRIES, MOST_TOGETHER, delay
from bot.store import connected
from bot.store.database import Database
from tests.inbox.deliveries import NOW, delivery, rows_by_guid


async def _fill(database: Database, number: int) -> None:
    async with Inbox(database, ManualClock(NOW), frozenset({"workflow_run"})) as opened:
        for position in range(number):
            received = NOW - timedelta(minutes=position)
            await opened.append(delivery(f"guid-{position}", f"body {position}".encode(), received_at=received))


async def test_the_longest_due_come_first(database: Database) -> None:
    await _fill(database, 5)
    async with database.transaction() as tx:
        taken = await inbox.lease(tx, NOW, 3)
    assert [each.guid for each in taken] == ["guid-4", "guid-3", "guid-2"]
    assert taken[0].body() == b"body 4"
    assert taken[0].received_at == NOW - timedelta(minutes=4)


async def test_a_large_body_comes_alone(database: Database) -> None:
    async with Inbox(database, ManualClock(NOW), frozenset({"workflow_run"})) as opened:
        for position, body in enumerate((b"a", os.urandom(LARGE + 1), os.urandom(LARGE + 1), b"b", b"c")):
            await opened.append(delivery(f"guid-{position}", body, received_at=NOW + timedelta(seconds=position)))
    batches = []
    async with database.transaction() as tx:
        while taken := await inbox.lease(tx, NOW + timedelta(minutes=1), 9):
            batches.append([len(each.body()) for each in taken])
            await inbox.mark_handled(tx, taken, NOW)
    assert batches == [[1], [LARGE + 1], [LARGE + 1], [1, 1]]


async def test_what_is_small_only_as_it_is_kept_comes_a_few_at_a_time(database: Database) -> None:
    sizes = [1, MOST_TOGETHER // 2, MOST_TOGETHER // 2 - 1, 2, 2 * MOST_TOGETHER, 3]
    async with Inbox(database, ManualClock(NOW), frozenset({"workflow_run"})) as opened:
        for position, size in enumerate(sizes):
            received = NOW + timedelta(seconds=position)
            await opened.append(delivery(f"guid-{position}", b"a" * size, received_at=received))
    batches = []
    async with database.transaction() as tx:
        while taken := await inbox.lease(tx, NOW + timedelta(minutes=1), 9):
            batches.append([len(each.body()) for each in taken])
            await inbox.mark_handled(tx, taken, NOW)
    assert batches == [sizes[:3], [2], [2 * MOST_TOGETHER], [3]]


async def test_what_is_not_due_yet_is_left(database: Database) -> None:
    await _fill(database, 2)
    async with database.transaction() as tx:
        assert [each.guid for each in await inbox.lease(tx, NOW - timedelta(seconds=30), 9)] == ["guid-1"]


async def test_one_row_can_be_asked_for(database: Database) -> None:
    await _fill(database, 3)
    rows = await rows_by_guid(database)
    async with database.transaction() as tx:
        taken = await inbox.lease(tx, NOW, 1, only=rows["guid-0"]["id"])
        assert [each.guid for each in taken] == ["guid-0"]
        await inbox.mark_handled(tx, taken, NOW)
        assert await inbox.lease(tx, NOW, 1, only=rows["guid-0"]["id"]) == []


async def test_what_another_worker_holds_is_passed_over(migrated_postgres: str) -> None:
    async with connected(migrated_postgres) as database:
        await _fill(database, 5)
        taken, done = asyncio.Event(), asyncio.Event()

        async def take_first() -> set[str]:
            async with database.transaction() as tx:
                held = await inbox.lease(tx, NOW, 3)
                taken.set()
                await done.wait()
            return {each.guid for each in held}

        async def take_second() -> set[str]:
            await taken.wait()
            async with database.transaction() as tx:
                left = await inbox.lease(tx, NOW, 9)
            done.set()
            return {each.guid for each in left}

        held, left = await asyncio.gather(take_first(), take_second())
    assert held == {"guid-4", "guid-3", "guid-2"}
    assert left == {"guid-1", "guid-0"}


async def test_a_worker_that_dies_gives_its_rows_back(database: Database) -> None:
    await _fill(database, 3)

    async def die_half_way() -> None:
        async with database.transaction() as tx:
            await inbox.mark_handled(tx, await inbox.lease(tx, NOW, 3), NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await die_half_way()
    async with database.transaction() as tx:
        assert len(await inbox.lease(tx, NOW, 3)) == 3
    assert {row["handlings"] for row in (await rows_by_guid(database)).values()} == {0}


async def test_how_each_ended_is_written_down(database: Database) -> None:
    await _fill(database, 4)
    async with database.transaction() as tx:
        dead, late, ignored, handled = await inbox.lease(tx, NOW, 4)
        await inbox.mark_dead(tx, dead, "no object", NOW)
        assert await inbox.put_back(tx, late, "not now", NOW)
        await inbox.mark_ignored(tx, [ignored], NOW)
        await inbox.mark_handled(tx, [handled], NOW)
    rows = await rows_by_guid(database)
    told = {guid: (row["state"], row["tries"], row["handlings"], row["error"]) for guid, row in rows.items()}
    assert told == {
        "guid-3": ("dead", 1, 0, "no object"),
        "guid-2": ("waiting", 1, 0, "not now"),
        "guid-1": ("ignored", 0, 0, None),
        "guid-0": ("handled", 0, 1, None),
    }
    assert [rows[f"guid-{number}"]["body"] is None for number in range(4)] == [False, True, False, False]


async def test_the_last_try_is_not_put_back(database: Database) -> None:
    await _fill(database, 1)
    async with database.transaction() as tx:
        taken = (await inbox.lease(tx, NOW, 1))[0]
        tried = LeasedDelivery(taken.id, taken.guid, taken.event, taken.kept, taken.received_at, MAX_TRIES - 1)
        assert not await inbox.put_back(tx, tried, "not now", NOW)
    assert (await rows_by_guid(database))["guid-0"]["tries"] == 0


def test_damaged_bodies_are_malformed() -> None:
    with pytest.raises(MalformedPayload):
        LeasedDelivery(1, "guid", "ping", b"never compressed", NOW, 0).body()


@pytest.mark.parametrize("tries", range(MAX_TRIES + 20))
def test_delays_double_up_to_the_longest_and_are_spread(tries: int) -> None:
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2**tries)
    delays = [delay(tries) for _ in range(400)]
    assert all(longest / 2 <= each <= longest for each in delays)
    # Rows that failed together must not come back together.
    assert max(delays) - min(delays) > longest * 0.4
