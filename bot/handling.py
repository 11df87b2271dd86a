"""What a delivery tells, read and recorded: as it comes, or later by a worker, in the same words.

Nearly every delivery is read as it comes. What it tells is durable before GitHub hears of it, so that its body need
never be kept, compressed, fetched and unpacked again; `bench/ingest` shows what that is worth.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from bot import events, metrics
from bot.clock import Clock
from bot.domain import facts
from bot.domain.news import News
from bot.errors import MalformedPayload
from bot.inbox import Posted, Told
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


async def read(delivery: Delivery, body: bytes, clock: Clock) -> News:
    """Return what a delivery tells, and count how long reading it took.

    Raises MalformedPayload when its body is not what GitHub documents.
    """
    began = clock.monotonic()
    news = await events.read(delivery.guid, delivery.event, body, delivery.received_at)
    metrics.observe_reading(delivery.event, clock.monotonic() - began)
    return news


async def record_all(tx: Transaction, told: Sequence[Told], now: datetime) -> None:
    """Record what deliveries tell, in their own order or any other, and when the newest of each installation came."""
    await record(tx, _facts(told), now)
    await note_deliveries(tx, _arrivals(told))


def _facts(told: Iterable[Told]) -> list[facts.Facts]:
    return [fact for each in told if each.news is not None for fact in each.news.told]


def _arrivals(told: Iterable[Told]) -> dict[int, datetime]:
    newest: dict[int, datetime] = {}
    for each in told:
        installation = each.news.installation_id if each.news is not None else None
        if installation is not None:
            newest[installation] = max(newest.get(installation, each.received_at), each.received_at)
    return newest


def report(told: Sequence[Told]) -> None:
    """Count deliveries that were read and are committed, and say so where anybody listens."""
    debugging = log.isEnabledFor(logging.DEBUG)
    for each in told:
        if each.news is None:
            continue
        result = "ignored" if each.news.ignored else "handled"
        metrics.count_handled(each.event, result)
        if debugging:
            with bound(delivery=each.guid, event=each.event, **each.news.about):
                log.debug("delivery %s", result)


class EventHandler:
    """Reads deliveries for an `Inbox`, and records what they tell."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def read(self, delivery: Posted) -> News | None:
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
        self, dialect: Dialect, told: Sequence[Told], now: datetime, *, prepared: bool = False
    ) -> Conversation[None]:
        """Record what these deliveries tell; see `recorder.recording`."""
        yield from recording(dialect, _facts(told), now, directory_recorded=prepared)
        yield from written(arrival_statements(_arrivals(told)))

    async def prepare(self, tx: Transaction, told: Sequence[Told], now: datetime) -> None:
        """Record what is to be recorded before all else."""
        await record_directory(tx, _facts(told), now)

    def report(self, told: Sequence[Told]) -> None:
        """Count these deliveries, which are committed."""
        if told:
            metrics.BATCH_SIZE.observe(len(told))
        report(told)
