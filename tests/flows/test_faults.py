"""Whatever goes wrong between GitHub and us from the installation on, the record becomes whole all the same."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain, product
from typing import get_args

import pytest

from bot.demo.github import Delay, Duplicate, Fail, NeverSent, SimulatedGitHub, faults
from bot.demo.github.activity import green
from bot.demo.github.rest import Cut, Late, RateLimited, ServerError, Slow
from bot.demo.github.rest import faults as rest_faults
from bot.demo.github.rest.ledger import Call
from tests.durability.books import rows_of
from tests.flows.disasters import from_a_fork, tried
from tests.flows.troubles import Meeting, Trouble

# What was never sent is found within a day and a bit, by the nightly look back at the latest.
CYCLE = timedelta(hours=26)
WAYS: tuple[dict[str, int], ...] = ({"retry_after": 90}, {"reset_in": 150}, {})


# On the way to us.
POSTS = {
    "posts that come late, twice and in any order": Trouble((Delay(40), Duplicate(), Duplicate(2)), each=2, window=12),
    "posts that fail": Trouble((Fail(), Fail(504, "timed out")), each=3),
    "posts that are never sent": Trouble((NeverSent(),), each=7),
}
# On the way from us.
REQUESTS = {
    "storms of 5xx": Trouble(tuple(map(ServerError, (500, 502, 503, 504))), each=14, lasting=9),
    "limits": Trouble(
        tuple(RateLimited(status, **told) for told in WAYS for status in (429, 403)),
        each=4,
    ),
    "slow answers and cut connections": Trouble((Slow(25), Cut(), Cut(answered=True)), each=3),
    "requests that are carried out late": Trouble((Late(8), Late(20, cut=True)), each=3),
}


async def live_through(url: str, posts: Meeting, requests: Meeting, cycles: int = 1) -> list[str]:
    """Install the App, fetch what was before, live for a day, and return where the record is not as it should be."""

    def prepare(github: SimulatedGitHub) -> None:
        github.webhooks.faults, github.rest.faults = posts, requests

    async with tried(url, prepare) as trial:
        await trial.begin()
        for story in (green, from_a_fork):
            await trial.play(story)
        for _ in range(cycles):
            await trial.pass_time(CYCLE)
        assert set(posts.met) == set(posts.trouble.faults)
        assert set(requests.met) == set(requests.trouble.faults)
        return await trial.faults()


NOTHING = Trouble(())


@pytest.mark.parametrize("name", [*POSTS, *REQUESTS])
async def test_the_record_becomes_whole_under(name: str, migrated_sqlite: str) -> None:
    posts, requests = Meeting(POSTS.get(name, NOTHING)), Meeting(REQUESTS.get(name, NOTHING))
    assert await live_through(migrated_sqlite, posts, requests) == []


def one_after_another(troubles: dict[str, Trouble], each: int, window: int) -> Meeting:
    together = chain.from_iterable(trouble.faults for trouble in troubles.values())
    return Meeting(Trouble(tuple(together), each=each, window=window))


async def test_the_record_becomes_whole_under_all_of_it(migrated_url: str) -> None:
    posts, requests = one_after_another(POSTS, 3, 12), one_after_another(REQUESTS, 3, 1)
    # What was asked for last is tried again on the second day.
    assert await live_through(migrated_url, posts, requests, cycles=2) == []


class Dozing:
    """Wants nothing to be asked for a while by whoever has asked nothing for an hour."""

    def __init__(self, github: SimulatedGitHub) -> None:
        self._clock = github.clock
        self._heard_at: defaultdict[str, datetime] = defaultdict(github.clock.now)

    def faults_for(self, call: Call) -> Sequence[RateLimited]:
        since, self._heard_at[call.key] = self._heard_at[call.key], self._clock.now()
        return (RateLimited(retry_after=90),) if self._clock.now() - since > timedelta(hours=1) else ()


async def test_what_waits_as_github_asked_is_done_before_much_time_has_passed(migrated_sqlite: str) -> None:
    """Otherwise a day on a clock that leaps has five short moments in which anything can be asked."""

    def prepare(github: SimulatedGitHub) -> None:
        github.rest.faults = Dozing(github)

    async with tried(migrated_sqlite, prepare) as trial:
        await trial.play(green)
        await trial.pass_time(CYCLE)
        looks = "SELECT created_at, finished_at FROM backfill WHERE kind = 'overlap' AND finished_at IS NOT NULL"
        lasted = [
            datetime.fromisoformat(end) - datetime.fromisoformat(begin)
            for begin, end in await rows_of(migrated_sqlite, looks)
        ]
        assert len(lasted) > 2
        assert max(lasted) < timedelta(hours=1)


def test_nothing_that_can_go_wrong_is_left_out() -> None:
    posts = [fault for trouble in POSTS.values() for fault in trouble.faults]
    requests = [fault for trouble in REQUESTS.values() for fault in trouble.faults]
    assert {type(fault) for fault in posts} == set(get_args(faults.Fault))
    assert {type(fault) for fault in requests} == set(get_args(rest_faults.RestFault))
    assert any(trouble.window > 1 for trouble in POSTS.values())
    assert {fault.answered for fault in requests if isinstance(fault, Cut)} == {False, True}
    assert {fault.cut for fault in requests if isinstance(fault, Late)} == {False, True}
    assert {fault.status for fault in requests if isinstance(fault, ServerError)} == {500, 502, 503, 504}
    limits = [fault for fault in requests if isinstance(fault, RateLimited)]
    told = {(each.status, each.retry_after is not None, each.reset_in is not None) for each in limits}
    assert told == set(product((403, 429), (True, False), (True, False))) - {(403, True, True), (429, True, True)}
