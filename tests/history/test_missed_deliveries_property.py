"""Whatever is lost and wherever the process ends meanwhile, in the end everything we act on is here or handed over."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import events
from bot.demo.github import Fail
from bot.demo.github.faults import Fault
from bot.demo.github.webhooks.deliveries import Delivery
from bot.github import apps
from bot.history import deliveries, missed
from bot.history.missed import MOST_REDELIVERIES, RUNS_AND_JOBS
from bot.store import connected
from tests.history.post import BETWEEN_CYCLES, Post, posting
from tests.recorder.arrived import calm

PER_PAGE = 5
ARRIVES, SWALLOWED, FAILS, FAILS_TWICE, IS_LOST = "arrives", "swallowed", "fails", "fails twice", "is lost for good"
FATES = (ARRIVES, ARRIVES, SWALLOWED, FAILS, FAILS_TWICE, IS_LOST)
# How often each is not handed over.
TIMES = {ARRIVES: 0, SWALLOWED: 0, FAILS: 1, FAILS_TWICE: 2, IS_LOST: 100}
# Where the process may end: before and after each of these.
STEPS = (
    (apps, "list_deliveries"),
    (deliveries, "keep_missing"),
    (deliveries, "_go_on"),
    (deliveries, "settle_missing"),
    (missed, "_note"),
    (apps, "redeliver"),
    (deliveries, "_move_point"),
)


class Killed(BaseException):
    """The process ends."""


class Fates:
    """What becomes of each delivery after number `before`; only runs and jobs are lost for good: those are rebuilt."""

    window = 1

    def __init__(self, fates: Sequence[str], before: int) -> None:
        self._fates, self._before = fates, before
        self.redelivered: Counter[str] = Counter()
        self.tried: Counter[str] = Counter()

    def of(self, delivery: Delivery) -> str:
        fate = self._fates[(delivery.number - self._before) % len(self._fates)]
        return FAILS_TWICE if fate == IS_LOST and delivery.event not in RUNS_AND_JOBS else fate

    def faults_for(self, delivery: Delivery, *, redelivery: bool) -> Sequence[Fault]:
        self.redelivered[delivery.guid] += redelivery
        self.tried[delivery.guid] += 1
        return (Fail(),) if self.tried[delivery.guid] <= TIMES[self.of(delivery)] else ()


@contextlib.contextmanager
def ending(after: Sequence[int]) -> Iterator[None]:
    """Let the process end again and again, each time after so many more steps."""
    left = list(after)
    with pytest.MonkeyPatch.context() as patch:

        def step() -> None:
            if left:
                left[0] -= 1
                if left[0] < 0:
                    left.pop(0)
                    raise Killed

        def breakable(does: Callable[..., Any]) -> Callable[..., Any]:
            async def broken(*arguments: Any, **named: Any) -> Any:
                step()
                outcome = await does(*arguments, **named)
                step()
                return outcome

            return broken

        for place, name in STEPS:
            patch.setattr(place, name, breakable(getattr(place, name)))
        yield


async def recover(post: Post, ends: Sequence[int]) -> None:
    """Run cycle after cycle, begun again at once where the process ended, until all is settled."""
    with ending(ends):
        for _ in range(len(ends) + 2 * MOST_REDELIVERIES):
            with contextlib.suppress(Killed):
                await post.cycle(step=2)
                await post.house.clock.advance(BETWEEN_CYCLES)
            # What is left to a backfill waits until the one before is done.
            await post.house.catch_up()


async def check_recovery(post: Post, runs: int, drawn: Sequence[str], ends: Sequence[int]) -> None:
    webhooks = post.house.github.webhooks
    webhooks.faults = fates = Fates(drawn, webhooks.log.counts["made"])
    post.loses = lambda delivery: fates.of(delivery) == SWALLOWED
    made = await post.work(runs)
    await recover(post, ends)
    acted_on = [one for one in made if events.acts_on(one.event, one.action)]
    arrived, settled = await post.arrived(), await post.settled()
    assert {one.guid for one in acted_on} <= arrived | settled
    assert settled & {one.guid for one in acted_on} == {one.guid for one in acted_on if fates.of(one) == IS_LOST}
    assert max(fates.redelivered.values(), default=0) <= MOST_REDELIVERIES
    assert not any(fates.redelivered[one.guid] for one in made if one not in acted_on)
    assert (await post.scan()).point == await post.listed_to()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("examples", [3, pytest.param(150, marks=pytest.mark.deep)])
def test_in_the_end_everything_is_here_or_handed_over(
    migrated_url: str, examples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_deliveries = apps.list_deliveries
    monkeypatch.setattr(
        apps, "list_deliveries", lambda app, cursor=None: list_deliveries(app, cursor, per_page=PER_PAGE)
    )
    with asyncio.Runner() as runner:
        opened = connected(migrated_url)
        house = posting(runner.run(opened.__aenter__()))
        post = runner.run(house.__aenter__())

        @settings(calm, max_examples=examples)
        @given(
            st.integers(1, 2),
            st.lists(st.sampled_from(FATES), min_size=1, max_size=9),
            st.lists(st.integers(0, 40), max_size=6),
        )
        def check(runs: int, fates: list[str], ends: list[int]) -> None:
            runner.run(check_recovery(post, runs, fates, ends))

        try:
            check()
        finally:
            runner.run(house.__aexit__(None, None, None))
            runner.run(opened.__aexit__(None, None, None))
