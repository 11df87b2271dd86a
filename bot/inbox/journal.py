"""The journal: what a group of deliveries tells, durable as one row until it is recorded a moment later.

A row for the whole group costs a fraction of what the rows of the record do, and what several groups tell is recorded
together. `bench/ingest` shows what that is worth. What is told is written as MessagePack, compressed: facts have few
names in common with the next version of this program but their order, see `domain.facts.Fact`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from bot.domain.news import News
from bot.errors import MalformedPayload
from bot.inbox.bodies import decompress, pack, size_of
from bot.settings import Dialect
from bot.store.conversation import Conversation, Question, padded
from bot.store.database import Executor
from bot.store.writes import Statement

# Each process records its own entries within half a second; what is older was left behind by one that is no more, or
# that was refused.
LEFT_BEHIND_SECONDS = 2.0
LEFT_AT_ONCE = 8
# No frame of zstd begins so (RFC 8878, section 3.1.1): the body of a delivery is kept as it was posted, or as this.
_MARK = b"told"
_WRITE = "INSERT INTO journal_entry (holder, written_at, deliveries, guids, body) VALUES (?, ?, ?, ?, ?) RETURNING id"
# One round trip, and no transaction but the statement's own. Other processes may have answered for the same GUIDs. The
# limit keeps PostgreSQL from joining: a plan that it made while there were few deliveries would read all of them each
# time until the next ANALYZE. So does the IS TRUE, where each GUID of others would be compared with each of ours.
_WRITE_AND_LOOK = (
    f"WITH entry AS ({_WRITE}), asked AS (SELECT unnest(CAST(? AS text[])) AS guid)"
    " SELECT asked.guid, found.state, CAST(NULL AS bigint) AS id FROM asked CROSS JOIN LATERAL"
    " (SELECT state FROM delivery WHERE delivery.guid = asked.guid LIMIT 1) AS found"
    " UNION ALL SELECT guid, 'journaled', NULL FROM journal_entry, unnest(string_to_array(guids, ' ')) AS guid"
    " WHERE holder <> ? AND error IS NULL AND (guid IN (SELECT guid FROM asked)) IS TRUE"
    " UNION ALL SELECT NULL, NULL, id FROM entry"
)
_TAKE = "DELETE FROM journal_entry WHERE id IN ({}) RETURNING id"
_TAKE_FREE = (
    "DELETE FROM journal_entry WHERE id IN"
    " (SELECT id FROM journal_entry WHERE id IN ({}) FOR UPDATE SKIP LOCKED) RETURNING id"
)
_LEFT = "SELECT id, body FROM journal_entry WHERE written_at < ? AND error IS NULL ORDER BY id LIMIT ?"
_UNREADABLE = "UPDATE journal_entry SET error = ? WHERE id = ?"


class Told(msgspec.Struct, array_like=True):
    """A delivery and what it tells; `news` is None where nothing but its GUID is to be kept."""

    guid: str
    event: str
    received_at: datetime
    news: News | None


class Entry(NamedTuple):
    """A row of the journal."""

    id: int
    told: Sequence[Told]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Told])


def encode(told: Sequence[Told]) -> bytes:
    """Return what deliveries tell, as it is kept."""
    return _MARK + pack(_encoder.encode(told))


def decode(kept: bytes) -> list[Told]:
    """Return what `encode` was given.

    Raises MalformedPayload when `kept` is damaged, or of a version of this program that wrote something else.
    """
    try:
        return _decoder.decode(decompress(kept.removeprefix(_MARK)))
    except msgspec.MsgspecError as error:
        message = f"what is kept of a delivery can't be read: {error}"
        raise MalformedPayload(message) from None


def find_told(kept: bytes) -> Told | None:
    """Return what a delivery tells where that is kept in place of its body.

    Raises MalformedPayload as `decode` does.
    """
    return decode(kept)[0] if kept.startswith(_MARK) else None


def unpacked_size(kept: bytes) -> int:
    """Return how many bytes it is that is kept of a delivery, once it is unpacked; 0 where that is damaged."""
    return size_of(kept.removeprefix(_MARK))


def written(told: Sequence[Told], now: datetime, holder: str) -> Conversation[int]:
    """Write an entry that `holder` is to record, and return its id."""
    ((identifier,),) = yield Question(_WRITE, _row(told, now, holder))
    return int(identifier)


def _row(told: Sequence[Told], now: datetime, holder: str) -> tuple[object, ...]:
    return holder, now, len(told), " ".join(each.guid for each in told), encode(told)


async def write_and_look(
    database: Executor, told: Sequence[Told], now: datetime, holder: str
) -> tuple[int, dict[str, str]]:
    """Write an entry, and return its id and the states of those deliveries that are known; on PostgreSQL only.

    What another process has answered for and not recorded yet is called journaled.
    """
    guids = [each.guid for each in told]
    rows = await database.fetch(_WRITE_AND_LOOK, *_row(told, now, holder), guids, holder)
    (identifier,) = (row["id"] for row in rows if row["guid"] is None)
    return identifier, {row["guid"]: row["state"] for row in rows if row["guid"] is not None}


def taken(entries: Sequence[Entry]) -> Conversation[list[Told]]:
    """Take entries out of the journal, and return what those tell that nobody else has taken."""
    return (yield from _taken(entries, _TAKE))


def taken_of_the_free(dialect: Dialect, entries: Sequence[Entry]) -> Conversation[list[Told]]:
    """Do so with those that nobody else is about to take, however long they take for it."""
    return (yield from _taken(entries, _TAKE_FREE if dialect is Dialect.POSTGRESQL else _TAKE))


def _taken(entries: Sequence[Entry], sql: str) -> Conversation[list[Told]]:
    asked = padded(sorted(entry.id for entry in entries))
    ours = {row[0] for row in (yield Question(sql.format(", ".join("?" * len(asked))), asked))}
    return [told for entry in entries if entry.id in ours for told in entry.told]


async def find_left_behind(database: Executor, before: datetime) -> list[tuple[int, bytes]]:
    """Return some of the entries that were written before, the oldest first, as they are kept.

    Those that a process is about to record are passed over, also where it has been frozen while it does.
    """
    skip = " FOR UPDATE SKIP LOCKED" if database.dialect is Dialect.POSTGRESQL else ""
    rows = await database.fetch(_LEFT + skip, before, LEFT_AT_ONCE)
    return [(row["id"], row["body"]) for row in rows]


def called_unreadable(identifier: int, reason: str) -> Statement:
    """Return what says of an entry that it can't be read, and why."""
    return Statement(_UNREADABLE, [(reason, identifier)])
