"""Group commit: whoever waits shares the next transaction, so the disk is asked once for many deliveries.

There is no timer: one writer commits whatever has queued since its last commit. `bench/ingest` shows what it is worth.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from bot.clock import Clock
from bot.errors import DatabaseUnavailable
from bot.inbox.bodies import compress
from bot.settings import Dialect
from bot.store.database import Database, Transaction

Outcome = Literal["accepted", "duplicate"]

MAX_BATCH = 256
_COLUMNS = ("guid", "event", "state", "body", "received_at", "available_at", "tries", "handlings")
_INSERT = f"INSERT INTO delivery ({', '.join(_COLUMNS)}) "
_NEW_ONES = " ON CONFLICT (guid) DO NOTHING RETURNING guid"
# Arrays keep the text the same for any number of rows, so that PostgreSQL plans it once.
_FROM_ARRAYS = (
    "SELECT guid, event, state, body, received_at, received_at, 0, 0 FROM unnest(CAST(? AS text[]), CAST(? AS text[]),"
    " CAST(? AS text[]), CAST(? AS bytea[]), CAST(? AS timestamptz[])) AS new(guid, event, state, body, received_at)"
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


class _Waiting(Struct):
    delivery: NewDelivery
    kept: bytes | None
    outcome: asyncio.Future[Outcome]


def _everything(_event: str, _body: bytes) -> bool:
    return True


class Inbox:
    """Makes deliveries durable. `acted_on` names the events that anything acts on: of others only the GUID is kept.

    So it is with bodies of which `may_tell` says that they tell nothing; it is asked for each and must be quick.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        acted_on: frozenset[str],
        may_tell: Callable[[str, bytes], bool] = _everything,
    ) -> None:
        self._database = database
        self._clock = clock
        self._acted_on = acted_on
        self._may_tell = may_tell
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
        is_kept = delivery.event in self._acted_on and self._may_tell(delivery.event, delivery.body)
        kept = await compress(delivery.body) if is_kept else None
        # Looked at after compressing, which may take a turn of the loop in which the inbox closes.
        if self._closing or self._writer is None:
            message = "the inbox is closed"
            raise DatabaseUnavailable(message)
        waiting = _Waiting(delivery, kept, asyncio.get_running_loop().create_future())
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
            async with self._database.transaction() as tx:
                new = await _insert(tx, _first_of_each(batch))
                await self._revive(tx, [each for each in batch if each.delivery.guid not in new])
        except Exception as error:  # noqa: BLE001
            _refuse(batch, error)
            return
        for each in batch:
            # The first of several with one GUID is the new one.
            outcome: Outcome = "accepted" if each.delivery.guid in new else "duplicate"
            new.discard(each.delivery.guid)
            _resolve(each, outcome)
        self.arrived.set()

    async def _revive(self, tx: Transaction, duplicates: Sequence[_Waiting]) -> None:
        now = self._clock.now()
        rows = [(now, each.kept, each.delivery.guid) for each in duplicates if each.kept is not None]
        await tx.execute_many(_REVIVE, sorted(rows, key=lambda row: row[-1]))


def _first_of_each(batch: Sequence[_Waiting]) -> list[_Waiting]:
    by_guid: dict[str, _Waiting] = {}
    for each in batch:
        by_guid.setdefault(each.delivery.guid, each)
    # Two services that are sent the same GUIDs take PostgreSQL's locks in the same order, and so never deadlock.
    return [by_guid[guid] for guid in sorted(by_guid)]


async def _insert(tx: Transaction, batch: Sequence[_Waiting]) -> set[str]:
    rows = [
        (
            each.delivery.guid,
            each.delivery.event,
            "ignored" if each.kept is None else "waiting",
            each.kept,
            each.delivery.received_at,
        )
        for each in batch
    ]
    if tx.dialect is Dialect.POSTGRESQL:
        new = await tx.fetch(_INSERT + _FROM_ARRAYS + _NEW_ONES, *map(list, zip(*rows, strict=True)))
    else:
        values = ", ".join(["(?, ?, ?, ?, ?, ?, 0, 0)"] * len(rows))
        parameters = [value for row in rows for value in (*row, row[-1])]
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
