"""An installation that sends nothing though REST shows what it should have sent."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain import facts, ordering
from bot.history.silence import is_silent, note_runs_seen
from bot.recorder import note_deliveries, record
from bot.store import queries
from bot.store.database import Database

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HEARD, SILENT = False, True


def at(minutes: float | None) -> datetime | None:
    return None if minutes is None else NOON + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("last_delivery", "newest_run", "expected"),
    [
        # The run is so new that its deliveries may yet come.
        (None, -30, HEARD),
        (-60, -29, HEARD),
        (-60, 5, HEARD),
        # One has come since, or so shortly before that the clocks may differ by that much.
        (-5, -40, HEARD),
        (-40, -40, HEARD),
        (-41, -40, HEARD),
        (5, -40, HEARD),
        # None has come.
        (None, -30.1, SILENT),
        (None, -600, SILENT),
        (-41.1, -40, SILENT),
        (-600, -31, SILENT),
    ],
)
def test_the_rule(last_delivery: float | None, newest_run: float, expected: bool) -> None:
    newest = at(newest_run)
    assert newest is not None
    assert is_silent(at(last_delivery), newest, NOON) is expected


@pytest.fixture
async def known(database: Database) -> Database:
    """Give a record that has known of installation 5 for a day, and of installation 6, which is deleted."""
    for installation_id, state in ((5, "active"), (6, "deleted")):
        await tell(database, installation_id, state, NOON - timedelta(days=1))
    return database


async def tell(database: Database, installation_id: int, state: Any, when: datetime) -> None:
    account = facts.Account(11, "octo-org", "Organization")
    version = ordering.entity_version(None, ordering.microseconds(when), b"")
    fact = facts.Installation(installation_id=installation_id, account=account, state=state, version=version)
    async with database.transaction() as tx:
        await record(tx, [fact], when)


async def see(database: Database, newest_run: float, minutes: float = 0) -> None:
    newest, now = at(newest_run), at(minutes)
    assert newest is not None
    assert now is not None
    async with database.transaction() as tx:
        await note_runs_seen(tx, 5, newest, now)


async def deliver(database: Database, minutes: float) -> None:
    came = at(minutes)
    assert came is not None
    async with database.transaction() as tx:
        await note_deliveries(tx, {5: came})


async def silent_since(database: Database) -> datetime | None:
    (row,) = await database.fetch("SELECT silent_since FROM installation WHERE installation_id = 5")
    found = row["silent_since"]
    return datetime.fromisoformat(found) if isinstance(found, str) else found


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, Any]]:
    return [
        (each.levelname, each.__dict__.get("installation")) for each in caplog.records if "bot.history" in each.name
    ]


async def test_silence_begins_once_and_ends_with_a_delivery(known: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await deliver(known, -120)
    await see(known, -20)
    assert await queries.silent_installations() == {5: False}
    await see(known, -40)
    assert await silent_since(known) == at(-40)
    assert await queries.silent_installations() == {5: True}
    # A later look finds the same.
    await see(known, -35, 60)
    assert await silent_since(known) == at(-40)
    assert said(caplog) == [("WARNING", 5)]
    assert "octo-org" in caplog.text
    assert "webhook URL" in caplog.text
    # A delivery ends the alarm at once, and the next look says so.
    await deliver(known, 70)
    assert await queries.silent_installations() == {5: False}
    await see(known, 65, 120)
    assert await silent_since(known) is None
    assert said(caplog) == [("WARNING", 5), ("INFO", 5)]
    # It may begin again.
    await see(known, 80, 180)
    assert await silent_since(known) == at(80)
    assert [level for level, _ in said(caplog)] == ["WARNING", "INFO", "WARNING"]


async def test_what_was_before_an_installation_was_known_says_nothing(known: Database) -> None:
    await see(known, -60 * 30)
    assert await silent_since(known) is None
    await see(known, -60 * 20)
    assert await silent_since(known) == at(-60 * 20)


@pytest.mark.parametrize("state", ["suspended", "deleted"])
async def test_of_one_that_is_not_active_nothing_is_expected(known: Database, state: str) -> None:
    await tell(known, 5, state, NOON - timedelta(hours=20))
    await see(known, -40)
    assert await silent_since(known) is None


async def test_a_suspension_ends_the_alarm(known: Database) -> None:
    await see(known, -40)
    assert await queries.silent_installations() == {5: True}
    await tell(known, 5, "suspended", NOON)
    assert await queries.silent_installations() == {5: False}


async def test_an_installation_that_is_not_known_is_none_of_ours(database: Database) -> None:
    await see(database, -40)
    assert await queries.silent_installations() == {}
