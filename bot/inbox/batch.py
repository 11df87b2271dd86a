"""What one commit makes durable: which deliveries are new, which revive what was dead, and what the new ones tell.

All of it is one conversation with the database, which on SQLite is one turn of the connection's thread, its commit
included. `bench/ingest` shows what that is worth.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

from bot.domain.news import News
from bot.inbox.bodies import pack
from bot.recorder import DirectoryNews
from bot.settings import Dialect
from bot.store.conversation import Conversation, Question, padded
from bot.store.database import Transaction
from bot.store.writes import Statement

Outcome = Literal["accepted", "duplicate"]

_COLUMNS = "guid, event, state, body, received_at, available_at, tries, handlings, handled_at"
_INSERT_ROW = f"INSERT INTO delivery ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)"
# Arrays keep the text the same for any number of rows, so that PostgreSQL plans it once.
_INSERT_ARRAYS = (
    f"INSERT INTO delivery ({_COLUMNS})"
    " SELECT guid, event, state, body, received_at, available_at, 0, handlings, handled_at FROM unnest("
    "CAST(? AS text[]), CAST(? AS text[]), CAST(? AS text[]), CAST(? AS bytea[]), CAST(? AS timestamptz[]),"
    " CAST(? AS timestamptz[]), CAST(? AS integer[]), CAST(? AS timestamptz[]))"
    " AS new(guid, event, state, body, received_at, available_at, handlings, handled_at)"
    " ON CONFLICT (guid) DO NOTHING RETURNING guid"
)
# Whoever moves a repository's whole record holds locks on it for long, and GitHub waits ten seconds for an answer: what
# can't be recorded at once is kept for a worker.
LOCK_TIMEOUT = "300ms"
_WAIT_NO_LONGER = "SELECT set_config('lock_timeout', ?, true)"
_KNOWN = "SELECT guid FROM delivery WHERE guid IN ({})"
_DEAD = f"{_KNOWN} AND state = 'dead'"
_REVIVE = (
    "UPDATE delivery SET state = 'waiting', available_at = ?, tries = 0, error = NULL, body = ?"
    " WHERE guid = ? AND state = 'dead'"
)


class NewDelivery(Struct, frozen=True):
    """A verified delivery, not yet looked into."""

    guid: str
    event: str
    body: bytes
    received_at: datetime


Read = tuple[NewDelivery, News]
"""A delivery and what it tells."""


class Handler(Protocol):
    """Handles deliveries inside the transaction that makes them durable."""

    async def read(self, delivery: NewDelivery, /) -> News | None:
        """Return what a delivery that is not large tells, None to leave it to a worker."""

    def recording(
        self, dialect: Dialect, read: Sequence[Read], now: datetime, /, *, prepared: bool = False
    ) -> Conversation[None]:
        """Record what these deliveries tell.

        Raises `recorder.DirectoryNews`, having written nothing, where `prepare` has to be called before.
        """

    async def prepare(self, tx: Transaction, read: Sequence[Read], now: datetime, /) -> None:
        """Do what can't be part of a conversation."""

    def report(self, read: Sequence[Read], /) -> None:
        """Hear that these deliveries are committed."""


class LeaveAll:
    """Leaves everything to a worker."""

    async def read(self, _delivery: NewDelivery) -> None: ...

    def recording(
        self,
        _dialect: Dialect,
        _read: Sequence[Read],
        _now: datetime,
        *,
        prepared: bool = False,  # noqa: ARG002
    ) -> Conversation[None]:
        yield from ()

    async def prepare(self, _tx: Transaction, _read: Sequence[Read], _now: datetime) -> None: ...

    def report(self, _read: Sequence[Read]) -> None: ...


class Waiting(Struct):
    """A delivery whose sender waits: `news` where it is handled at once, `kept` where a worker is to handle it."""

    delivery: NewDelivery
    outcome: asyncio.Future[Outcome]
    is_told: bool
    news: News | None = None
    kept: bytes | None = None

    def row(self, now: datetime) -> tuple[object, ...]:
        """Return its row, as far as rows differ."""
        state, handlings, handled_at = ("waiting" if self.is_told else "ignored"), 0, None
        if self.news is not None:
            state, handlings, handled_at = ("ignored", 0, now) if self.news.ignored else ("handled", 1, now)
        told = self.delivery
        return told.guid, told.event, state, self.kept, told.received_at, told.received_at, handlings, handled_at


class Batch:
    """Deliveries that share a commit; `new` are those that it has made durable, by their GUID."""

    def __init__(self, waiting: Sequence[Waiting], now: datetime, handler: Handler) -> None:
        self._waiting = waiting
        self._now = now
        self._handler = handler
        self.new: dict[str, Waiting] = {}

    @property
    def read(self) -> list[Read]:
        """What is handled in this commit."""
        return [(each.delivery, each.news) for each in self.new.values() if each.news is not None]

    def outcome_of(self, waiting: Waiting) -> Outcome:
        """Return what to answer; the first of several with one GUID is the new one."""
        return "accepted" if self.new.get(waiting.delivery.guid) is waiting else "duplicate"

    def leaves_work(self) -> bool:
        """Tell whether something may wait for a worker now."""
        return any(each.kept is not None or self.outcome_of(each) == "duplicate" for each in self._waiting)

    async def take(self, tx: Transaction) -> None:
        """Write all of it as the whole of a transaction."""
        try:
            await tx.finish(self._taking(tx.dialect))
        except DirectoryNews:
            await self._handler.prepare(tx, self.read, self._now)
            await tx.finish(self._handler.recording(tx.dialect, self.read, self._now, prepared=True))

    def _taking(self, dialect: Dialect) -> Conversation[None]:
        if dialect is Dialect.POSTGRESQL and any(each.news is not None for each in self._waiting):
            yield Question(_WAIT_NO_LONGER, (LOCK_TIMEOUT,))
        first = _first_of_each(self._waiting)
        rows = [each.row(self._now) for each in first.values()]
        insert = _insert_arrays(rows) if dialect is Dialect.POSTGRESQL else _insert_rows(rows)
        guids = yield from insert
        self.new = {guid: each for guid, each in first.items() if guid in guids}
        if len(self.new) < len(self._waiting):
            yield from self._revive()
        yield from self._handler.recording(dialect, self.read, self._now)

    def _revive(self) -> Conversation[None]:
        again = {
            each.delivery.guid: each.delivery.body
            for each in self._waiting
            if each.is_told and self.outcome_of(each) == "duplicate"
        }
        asked = padded(sorted(again))
        dead = (yield Question(_DEAD.format(", ".join("?" * len(asked))), asked)) if asked else []
        yield Statement(_REVIVE, [(self._now, pack(again[guid]), guid) for guid in sorted(row[0] for row in dead)])


def _first_of_each(waiting: Sequence[Waiting]) -> dict[str, Waiting]:
    by_guid: dict[str, Waiting] = {}
    for each in waiting:
        by_guid.setdefault(each.delivery.guid, each)
    # Two services that are sent the same GUIDs take PostgreSQL's locks in the same order, and so never deadlock.
    return dict(sorted(by_guid.items()))


def _insert_arrays(rows: Sequence[tuple[object, ...]]) -> Conversation[set[str]]:
    new = yield Question(_INSERT_ARRAYS, [list(column) for column in zip(*rows, strict=True)])
    return {row[0] for row in new}


def _insert_rows(rows: Sequence[tuple[object, ...]]) -> Conversation[set[str]]:
    # Nobody else writes to SQLite now, so what is not known yet is new.
    asked = padded([row[0] for row in rows])
    known = {row[0] for row in (yield Question(_KNOWN.format(", ".join("?" * len(asked))), asked))}
    new = [row for row in rows if row[0] not in known]
    yield Statement(_INSERT_ROW, new)
    return {str(row[0]) for row in new}
