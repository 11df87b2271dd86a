"""Taking deliveries, and saying how each of them ended; all inside the transaction that records their facts."""

import itertools
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from bot.inbox.bodies import decompress
from bot.inbox.journal import Told, find_told, unpacked_size
from bot.settings import Dialect
from bot.store.database import Executor, Transaction

# With the back-off below the last try comes about half an hour after the first.
MAX_TRIES = 12
FIRST_DELAY, LONGEST_DELAY = 1.0, 1800.0
# A batch of large bodies would not fit in memory together, so a larger one is handled by itself.
LARGE = 256 * 1024
# Nor would what is small only as it is kept: 145,000 equal steps, 24 MiB, take 3 KB.
MOST_TOGETHER = 4 * 1024 * 1024
_COLUMNS = f"id, guid, event, CASE WHEN length(body) <= {LARGE} THEN body END AS body, received_at, tries"
_DONE = "UPDATE delivery SET state = ?, handlings = handlings + ?, handled_at = ?, error = NULL{} WHERE id = ?"


class LeasedDelivery(Struct, frozen=True):
    """A delivery that this transaction holds."""

    id: int
    guid: str
    event: str
    kept: bytes
    received_at: datetime
    tries: int

    def told(self) -> Told | None:
        """Return what the delivery tells, where it has been read before and that is kept in place of its body.

        Raises MalformedPayload when it can't be read.
        """
        return find_told(self.kept)

    def body(self) -> bytes:
        """Return the body as it was posted; unpacked only now, because a batch of large ones would not fit at once.

        Raises MalformedPayload when what is kept of it is damaged.
        """
        return decompress(self.kept)


async def lease(tx: Transaction, now: datetime, limit: int, only: int | None = None) -> list[LeasedDelivery]:
    """Take up to `limit` waiting deliveries, the longest due first, passing over what other workers hold.

    A body of more than LARGE, as it is kept, comes alone; of others there come as many as are MOST_TOGETHER when they
    are unpacked, or one.

    `only` takes that one row, if it still waits. SQLite needs no lock of its own: the transaction has the only one.
    """
    which = "" if only is None else " AND id = ?"
    skip = " FOR UPDATE SKIP LOCKED" if tx.dialect is Dialect.POSTGRESQL else ""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM delivery WHERE state = 'waiting' AND available_at <= ?{which}"
        f" ORDER BY available_at, id LIMIT ?{skip}",
        *([now, limit] if only is None else [now, only, limit]),
    )
    small = list(itertools.takewhile(lambda row: row["body"] is not None, rows))
    if rows and not small:
        small = [rows[0] | (await tx.fetch("SELECT body FROM delivery WHERE id = ?", rows[0]["id"]))[0]]
    return [
        LeasedDelivery(row["id"], row["guid"], row["event"], row["body"], _moment(row["received_at"]), row["tries"])
        for row in _together(small)
    ]


def _together(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    size = 0
    for row in rows:
        size += unpacked_size(row["body"])
        if size > MOST_TOGETHER and row is not rows[0]:
            return
        yield row


def _moment(value: datetime | str) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


async def mark_handled(tx: Transaction, handled: Sequence[LeasedDelivery], now: datetime) -> None:
    """Say that these deliveries' facts are part of this transaction."""
    await tx.execute_many(_DONE.format(""), [("handled", 1, now, each.id) for each in handled])


async def mark_ignored(tx: Transaction, ignored: Sequence[LeasedDelivery], now: datetime) -> None:
    """Say that nothing acts on these deliveries; only their GUIDs are kept."""
    await tx.execute_many(_DONE.format(", body = NULL"), [("ignored", 0, now, each.id) for each in ignored])


async def mark_dead(tx: Executor, delivery: LeasedDelivery, reason: str, now: datetime) -> None:
    """Say that this delivery can't be handled, and why; an operator may replay it."""
    await tx.execute(
        "UPDATE delivery SET state = 'dead', handled_at = ?, tries = tries + 1, error = ? WHERE id = ?",
        now,
        reason,
        delivery.id,
    )


async def put_back(tx: Executor, delivery: LeasedDelivery, reason: str, now: datetime) -> bool:
    """Let this delivery be tried again after a while, or return False when it has been tried often enough."""
    if delivery.tries + 1 >= MAX_TRIES:
        return False
    await tx.execute(
        "UPDATE delivery SET available_at = ?, tries = tries + 1, error = ? WHERE id = ?",
        now + timedelta(seconds=delay(delivery.tries)),
        reason,
        delivery.id,
    )
    return True


async def put_off(tx: Executor, delivery: LeasedDelivery, until: datetime) -> None:
    """Let this delivery wait until then, which is no try."""
    await tx.execute("UPDATE delivery SET available_at = ? WHERE id = ?", until, delivery.id)


def delay(tries: int) -> float:
    """Return the seconds to wait after that many earlier tries: doubling, with jitter."""
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0**tries) * random.uniform(0.5, 1.0)  # noqa: S311
