"""Group commit: whoever waits shares the next transaction, so the disk is asked once for many deliveries.

There is no timer: one writer commits whatever has queued since its last commit. `bench/ingest` shows what it is worth.
What the deliveries tell is part of the same transaction where there is somebody to read them; what can't be read or
recorded so is kept, and waits for a worker.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

from bot.clock import Clock
from bot.domain.news import News
from bot.errors import DatabaseUnavailable
from bot.inbox.bodies import compress
from bot.settings import Dialect
from bot.store.database import Database, Transaction, is_unavailable

log = logging.getLogger(__name__)

Outcome = Literal["accepted", "duplicate"]

MAX_BATCH = 256
_INSERT = "INSERT INTO delivery (guid, event, state, body, received_at, available_at, tries, handlings, handled_at)"
_NEW_ONES = " ON CONFLICT (guid) DO NOTHING RETURNING guid"
# Arrays keep the text the same for any number of rows, so that PostgreSQL plans it once.
_FROM_ARRAYS = (
    " SELECT guid, event, state, body, received_at, received_at, 0, handlings, handled_at FROM unnest("
    "CAST(? AS text[]), CAST(? AS text[]), CAST(? AS text[]), CAST(? AS bytea[]), CAST(? AS timestamptz[]),"
    "CAST(? AS integer[]), CAST(? AS timestamptz[]))"
    " AS new(guid, event, state, body, received_at, handlings, handled_at)"
)
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


class Handler(Protocol):
    """Handles deliveries inside the transaction that makes them durable."""

    async def read(self, delivery: NewDelivery) -> News | None:
        """Return what a delivery tells, None to leave it to a worker."""

    async def record(self, tx: Transaction, read: Sequence[tuple[NewDelivery, News]], now: datetime) -> None:
        """Record what these deliveries tell."""

    def report(self, read: Sequence[tuple[NewDelivery, News]]) -> None:
        """Hear that these deliveries are committed."""


class _Waiting(Struct):
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
        return told.guid, told.event, state, self.kept, told.received_at, handlings, handled_at


def _everything(_event: str, _body: bytes) -> bool:
    return True


class Inbox:
    """Makes deliveries durable. `acted_on` names the events that anything acts on: of others only the GUID is kept.

    So it is with bodies of which `may_tell` says that they tell nothing; it is asked for each and must be quick.
    Without a `handler` all wait for a worker.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        acted_on: frozenset[str],
        may_tell: Callable[[str, bytes], bool] = _everything,
        handler: Handler | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._acted_on = acted_on
        self._may_tell = may_tell
        self._handler = handler
        self._queue: list[_Waiting] = []
        self._queued = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._closing = False
        # Set after each commit that leaves something to handle; a worker in the same process waits for it.
        self.arrived = asyncio.Event()

    async def __aenter__(self) -> "Inbox":
        self._writer = asyncio.create_task(self._write(), name="inbox")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._queued.set()
        if self._writer is not None:
            await self._writer

    async def append(self, delivery: NewDelivery) -> Outcome:
        """Return once `delivery` is committed: accepted, or a duplicate by its GUID.

        A duplicate of a dead delivery brings it back to life. Raises DatabaseUnavailable when nothing was stored.
        """
        is_told = delivery.event in self._acted_on and self._may_tell(delivery.event, delivery.body)
        waiting = _Waiting(delivery, asyncio.get_running_loop().create_future(), is_told)
        if is_told:
            waiting.news = await self._handler.read(delivery) if self._handler is not None else None
            if waiting.news is None:
                waiting.kept = await compress(delivery.body)
        # Looked at only now: reading or compressing may take a turn of the loop in which the inbox closes.
        if self._closing or self._writer is None:
            message = "the inbox is closed"
            raise DatabaseUnavailable(message)
        self._queue.append(waiting)
        self._queued.set()
        return await waiting.outcome

    async def _write(self) -> None:
        while not (self._closing and not self._queue):
            await self._queued.wait()
            batch, self._queue = self._queue[:MAX_BATCH], self._queue[MAX_BATCH:]
            if not self._queue and not self._closing:
                self._queued.clear()
            if batch:
                await self._commit(batch)

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        try:
            new = await self._store(batch)
        except Exception as error:  # noqa: BLE001
            _refuse(batch, error)
            return
        handled = [(each.delivery, each.news) for each in new.values() if each.news is not None]
        for each in batch:
            # The first of several with one GUID is the new one.
            _resolve(each, "accepted" if new.get(each.delivery.guid) is each else "duplicate")
        if self._handler is not None and handled:
            self._handler.report(handled)
        if any(each.kept is not None or new.get(each.delivery.guid) is not each for each in batch):
            self.arrived.set()

    async def _store(self, batch: Sequence[_Waiting]) -> dict[str, _Waiting]:
        """Commit a batch, handled as far as it can be; return by its GUID what was new."""
        if any(each.news is not None for each in batch):
            try:
                return await self._database.transact(lambda tx: self._take(tx, batch))
            except Exception as error:
                if is_unavailable(error):
                    raise
                # Somebody else was in the way, or one of them can't be recorded: a worker will find out which.
                log.info("a batch is left to a worker", extra={"deliveries": len(batch)}, exc_info=error)
        for each in batch:
            if each.news is not None:
                each.news, each.kept = None, await compress(each.delivery.body)
        return await self._database.transact(lambda tx: self._take(tx, batch))

    async def _take(self, tx: Transaction, batch: Sequence[_Waiting]) -> dict[str, _Waiting]:
        now = self._clock.now()
        first = _first_of_each(batch)
        guids = await _insert(tx, [each.row(now) for each in first.values()])
        new = {guid: each for guid, each in first.items() if guid in guids}
        if len(new) < len(batch):
            await self._revive(tx, [each for each in batch if new.get(each.delivery.guid) is not each], now)
        if self._handler is not None:
            await self._handler.record(tx, [(e.delivery, e.news) for e in new.values() if e.news is not None], now)
        return new

    async def _revive(self, tx: Transaction, duplicates: Sequence[_Waiting], now: datetime) -> None:
        rows = [(now, await compress(each.delivery.body), each.delivery.guid) for each in duplicates if each.is_told]
        await tx.execute_many(_REVIVE, sorted(rows, key=lambda row: row[-1]))


def _first_of_each(batch: Sequence[_Waiting]) -> dict[str, _Waiting]:
    by_guid: dict[str, _Waiting] = {}
    for each in batch:
        by_guid.setdefault(each.delivery.guid, each)
    # Two services that are sent the same GUIDs take PostgreSQL's locks in the same order, and so never deadlock.
    return dict(sorted(by_guid.items()))


async def _insert(tx: Transaction, rows: Sequence[tuple[object, ...]]) -> set[str]:
    if tx.dialect is Dialect.POSTGRESQL:
        new = await tx.fetch(_INSERT + _FROM_ARRAYS + _NEW_ONES, *map(list, zip(*rows, strict=True)))
    else:
        values = ", ".join(["(?, ?, ?, ?, ?, ?, 0, ?, ?)"] * len(rows))
        parameters = [value for row in rows for value in (*row[:5], row[4], *row[5:])]
        new = await tx.fetch(f"{_INSERT} VALUES {values}{_NEW_ONES}", *parameters)
    return {row["guid"] for row in new}


def _resolve(waiting: _Waiting, outcome: Outcome) -> None:
    with contextlib.suppress(asyncio.InvalidStateError):
        waiting.outcome.set_result(outcome)


def _refuse(batch: Sequence[_Waiting], error: Exception) -> None:
    message = f"the delivery could not be stored ({type(error).__name__})"
    for each in batch:
        if not each.outcome.done():
            refusal = DatabaseUnavailable(message)
            refusal.__cause__ = error
            each.outcome.set_exception(refusal)
