"""Backfill of a large past: 370,000 runs of a year, in few requests, across hard stops, and within GitHub's limits.

PostgreSQL has a smaller one. Nothing is held in memory but the numbers of the runs.
"""

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from bot import events
from bot.demo.github import let_pass, truth
from bot.demo.github.rest.answers import Answer
from bot.demo.github.rest.ledger import Call
from bot.demo.scenario.agreement import JOB_FIELDS, RUN_FIELDS
from bot.domain.wanting import JOBS_SPAN
from bot.history import Historian, ask_for_backfill, opened
from bot.history.shift import AT_ONCE
from bot.settings import Dialect
from bot.store import queries
from bot.store.database import Database, to_moment
from bot.store.views import BackfillProgress
from tests.demo.conformance import AnswersHeld
from tests.history.house import House, housed, settings_for

RUNS, JOBS = "actions/list-workflow-runs-for-repo", "actions/list-jobs-for-workflow-run"
HOW_MANY = {Dialect.SQLITE: 370_000, Dialect.POSTGRESQL: 40_000}
RUNS_OF_A_BURST = 500
STOPS_WHILE_LISTING, STOPS_LATER = 20, 5
# Time creeps while GitHub is being asked, and goes ever faster while it is not.
FIRST_STEP, FASTER, LONGEST_STEP = 0.05, 1.3, 20.0
AT_A_TIME = 5000

pytestmark = [pytest.mark.deep, pytest.mark.timeout(3600)]


class Watch:
    """Set as `on_answer` of the simulated GitHub: what was asked how often, and what was left of the hour then.

    One in 200 answers is held to its schema, which takes longer than to make it.
    """

    def __init__(self, house: House) -> None:
        self.held = AnswersHeld(every=200)
        self.requests = 0
        self.refused = 0
        self.least_remaining = house.github.rest.limits.an_hour
        self.pages: Counter[str] = Counter()
        self.runs_asked_about: Counter[int] = Counter()
        self._rates = house.github.rest.rates

    def __call__(self, call: Call, answer: Answer) -> None:
        self.requests += 1
        self.refused += answer.status >= 400
        self.least_remaining = min(self.least_remaining, self._rates.window(call.key, call.at).remaining)
        if call.operation == RUNS:
            self.pages[call.query] += 1
        elif call.operation == JOBS and (found := re.search(r"/runs/(\d+)/jobs", call.path)):
            self.runs_asked_about[int(found[1])] += 1
        self.held(call, answer)

    @property
    def pages_again(self) -> int:
        """Return how often a page was asked for that had been asked for before."""
        return self.pages.total() - len(self.pages)


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    async with housed(database) as opened_house:
        past = HOW_MANY[database.dialect]
        opened_house.add_past(past, days=364, bursts=past // RUNS_OF_A_BURST // 10)
        yield opened_house


@pytest.fixture
def watch(house: House) -> Watch:
    house.github.rest.on_answer = watching = Watch(house)
    return watching


async def while_time_passes(house: House, watch: Watch, doing: Awaitable[None]) -> None:
    task = asyncio.ensure_future(doing)
    asked, step = 0, FIRST_STEP
    while not task.done():
        step = min(step * FASTER, LONGEST_STEP) if watch.requests == asked else FIRST_STEP
        asked = watch.requests
        await let_pass(house.github, house.clock, step, step=step, until=task.done)
    await task


async def work(house: House, watch: Watch, until: Callable[[], Awaitable[bool]]) -> None:
    """Let a process of ours work, and end it at once when `until` is true, or else when it has nothing more to do."""
    settings = settings_for(house.github, house.tools.github.app.connection.api_url)
    async with opened(settings, house.database, house.clock, events.acts_on) as tools:
        historian = Historian(tools)
        working = asyncio.create_task(historian.catch_up())

        async def reached() -> None:
            while not working.done() and not await until():
                await asyncio.sleep(0)

        await while_time_passes(house, watch, reached())
        await historian.stop()
        await asyncio.gather(working, return_exceptions=True)


async def work_for(house: House, watch: Watch, requests: int) -> None:
    enough = watch.requests + requests

    async def asked_enough() -> bool:
        return watch.requests >= enough

    await work(house, watch, asked_enough)


async def never() -> bool:
    await asyncio.sleep(0.05)
    return False


async def list_all(house: House, watch: Watch) -> int:
    """Ask for the whole past, and work until all of it is listed, however often that is cut short."""
    now = house.clock.now()
    scope = await queries.get_scope(house.team)
    (asked,) = await ask_for_backfill(scope, "acme/rocket", now - timedelta(days=366), None, now)
    chance, ideal = random.Random(3), HOW_MANY[house.database.dialect] / 100
    for _ in range(STOPS_WHILE_LISTING):
        await work_for(house, watch, round(chance.uniform(0, 2) * ideal / STOPS_WHILE_LISTING))

    async def all_listed() -> bool:
        await asyncio.sleep(0.05)
        return not await house.count("backfill_window")

    await work(house, watch, all_listed)
    return asked


async def progress_of(house: House, asked: int) -> BackfillProgress:
    return await queries.get_backfill(await queries.get_scope(house.team), asked)


# The record beside the truth, a few thousand rows at a time.

Row = Mapping[str, Any]
COLUMNS = {theirs: ours for theirs, ours in RUN_FIELDS.items() if theirs != "repository"}
JOB_COLUMNS = {theirs: ours for theirs, ours in JOB_FIELDS.items() if theirs != "labels"}


def plain(column: str, value: Any) -> Any:
    moment = to_moment(value) if column.endswith("_at") else None
    return value if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def strays(
    house: House, table: str, columns: Mapping[str, str], told: Iterator[Row], key: tuple[str, ...]
) -> list[int]:
    """Return the ids of what is recorded otherwise than it is `told`, or not at all; `told` is in order of the ids."""
    found = []
    sql = f"SELECT {', '.join(columns.values())} FROM {table} WHERE {columns['id']} BETWEEN ? AND ?"
    while some := list(islice(told, AT_A_TIME)):
        rows = await house.database.reader.fetch(sql, some[0]["id"], some[-1]["id"])
        stored = {tuple(row[columns[part]] for part in key): row for row in rows}
        for each in some:
            row = stored.get(tuple(each[part] for part in key))
            if row is None or any(plain(ours, row[ours]) != each[theirs] for theirs, ours in columns.items()):
                found.append(each["id"])
    return found


async def assert_all_runs_are_stored(house: House, asked: int) -> None:
    counts, world = house.github.counts(), house.github.world
    past = HOW_MANY[house.database.dialect]
    progress = await progress_of(house, asked)
    assert (progress.runs_at_github, progress.runs_stored) == (past, past)
    assert await house.count("workflow_run") == counts["runs"] == past
    assert await strays(house, "workflow_run", COLUMNS, truth.each_run(world), ("id",)) == []


def assert_little_was_asked(house: House, watch: Watch) -> None:
    ideal = HOW_MANY[house.database.dialect] / 100
    assert watch.pages.total() <= 1.6 * ideal
    assert watch.pages_again <= STOPS_WHILE_LISTING
    # Half of every hour is left for what happens now.
    assert watch.least_remaining >= house.github.rest.limits.an_hour / 2
    assert watch.held.faults == []


def tell(house: House, watch: Watch, begun: datetime, stops: int) -> None:
    past = HOW_MANY[house.database.dialect]
    print(  # noqa: T201
        f"\n{house.database.dialect}: {past} runs, {stops} hard stops: {watch.pages.total()} requests for lists of runs"
        f" ({watch.pages.total() / past * 100:.2f} times the ideal), {watch.pages_again} pages again;"
        f" {watch.runs_asked_about.total()} for jobs, {watch.runs_asked_about.total() - len(watch.runs_asked_about)}"
        f" again; {watch.requests} in all, {watch.refused} refused, {watch.least_remaining} left of an hour at the"
        f" least, in {house.clock.now() - begun} of GitHub's time"
    )


async def test_where_totals_end_at_a_thousand_all_runs_are_listed_too(house: House, watch: Watch) -> None:
    house.github.rest.limits.capped_totals = True
    begun = house.clock.now()
    asked = await list_all(house, watch)
    tell(house, watch, begun, STOPS_WHILE_LISTING)
    past = HOW_MANY[house.database.dialect]
    assert await house.count("workflow_run") == past
    assert (await progress_of(house, asked)).runs_at_github == past
    assert_little_was_asked(house, watch)


def worth_asking(runs: Iterable[Row], now: datetime) -> set[int]:
    """Return the runs whose jobs the policy wants: those that began in the last 14 days, and all that failed."""
    since = f"{now - JOBS_SPAN:%Y-%m-%dT%H:%M:%SZ}"
    return {
        run["id"]
        for run in runs
        if run["conclusion"] == "failure" or (run["run_started_at"] >= since and run["conclusion"] != "startup_failure")
    }


async def test_a_year_is_fetched_whole_and_no_request_is_beyond_the_policy(house: House, watch: Watch) -> None:
    begun, world = house.clock.now(), house.github.world
    asked = await list_all(house, watch)
    listed = house.clock.now()
    chance = random.Random(4)
    for _ in range(STOPS_LATER):
        await work_for(house, watch, chance.randrange(HOW_MANY[house.database.dialect] // 300))
    await work(house, watch, never)
    tell(house, watch, begun, STOPS_WHILE_LISTING + STOPS_LATER)
    await assert_all_runs_are_stored(house, asked)
    assert_little_was_asked(house, watch)
    assert (await progress_of(house, asked)).state == "done"
    assert await house.count("workflow_run_attempt") == house.github.counts()["attempts"]
    each_attempt = truth.each_attempt(world)
    assert await strays(house, "workflow_run_attempt", COLUMNS, each_attempt, ("id", "run_attempt")) == []
    asked_about = watch.runs_asked_about
    # The clock ran on while runs were listed, so that one may have come to be too old.
    assert worth_asking(truth.each_run(world), listed) <= asked_about.keys()
    assert asked_about.keys() <= worth_asking(truth.each_run(world), begun)
    assert asked_about.total() - len(asked_about) <= (STOPS_WHILE_LISTING + STOPS_LATER) * AT_ONCE
    jobs = (job for job in truth.each_job(world) if job["run_id"] in asked_about)
    assert await strays(house, "workflow_job", JOB_COLUMNS, jobs, ("id",)) == []
