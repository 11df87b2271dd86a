"""GitHub's limits: nothing is sent before its time, backfill leaves half of each hour, and live work goes first."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

import pytest

from bot import events
from bot.clock import ManualClock
from bot.demo.github import let_pass
from bot.demo.github.rest import Call, RateLimited, Slow
from bot.demo.github.rest.faults import RestFault
from bot.demo.github.rest.service import Rest
from bot.github import Client, checks, errors, repositories
from bot.github.answers import Reply
from bot.github.connection import Connection
from bot.history import Historian, ask_for_backfill, opened
from bot.store import connected, queries
from bot.store.database import Database, Executor
from tests.history.house import House, housed, settings_for

HOUR, LIVE_EVERY = timedelta(hours=1), 2.5
WRITES, P95 = 12, 11
STEP = 5.0
CREATE, JOBS = "checks/create", "actions/list-jobs-for-workflow-run"


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    async with housed(database) as opened_house:
        yield opened_house


async def ask(house: House, days: int, until: int = 0) -> None:
    """Ask for the runs from so many days ago until so many days ago."""
    scope, now = await queries.get_scope(house.team), house.clock.now()
    since, end = (now - timedelta(days=each) for each in (days, until))
    await ask_for_backfill(scope, "acme/rocket", since, end if until else None, now)


@dataclass
class Feedback:
    """What live events make us do: a check run is created, and a repository read, every few seconds."""

    house: House
    waits: list[float] = field(default_factory=list)

    async def give(self, times: int) -> None:
        client = self.house.tools.github.installation(self.house.installation_id)
        sha = self.house.stage.open(f"topic-{self.house.clock.time()}").head.sha
        async with asyncio.TaskGroup() as tasks:
            for number in range(times):
                tasks.create_task(self._once(client, {"name": f"Live {number}", "head_sha": sha}))
                await self.house.clock.sleep(LIVE_EVERY)

    async def _once(self, client: Client, check_run: dict[str, str]) -> None:
        came = self.house.clock.time()
        await checks.create_check_run(client, "acme/rocket", check_run)
        self.waits.append(self.house.clock.time() - came)
        await repositories.get_repository(client, "acme/rocket")


# Storms.


@dataclass
class Storms:
    """Refuses each `every`th request for an operation that comes when it may, by turns with 429 and 403."""

    told: dict[str, int]
    every: int = 6
    asked: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def faults_for(self, call: Call) -> Sequence[RestFault]:
        self.asked[call.operation] += 1
        if self.asked[call.operation] % self.every:
            return ()
        self.refused[call.operation] += 1
        return (RateLimited((429, 403)[self.refused.total() % 2], **self.told),)


@dataclass
class Wire:
    """Notes when an installation's requests go out, and from when to when an answer asks for silence."""

    clock: ManualClock
    sent: list[float] = field(default_factory=list)
    silence: list[tuple[float, float]] = field(default_factory=list)

    def tap(self, monkeypatch: pytest.MonkeyPatch) -> None:
        send = Connection.send

        async def note(connection: Connection, method: str, url: str, *rest: Any) -> Reply:
            if url.endswith("/access_tokens"):
                return await send(connection, method, url, *rest)
            self.sent.append(self.clock.time())
            reply = await send(connection, method, url, *rest)
            if reply.status in {403, 429}:
                self.silence.append((self.clock.time(), permitted_at(reply)))
            return reply

        monkeypatch.setattr(Connection, "send", note)

    def sent_too_early(self) -> list[float]:
        return [at for at in self.sent for heard, until in self.silence if heard < at < until]


def permitted_at(refusal: Reply) -> float:
    """Return when GitHub wants to be asked again; it counts from when it answered, whenever that is heard."""
    headers = refusal.headers
    if "Retry-After" not in headers and headers["X-RateLimit-Remaining"] == "0":
        return float(headers["X-RateLimit-Reset"])
    return parsedate_to_datetime(headers["Date"]).timestamp() + float(headers.get("Retry-After", 60))


@pytest.fixture
async def house_on_sqlite(migrated_sqlite: str) -> AsyncIterator[House]:
    async with connected(migrated_sqlite) as database, housed(database) as opened_house:
        yield opened_house


@pytest.mark.parametrize("told", [{"retry_after": 90}, {"reset_in": 150}, {}], ids=["retry-after", "reset", "nothing"])
async def test_in_a_storm_nothing_is_sent_before_its_time(
    house_on_sqlite: House, told: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, wire = house_on_sqlite, Wire(house_on_sqlite.clock)
    wire.tap(monkeypatch)
    house.github.rest.faults = storms = Storms(told)
    # The clock moves on by so much while an answer is on its way.
    house.github.rest.ledger.grace = STEP
    house.add_past(25, days=13)
    await ask(house, 20)
    feedback = Feedback(house)
    await house.while_time_passes(asyncio.gather(house.historian.catch_up(), feedback.give(15)), step=STEP)
    assert storms.refused[CREATE] >= 2
    assert storms.refused[JOBS] >= 2
    assert len(wire.silence) >= storms.refused.total()
    assert wire.sent_too_early() == []
    assert len(house.github.world.check_runs) == len(feedback.waits) == 15
    assert await house.differences() == []


# Half of an hour.


def hours_of(house: House) -> list[int]:
    """Return how many requests of the installation GitHub counted in each of its hours."""
    hours: list[list[datetime]] = []
    for call in house.github.rest.ledger.calls:
        if call.installation_id is None or call.status == 304:
            continue
        if not hours or call.at >= hours[-1][0] + HOUR:
            hours.append([])
        hours[-1].append(call.at)
    return [len(hour) for hour in hours]


async def test_backfill_takes_half_of_an_hour_at_the_most(house: House) -> None:
    house.github.rest.limits.an_hour = 60
    house.add_past(70, days=13)
    await ask(house, 20)
    await house.catch_up(step=60)
    assert await house.differences() == []
    # One is kept back for another process, which can't know yet.
    assert max(hours_of(house)) == 29


async def test_two_processes_together_take_no_more(house: House) -> None:
    house.github.rest.limits.an_hour = 60
    house.add_past(60, days=13)
    settings = settings_for(house.github, house.tools.github.app.connection.api_url)
    async with opened(settings, house.database, house.clock, events.acts_on) as tools:
        other = Historian(tools)
        # They take turns, so that each knows of some of an hour's requests and not of others.
        for turn, (until, days) in enumerate(pairwise(range(0, 15, 2))):
            await ask(house, days, until)
            await house.while_time_passes((house.historian, other)[turn % 2].catch_up(), step=60)
        await other.stop()
    assert await house.differences() == []
    hours = hours_of(house)
    assert len(hours) > 2
    assert max(hours) <= 30


async def test_what_another_process_was_refused_is_waited_for(house: House) -> None:
    house.add_past(10, days=3)
    await ask(house, 4)
    settings = settings_for(house.github, house.tools.github.app.connection.api_url)
    house.github.rest.scripted_faults.add(RateLimited(429, retry_after=600), operation="repos/get")
    async with opened(settings, house.database, house.clock, events.acts_on) as tools:
        client = tools.github.installation(house.installation_id, patience=1)
        with pytest.raises(errors.RateLimited) as refusal:
            await house.while_time_passes(repositories.get_repository(client, "acme/rocket"), step=0.2)
    await house.catch_up()
    asked = [call.at for call in house.github.rest.ledger.calls if call.operation == JOBS]
    assert asked
    assert min(asked) >= refusal.value.until
    assert await house.differences() == []


# Whoever is live goes first.


class Work:
    """Counts what is under way and does not wait for the clock, so that the clock can wait for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.under_way = 0
        for owner, name in ((Executor, "fetch"), (Executor, "execute"), (Connection, "send")):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name), 1))
        monkeypatch.setattr(Rest, "hold_back", self._counted(Rest.hold_back, -1))

    def _counted(self, function: Callable[..., Awaitable[Any]], number: int) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any) -> Any:
            self.under_way += number
            try:
                return await function(*args)
            finally:
                self.under_way -= number

        return call


async def waits(house: House, work: Work) -> list[float]:
    """Return how long each write took on the clock, the longest last."""
    feedback = Feedback(house)
    giving = asyncio.create_task(feedback.give(WRITES))
    await let_pass(house.github, house.clock, 600, step=0.25, busy=lambda: work.under_way > 0, until=giving.done)
    await giving
    return sorted(feedback.waits)


async def test_a_running_backfill_delays_no_feedback(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)
    house.github.rest.scripted_faults.add(Slow(1), times=None)
    alone = await waits(house, work)
    house.add_past(300, days=13)
    await ask(house, 20)
    backfill = asyncio.create_task(house.historian.catch_up())
    beside = await waits(house, work)
    assert not backfill.done()
    assert house.asked(JOBS) > 30
    assert beside[P95] <= alone[P95] + 2
    await house.historian.stop()
    await asyncio.gather(backfill, return_exceptions=True)
    # The last answers are on their way still.
    await house.clock.advance(1)
