"""Waiting for one's turn: whatever comes when, GitHub's limits hold and everybody gets through."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import metrics
from bot.clock import ManualClock
from bot.github.answers import Reply
from bot.github.budget import Budget
from bot.github.errors import RateLimited
from bot.github.ledger import Ask, Figures, Lane
from bot.github.rights import InProcessRights
from tests.github.scripted import until_next

READ, WRITE, BACKFILL = Ask(), Ask(Lane.WRITE, points=5), Ask(Lane.BACKFILL)


@dataclass
class Sent:
    lane: Lane
    began: float
    window: int
    ended: float = 0.0


@dataclass
class CountingGitHub:
    """GitHub's side of it: windows of an hour that begin with their first request, and refusals as they are drawn."""

    clock: ManualClock
    limit: int
    window_ends: float = 0.0
    used: int = 0
    windows: int = 0
    sent: list[Sent] = field(default_factory=list)
    forbidden: list[tuple[float, float]] = field(default_factory=list)
    troubles: int = 0

    def begin(self, lane: Lane) -> Sent:
        now = self.clock.time()
        if now >= self.window_ends:
            self.window_ends, self.used, self.windows = int(now) + 3600, 0, self.windows + 1
        self.used += 1
        assert self.used <= self.limit, "GitHub would refuse it"
        self.sent.append(Sent(lane, now, self.windows))
        return self.sent[-1]

    def reply(self, trouble: str) -> Reply:
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.limit - self.used),
            "X-RateLimit-Reset": str(int(self.window_ends)),
        }
        now = self.clock.time()
        if trouble == "retry-after":
            self.forbidden.append((now, now + 90))
            return Reply(429, {**headers, "Retry-After": "90"}, b"{}")
        if trouble == "silent":
            self.forbidden.append((now, now + 60))
            return Reply(403, headers, b'{"message": "You have exceeded a secondary rate limit"}')
        return Reply(200, headers, b"{}")


@dataclass(frozen=True)
class Wish:
    lane: Lane
    after: float
    lasts: float
    trouble: str


WISHES = st.lists(
    st.builds(
        Wish,
        lane=st.sampled_from(list(Lane)),
        after=st.sampled_from([0.0, 0.0, 0.0, 0.25, 7.0, 61.0, 1500.0]),
        lasts=st.sampled_from([0.0, 0.1, 0.5, 3.0]),
        trouble=st.sampled_from(["none"] * 8 + ["retry-after", "silent"]),
    ),
    min_size=1,
    max_size=40,
)


async def fulfil(budget: Budget, github: CountingGitHub, wish: Wish) -> None:
    ask = {Lane.WRITE: WRITE, Lane.LIVE: READ, Lane.BACKFILL: BACKFILL}[wish.lane]
    async with budget.turn(ask) as turn:
        sent = github.begin(wish.lane)
        await github.clock.sleep(wish.lasts)
        turn.heard(github.reply(wish.trouble))
    sent.ended = github.clock.time()


async def play(wishes: list[Wish], limit: int) -> CountingGitHub:
    clock = ManualClock()
    github = CountingGitHub(clock, limit)
    budget = Budget(clock, InProcessRights(clock), 7, Figures(limit=limit))
    tasks = []
    for wish in wishes:
        await clock.advance(wish.after)
        tasks.append(asyncio.create_task(fulfil(budget, github, wish)))
    waiting: asyncio.Future[list[None]] = asyncio.gather(*tasks)
    for _ in range(2000):
        await clock.advance(until_next(clock))
        if waiting.done():
            break
    await asyncio.wait_for(waiting, 1)
    await budget.close()
    return github


@settings(max_examples=150)
@given(WISHES, st.sampled_from([12, 30, 5000]))
def test_limits_hold_whatever_comes_when(wishes: list[Wish], limit: int) -> None:
    github = asyncio.run(play(wishes, limit))
    assert len(github.sent) == len(wishes), "somebody starved"
    for since, until in github.forbidden:
        assert [each for each in github.sent if since < each.began < until] == []
    writes = [each for each in github.sent if each.lane is Lane.WRITE]
    for one, next_one in itertools.pairwise(writes):
        assert next_one.began >= one.ended + 1
    for window in range(1, github.windows + 1):
        backfilled = [each for each in github.sent if each.window == window and each.lane is Lane.BACKFILL]
        assert len(backfilled) <= limit // 2


@settings(max_examples=30)
@given(st.lists(st.sampled_from([Lane.LIVE, Lane.BACKFILL]), min_size=20, max_size=80), st.integers(1, 6))
def test_who_waits_for_a_place_goes_live_first_and_then_in_order(lanes: list[Lane], places: int) -> None:
    async def scenario() -> list[tuple[Lane, int]]:
        clock, order = ManualClock(), list[tuple[Lane, int]]()
        budget = Budget(clock, InProcessRights(clock), 7, Figures(at_once=places))

        async def one(lane: Lane, number: int) -> None:
            async with budget.turn(Ask(lane)):
                order.append((lane, number))
                await clock.sleep(0.1)

        async with asyncio.TaskGroup() as tasks:
            first = [tasks.create_task(one(Lane.LIVE, -1)) for _ in range(places)]
            await clock.advance(0)
            for number, lane in enumerate(lanes):
                tasks.create_task(one(lane, number))
            await clock.advance(60)
            assert all(task.done() for task in first)
        return order[places:]

    order = asyncio.run(scenario())
    lives = [number for lane, number in order if lane is Lane.LIVE]
    backfills = [number for lane, number in order if lane is Lane.BACKFILL]
    assert lives == sorted(lives)
    assert backfills == sorted(backfills)
    assert [lane for lane, _ in order] == sorted((lane for lane, _ in order), key=[Lane.LIVE, Lane.BACKFILL].index)


async def wind(clock: ManualClock, seconds: float) -> None:
    """Advance the clock, after those who have just been started have come to wait for something."""
    await clock.advance(0)
    await clock.advance(seconds)
    await clock.advance(0)


def budget_of(clock: ManualClock, **figures: Any) -> Budget:
    return Budget(clock, InProcessRights(clock), 7, Figures(**figures))


async def take(budget: Budget, ask: Ask, clock: ManualClock, times: list[float], reply: Reply | None = None) -> None:
    async with budget.turn(ask) as turn:
        times.append(clock.time())
        if reply is not None:
            turn.heard(reply)


async def test_backfill_gets_a_word_in_each_half_minute_though_live_never_stops(clock: ManualClock) -> None:
    budget, done = budget_of(clock, at_once=1), list[float]()

    async def live() -> None:
        while len(done) < 3:
            async with budget.turn(READ):
                await clock.sleep(1)

    start = clock.time()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(live())
        await clock.advance(0)
        for _ in range(3):
            tasks.create_task(take(budget, BACKFILL, clock, done))
        await wind(clock, 120)
    assert [round(at - start) for at in done] == [30, 60, 90]


async def test_those_who_queue_when_github_refuses_wait_too(clock: ManualClock) -> None:
    budget, times = budget_of(clock, at_once=1), list[float]()
    start = clock.time()
    refusal = Reply(429, {"Retry-After": "120"}, b"{}")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(take(budget, READ, clock, times, refusal))
        for ask in (READ, BACKFILL, WRITE) * 5:
            tasks.create_task(take(budget, ask, clock, times))
        await wind(clock, 119.9)
        assert len(times) == 1
        await wind(clock, 30)
    assert min(times[1:]) == start + 120
    assert len(times) == 16


async def test_a_refusal_between_permission_and_sending_is_obeyed(clock: ManualClock) -> None:
    budget, times = budget_of(clock, at_once=2), list[float]()
    start = clock.time()
    async with budget.turn(READ) as turn:
        async with budget.turn(READ):
            task = asyncio.create_task(take(budget, READ, clock, times))
            await clock.advance(0)
        # Its permission has just been given; it has not woken to use it.
        turn.heard(Reply(403, {"Retry-After": "60"}, b"{}"))
    await clock.advance(59)
    assert times == []
    await clock.advance(1)
    await task
    assert times == [start + 60]


async def test_nobody_waits_longer_than_they_wish(clock: ManualClock) -> None:
    budget = budget_of(clock)
    async with budget.turn(READ) as turn:
        turn.heard(Reply(403, {"Retry-After": "60"}, b"{}"))
    for ask in (READ, WRITE, BACKFILL):
        with pytest.raises(RateLimited, match="takes no requests before 2026-01-05 09:01:00 UTC") as caught:
            async with budget.turn(ask, patience=59):
                pytest.fail("it went through")
        assert caught.value.until.timestamp() == clock.time() + 60


async def test_whoever_queues_already_is_told_as_well(clock: ManualClock) -> None:
    budget = budget_of(clock, at_once=1)

    async def impatient() -> None:
        async with budget.turn(READ, patience=5):
            pytest.fail("it went through")

    async with budget.turn(READ) as turn:
        task = asyncio.create_task(impatient())
        await clock.advance(0)
        turn.heard(Reply(429, {"Retry-After": "60"}, b"{}"))
    with pytest.raises(RateLimited):
        await task


async def test_who_stops_waiting_takes_no_place(clock: ManualClock) -> None:
    budget, times = budget_of(clock, at_once=1), list[float]()
    async with budget.turn(READ):
        waiting = [asyncio.create_task(take(budget, READ, clock, times)) for _ in range(3)]
        await clock.advance(0)
        waiting[0].cancel()
        await clock.advance(0)
    # Its permission has been given, but it has not woken to use it.
    waiting[1].cancel()
    await clock.advance(0)
    await waiting[2]
    assert len(times) == 1
    async with budget.turn(READ, patience=0):
        assert budget.outlook().remaining == 4999


async def test_the_right_to_write_is_held_while_writing_and_not_while_waiting_for_limits(clock: ManualClock) -> None:
    held: list[tuple[str, float]] = []

    class Watched(InProcessRights):
        @asynccontextmanager
        async def hold(self, installation_id: int) -> AsyncIterator[float | None]:
            async with super().hold(installation_id) as left:
                held.append((f"held {installation_id}", clock.time() - start))
                yield left
            held.append(("left", clock.time() - start))

    start = clock.time()
    rights = Watched(clock)
    budgets = [Budget(clock, rights, 7), Budget(clock, rights, 7)]
    async with budgets[0].turn(READ) as turn:
        turn.heard(Reply(403, {"Retry-After": "100"}, b"{}"))
    times: list[float] = []
    async with asyncio.TaskGroup() as tasks:
        for budget in budgets:
            tasks.create_task(take(budget, WRITE, clock, times))
        await wind(clock, 200)
    # The second hears of the silence only once it has the right, and gives it back at once.
    spans = [(0, 0), (100, 100), (100, 101)]
    assert held == [each for held_at, left_at in spans for each in (("held 7", held_at), ("left", left_at))]
    assert [at - start for at in times] == [100, 101]


async def test_what_can_not_be_shared_is_shared_with_the_next_reply(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Away(InProcessRights):
        is_away = True

        async def ask_for_silence(self, installation_id: int, until: float) -> None:
            if self.is_away:
                raise ConnectionError
            await super().ask_for_silence(installation_id, until)

    rights, until = Away(clock), clock.time() + 90
    here, there = Budget(clock, rights, 7), Budget(clock, rights, 7)
    async with here.turn(READ):
        async with here.turn(READ) as turn:
            turn.heard(Reply(429, {"Retry-After": "90"}, b"{}"))
        assert here.outlook().paused_until == until
        assert "other processes can't be told to wait" in caplog.messages
        await there.heed()
        assert there.outlook().paused_until is None
        rights.is_away = False
    await there.heed()
    assert there.outlook().paused_until == until


async def test_two_processes_write_a_second_apart(clock: ManualClock) -> None:
    rights, times = InProcessRights(clock), list[float]()
    budgets = [Budget(clock, rights, 7) for _ in range(2)]
    start = clock.time()
    async with asyncio.TaskGroup() as tasks:
        for budget in budgets * 3:
            tasks.create_task(take(budget, WRITE, clock, times))
        await wind(clock, 10)
    assert [at - start for at in times] == [0, 1, 2, 3, 4, 5]


async def test_a_write_that_may_not_go_soon_gives_the_right_back(clock: ManualClock) -> None:
    budget, times, entered = budget_of(clock), list[float](), asyncio.Event()

    class Slow(InProcessRights):
        @asynccontextmanager
        async def hold(self, installation_id: int) -> AsyncIterator[float | None]:
            async with super().hold(installation_id) as left:
                entered.set()
                await clock.sleep(1)
                yield left

    budget = Budget(clock, Slow(clock), 7)
    task = asyncio.create_task(take(budget, WRITE, clock, times))
    await entered.wait()
    start = clock.time()
    budget.hear(Reply(429, {"Retry-After": "60"}, b"{}"), start)
    await clock.advance(59)
    assert times == []
    await clock.advance(10)
    await task
    assert times == [start + 61]


async def test_the_outlook_and_the_metrics_tell_what_remains(clock: ManualClock) -> None:
    budget = budget_of(clock)
    reset = int(clock.time()) + 1800
    headers = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4000", "X-RateLimit-Reset": str(reset)}
    async with budget.turn(READ) as turn:
        turn.heard(Reply(200, headers, b"{}"))
    outlook = budget.outlook()
    assert (outlook.limit, outlook.remaining, outlook.backfill_left) == (5000, 4000, 1500)
    assert (outlook.resets_at, outlook.paused_until) == (reset, None)
    assert (outlook.backfill_an_hour, outlook.backfill_a_minute) == (2500, 400)
    assert 'budget_remaining{installation="7"} 3999.0' in exposed()
    await budget.close()
    assert 'installation="7"' not in exposed()


def exposed() -> str:
    return metrics.render([])[0].decode()


@pytest.mark.parametrize(
    ("status", "headers", "message", "wait"),
    [
        (403, {"X-RateLimit-Remaining": "0"}, "API rate limit exceeded", 600),
        (429, {"X-RateLimit-Remaining": "0"}, "", 600),
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Resource": "integration_manifest"}, "", 600),
        (403, {"X-RateLimit-Remaining": "0", "Retry-After": "30"}, "", 30),
        (403, {"X-RateLimit-Remaining": "9"}, "You have exceeded a secondary rate limit", 60),
        (403, {}, "You have triggered an abuse detection mechanism", 60),
        (429, {}, "", 60),
        (503, {"Retry-After": "20"}, "", 20),
        (403, {}, "Resource not accessible by integration", None),
        (503, {}, "", None),
        (404, {"Retry-After": "30"}, "", None),
    ],
)
async def test_pauses_as_long_as_github_says(
    clock: ManualClock, status: int, headers: dict[str, str], message: str, wait: float | None
) -> None:
    budget = budget_of(clock)
    told = {
        "X-RateLimit-Limit": "5000",
        "X-RateLimit-Remaining": "9",
        "X-RateLimit-Reset": str(int(clock.time()) + 600),
    }
    async with budget.turn(READ) as turn:
        turn.heard(Reply(status, {**told, **headers}, b'{"message": "%s"}' % message.encode()))
    until = budget.outlook().paused_until
    assert until == (None if wait is None else clock.time() + wait)
