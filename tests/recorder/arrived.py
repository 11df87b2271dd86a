"""The oracle's arrivals become facts, by the doors that the service itself has for them."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from random import Random
from typing import Any, NamedTuple, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import events
from bot.domain import facts, ordering, payloads
from bot.inbox import journal
from bot.recorder import note_deliveries, record
from bot.store.database import Transaction
from tests.oracle import Arrival, Delivery, History, arrival_times, arrivals, histories, ordered

Item = TypeVar("Item")
Opened = TypeVar("Opened")
Times = list[datetime]

LONG_SECONDS = 30.0

calm = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
)


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


class Came(NamedTuple):
    """An arrival, what it tells, and when it came."""

    arrival: Arrival
    told: list[facts.Facts]
    at: datetime


def check_stories(
    opening: AbstractAsyncContextManager[Opened],
    check: Callable[[Opened, Story], Coroutine[Any, Any, None]],
    examples: int,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Hold `check` against so many stories, one after another on what is opened once."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        opened = runner.run(opening.__aenter__())

        @settings(calm, max_examples=examples)
        @given(stories())
        def check_one(story: Story) -> None:
            runner.run(asyncio.wait_for(check(opened, story), LONG_SECONDS))

        try:
            check_one()
        finally:
            runner.run(opening.__aexit__(None, None, None))


def batches(items: Sequence[Item], rng: Random) -> Iterator[Sequence[Item]]:
    """Cut into pieces of 1 to 20, each of them one transaction."""
    start = 0
    while start < len(items):
        end = start + rng.randint(1, 20)
        yield items[start:end]
        start = end


async def read(history: History, arrived: Sequence[Arrival], times: Times) -> list[list[facts.Facts]]:
    """Return what each arrival tells, webhooks and REST snapshots alike."""
    repository = repository_of(history)
    told = []
    for arrival, received_at in zip(arrived, times, strict=True):
        if isinstance(arrival, Delivery):
            news = await events.read(arrival.guid, arrival.event, json.dumps(arrival.body).encode(), received_at)
            told.append(_as_kept(journal.Told(arrival.guid, arrival.event, received_at, news)))
        else:
            told.append(_from_rest(arrival.body, repository, ordering.microseconds(arrival.date)))
    return told


def _as_kept(told: journal.Told) -> list[facts.Facts]:
    """Return what a delivery tells, as whoever finds it in the journal reads it."""
    (found,) = journal.decode(journal.encode([told]))
    assert found == told
    assert found.news is not None
    return found.news.told


async def crowds(story: Story, rng: Random) -> list[Sequence[Came]]:
    """Cut what arrives of a story into crowds that come at once."""
    told = await read(story.history, story.arrived, story.times)
    return list(batches([Came(*each) for each in zip(story.arrived, told, story.times, strict=True)], rng))


async def handle(tx: Transaction, news: Sequence[facts.Facts], now: datetime) -> None:
    """Record in an open transaction what the worker records of a batch, with the word that its installations send."""
    await record(tx, news, now)
    told = (fact for fact in news if isinstance(fact, facts.Installation | facts.Repository))
    await note_deliveries(tx, {fact.installation_id: now for fact in told if fact.installation_id is not None})


def repository_of(history: History) -> payloads.Repository:
    """Return the repository in which all of it happened."""
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
