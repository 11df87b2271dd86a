"""A button pressed becomes one row, due at once and worth something for an hour from when it was pressed."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from bot import events
from bot.recorder import record
from bot.recorder.actions import LASTS
from bot.store.database import Database, to_moment
from tests.domain.sent import GUID, sent

PRESSED = datetime(2026, 11, 2, 12, tzinfo=UTC)


async def hear(database: Database, now: datetime, guid: str = GUID, event: str = "check_run") -> None:
    news = await events.read(guid, event, json.dumps(sent(event)).encode(), now)
    async with database.transaction() as tx:
        await record(tx, news.told, now)


async def test_a_click_is_due_when_it_is_heard_of_and_ends_an_hour_after_it_was_made(database: Database) -> None:
    heard = PRESSED + timedelta(minutes=5)
    await hear(database, heard)
    (row,) = await database.fetch("SELECT * FROM action")
    times = {name: to_moment(row[name]) for name in ("wanted_at", "until", "due_at")}
    assert times == {"wanted_at": PRESSED, "until": PRESSED + LASTS, "due_at": heard}
    assert (row["kind"], row["repository_id"], row["head_sha"], row["app_id"]) == ("rerun_failed", 10, "a" * 40, 9)
    assert (row["sender_id"], row["sender_login"], row["state"], row["tries"]) == (583231, "octocat", "wanted", 0)


async def test_twice_and_at_once_it_is_one(database: Database) -> None:
    await asyncio.gather(*(hear(database, PRESSED) for _ in range(4)))
    await database.execute("UPDATE action SET state = 'done', due_at = NULL")
    await hear(database, PRESSED + timedelta(days=1))
    assert await database.fetch("SELECT state, due_at FROM action") == [{"state": "done", "due_at": None}]
    await hear(database, PRESSED, "another", "check_suite")
    rows = await database.fetch("SELECT kind FROM action ORDER BY id")
    assert [row["kind"] for row in rows] == ["rerun_failed", "rerequest_suite"]
