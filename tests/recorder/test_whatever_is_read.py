"""What a body passes reading with, both databases take: nothing that a sender writes makes a statement fail."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings

from bot import events
from bot.errors import MalformedPayload
from bot.store import connected
from bot.store.database import Database
from tests.domain.anything import spoilt
from tests.domain.sent import GUID, changed, paths, sent
from tests.recorder.arrived import handle
from tests.recorder.records import clear

NOW = datetime(2026, 11, 3, tzinfo=UTC)
EXAMPLES = 150
# As long as reading lets them pass: texts at their limits, numbers at the ends of their columns.
EXTREMES: tuple[Any, ...] = (
    "x" * 512,
    "x" * 255,
    "x" * 64,
    "x" * 10_000,
    "é" * 512,
    "/" * 40,
    0,
    2**31 - 1,
    2**63 - 1,
    "9999-12-31T23:59:59Z",
)


async def take(database: Database, event: str, body: Any) -> bool:
    """Record a body; return False where reading refused it."""
    try:
        news = await events.read(GUID, event, json.dumps(body).encode(), NOW)
    except MalformedPayload:
        return False
    async with database.transaction() as tx:
        # All of these have one GUID, of which the next would be passed over.
        await tx.execute("DELETE FROM action")
        await handle(tx, news.told, NOW)
    return True


async def test_values_at_their_limits(database: Database) -> None:
    taken = 0
    for event in sorted(events.ACTED_ON):
        body = sent(event)
        for path, value in paths(body):
            if not isinstance(value, dict | list):
                for extreme in EXTREMES:
                    taken += await take(database, event, changed(body, path, extreme))
        await clear(database)
    assert taken > 500


async def test_names_that_are_joined_still_fit(database: Database) -> None:
    long = {"id": 11, "login": "y" * 255}
    repository = changed(sent("repository"), ("repository", "full_name"), "x" * 100 + "/" + "x" * 154)
    assert await take(database, "repository", repository)
    assert await take(database, "installation_target", changed(sent("installation_target"), ("account",), long))
    names = await database.fetch("SELECT full_name FROM repository")
    assert names == [{"full_name": "y" * 255 + "/" + "x" * 154}]
    old = changed(repository, ("changes", "repository", "name", "from"), "z" * 255)
    assert await take(database, "repository", changed(old, ("repository", "owner"), long))


def test_spoilt_bodies(quick_url: str) -> None:
    with asyncio.Runner() as runner:
        opened = connected(quick_url)
        database = runner.run(opened.__aenter__())

        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
        @given(spoilt())
        def check(drawn: tuple[str, Any]) -> None:
            runner.run(take(database, *drawn))

        try:
            check()
        finally:
            runner.run(opened.__aexit__(None, None, None))
