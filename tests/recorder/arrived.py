"""The oracle's arrivals become facts, by the doors that the service itself has for them."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from random import Random
from typing import Any, NamedTuple, TypeVar

from hypothesis import strategies as st

from bot import events
from bot.domain import facts, ordering, payloads
from bot.recorder import note_deliveries, record
from bot.store.database import Transaction
from tests.oracle import Arrival, Delivery, History, arrival_times, arrivals, histories, ordered

Item = TypeVar("Item")
Times = list[datetime]


class Story(NamedTuple):
    """A history, what came of it in which order and when, and the seed of whatever else is left to luck."""

    history: History
    arrived: list[Arrival]
    times: Times
    ordered_times: Times
    seed: int

    @property
    def ordered(self) -> list[Arrival]:
        return ordered(self.history)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Draw a history and a way in which it arrives; the times of arrival are drawn after the shuffle."""
    history = draw(histories())
    arrived = draw(arrivals(history))
    times, again = draw(arrival_times(len(arrived))), draw(arrival_times(len(ordered(history))))
    return Story(history, arrived, times, again, draw(st.integers(0, 2**32 - 1)))


def batches(items: Sequence[Item], rng: Random) -> Iterator[Sequence[Item]]:
    """Cut into pieces of 1 to 20, each of them one transaction."""
    start = 0
    while start < len(items):
        end = start + rng.randint(1, 20)
        yield items[start:end]
        start = end


async def read(history: History, arrived: Sequence[Arrival], times: Times) -> list[list[facts.Facts]]:
    """Return what each arrival tells, webhooks and REST snapshots alike."""
    repository = _repository_of(history)
    told = []
    for arrival, received_at in zip(arrived, times, strict=True):
        if isinstance(arrival, Delivery):
            body = json.dumps(arrival.body).encode()
            told.append((await events.read(arrival.guid, arrival.event, body, received_at)).told)
        else:
            told.append(_from_rest(arrival.body, repository, ordering.microseconds(arrival.date)))
    return told


async def handle(tx: Transaction, news: Sequence[facts.Facts], now: datetime) -> None:
    """Record in an open transaction what the worker records of a batch, with the word that its installations send."""
    await record(tx, news, now)
    told = (fact for fact in news if isinstance(fact, facts.Installation | facts.Repository))
    await note_deliveries(tx, {fact.installation_id: now for fact in told if fact.installation_id is not None})


def _repository_of(history: History) -> payloads.Repository:
    run = next(shot.body for shot in history.rest if shot.kind != "job")
    return payloads.read(run["repository"], payloads.Repository)


def _from_rest(body: dict[str, Any], repository: payloads.Repository, made: int) -> list[facts.Facts]:
    """Return what `upsert_workflow_run` and `upsert_workflow_job` make of an answer whose `Date` is `made`."""
    told: facts.Facts
    if "run_id" in body:
        told = facts.workflow_job(payloads.read(body, payloads.WorkflowJob), repository.id, made)
    else:
        told = facts.workflow_run(payloads.read(body, payloads.WorkflowRun), repository.id, made)
    return [facts.repository(repository, None, made), told]
