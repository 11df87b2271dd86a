"""Appending: durable once answered, one transaction for whoever waits, a GUID once only."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot import inbox
from bot.clock import ManualClock
from bot.errors import DatabaseUnavailable
from bot.inbox import Inbox
from bot.store import connected
from bot.store.database import Database
from tests.inbox.commits import count_commits
from tests.inbox.deliveries import NOW, count, delivery, rows_by_guid

ACTED_ON = frozenset({"workflow_run"})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
async def opened(database: Database, clock: ManualClock) -> AsyncIterator[Inbox]:
    async with Inbox(database, clock, ACTED_ON) as opened:
        yield opened


async def test_whoever_waits_shares_a_transaction(opened: Inbox, database: Database, migrated_url: str) -> None:
    before = await count_commits(database, migrated_url)
    outcomes = await asyncio.gather(*(opened.append(delivery(f"guid-{number}")) for number in range(500)))
    together = await count_commits(database, migrated_url) - before
    assert outcomes == ["accepted"] * 500
    assert await count(database, "waiting") == 500
    assert 1 <= together <= 5


async def test_one_after_the_other_each_has_its_own(opened: Inbox, database: Database, migrated_url: str) -> None:
    before = await count_commits(database, migrated_url)
    for number in range(7):
        await opened.append(delivery(f"guid-{number}"))
    assert await count_commits(database, migrated_url) - before == 7


async def test_what_is_answered_is_there_for_another_connection(
    opened: Inbox, database: Database, clock: ManualClock
) -> None:
    body = os.urandom(1_000)
    assert await opened.append(delivery("one", body)) == "accepted"
    row = (await rows_by_guid(database.reader))["one"]
    assert (row["body"], row["event"], row["state"], row["tries"], row["handlings"], row["error"]) == (
        *(body, "workflow_run", "waiting"),
        *(0, 0, None),
    )
    assert opened.arrived.is_set()


async def test_a_large_body_is_kept_whole(opened: Inbox, database: Database) -> None:
    body = os.urandom(2 * 2**20)
    await opened.append(delivery("large", body))
    assert (await rows_by_guid(database))["large"]["body"] == body


async def test_duplicates_inside_one_batch(opened: Inbox, database: Database) -> None:
    twice = (opened.append(delivery("same", b"first")), opened.append(delivery("same", b"second")))
    outcomes = await asyncio.gather(*twice, opened.append(delivery("other")))
    assert list(outcomes) == ["accepted", "duplicate", "accepted"]
    rows = await rows_by_guid(database)
    assert sorted(rows) == ["other", "same"]
    assert rows["same"]["body"] == b"first"


async def test_duplicates_across_batches(opened: Inbox, database: Database) -> None:
    await opened.append(delivery("same", b"first"))
    again = [opened.append(delivery("same", b"second")) for _ in range(3)]
    assert await asyncio.gather(*again, opened.append(delivery("new"))) == ["duplicate"] * 3 + ["accepted"]
    assert (await rows_by_guid(database))["same"]["body"] == b"first"


async def test_events_that_nothing_acts_on_keep_their_guid_and_no_body(opened: Inbox, database: Database) -> None:
    assert await opened.append(delivery("star", b"{}", event="star")) == "accepted"
    assert await opened.append(delivery("star", b"{}", event="star")) == "duplicate"
    row = (await rows_by_guid(database))["star"]
    assert (row["state"], row["body"], row["event"]) == ("ignored", None, "star")


async def test_bodies_that_tell_nothing_are_not_kept(database: Database, clock: ManualClock) -> None:
    async with Inbox(database, clock, ACTED_ON, lambda _, body: b"news" in body) as picky:
        for guid, body in (("old", b"{}"), ("new", b'{"news": 1}')):
            assert await picky.append(delivery(guid, body)) == "accepted"
    rows = await rows_by_guid(database)
    assert {guid: (row["state"], row["body"]) for guid, row in rows.items()} == {
        "old": ("ignored", None),
        "new": ("waiting", b'{"news": 1}'),
    }


async def _set_state(database: Database, guid: str, state: str) -> None:
    await database.execute(
        "UPDATE delivery SET state = ?, tries = 4, error = 'no', available_at = ? WHERE guid = ?",
        state,
        NOW + timedelta(hours=1),
        guid,
    )


async def test_a_duplicate_revives_the_dead_and_only_them(
    opened: Inbox, database: Database, clock: ManualClock
) -> None:
    states = ("dead", "handled", "ignored", "waiting")
    for state in states:
        await opened.append(delivery(state, b"before"))
        await _set_state(database, state, state)
    await clock.advance(60)
    outcomes = await asyncio.gather(*(opened.append(delivery(state, b"again")) for state in states))
    assert outcomes == ["duplicate"] * 4
    rows = await rows_by_guid(database)
    revived = rows.pop("dead")
    assert (revived["state"], revived["tries"], revived["error"], revived["body"]) == ("waiting", 0, None, b"again")
    async with database.transaction() as tx:
        assert [each.guid for each in await inbox.lease(tx, clock.now(), 10)] == ["dead"]
    assert {guid: (row["state"], row["tries"], row["body"]) for guid, row in rows.items()} == {
        state: (state, 4, b"before") for state in states[1:]
    }


async def test_closing_stores_what_is_queued(database: Database, clock: ManualClock) -> None:
    async with Inbox(database, clock, ACTED_ON) as closing:
        waiting = [asyncio.ensure_future(closing.append(delivery(f"guid-{number}"))) for number in range(600)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*waiting) == ["accepted"] * 600
    assert await count(database, "waiting") == 600
    with pytest.raises(DatabaseUnavailable):
        await closing.append(delivery("late"))


async def test_a_delivery_can_be_put_without_waiting(database: Database, clock: ManualClock) -> None:
    told: list[object] = []
    async with Inbox(database, clock, ACTED_ON) as opened:
        opened.put(delivery("guid"), told.append)
        opened.put(delivery("guid"), told.append)
        assert told == []
        assert await opened.append(delivery("guid")) == "duplicate"
        assert told == ["accepted", "duplicate"]
        opened.put(delivery("last"), told.append)
    assert told == ["accepted", "duplicate", "accepted"]
    assert await count(database, "waiting") == 2
    with pytest.raises(DatabaseUnavailable):
        opened.put(delivery("late"), told.append)


async def test_who_can_not_be_told_harms_nobody(
    database: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[object] = []

    def break_down(_outcome: object) -> None:
        raise RuntimeError("gone")

    async with Inbox(database, clock, ACTED_ON) as opened:
        for guid, settle in (("first", told.append), ("second", break_down), ("third", told.append)):
            opened.put(delivery(guid), settle)
    assert told == ["accepted", "accepted"]
    assert await count(database, "waiting") == 3
    assert [record.__dict__["delivery"] for record in caplog.records if record.levelname == "ERROR"] == ["second"]


async def test_closing_forgets_nobody_who_is_still_compressing(database: Database, clock: ManualClock) -> None:
    async with Inbox(database, clock, ACTED_ON) as closing:
        waiting = asyncio.ensure_future(closing.append(delivery("large", os.urandom(20 * 2**20))))
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        with pytest.raises(DatabaseUnavailable):
            await waiting
    assert await count(database) == 0


async def test_a_waiter_that_leaves_harms_nobody(
    opened: Inbox, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = [asyncio.ensure_future(opened.append(delivery(f"guid-{number}"))) for number in range(10)]
    await asyncio.sleep(0)
    for leaving in waiting[::2]:
        leaving.cancel()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert outcomes[1::2] == ["accepted"] * 5
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[::2])
    # Nobody was told, so GitHub's redelivery decides; whichever way, the inbox goes on.
    assert await opened.append(delivery("guid-0")) in {"accepted", "duplicate"}
    assert await count(database) == 10
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_two_inboxes_on_one_postgresql_do_not_collide(migrated_postgres: str, clock: ManualClock) -> None:
    guids = [f"guid-{number}" for number in range(250)]
    async with connected(migrated_postgres) as database:
        for _ in range(8):
            await database.execute("DELETE FROM delivery")
            async with Inbox(database, clock, ACTED_ON) as one, Inbox(database, clock, ACTED_ON) as other:
                posts = [one.append(delivery(guid)) for guid in guids]
                posts += [other.append(delivery(guid)) for guid in reversed(guids)]
                outcomes = await asyncio.gather(*posts)
            assert sorted(outcomes) == ["accepted"] * 250 + ["duplicate"] * 250
