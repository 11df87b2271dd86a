"""Looking after the inbox: replay, pruning, statistics, lists."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from bot import inbox
from bot.inbox import InboxStatistics, keeper
from bot.inbox.bodies import compress
from bot.store.database import Database
from tests.inbox.deliveries import NOW, rows_by_guid

INSERT = (
    "INSERT INTO delivery (guid, event, state, body, received_at, available_at, tries, handlings, error)"
    " VALUES (?, 'workflow_run', ?, ?, ?, ?, ?, ?, ?)"
)


async def _put(
    database: Database,
    guid: str,
    state: str,
    received_at: datetime = NOW,
    *,
    body: bytes | None = b"{}",
    tries: int = 3,
) -> None:
    kept = await compress(body) if body is not None else None
    handlings, error = int(state == "handled"), "no" if state == "dead" else None
    await database.execute(INSERT, guid, state, kept, received_at, received_at, tries, handlings, error)


async def _states(database: Database) -> dict[str, tuple[Any, ...]]:
    rows = await rows_by_guid(database)
    return {guid: (row["state"], row["tries"], row["error"]) for guid, row in rows.items()}


async def test_replay_names_what_it_could_not_find(database: Database) -> None:
    await _put(database, "handled", "handled")
    await _put(database, "dead", "dead")
    await _put(database, "without a body", "handled", body=None)
    asked = ["dead", "unheard of", "handled", "without a body"]
    assert await inbox.replay(asked, NOW) == (["dead", "handled"], ["unheard of", "without a body"])
    assert await _states(database) == {
        "handled": ("waiting", 0, None),
        "dead": ("waiting", 0, None),
        "without a body": ("handled", 3, None),
    }
    # What was handled before is handled a second time, because somebody asked for it; the count says so.
    async with database.transaction() as tx:
        await inbox.mark_handled(tx, await inbox.lease(tx, NOW, 9), NOW)
    rows = await rows_by_guid(database)
    assert (rows["handled"]["handlings"], rows["dead"]["handlings"]) == (2, 1)


async def test_replay_of_all_dead(database: Database) -> None:
    for number in range(3):
        await _put(database, f"dead {number}", "dead")
    await _put(database, "bodiless", "dead", body=None)
    await _put(database, "handled", "handled")
    assert await inbox.replay_dead(NOW) == 3
    states = await _states(database)
    assert [states[f"dead {number}"] for number in range(3)] == [("waiting", 0, None)] * 3
    assert states["bodiless"][0] == "dead"
    assert states["handled"][0] == "handled"
    async with database.transaction() as tx:
        assert len(await inbox.lease(tx, NOW, 9)) == 3


async def test_bodies_go_after_seven_days_and_guids_after_thirty_five(database: Database) -> None:
    ages = {"young": timedelta(days=7), "week": timedelta(days=7, seconds=1), "old": timedelta(days=35, seconds=1)}
    for state in ("waiting", "handled", "dead", "ignored"):
        for name, age in ages.items():
            body = None if state == "ignored" else b"{}"
            await _put(database, f"{state} {name}", state, NOW - age, body=body)
    await inbox.prune(NOW)
    rows = await rows_by_guid(database)
    gone = {"handled old", "dead old", "ignored old"}
    assert {f"{state} {name}" for state in ("waiting", "handled", "dead", "ignored") for name in ages} - set(
        rows
    ) == gone
    with_body = {guid for guid, row in rows.items() if row["body"] is not None}
    # A dead one may be replayed for as long as it is kept.
    assert with_body == {"waiting young", "waiting week", "waiting old", "handled young", "dead young", "dead week"}


async def test_pruning_goes_on_until_nothing_is_left(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "PRUNE_AT_ONCE", 4)
    for number in range(11):
        await _put(database, f"guid-{number}", "handled", NOW - timedelta(days=8))
    assert await inbox.prune(NOW) == 11
    assert await inbox.prune(NOW) == 0
    assert await inbox.prune(NOW + timedelta(days=30)) == 11
    assert await rows_by_guid(database) == {}


async def test_statistics(database: Database) -> None:
    assert await inbox.get_statistics() == InboxStatistics(waiting=0, dead=0, oldest_waiting=None)
    for number in range(3):
        await _put(database, f"waiting {number}", "waiting", NOW - timedelta(minutes=number))
    await _put(database, "dead", "dead", NOW - timedelta(days=1))
    await _put(database, "handled", "handled", NOW - timedelta(days=2))
    found = await inbox.get_statistics()
    assert (found.waiting, found.dead, found.oldest_waiting) == (3, 1, NOW - timedelta(minutes=2))


async def test_lists_show_the_newest_first(database: Database) -> None:
    for number in range(3):
        await _put(database, f"dead {number}", "dead", NOW + timedelta(minutes=number))
    await _put(database, "handled", "handled")
    assert [line.guid for line in await inbox.list_deliveries()] == ["handled", "dead 2", "dead 1", "dead 0"]
    assert [line.guid for line in await inbox.list_deliveries("dead", limit=2)] == ["dead 2", "dead 1"]
    line = (await inbox.list_deliveries("dead"))[0]
    assert (line.received_at, line.event, line.state, line.tries, line.error) == (
        NOW + timedelta(minutes=2),
        *("workflow_run", "dead", 3, "no"),
    )
    assert await inbox.list_deliveries("waiting") == []
