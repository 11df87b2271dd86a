"""Every order of arrival ends in the same state, and that state is what happened on GitHub.

The histories come from a model of GitHub that imports nothing of the package. Many of them go through the recorder's
SQL in memory; a sample goes through the real databases by the same doors as in service.
"""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings

from bot.domain import facts
from bot.recorder import record
from bot.store import connected
from bot.store.database import Database
from tests.recorder.arrived import Story, batches, calm, check_stories, read, stories
from tests.recorder.quick import QuickRecord
from tests.recorder.records import State, assert_runs_are_marked, assert_truth, clear, state_of, told
from tests.store.shown import assert_shown_as_it_stands

IN_MEMORY = 250
IN_MEMORY_DEEP = 20_000
ON_EACH_DATABASE = 60
ON_EACH_DATABASE_DEEP = 500

Told = Sequence[list[facts.Facts]]


@pytest.fixture(scope="module")
def quick(sqlite_template: Path) -> Iterator[QuickRecord]:
    record = QuickRecord(sqlite_template)
    yield record
    record.close()


def quickly(quick: QuickRecord, news: Told, rng: Random) -> State:
    quick.clear()
    for batch in batches(news, rng):
        quick.record(itertools.chain.from_iterable(batch))
    return quick.state()


def check_in_memory(quick: QuickRecord, story: Story) -> None:
    rng = Random(story.seed)
    history = story.history
    in_order = asyncio.run(read(history, story.ordered, story.ordered_times))
    arrived = asyncio.run(read(history, story.arrived, story.times))
    expected = quickly(quick, in_order, rng)
    assert_truth(expected, history.truth)
    state = quickly(quick, arrived, rng)
    assert told(state) == told(expected)
    # The same arrivals in another order leave nothing different at all, versions included.
    assert quickly(quick, rng.sample(arrived, len(arrived)), rng) == state


@pytest.mark.timeout(300)
@settings(calm, max_examples=IN_MEMORY)
@given(stories())
def test_every_order_ends_in_what_happened(quick: QuickRecord, story: Story) -> None:
    check_in_memory(quick, story)


@pytest.mark.deep
@pytest.mark.timeout(3600)
@settings(calm, max_examples=IN_MEMORY_DEEP)
@given(stories())
def test_every_order_ends_in_what_happened_deep(quick: QuickRecord, story: Story) -> None:
    check_in_memory(quick, story)


async def recorded(database: Database, news: Told, story: Story, rng: Random) -> State:
    await clear(database)
    times = iter(story.times + story.ordered_times)
    for batch in batches(news, rng):
        async with database.transaction() as tx:
            await record(tx, list(itertools.chain.from_iterable(batch)), next(times))
        for team in await database.fetch("SELECT slug FROM team"):
            await assert_shown_as_it_stands(database, team["slug"])
    return await state_of(database)


TEAMS = (
    "SELECT count(*) AS strays FROM {} AS record JOIN repository USING (repository_id)"
    " WHERE record.team_id <> repository.team_id"
)


async def check_on(database: Database, story: Story) -> None:
    rng = Random(story.seed)
    expected = await recorded(database, await read(story.history, story.ordered, story.ordered_times), story, rng)
    assert_truth(expected, story.history.truth)
    state = await recorded(database, await read(story.history, story.arrived, story.times), story, rng)
    assert told(state) == told(expected)
    await assert_runs_are_marked(database)
    for table in ("workflow_run", "workflow_job"):
        assert await database.fetch(TEAMS.format(table)) == [{"strays": 0}]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("examples", [ON_EACH_DATABASE, pytest.param(ON_EACH_DATABASE_DEEP, marks=pytest.mark.deep)])
def test_every_order_ends_in_what_happened_on_real_databases(quick_url: str, examples: int) -> None:
    check_stories(connected(quick_url), check_on, examples)
