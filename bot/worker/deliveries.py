"""Handling recorded deliveries: in batches, each of them once, a bad one without harm to its neighbours."""

import logging
import random
from collections.abc import Sequence
from datetime import timedelta

from msgspec import Struct

from bot import handling, inbox, metrics
from bot.clock import Clock
from bot.errors import DatabaseUnavailable, MalformedPayload
from bot.inbox import LeasedDelivery, Told
from bot.logs import bound
from bot.settings import Dialect
from bot.store.conversation import lock_timeout
from bot.store.database import COLLISIONS, TRIES_AFTER_COLLISION, Database, Locked

log = logging.getLogger(__name__)

BATCH = 100
# Neighbours must not wait for what somebody holds for long, who moves a repository's whole record.
LOCK_TIMEOUT, LOCK_TIMEOUT_ALONE = "600ms", "100ms"
LOCKED_SECONDS = 2.0


class _Reading(Struct):
    """What reading a batch came to."""

    read: list[tuple[LeasedDelivery, Told]]
    malformed: list[tuple[LeasedDelivery, MalformedPayload]]

    def of(self, *, ignored: bool) -> list[LeasedDelivery]:
        """Return those that nothing acts on, or the others."""
        return [delivery for delivery, told in self.read if _is_ignored(told) == ignored]

    @property
    def told(self) -> list[Told]:
        """What those tell that could be read."""
        return [told for _, told in self.read]


def _is_ignored(told: Told) -> bool:
    return told.news is None or told.news.ignored


class Deliveries:
    """Takes deliveries in batches; the facts of a batch and the word that they are recorded are one transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._handler = handling.EventHandler(clock)

    async def handle_all(self) -> int:
        """Handle whatever waits and is due; return how many deliveries that were."""
        total = 0
        while taken := await self.handle_batch():
            total += taken
        return total

    async def handle_batch(self, limit: int = BATCH) -> int:
        """Take and handle up to `limit` deliveries in one transaction; return how many were taken.

        What a process that is no more has left in the journal comes first. When the batch as a whole can't be recorded,
        or not now because of somebody else's locks, each of its deliveries is tried alone, so that a bad one harms
        no neighbour. Raises DatabaseUnavailable.
        """
        if recorded := await inbox.record_left_behind(self._database, self._handler, self._clock.now()):
            return recorded
        for _ in range(TRIES_AFTER_COLLISION):
            held: list[LeasedDelivery] = []
            try:
                await self._handle_together(held, limit)
                return len(held)
            except Locked as error:
                await self._take_apart(held, error)
                return len(held)
            except COLLISIONS:
                await self._clock.sleep(random.uniform(0, 0.05))  # noqa: S311
            except Exception as error:
                await self._raise_if_away(error)
                if not held:
                    raise
                await self._take_apart(held, error)
                return len(held)
        return 0

    async def _take_apart(self, held: Sequence[LeasedDelivery], error: Exception) -> None:
        log.info("a batch is taken apart", extra={"deliveries": len(held)}, exc_info=error)
        for delivery in held:
            await self._handle_alone(delivery)

    async def _handle_together(self, held: list[LeasedDelivery], limit: int, only: int | None = None) -> None:
        async with self._database.transaction() as tx:
            now = self._clock.now()
            if tx.dialect is Dialect.POSTGRESQL:
                await tx.converse(lock_timeout(tx.dialect, LOCK_TIMEOUT if only is None else LOCK_TIMEOUT_ALONE))
            held += await inbox.lease(tx, now, limit, only)
            if not held:
                return
            reading = await self._read(held)
            await handling.record_all(tx, reading.told, now)
            await inbox.mark_handled(tx, reading.of(ignored=False), now)
            await inbox.mark_ignored(tx, reading.of(ignored=True), now)
            for delivery, error in reading.malformed:
                await inbox.mark_dead(tx, delivery, str(error), now)
        _report(reading)

    async def _read(self, held: Sequence[LeasedDelivery]) -> _Reading:
        reading = _Reading([], [])
        for delivery in held:
            try:
                reading.read.append((delivery, delivery.told() or await self._told(delivery)))
            except MalformedPayload as error:
                reading.malformed.append((delivery, error))
        return reading

    async def _told(self, delivery: LeasedDelivery) -> Told:
        news = await handling.read(delivery, delivery.body(), self._clock)
        return Told(delivery.guid, delivery.event, delivery.received_at, news)

    async def _handle_alone(self, delivery: LeasedDelivery) -> None:
        try:
            await self._handle_together([], 1, only=delivery.id)
        except Locked:
            await self._put_off(delivery)
        except COLLISIONS:
            log.info("a delivery is left for the next turn", extra=_about(delivery))
        except Exception as error:  # noqa: BLE001
            await self._raise_if_away(error)
            await self._give_back(delivery, error)

    async def _raise_if_away(self, error: Exception) -> None:
        if await self._database.is_away_by(error):
            message = f"the database can't be used now ({type(error).__name__})"
            raise DatabaseUnavailable(message) from error

    async def _put_off(self, delivery: LeasedDelivery) -> None:
        log.info("a delivery waits for somebody else's lock", extra=_about(delivery))
        async with self._database.transaction() as tx:
            await inbox.put_off(tx, delivery, self._clock.now() + timedelta(seconds=LOCKED_SECONDS))

    async def _give_back(self, delivery: LeasedDelivery, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        now = self._clock.now()
        async with self._database.transaction() as tx:
            again = await inbox.put_back(tx, delivery, reason, now)
            if not again:
                await inbox.mark_dead(tx, delivery, reason, now)
        metrics.count_handled(delivery.event, "retried" if again else "dead")
        log.warning("a delivery could not be recorded", extra=_about(delivery), exc_info=error)


def _about(delivery: LeasedDelivery) -> dict[str, str]:
    return {"delivery": delivery.guid, "event": delivery.event}


def _report(reading: _Reading) -> None:
    metrics.BATCH_SIZE.observe(len(reading.read) + len(reading.malformed))
    handling.report(reading.told)
    for delivery, error in reading.malformed:
        metrics.count_handled(delivery.event, "dead")
        with bound(**_about(delivery)):
            log.warning("a delivery is dead: %s", error)
