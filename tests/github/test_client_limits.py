"""GitHub's limits, as a client keeps to them."""

import asyncio
from datetime import timedelta
from email.utils import format_datetime

import pytest

from bot.clock import ManualClock
from bot.github import Client, GitHub
from bot.github.errors import (
    RateLimited,
)
from tests.github.asked import COMMENTS, RUN, comment, get
from tests.github.scripted import Answer, ScriptedGitHub, patiently


@pytest.mark.parametrize("status", [403, 429])
async def test_nothing_is_sent_before_the_time_that_github_names(
    scripted: ScriptedGitHub, client: Client, clock: ManualClock, status: int
) -> None:
    storm = [Answer(status, {"message": "secondary rate limit"}, {"Retry-After": "77"}) for _ in range(10)]
    scripted.script("GET", RUN, *storm)
    scripted.always("GET", RUN, Answer(body={"id": 1}))
    start = clock.time()
    work = asyncio.gather(*(get(client) for _ in range(100)), comment(client))
    scripted.script("POST", COMMENTS, Answer(201, {}))
    await patiently(scripted, work)
    # Those that were under way when the first refusal came; the budget lets ten reads and a write be open at once.
    early = [call for call in scripted.calls() if call.at < start + 77]
    assert 1 <= len(early) <= 11
    assert all(call.at == start for call in early)
    later = sorted(call.at - start for call in scripted.calls() if call not in early)
    assert later[0] >= 77


async def test_an_exhausted_hour_waits_for_the_reset(
    scripted: ScriptedGitHub, client: Client, clock: ManualClock
) -> None:
    reset = int(clock.time()) + 1234
    spent = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
    scripted.script("GET", RUN, Answer(body={"id": 1}, headers=spent), Answer(body={"id": 2}))
    await get(client)
    assert await patiently(scripted, get(client)) == {"id": 2}
    assert scripted.calls(RUN)[1].at >= reset


async def test_the_reset_is_as_far_off_as_github_sees_it(
    scripted: ScriptedGitHub, client: Client, clock: ManualClock
) -> None:
    behind = clock.now() - timedelta(seconds=500)
    scripted.date = format_datetime(behind, usegmt=True)
    spent = {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0"}
    reset = str(int(behind.timestamp()) + 100)
    scripted.script("GET", RUN, Answer(body={}, headers={**spent, "X-RateLimit-Reset": reset}), Answer(body={"id": 2}))
    start = clock.time()
    await get(client)
    await patiently(scripted, get(client))
    assert scripted.calls(RUN)[1].at == start + 100


async def test_who_has_no_patience_is_told_until_when(
    scripted: ScriptedGitHub, client: Client, clock: ManualClock
) -> None:
    scripted.script("GET", RUN, Answer(429, {}, {"Retry-After": "60"}))
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            await get(client.with_patience(10))
        assert caught.value.until == clock.now() + timedelta(seconds=60)
    assert len(scripted.calls(RUN)) == 1


async def test_a_limit_that_is_never_lifted_ends_in_an_error(scripted: ScriptedGitHub, client: Client) -> None:
    scripted.script("GET", RUN, *[Answer(429, {}, {"Retry-After": "5"})] * 6)
    with pytest.raises(RateLimited):
        await patiently(scripted, get(client))


async def test_a_token_that_expires_while_a_request_waits_is_renewed_before_it_goes(
    scripted: ScriptedGitHub, client: Client
) -> None:
    scripted.script("GET", RUN, Answer(429, {}, {"Retry-After": "4000"}), Answer(body={"id": 1}))
    assert await patiently(scripted, get(client)) == {"id": 1}
    assert len(scripted.token_calls) == 2
    assert scripted.calls(RUN)[1].headers["authorization"] == f"Bearer {scripted.tokens[1]}"


async def test_one_installations_limit_is_not_anothers(
    scripted: ScriptedGitHub, github: GitHub, clock: ManualClock
) -> None:
    scripted.script("GET", RUN, Answer(429, {}, {"Retry-After": "60"}), Answer(body={"id": 1}))
    with pytest.raises(RateLimited):
        await get(github.installation(7, patience=0))
    assert await get(github.installation(8, patience=0)) == {"id": 1}


async def test_writes_go_one_by_one_a_second_apart_while_reads_pass(
    scripted: ScriptedGitHub, client: Client, clock: ManualClock
) -> None:
    scripted.always("POST", COMMENTS, Answer(201, {}))
    scripted.always("GET", RUN, Answer(body={"id": 1}))
    start = clock.time()
    await patiently(scripted, asyncio.gather(*(comment(client) for _ in range(4)), *(get(client) for _ in range(4))))
    assert [call.at - start for call in scripted.calls(COMMENTS)] == [0, 1, 2, 3]
    assert {call.at - start for call in scripted.calls(RUN)} == {0}
