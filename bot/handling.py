"""What a delivery tells, recorded: at once, while it is being made durable, or later by a worker, in the same words.

Nearly every delivery is handled at once. Its facts and its GUID are one commit, before GitHub hears of it, so that its
body need never be kept, compressed, fetched and unpacked again; `bench/ingest` shows what that is worth.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from bot import events, metrics
from bot.clock import Clock
from bot.domain import facts
from bot.domain.news import News
from bot.errors import MalformedPayload
from bot.inbox import NewDelivery
from bot.logs import bound
from bot.recorder import arrival_statements, note_deliveries, record, record_directory, recording
from bot.settings import Dialect
from bot.store.conversation import Conversation, written
from bot.store.database import Transaction

log = logging.getLogger(__name__)


# An installation's repositories are recorded one after another, and the whole commit would wait for them.
MOST_TOLD = 100


class Delivery(Protocol):
    """What is known of a delivery apart from its body."""

    @property
    def guid(self) -> str: ...
    @property
    def event(self) -> str: ...
    @property
    def received_at(self) -> datetime: ...


D = TypeVar("D", bound=Delivery)
Read = tuple[D, News]
"""A delivery and what it tells."""


async def read(delivery: Delivery, body: bytes, clock: Clock) -> News:
    """Return what a delivery tells, and count how long reading it took.

    Raises MalformedPayload when its body is not what GitHub documents.
    """
    began = clock.monotonic()
    news = await events.read(delivery.guid, delivery.event, body, delivery.received_at)
    metrics.observe_reading(delivery.event, clock.monotonic() - began)
    return news


async def record_all(tx: Transaction, read: Sequence[Read[D]], now: datetime) -> None:
    """Record what deliveries tell, in their own order or any other, and when the newest of each installation came."""
    await record(tx, _told(read), now)
    await note_deliveries(tx, _arrivals(read))


def _told(read: Iterable[Read[D]]) -> list[facts.Facts]:
    return [fact for _, news in read for fact in news.told]


def _arrivals(read: Iterable[Read[D]]) -> dict[int, datetime]:
    newest: dict[int, datetime] = {}
    for delivery, news in read:
        installation = news.installation_id
        if installation is not None:
            newest[installation] = max(newest.get(installation, delivery.received_at), delivery.received_at)
    return newest


def report(read: Sequence[Read[D]]) -> None:
    """Count deliveries whose facts are committed, and say so where anybody listens."""
    debugging = log.isEnabledFor(logging.DEBUG)
    for delivery, news in read:
        result = "ignored" if news.ignored else "handled"
        metrics.count_handled(delivery.event, result)
        if debugging:
            with bound(delivery=delivery.guid, event=delivery.event, **news.about):
                log.debug("delivery %s", result)


class AtOnce:
    """Handles deliveries for an `Inbox`, inside the transaction that makes them durable."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def read(self, delivery: NewDelivery) -> News | None:
        """Return what a delivery tells, None where a worker is to see to it: it is malformed, or tells very much."""
        try:
            news = await read(delivery, delivery.body, self._clock)
        except MalformedPayload:
            return None
        except Exception as error:
            # Whatever it is, it must not harm those that share its commit.
            log.warning("a delivery is left to a worker", extra={"delivery": delivery.guid}, exc_info=error)
            return None
        return news if len(news.told) <= MOST_TOLD else None

    def recording(
        self, dialect: Dialect, read: Sequence[Read[NewDelivery]], now: datetime, *, prepared: bool = False
    ) -> Conversation[None]:
        """Record what these deliveries tell; see `recorder.recording`."""
        yield from recording(dialect, _told(read), now, directory_recorded=prepared)
        yield from written(arrival_statements(_arrivals(read)))

    async def prepare(self, tx: Transaction, read: Sequence[Read[NewDelivery]], now: datetime) -> None:
        """Record what is to be recorded before all else."""
        await record_directory(tx, _told(read), now)

    def report(self, read: Sequence[Read[NewDelivery]]) -> None:
        """Count these deliveries, which are committed."""
        if read:
            metrics.BATCH_SIZE.observe(len(read))
        report(read)
