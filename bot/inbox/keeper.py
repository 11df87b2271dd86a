"""Looking after the inbox: how full it is, what is dead, putting back in line, and letting go of what is old."""

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from bot.errors import MalformedPayload
from bot.inbox.journal import decode
from bot.store.database import current, database_errors, to_moment

KEEP_BODIES = timedelta(days=7)
# GitHub can redeliver for three days; a GUID is kept far longer, so that a late duplicate is still known as one.
KEEP_GUIDS = timedelta(days=35)
PRUNE_AT_ONCE = 1000
# What is shown of a delivery in an entry of the journal that can't be read.
UNKNOWN_EVENT = "-"


class InboxStatistics(Struct):
    """How full the inbox is."""

    waiting: int
    dead: int
    oldest_waiting: datetime | None


class DeliveryLine(Struct):
    """A delivery as a list shows it."""

    guid: str
    event: str
    state: str
    received_at: datetime
    tries: int
    error: str | None


async def get_statistics() -> InboxStatistics:
    """Return how many deliveries wait and are dead, and since when the oldest waits; the journal's are among them."""
    with database_errors():
        rows = await current().reader.fetch(
            "SELECT (SELECT count(*) FROM delivery WHERE state = 'waiting') AS waiting,"
            " (SELECT count(*) FROM delivery WHERE state = 'dead') AS dead,"
            " (SELECT min(received_at) FROM delivery WHERE state = 'waiting') AS oldest,"
            " (SELECT COALESCE(sum(deliveries), 0) FROM journal_entry WHERE error IS NULL) AS journaled,"
            " (SELECT COALESCE(sum(deliveries), 0) FROM journal_entry WHERE error IS NOT NULL) AS unreadable,"
            " (SELECT min(written_at) FROM journal_entry WHERE error IS NULL) AS written"
        )
    row = rows[0]
    oldest = [moment for moment in (to_moment(row["oldest"]), to_moment(row["written"])) if moment is not None]
    return InboxStatistics(
        row["waiting"] + int(row["journaled"]), row["dead"] + int(row["unreadable"]), min(oldest, default=None)
    )


async def list_deliveries(state: str | None = None, limit: int = 100) -> list[DeliveryLine]:
    """Return the newest deliveries, all or those in one state; those wait of which only the journal knows yet."""
    # The journal first: what is recorded in between is found twice then, and not passed over.
    journaled = {line.guid: line for line in await _list_journal() if state in {None, line.state}}
    where, parameters = ("WHERE state = ?", [state]) if state else ("", [])
    rows = await current().reader.fetch(
        f"SELECT guid, event, state, received_at, tries, error FROM delivery {where} ORDER BY id DESC LIMIT ?",
        *parameters,
        limit,
    )
    lines = [DeliveryLine(**row | {"received_at": to_moment(row["received_at"])}) for row in rows]
    for line in lines:
        journaled.pop(line.guid, None)
    return [*journaled.values(), *lines][:limit]


async def _list_journal() -> list[DeliveryLine]:
    rows = await current().reader.fetch("SELECT written_at, guids, body, error FROM journal_entry ORDER BY id DESC")
    return [line for row in rows for line in reversed(_lines(row))]


def _lines(row: dict[str, Any]) -> list[DeliveryLine]:
    if row["error"] is None:
        with contextlib.suppress(MalformedPayload):
            told = decode(row["body"])
            return [DeliveryLine(each.guid, each.event, "waiting", each.received_at, 0, None) for each in told]
    at: Any = to_moment(row["written_at"])
    return [DeliveryLine(guid, UNKNOWN_EVENT, "dead", at, 0, row["error"]) for guid in row["guids"].split()]


_REPLAY = "UPDATE delivery SET state = 'waiting', available_at = ?, tries = 0, error = NULL"


async def replay(guids: Sequence[str], now: datetime) -> tuple[list[str], list[str]]:
    """Put deliveries back in line; return the GUIDs put back and those whose body is not (or no longer) kept."""
    async with current().transaction() as tx:
        sql = f"{_REPLAY} WHERE guid = ? AND body IS NOT NULL"
        replayed = [guid for guid in guids if await tx.execute(sql, now, guid)]
    return replayed, [guid for guid in guids if guid not in replayed]


async def replay_dead(now: datetime) -> int:
    """Put every dead delivery back in line and return how many there were."""
    async with current().transaction() as tx:
        return await tx.execute(f"{_REPLAY} WHERE state = 'dead' AND body IS NOT NULL", now)


_FORGET_BODIES = (
    "UPDATE delivery SET body = NULL WHERE id IN (SELECT id FROM delivery WHERE received_at < ?"
    " AND state = 'handled' AND body IS NOT NULL ORDER BY received_at LIMIT ?)"
)
_FORGET_GUIDS = (
    "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE received_at < ?"
    " AND state <> 'waiting' ORDER BY received_at LIMIT ?)"
)


_FORGET_UNREADABLE = (
    "DELETE FROM journal_entry WHERE id IN (SELECT id FROM journal_entry WHERE written_at < ?"
    " AND error IS NOT NULL ORDER BY id LIMIT ?)"
)


async def prune(now: datetime) -> int:
    """Let go of old bodies and GUIDs, some at a time so that no writer waits long; return how many rows changed.

    What can't be read in the journal goes when GitHub has long not been able to deliver it again.
    """
    pruned = [
        await _in_slices(_FORGET_BODIES, now - KEEP_BODIES),
        await _in_slices(_FORGET_GUIDS, now - KEEP_GUIDS),
        await _in_slices(_FORGET_UNREADABLE, now - KEEP_BODIES),
    ]
    return sum(pruned)


async def _in_slices(sql: str, before: datetime) -> int:
    total = 0
    while True:
        async with current().transaction() as tx:
            changed = await tx.execute(sql, before, PRUNE_AT_ONCE)
        total += changed
        if changed < PRUNE_AT_ONCE:
            return total
