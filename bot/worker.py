"""Handles recorded deliveries, beats, and runs the timed jobs. Any number of workers may run beside each other."""

import asyncio
import contextlib
import logging
import os
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg
from msgspec import Struct

from bot import events, inbox, metrics
from bot.clock import Clock
from bot.domain import facts
from bot.errors import DatabaseUnavailable, MalformedPayload
from bot.inbox import LeasedDelivery
from bot.logs import bound
from bot.recorder import note_deliveries, record
from bot.settings import Settings
from bot.store import health, housekeeping
from bot.store.database import Database, is_unavailable

log = logging.getLogger(__name__)

BATCH = 100
# How long to wait before looking again, when nobody in this process says that something has arrived.
IDLE_SECONDS = 0.25
HEARTBEAT_SECONDS = 10.0
TIMED_JOBS_SECONDS = 30.0
# PostgreSQL ends one of two transactions that wait for each other; the other is through a moment later.
TRIES_AFTER_COLLISION = 5
_COLLISIONS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)


class TimedJob(NamedTuple):
    """Something to do again and again, by one worker at a time."""

    name: str
    every: timedelta
    run: Callable[[datetime, Settings], Awaitable[object]]


async def _prune_inbox(now: datetime, _settings: Settings) -> int:
    return await inbox.prune(now)


async def _purge_deleted(now: datetime, _settings: Settings) -> int:
    return await housekeeping.purge_deleted_installations(now)


async def _apply_retention(now: datetime, settings: Settings) -> int:
    return await housekeeping.apply_retention(now, settings.retention_days)


TIMED_JOBS = (
    TimedJob("prune-inbox", timedelta(hours=1), _prune_inbox),
    TimedJob("purge-deleted-installations", timedelta(hours=6), _purge_deleted),
    TimedJob("apply-retention", timedelta(hours=6), _apply_retention),
)


class _Read(Struct):
    """What reading a batch came to."""

    told: list[facts.Facts]
    handled: list[LeasedDelivery]
    ignored: list[LeasedDelivery]
    malformed: list[tuple[LeasedDelivery, MalformedPayload]]
    about: dict[int, dict[str, object]]

    def arrivals(self) -> dict[int, datetime]:
        """Return when the newest delivery of each installation came."""
        newest: dict[int, datetime] = {}
        for delivery in (*self.handled, *self.ignored):
            installation = self.about[delivery.id].get("installation")
            if isinstance(installation, int):
                newest[installation] = max(newest.get(installation, delivery.received_at), delivery.received_at)
        return newest


class Worker:
    """Takes deliveries in batches; the facts of a batch and the word that they are recorded are one transaction."""

    def __init__(
        self, database: Database, clock: Clock, settings: Settings, arrived: asyncio.Event | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._arrived = arrived or asyncio.Event()
        self._stopping = asyncio.Event()
        self.name = f"{socket.gethostname()}-{os.getpid()}-{random.randrange(2**24):06x}"  # noqa: S311

    async def run(self) -> None:
        """Work until `stop`; what is being handled then is finished first."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._handle_deliveries())
            tasks.create_task(self._repeat(HEARTBEAT_SECONDS, self._beat))
            tasks.create_task(self._repeat(TIMED_JOBS_SECONDS, self.run_timed_jobs))
        with contextlib.suppress(Exception):
            await health.stop_beating(self.name)

    def stop(self) -> None:
        """Ask the worker to end."""
        self._stopping.set()
        self._arrived.set()

    async def handle_all(self) -> int:
        """Handle whatever waits and is due; return how many deliveries that were."""
        total = 0
        while taken := await self.handle_batch():
            total += taken
        return total

    async def handle_batch(self, limit: int = BATCH) -> int:
        """Take and handle up to `limit` deliveries in one transaction; return how many were taken.

        When the batch as a whole can't be recorded, each of its deliveries is tried alone, so that a bad one harms
        no neighbour. Raises DatabaseUnavailable.
        """
        for _ in range(TRIES_AFTER_COLLISION):
            held: list[LeasedDelivery] = []
            try:
                await self._handle_together(held, limit)
                return len(held)
            except _COLLISIONS:
                await self._clock.sleep(random.uniform(0, 0.05))  # noqa: S311
            except Exception as error:
                _raise_if_unavailable(error)
                if not held:
                    raise
                log.info("a batch is taken apart", extra={"deliveries": len(held)}, exc_info=error)
                for delivery in held:
                    await self._handle_alone(delivery)
                return len(held)
        return 0

    async def _handle_together(self, held: list[LeasedDelivery], limit: int, only: int | None = None) -> None:
        async with self._database.transaction() as tx:
            now = self._clock.now()
            held += await inbox.lease(tx, now, limit, only)
            if not held:
                return
            read = await self._read(held)
            await record(tx, read.told, now)
            await inbox.mark_handled(tx, read.handled, now)
            await inbox.mark_ignored(tx, read.ignored, now)
            for delivery, error in read.malformed:
                await inbox.mark_dead(tx, delivery, str(error), now)
            await note_deliveries(tx, read.arrivals())
        _report(read)

    async def _read(self, held: Sequence[LeasedDelivery]) -> _Read:
        read = _Read([], [], [], [], {})
        for delivery in held:
            began = self._clock.monotonic()
            try:
                news = await events.read(delivery.guid, delivery.event, delivery.body(), delivery.received_at)
            except MalformedPayload as error:
                read.malformed.append((delivery, error))
                continue
            (read.ignored if news.ignored else read.handled).append(delivery)
            read.told += news.told
            read.about[delivery.id] = news.about
            label = metrics.event_label(delivery.event)
            metrics.HANDLER_SECONDS.labels(label).observe(self._clock.monotonic() - began)
        return read

    async def _handle_alone(self, delivery: LeasedDelivery) -> None:
        try:
            await self._handle_together([], 1, only=delivery.id)
        except _COLLISIONS:
            log.info("a delivery is left for the next turn", extra=_about(delivery))
        except Exception as error:  # noqa: BLE001
            _raise_if_unavailable(error)
            await self._give_back(delivery, error)

    async def _give_back(self, delivery: LeasedDelivery, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        now = self._clock.now()
        async with self._database.transaction() as tx:
            again = await inbox.put_back(tx, delivery, reason, now)
            if not again:
                await inbox.mark_dead(tx, delivery, reason, now)
        metrics.count_handled(delivery.event, "retried" if again else "dead")
        log.warning("a delivery could not be recorded", extra=_about(delivery), exc_info=error)

    async def _handle_deliveries(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._arrived.clear()
            try:
                handled = await self.handle_batch()
                failures = 0
            except Exception as error:
                # A database that is away now comes back; what it holds is waiting still.
                failures += 1
                log.warning("deliveries can't be handled now", exc_info=error)
                await self._pause(pause_after(failures))
                continue
            if not handled:
                await self._pause(IDLE_SECONDS)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), seconds)

    async def _repeat(self, seconds: float, action: Callable[[], Awaitable[object]]) -> None:
        while not self._stopping.is_set():
            try:
                await action()
            except Exception as error:
                log.warning("a timed job failed", exc_info=error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _beat(self) -> None:
        await health.beat(self.name, self._clock.now())

    async def run_timed_jobs(self) -> list[str]:
        """Run the timed jobs that are due and that no other worker has taken; return their names."""
        ran = []
        for job in TIMED_JOBS:
            now = self._clock.now()
            if await self._take(job, now):
                changed = await job.run(now, self._settings)
                log.info("timed job done", extra={"job": job.name, "changed": changed})
                ran.append(job.name)
        return ran

    async def _take(self, job: TimedJob, now: datetime) -> bool:
        async with self._database.transaction() as tx:
            first = "INSERT INTO timed_job (name, due_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
            await tx.execute(first, job.name, now)
            move = "UPDATE timed_job SET due_at = ? WHERE name = ? AND due_at <= ?"
            return bool(await tx.execute(move, now + job.every, job.name, now))


def pause_after(failures: int) -> float:
    """Return the seconds to wait after that many failures in a row, however many they have become."""
    return min(30.0, 0.5 * 2.0 ** min(failures, 10))


def _raise_if_unavailable(error: Exception) -> None:
    if is_unavailable(error):
        message = f"the database can't be used now ({type(error).__name__})"
        raise DatabaseUnavailable(message) from error


def _about(delivery: LeasedDelivery) -> dict[str, str]:
    return {"delivery": delivery.guid, "event": delivery.event}


def _report(read: _Read) -> None:
    metrics.BATCH_SIZE.observe(len(read.handled) + len(read.ignored) + len(read.malformed))
    for result, deliveries in (("handled", read.handled), ("ignored", read.ignored)):
        for delivery in deliveries:
            metrics.count_handled(delivery.event, result)
            if log.isEnabledFor(logging.DEBUG):
                with bound(**_about(delivery), **read.about[delivery.id]):
                    log.debug("delivery %s", result)
    for delivery, error in read.malformed:
        metrics.count_handled(delivery.event, "dead")
        with bound(**_about(delivery)):
            log.warning("a delivery is dead: %s", error)


@contextlib.asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[Worker]:
    """Run `worker` beside what happens inside, and let it finish what it has begun."""
    task = asyncio.create_task(worker.run(), name="worker")
    try:
        yield worker
    finally:
        worker.stop()
        await task
