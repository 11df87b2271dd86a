"""What may happen to a request on the way, and when it is tried again."""

import asyncio
import itertools
import json

import pytest

from bot.clock import ManualClock
from bot.github import Client, GitHub, checks, pulls
from bot.github.errors import (
    GitHubUnavailable,
)
from tests.github.asked import COMMENTS, REPOSITORY, RUN, comment, get
from tests.github.scripted import APP_ID, Answer, ScriptedGitHub, patiently


@pytest.mark.parametrize("fault", [Answer(500), Answer(502, b"<html>"), Answer(599), Answer(cut=True)], ids=str)
async def test_a_read_is_tried_again_with_growing_pauses(
    scripted: ScriptedGitHub, client: Client, clock: ManualClock, fault: Answer
) -> None:
    scripted.script("GET", RUN, fault, fault, fault, Answer(body={"id": 1}))
    assert await patiently(scripted, get(client)) == {"id": 1}
    times = [call.at for call in scripted.calls(RUN)]
    pauses = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert len(pauses) == 3
    for pause, most in zip(pauses, (1, 2, 4), strict=True):
        assert most / 2 <= pause <= most


async def test_a_read_that_never_works_ends_in_an_error(scripted: ScriptedGitHub, client: Client) -> None:
    scripted.script("GET", RUN, *[Answer(503)] * 4)
    with pytest.raises(GitHubUnavailable, match=f"answered 503 to GET {RUN}"):
        await patiently(scripted, get(client))


async def test_an_answer_that_does_not_come_is_not_waited_for(
    scripted: ScriptedGitHub, client: Client, clock: ManualClock
) -> None:
    async def slowly() -> None:
        await asyncio.sleep(0.7)

    scripted.script("GET", RUN, Answer(body={}, after=slowly), Answer(body={"id": 1}))
    assert await patiently(scripted, get(client)) == {"id": 1}


async def test_a_write_is_not_repeated_when_github_may_have_taken_it(scripted: ScriptedGitHub, client: Client) -> None:
    for fault in (Answer(502), Answer(cut=True)):
        scripted.script("POST", COMMENTS, fault)
        with pytest.raises(GitHubUnavailable) as caught:
            await patiently(scripted, comment(client))
        assert caught.value.maybe_taken
    assert len(scripted.calls(COMMENTS)) == 2


async def test_a_write_is_repeated_when_github_cannot_have_taken_it(
    scripted: ScriptedGitHub, client: Client, clock: ManualClock
) -> None:
    refusals = [
        Answer(429, {}, {"Retry-After": "30"}),
        Answer(403, {"message": "You have exceeded a secondary rate limit"}),
        Answer(401, {"message": "Bad credentials"}),
    ]
    scripted.script("POST", COMMENTS, *refusals, Answer(201, {"id": 3}))
    assert await patiently(scripted, comment(client)) == {"id": 3}
    assert [json.loads(call.body) for call in scripted.calls(COMMENTS)] == [{"body": "hello"}] * 4


async def test_a_server_that_is_not_there_is_tried_again_for_writes_too(
    clock: ManualClock, private_key: str, scripted: ScriptedGitHub, unused_tcp_port: int
) -> None:
    async with GitHub(APP_ID, private_key, api_url=f"http://127.0.0.1:{unused_tcp_port}", clock=clock) as github:
        start = clock.time()
        with pytest.raises(GitHubUnavailable) as caught:
            await patiently(scripted, comment(github.installation(7)))
    assert not caught.value.maybe_taken
    assert clock.time() - start >= 3


async def test_a_change_that_may_be_repeated_is(scripted: ScriptedGitHub, client: Client) -> None:
    scripted.script("PATCH", "/repos/octo/widgets", Answer(502), Answer(body={"id": 3}))
    changing = client.patch("/repos/octo/widgets", {}, {"name": "widgets"}, repeatable=True)
    assert (await patiently(scripted, changing)).data == {"id": 3}


async def test_what_people_would_see_twice_is_sent_once(scripted: ScriptedGitHub, client: Client) -> None:
    scripted.script("PATCH", "/repos/octo/widgets/issues/comments/3", Answer(502))
    with pytest.raises(GitHubUnavailable):
        await patiently(scripted, pulls.update_comment(client, REPOSITORY, 3, "new"))
    scripted.script("PATCH", "/repos/octo/widgets/check-runs/4", Answer(502))
    with pytest.raises(GitHubUnavailable):
        await patiently(scripted, checks.update_check_run(client, REPOSITORY, 4, {"output": {"title": "t"}}))
