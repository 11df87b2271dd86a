"""Write-behind: what deliveries tell is durable before the answer and recorded soon after; the rest is a worker's."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from datetime import datetime
from random import Random
from typing import Any

import pytest

from bot import events, inbox
from bot.clock import ManualClock
from bot.domain.news import News
from bot.errors import DatabaseUnavailable
from bot.handling import MOST_TOLD, EventHandler
from bot.inbox import Inbox, NewDelivery
from bot.inbox.bodies import LARGE
from bot.inbox.journal import LEFT_BEHIND_SECONDS
from bot.recorder import record
from bot.store import connected
from bot.store.database import Database, to_moment
from bot.worker import Worker
from bot.worker.deliveries import LOCKED_SECONDS
from tests.databases import quick
from tests.inbox.commits import count_commits
from tests.inbox.deliveries import (
    INSTALLATION_ID,
    NOW,
    OWNER,
    count,
    delivery,
    job_body,
    rows_by_guid,
    run_body,
    until_recorded,
)
from tests.inbox.sessions import other_session
from tests.oracle import Delivery
from tests.recorder.arrived import Story, check_stories, crowds
from tests.recorder.records import assert_truth, clear, state_of
from tests.worker.test_batches import MALFORMED, REFUSE, RELENT, SETTINGS

LAST_DELIVERY = "SELECT last_delivery_at FROM installation WHERE installation_id = ?"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
async def opened(database: Database, clock: ManualClock) -> AsyncIterator[Inbox]:
    async with Inbox(database, clock, events.ACTED_ON, events.may_tell, EventHandler(clock)) as opened:
        yield opened


@pytest.fixture
def worker(database: Database, clock: ManualClock) -> Worker:
    return Worker(database, clock, SETTINGS)


async def _runs(database: Database) -> dict[int, tuple[str, str | None]]:
    await until_recorded(database)
    rows = await database.reader.fetch("SELECT run_id, status, conclusion FROM workflow_run")
    return {row["run_id"]: (row["status"], row["conclusion"]) for row in rows}


async def _state(database: Database, guid: str) -> tuple[Any, ...]:
    row = (await rows_by_guid(database))[guid]
    return row["state"], row["handlings"], row["tries"], row["body"]


async def test_what_is_answered_is_in_the_record(opened: Inbox, database: Database, clock: ManualClock) -> None:
    await clock.advance(5)
    assert await opened.append(delivery("run", run_body(7))) == "accepted"
    assert await opened.append(delivery("job", job_body(70, 7), "workflow_job")) == "accepted"
    assert await _runs(database) == {7: ("completed", "success")}
    assert await database.reader.fetch("SELECT job_id FROM workflow_job") == [{"job_id": 70}]
    assert await _state(database, "run") == await _state(database, "job") == ("handled", 1, 0, None)
    assert to_moment((await rows_by_guid(database))["run"]["handled_at"]) == clock.now()
    assert to_moment((await database.fetch(LAST_DELIVERY, INSTALLATION_ID))[0]["last_delivery_at"]) == NOW
    assert not opened.arrived.is_set()


async def test_a_crowd_shares_a_commit_with_its_facts(opened: Inbox, database: Database, migrated_url: str) -> None:
    before = await count_commits(database, migrated_url)
    await asyncio.gather(*(opened.append(delivery(f"run {number}", run_body(number))) for number in range(1, 201)))
    assert 1 <= await count_commits(database, migrated_url) - before <= 3
    assert len(await _runs(database)) == await count(database, "handled") == 200


async def test_what_nothing_acts_on_keeps_its_guid(opened: Inbox, database: Database) -> None:
    labelled = json.dumps({"action": "assigned", **_pull_request()}).encode()
    for guid, event, body in (
        ("star", "star", b"{}"),
        ("check", "check_run", b'{"action": "created"}'),
        ("assigned", "pull_request", labelled),
    ):
        assert await opened.append(delivery(guid, body, event)) == "accepted"
        assert await opened.append(delivery(guid, body, event)) == "duplicate"
        assert await _state(database, guid) == ("ignored", 0, 0, None)
    assert not await database.fetch("SELECT number FROM pull_request")


def _pull_request() -> dict[str, Any]:
    owner = {"id": 71, "login": "octo-org", "type": "Organization"}
    repository = {"id": 701, "full_name": "octo-org/hello-world", "owner": owner}
    ends = {"sha": "a" * 40, "ref": "change", "repo": {"id": 701}}
    pull = {"id": 5, "number": 5, "state": "open", "head": ends, "base": ends, "updated_at": NOW.isoformat()}
    return {"pull_request": pull, "repository": repository}


async def test_duplicates_are_recorded_once(opened: Inbox, worker: Worker, database: Database) -> None:
    other = run_body(7, conclusion="failure", updated_at="2027-01-01T00:00:00Z")
    outcomes = await asyncio.gather(opened.append(delivery("run", run_body(7))), opened.append(delivery("run", other)))
    assert sorted(outcomes) == ["accepted", "duplicate"]
    assert await opened.append(delivery("run", other)) == "duplicate"
    assert await worker.handle_all() == 0
    assert await _runs(database) == {7: ("completed", "success")}
    assert await _state(database, "run") == ("handled", 1, 0, None)


@pytest.mark.parametrize("poison", MALFORMED)
async def test_malformed_ones_wait_for_a_worker_to_say_why(
    poison: str, opened: Inbox, worker: Worker, database: Database
) -> None:
    await asyncio.gather(
        opened.append(delivery("before", run_body(1))),
        opened.append(delivery("poison", MALFORMED[poison], "workflow_job")),
        opened.append(delivery("after", run_body(2))),
    )
    assert sorted(await _runs(database)) == [1, 2]
    assert await _state(database, "poison") == ("waiting", 0, 0, MALFORMED[poison])
    assert opened.arrived.is_set()
    assert await worker.handle_all() == 1
    assert [line.guid for line in await inbox.list_deliveries("dead")] == ["poison"]


async def test_large_ones_wait_for_a_worker(opened: Inbox, worker: Worker, database: Database) -> None:
    body = run_body(7, display_title="x" * LARGE)
    await opened.append(delivery("large", body))
    assert await _state(database, "large") == ("waiting", 0, 0, body)
    assert await worker.handle_all() == 1
    assert await _state(database, "large") == ("handled", 1, 0, body)


async def test_what_the_database_refuses_is_left_to_a_worker(
    opened: Inbox, worker: Worker, database: Database, clock: ManualClock
) -> None:
    await database.client.execute_script(REFUSE[database.dialect])
    letters = [delivery(f"run {number}", run_body(number)) for number in range(10, 17)]
    assert set(await asyncio.gather(*map(opened.append, letters))) == {"accepted"}
    await until_recorded(database)
    await worker.handle_all()
    assert sorted(await _runs(database)) == [10, 11, 12, 14, 15, 16]
    assert (await _state(database, "run 13"))[:3] == ("waiting", 0, 1)
    await database.client.execute_script(RELENT[database.dialect])
    await clock.advance(5)
    assert await worker.handle_all() == 1
    assert {row["handlings"] for row in (await rows_by_guid(database)).values()} == {1}


async def test_what_tells_very_much_is_left_to_a_worker(opened: Inbox, worker: Worker, database: Database) -> None:
    names = [{"id": number, "full_name": f"octo-org/{number}"} for number in range(1000, 1000 + MOST_TOLD + 1)]
    account = {"id": 71, "login": "octo-org", "type": "Organization"}
    body = {"action": "created", "installation": {"id": 7, "account": account}, "repositories": names}
    await opened.append(delivery("installation", json.dumps(body).encode(), "installation"))
    assert (await _state(database, "installation"))[0] == "waiting"
    assert await worker.handle_all() == 1
    assert await database.fetch("SELECT count(*) AS seen FROM repository") == [{"seen": MOST_TOLD + 1}]


async def test_whatever_reading_fails_by_harms_no_neighbour(
    opened: Inbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = events.read

    async def read_but_13(guid: str, event: str, body: bytes, received_at: datetime) -> News:
        if guid == "run 13":
            raise ZeroDivisionError
        return await whole(guid, event, body, received_at)

    monkeypatch.setattr(events, "read", read_but_13)
    letters = [delivery(f"run {number}", run_body(number)) for number in range(12, 15)]
    assert set(await asyncio.gather(*map(opened.append, letters))) == {"accepted"}
    assert sorted(await _runs(database)) == [12, 14]
    assert await _state(database, "run 13") == ("waiting", 0, 0, run_body(13))


@pytest.mark.postgres
async def test_nobody_waits_long_for_who_holds_the_record(migrated_postgres: str) -> None:
    clock = ManualClock(NOW)
    async with (
        connected(migrated_postgres) as database,
        Inbox(database, clock, events.ACTED_ON, events.may_tell, EventHandler(clock)) as opened,
        other_session(migrated_postgres) as mover,
    ):
        await opened.append(delivery("first", run_body(1)))
        await until_recorded(database)
        async with mover.connection.transaction():
            await mover.connection.execute("SELECT 1 FROM repository FOR UPDATE")
            async with asyncio.timeout(8):
                assert await opened.append(delivery("second", run_body(2))) == "accepted"
            assert (await _state(database, "second"))[:3] == ("waiting", 0, 0)
        assert await Worker(database, clock, SETTINGS).handle_all() == 1
        assert sorted(await _runs(database)) == [1, 2]


@pytest.mark.postgres
async def test_who_holds_one_repository_holds_up_no_other(migrated_postgres: str) -> None:
    clock = ManualClock(NOW)
    other = {"id": 702, "full_name": "octo-org/other", "owner": OWNER, "private": False}
    elsewhere = json.dumps(json.loads(run_body(3)) | {"repository": other}).encode()
    async with (
        connected(migrated_postgres) as database,
        Inbox(database, clock, events.ACTED_ON, events.may_tell, EventHandler(clock)) as opened,
        other_session(migrated_postgres) as mover,
    ):
        worker = Worker(database, clock, SETTINGS)
        await opened.append(delivery("first", run_body(1)))
        await until_recorded(database)
        async with mover.connection.transaction():
            await mover.connection.execute("SELECT 1 FROM repository WHERE repository_id = 701 FOR UPDATE")
            await asyncio.gather(
                opened.append(delivery("held", run_body(2))),
                opened.append(delivery("other", elsewhere)),
            )
            await until_recorded(database)
            async with asyncio.timeout(8):
                await worker.handle_all()
            assert sorted(await _runs(database)) == [1, 3]
            assert (await _state(database, "held"))[:3] == ("waiting", 0, 0)
        assert await worker.handle_all() == 0
        await clock.advance(LOCKED_SECONDS)
        assert await worker.handle_all() == 1
        assert sorted(await _runs(database)) == [1, 2, 3]


async def test_a_redelivery_revives_the_dead(opened: Inbox, worker: Worker, database: Database) -> None:
    await opened.append(delivery("guid", b"{"))
    await worker.handle_all()
    assert await count(database, "dead") == 1
    opened.arrived.clear()
    outcomes = await asyncio.gather(
        opened.append(delivery("guid", run_body(7))), opened.append(delivery("new", run_body(8)))
    )
    assert list(outcomes) == ["duplicate", "accepted"]
    assert opened.arrived.is_set()
    assert await worker.handle_all() == 1
    assert await _state(database, "guid") == ("handled", 1, 0, run_body(7))


async def test_what_was_handled_as_it_came_has_nothing_to_replay(opened: Inbox, database: Database) -> None:
    await opened.append(delivery("run", run_body(7)))
    assert await inbox.replay(["run", "unheard of"], NOW) == ([], ["run", "unheard of"])
    assert await _state(database, "run") == ("handled", 1, 0, None)


@pytest.mark.postgres
async def test_nothing_is_acknowledged_while_the_database_is_away(migrated_postgres: str) -> None:
    clock = ManualClock(NOW)
    async with (
        connected(migrated_postgres) as database,
        Inbox(database, clock, events.ACTED_ON, events.may_tell, EventHandler(clock)) as opened,
    ):
        await opened.append(delivery("first", run_body(1)))
        async with other_session(migrated_postgres, server_wide=True) as session:
            await session.alter_database("ALLOW_CONNECTIONS false")
            await session.end_all_others()
            with pytest.raises(DatabaseUnavailable):
                await opened.append(delivery("second", run_body(2)))
            await session.alter_database("ALLOW_CONNECTIONS true")
        assert await _in_the_end(opened, delivery("second", run_body(2))) == "accepted"
        # What was to be recorded meanwhile stands in the journal, and comes when somebody looks for what is left there.
        await clock.advance(LEFT_BEHIND_SECONDS + 1)
        await Worker(database, clock, SETTINGS).handle_all()
        assert await _runs(database) == dict.fromkeys((1, 2), ("completed", "success"))


async def _in_the_end(opened: Inbox, letter: NewDelivery) -> str:
    """Append as often as GitHub would deliver: more connections than one may have to be found dead."""
    for _ in range(5):
        with contextlib.suppress(DatabaseUnavailable):
            return await opened.append(letter)
    return await opened.append(letter)


@pytest.mark.postgres
async def test_two_services_on_one_postgresql_know_what_the_other_has_answered_for(migrated_postgres: str) -> None:
    clock = ManualClock(NOW)
    async with (
        connected(migrated_postgres) as database,
        Inbox(database, clock, events.ACTED_ON, events.may_tell, EventHandler(clock)) as one,
        Inbox(database, clock, events.ACTED_ON, events.may_tell, EventHandler(clock)) as other,
    ):
        for number in range(20):
            assert await one.append(delivery(f"run-{number}", run_body(number + 1))) == "accepted"
            assert await other.append(delivery(f"run-{number}", run_body(number + 1))) == "duplicate"
        assert {row["handlings"] for row in (await rows_by_guid(database)).values()} == {1}


@pytest.mark.postgres
async def test_two_services_on_one_postgresql_take_the_same_crowd(migrated_postgres: str) -> None:
    clock, chance = ManualClock(NOW), Random(5)
    letters = [
        delivery(f"{status} {number}", run_body(number, status))
        for number in range(1, 40)
        for status in ("queued", "in_progress", "completed")
    ]
    async with connected(migrated_postgres) as database:
        async with (
            Inbox(database, clock, events.ACTED_ON, events.may_tell, EventHandler(clock)) as one,
            Inbox(database, clock, events.ACTED_ON, events.may_tell, EventHandler(clock)) as other,
        ):
            both = [(service, letter) for letter in letters for service in (one, other)]
            chance.shuffle(both)
            outcomes = await asyncio.gather(*(service.append(letter) for service, letter in both))
        await Worker(database, clock, SETTINGS).handle_all()
        # Of two that are asked in the same moment neither knows of the other.
        assert outcomes.count("accepted") >= len(letters)
        assert set((await _runs(database)).values()) == {("completed", "success")}
        assert {row["handlings"] for row in (await rows_by_guid(database)).values()} == {1}


async def _check(database: Database, story: Story) -> None:
    """Let a history come in as in service: deliveries at once and beside each other, REST's answers between them."""
    await clear(database)
    await database.execute("DELETE FROM delivery")
    clock = ManualClock(NOW)
    async with Inbox(database, clock, events.ACTED_ON, events.may_tell, EventHandler(clock)) as opened:
        for crowd in await crowds(story, Random(story.seed)):
            posts = [
                opened.append(delivery(each.guid, json.dumps(each.body).encode(), each.event, at))
                for each, _, at in crowd
                if isinstance(each, Delivery)
            ]
            await asyncio.gather(*posts)
            async with database.transaction() as tx:
                rest = [told for each, told, _ in crowd if not isinstance(each, Delivery)]
                await record(tx, list(itertools.chain.from_iterable(rest)), clock.now())
    assert await count(database, "waiting") == 0
    assert_truth(await state_of(database), story.history.truth)


@pytest.mark.timeout(300)
def test_every_order_ends_in_what_happened(migrated_url: str) -> None:
    check_stories(connected(quick(migrated_url)), _check, 40)
