"""Group commit: whoever waits shares the next transaction, so the disk is asked once for many deliveries.

There is no timer: a writer commits whatever has queued since its last commit. `bench/ingest`, `bench/ingest_postgres`
and, where a commit takes longer, `bench/slow_disk` show what it is worth. What the deliveries tell goes into the
journal where there is somebody to read them, and is recorded soon after; what can't be read so is kept, and waits for a
worker.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from bot.clock import Clock
from bot.errors import DatabaseUnavailable
from bot.inbox.batch import Batch, NewDelivery, Outcome, Settle, Waiting
from bot.inbox.behind import Behind
from bot.inbox.bodies import LARGE, compress, pack
from bot.inbox.handler import Handler, LeaveAll
from bot.settings import Dialect
from bot.store.database import Database, is_unavailable

log = logging.getLogger(__name__)

MAX_BATCH = 256
# While PostgreSQL commits one group, this process reads the next; on SQLite one writes at a time.
# `bench/ingest_postgres` shows what it is worth.
WRITERS = {Dialect.SQLITE: 1, Dialect.POSTGRESQL: 2}
# Reading more than this would hold up the loop for longer than a turn should take.
READ_AT_ONCE = 1024 * 1024


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
        self._handler = handler or LeaveAll()
        self._queue: list[Waiting] = []
        self._queued = asyncio.Event()
        self._writers: list[asyncio.Task[None]] = []
        self._closing = False
        # Set after each commit that leaves something to handle; a worker in the same process waits for it.
        self.arrived = asyncio.Event()
        self._behind = Behind(database, clock, self._handler, self.arrived.set)

    async def __aenter__(self) -> "Inbox":
        await self._behind.__aenter__()
        writers = WRITERS[self._database.dialect]
        self._writers = [asyncio.create_task(self._write(), name="inbox") for _ in range(writers)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._queued.set()
        await asyncio.gather(*self._writers)
        await self._behind.__aexit__()

    async def append(self, delivery: NewDelivery) -> Outcome:
        """Return once `delivery` is committed: accepted, or a duplicate by its GUID.

        A duplicate of a dead delivery brings it back to life. Raises DatabaseUnavailable when nothing was stored.
        """
        kept = None
        if len(delivery.body) > LARGE and self._is_told(delivery):
            kept = await compress(delivery.body)
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        # Only now, as compressing may take a turn of the loop in which the inbox closes.
        self._put(delivery, partial(_resolve, outcome), kept)
        return await outcome

    def put(self, delivery: NewDelivery, settle: Settle) -> None:
        """Do the same for a body of at most LARGE bytes, and call `settle` when it has ended.

        Raises DatabaseUnavailable where it is not even begun.
        """
        self._put(delivery, settle, None)

    def _is_told(self, delivery: NewDelivery) -> bool:
        return delivery.event in self._acted_on and self._may_tell(delivery.event, delivery.body)

    def _put(self, delivery: NewDelivery, settle: Settle, kept: bytes | None) -> None:
        if self._closing or all(each.done() for each in self._writers):
            message = "the inbox is closed"
            raise DatabaseUnavailable(message)
        self._queue.append(Waiting(delivery, settle, self._is_told(delivery), kept=kept))
        self._queued.set()

    async def _write(self) -> None:
        while not (self._closing and not self._queue):
            await self._queued.wait()
            await self._admit()
            waiting, self._queue = self._queue[:MAX_BATCH], self._queue[MAX_BATCH:]
            if not self._queue and not self._closing:
                self._queued.clear()
            if waiting:
                await self._commit(waiting)

    async def _admit(self) -> None:
        # Whoever is at the door already shares the commit, which costs as much for one as for many.
        size = 0
        while size < len(self._queue) < MAX_BATCH:
            size = len(self._queue)
            await asyncio.sleep(0)

    async def _commit(self, waiting: Sequence[Waiting]) -> None:
        try:
            await self._read(waiting)
            batch = await self._store(waiting)
        except Exception as error:  # noqa: BLE001
            _refuse(waiting, error)
            return
        if batch.entry is not None:
            self._behind.hold(batch.entry)
        for each in waiting:
            _settle(each, batch.outcome_of(each))
        if batch.leaves_work():
            self.arrived.set()

    async def _read(self, waiting: Sequence[Waiting]) -> None:
        # All of a batch in one go: reading takes a third less time where nothing else is done in between.
        read = 0
        for each in waiting:
            if each.is_told and each.kept is None:
                read += len(each.delivery.body)
                if read > READ_AT_ONCE:
                    await asyncio.sleep(0)
                    read = 0
                each.news = await self._handler.read(each.delivery)
                if each.news is None:
                    each.kept = pack(each.delivery.body)

    async def _store(self, waiting: Sequence[Waiting]) -> Batch:
        """Commit deliveries, what they tell in the journal as far as that can be written."""
        try:
            return await self._take(waiting)
        except Exception as error:
            if is_unavailable(error) or all(each.news is None for each in waiting):
                raise
            log.info("a batch is left to a worker", extra={"deliveries": len(waiting)}, exc_info=error)
        for each in waiting:
            if each.news is not None:
                each.news, each.kept = None, pack(each.delivery.body)
        return await self._take(waiting)

    async def _take(self, waiting: Sequence[Waiting]) -> Batch:
        batch = Batch(waiting, self._clock.now(), self._behind.held, self._behind.holder)
        await batch.commit(self._database)
        return batch


def _refuse(waiting: Sequence[Waiting], error: Exception) -> None:
    message = f"the delivery could not be stored ({type(error).__name__})"
    for each in waiting:
        refusal = DatabaseUnavailable(message)
        refusal.__cause__ = error
        _settle(each, refusal)


def _settle(waiting: Waiting, outcome: Outcome | Exception) -> None:
    try:
        waiting.settle(outcome)
    except Exception as error:
        # Whatever it is, it must not harm those that share the commit.
        log.error("a delivery can't be answered", extra={"delivery": waiting.delivery.guid}, exc_info=error)


def _resolve(answer: asyncio.Future[Outcome], outcome: Outcome | Exception) -> None:
    if answer.done():
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
