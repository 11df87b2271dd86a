"""The rows of deliveries: one for each GUID, however often it comes."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from bot.settings import Dialect
from bot.store.conversation import Conversation, Question, padded
from bot.store.writes import Statement

_COLUMNS = "guid, event, state, body, received_at, available_at, tries, handlings, handled_at"
_INSERT_ROW = f"INSERT INTO delivery ({_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, ?6, ?7)"
# Arrays keep the text the same for any number of rows, so that PostgreSQL plans it once.
_INSERT_ARRAYS = (
    f"INSERT INTO delivery ({_COLUMNS})"
    " SELECT guid, event, state, body, received_at, received_at, 0, handlings, handled_at FROM unnest("
    "CAST(? AS text[]), CAST(? AS text[]), CAST(? AS text[]), CAST(? AS bytea[]), CAST(? AS timestamptz[]),"
    " CAST(? AS integer[]), CAST(? AS timestamptz[]))"
    " AS new(guid, event, state, body, received_at, handlings, handled_at)"
    " ON CONFLICT (guid) DO NOTHING RETURNING guid"
)
_KNOWN = "SELECT guid, state FROM delivery WHERE guid IN ({})"
_REVIVE = (
    "UPDATE delivery SET state = 'waiting', available_at = ?, tries = 0, error = NULL, body = ?"
    " WHERE guid = ? AND state = 'dead'"
)


class Row(NamedTuple):
    """A delivery's row, as far as rows differ when they are new; what waits is due at once."""

    guid: str
    event: str
    state: str
    body: bytes | None
    received_at: datetime
    handlings: int = 0
    handled_at: datetime | None = None


def known(guids: Collection[str]) -> Conversation[dict[str, str]]:
    """Return the state of each of these deliveries that has a row."""
    if not guids:
        return {}
    asked = padded(sorted(guids))
    rows = yield Question(_KNOWN.format(", ".join("?" * len(asked))), asked)
    return {guid: state for guid, state in rows}  # noqa: C416  # to mypy a row is of any length


def inserted(dialect: Dialect, rows: Sequence[Row]) -> Conversation[set[str]]:
    """Insert those rows whose GUID has none yet, and return their GUIDs; each GUID comes once."""
    if not rows:
        return set()
    # Two services that are sent the same GUIDs take PostgreSQL's locks in the same order, and so never deadlock.
    ordered = sorted(rows)
    if dialect is Dialect.POSTGRESQL:
        new = yield Question(_INSERT_ARRAYS, [list(column) for column in zip(*ordered, strict=True)])
        return {row[0] for row in new}
    # Nobody else writes to SQLite now, so what is not known yet is new.
    there = yield from known([row.guid for row in ordered])
    fresh = [row for row in ordered if row.guid not in there]
    yield Statement(_INSERT_ROW, fresh)
    return {row.guid for row in fresh}


def revived(bodies: Mapping[str, bytes], now: datetime) -> Statement:
    """Return what puts dead deliveries back in line, each with what is to be kept of it."""
    return Statement(_REVIVE, [(now, body, guid) for guid, body in sorted(bodies.items())])
