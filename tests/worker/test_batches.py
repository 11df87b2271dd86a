"""Batches: facts and the word that they are recorded in one transaction, and a bad row that harms no neighbour."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from bot import events, inbox
from bot.clock import ManualClock
from bot.inbox import Inbox
from bot.settings import Dialect, Settings
from bot.store import connected
from bot.store.database import Database, to_moment
from bot.worker import Worker
from tests.inbox.deliveries import INSTALLATION_ID, NOW, count, delivery, job_body, rows_by_guid, run_body

SETTINGS = Settings(_env_file=None, webhook_secret="it is a secret")  # type: ignore[arg-type]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
async def opened(database: Database, clock: ManualClock) -> AsyncIterator[Inbox]:
    async with Inbox(database, clock, events.ACTED_ON) as opened:
        yield opened


@pytest.fixture
def worker(database: Database, clock: ManualClock) -> Worker:
    return Worker(database, clock, SETTINGS)


async def _runs(database: Database) -> dict[int, tuple[str, str | None]]:
    rows = await database.fetch("SELECT run_id, status, conclusion FROM workflow_run")
    return {row["run_id"]: (row["status"], row["conclusion"]) for row in rows}


async def test_batches_have_a_size_and_leave_nothing(opened: Inbox, worker: Worker, database: Database) -> None:
    for number in range(1, 41):
        await opened.append(delivery(f"began {number}", run_body(number, "in_progress")))
        await opened.append(delivery(f"ended {number}", run_body(number)))
        await opened.append(delivery(f"job {number}", job_body(1000 + number, number), "workflow_job"))
    await opened.append(delivery("ping", b'{"zen": "Keep it logically awesome."}', "ping"))
    await opened.append(delivery("star", b"{}", "star"))
    assert [await worker.handle_batch(50) for _ in range(4)] == [50, 50, 21, 0]
    assert await _runs(database) == dict.fromkeys(range(1, 41), ("completed", "success"))
    assert len(await database.fetch("SELECT job_id FROM workflow_job")) == 40
    rows = await rows_by_guid(database)
    assert rows.pop("star")["handlings"] == 0
    assert {(row["state"], row["handlings"], row["tries"], row["error"]) for row in rows.values()} == {
        ("handled", 1, 0, None)
    }
    assert {to_moment(row["handled_at"]) for row in rows.values()} == {NOW}


MALFORMED = {
    "not JSON": b"{",
    "no job": b'{"action": "completed", "workflow_job": null, "repository": null}',
    "a NUL": job_body(5, 6).replace(b'"job 5"', rb'"job \u0000"'),
    "a lone surrogate": job_body(5, 6).replace(b'"job 5"', rb'"job \ud800"'),
    "too large a number": job_body(2**70, 6),
    "too deep": b"[" * 100_000,
    "empty": b"",
}


@pytest.mark.parametrize("poison", MALFORMED)
async def test_malformed_ones_are_dead_at_once_and_their_neighbours_handled(
    poison: str, opened: Inbox, worker: Worker, database: Database
) -> None:
    await opened.append(delivery("before", run_body(1)))
    await opened.append(delivery("poison", MALFORMED[poison], "workflow_job"))
    await opened.append(delivery("after", run_body(2)))
    assert await worker.handle_batch() == 3
    assert await _runs(database) == {1: ("completed", "success"), 2: ("completed", "success")}
    rows = await rows_by_guid(database)
    dead = rows["poison"]
    assert (dead["state"], dead["handlings"], dead["tries"]) == ("dead", 0, 1)
    assert dead["body"] == MALFORMED[poison]
    assert [rows[guid]["handlings"] for guid in ("before", "after")] == [1, 1]
    listed = await inbox.list_deliveries("dead")
    assert [line.guid for line in listed] == ["poison"]
    assert len(listed[0].error or "") > 10


async def test_a_body_that_was_damaged_is_dead_too(opened: Inbox, worker: Worker, database: Database) -> None:
    await opened.append(delivery("damaged", run_body(1)))
    await opened.append(delivery("sound", run_body(2)))
    await database.execute("UPDATE delivery SET body = ? WHERE guid = 'damaged'", b"rust")
    assert await worker.handle_batch() == 2
    assert [line.guid for line in await inbox.list_deliveries("dead")] == ["damaged"]
    assert list(await _runs(database)) == [2]


REFUSE = {
    Dialect.SQLITE: """
        CREATE TRIGGER refuse BEFORE INSERT ON workflow_run_attempt WHEN NEW.run_id = 13
        BEGIN SELECT RAISE(ABORT, 'the disk of run 13 is locked, busy and malformed'); END;
    """,
    Dialect.POSTGRESQL: """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'the disk of run 13 is locked, busy and malformed' USING ERRCODE = '22000'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON workflow_run_attempt FOR EACH ROW WHEN (NEW.run_id = 13)
        EXECUTE FUNCTION refuse();
    """,
}
RELENT = {Dialect.SQLITE: "DROP TRIGGER refuse", Dialect.POSTGRESQL: "DROP TRIGGER refuse ON workflow_run_attempt"}


async def _refuse_run_13(database: Database) -> None:
    await database.client.execute_script(REFUSE[database.dialect])


async def _row(database: Database, guid: str) -> dict[str, Any]:
    return (await rows_by_guid(database))[guid]


async def test_what_the_database_refuses_stops_no_neighbour(opened: Inbox, worker: Worker, database: Database) -> None:
    await _refuse_run_13(database)
    for number in range(10, 17):
        await opened.append(delivery(f"run {number}", run_body(number)))
    await worker.handle_all()
    assert sorted(await _runs(database)) == [10, 11, 12, 14, 15, 16]
    rows = await rows_by_guid(database)
    refused = rows.pop("run 13")
    assert (refused["state"], refused["tries"], refused["handlings"]) == ("waiting", 1, 0)
    assert "disk of run 13" in refused["error"]
    assert {(row["state"], row["handlings"]) for row in rows.values()} == {("handled", 1)}


async def test_it_is_tried_ever_more_seldom_and_ends_dead(
    opened: Inbox, worker: Worker, database: Database, clock: ManualClock
) -> None:
    await _refuse_run_13(database)
    await opened.append(delivery("run 13", run_body(13)))
    waits = []
    while (row := await _row(database, "run 13"))["state"] == "waiting":
        due = to_moment(row["available_at"]) or NOW
        # A moment too early nothing happens.
        await clock.advance((due - clock.now()).total_seconds() - 0.001)
        if row["tries"]:
            assert await worker.handle_all() == 0
        await clock.advance(0.002)
        tried_at = clock.now()
        assert await worker.handle_batch() == 1
        row = await _row(database, "run 13")
        if row["state"] == "waiting":
            waits.append(((to_moment(row["available_at"]) or tried_at) - tried_at).total_seconds())
        await opened.append(delivery(f"neighbour {row['tries']}", run_body(100 + row["tries"])))
        await worker.handle_all()
    assert len(waits) == inbox.MAX_TRIES - 1
    for tries, wait in enumerate(waits):
        assert 0.5 * 2**tries <= wait <= 2**tries or 900 <= wait <= 1800
    dead = await _row(database, "run 13")
    assert (dead["state"], dead["tries"], dead["handlings"]) == ("dead", inbox.MAX_TRIES, 0)
    assert "disk of run 13" in dead["error"]
    assert len(await _runs(database)) == inbox.MAX_TRIES
    await database.client.execute_script(RELENT[database.dialect])
    assert await inbox.replay_dead(clock.now()) == 1
    assert await worker.handle_all() == 1
    assert (await _row(database, "run 13"))["handlings"] == 1


async def test_a_redelivery_revives_what_died_and_it_is_handled_once(
    opened: Inbox, worker: Worker, database: Database
) -> None:
    await opened.append(delivery("guid", b"{"))
    await worker.handle_all()
    assert await count(database, "dead") == 1
    assert await opened.append(delivery("guid", run_body(7))) == "duplicate"
    assert await opened.append(delivery("guid", run_body(7))) == "duplicate"
    assert await worker.handle_all() == 1
    row = await _row(database, "guid")
    assert (row["state"], row["handlings"], row["error"]) == ("handled", 1, None)
    assert await _runs(database) == {7: ("completed", "success")}


async def test_a_duplicate_of_a_handled_one_has_no_effect(opened: Inbox, worker: Worker, database: Database) -> None:
    await opened.append(delivery("guid", run_body(7)))
    await worker.handle_all()
    await opened.append(delivery("guid", run_body(7, conclusion="failure", updated_at="2027-01-01T00:00:00Z")))
    assert await worker.handle_all() == 0
    assert await _runs(database) == {7: ("completed", "success")}


async def _last_delivery_at(database: Database) -> datetime | None:
    row = await database.fetch("SELECT last_delivery_at FROM installation WHERE installation_id = ?", INSTALLATION_ID)
    return to_moment(row[0]["last_delivery_at"])


async def test_the_last_delivery_is_noted_at_most_every_ten_seconds(
    opened: Inbox, worker: Worker, database: Database, clock: ManualClock
) -> None:
    noted = []
    for number, seconds in enumerate((0, 1, 9, 1, 10, 0.5), 1):
        await clock.advance(seconds)
        await opened.append(delivery(f"run {number}", run_body(number), received_at=clock.now()))
        await worker.handle_all()
        noted.append(await _last_delivery_at(database))
    moments = [0, 0, 0, 11, 11, 21.5]
    assert noted == [NOW + timedelta(seconds=moment) for moment in moments]
    # One that is handled late came when it came.
    await opened.append(delivery("late", run_body(9), received_at=NOW))
    await worker.handle_all()
    assert await _last_delivery_at(database) == noted[-1]


SLOW = """
    CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
    CREATE TRIGGER linger BEFORE INSERT ON workflow_run_attempt FOR EACH ROW WHEN (NEW.run_id = 13)
    EXECUTE FUNCTION linger();
"""


@pytest.mark.parametrize("bound", ["command_timeout", "statement_timeout"])
async def test_one_that_takes_too_long_harms_no_neighbour(
    migrated_postgres: str, clock: ManualClock, bound: str
) -> None:
    other = await asyncpg.connect(migrated_postgres)
    await other.execute(SLOW)
    if bound == "statement_timeout":
        # As some hosts set it.
        await other.execute(f"ALTER DATABASE {migrated_postgres.rpartition('/')[2]} SET {bound} = '500ms'")
    await other.close()
    url = migrated_postgres + ("?command_timeout=0.5" if bound == "command_timeout" else "")
    async with connected(url) as database, Inbox(database, clock, events.ACTED_ON) as opened:
        for number in (1, 13, 2):
            await opened.append(delivery(f"run {number}", run_body(number)))
        await Worker(database, clock, SETTINGS).handle_all()
        assert sorted(await _runs(database)) == [1, 2]
        slow = await _row(database, "run 13")
        assert (slow["state"], slow["tries"]) == ("waiting", 1)
