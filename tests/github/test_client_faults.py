"""What may happen to a request on the way, and when it is tried again."""

import asyncio
import dataclasses
import itertools
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bot.clock import ManualClock
from bot.errors import UNANSWERED
from bot.github import Client, GitHub, checks, exchange, pulls
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


async def ended(scripted: ScriptedGitHub, work: Coroutine[Any, Any, object], path: str) -> asyncio.Task[object]:
    """Tell work to end once it has asked for something, and let it end."""
    task = asyncio.create_task(work)
    while not scripted.calls(path):
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])
    return task


@pytest.mark.parametrize("answer", [Answer(201, {"id": 1}), Answer(cut=True)], ids=["answered", "cut"])
async def test_whoever_is_told_to_end_awaits_the_answer_to_a_write(
    scripted: ScriptedGitHub, client: Client, answer: Answer
) -> None:
    answers: list[str] = []

    async def slowly() -> None:
        await asyncio.sleep(0.2)
        answers.append("it came")

    scripted.script("POST", COMMENTS, dataclasses.replace(answer, after=slowly))
    task = await ended(scripted, comment(client), COMMENTS)
    assert (task.cancelled(), answers) == (True, ["it came"])


@pytest.mark.parametrize(("work", "path", "is_write"), [(get, RUN, False), (comment, COMMENTS, True)])
async def test_nobody_who_is_told_to_end_waits_for_long(
    scripted: ScriptedGitHub,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[[Client], Coroutine[Any, Any, object]],
    path: str,
    is_write: bool,
) -> None:
    gate, ended_by = asyncio.Event(), []

    async def hang() -> None:
        await gate.wait()

    async def watched() -> None:
        try:
            await work(client)
        except asyncio.CancelledError as error:
            ended_by.append(error.args)
            raise

    monkeypatch.setattr(exchange, "LAST_SECONDS", 0.05 if is_write else 60)
    scripted.script("POST" if is_write else "GET", path, Answer(after=hang))
    async with asyncio.timeout(2):
        task = await ended(scripted, watched(), path)
    gate.set()
    assert task.cancelled()
    assert ended_by == [(UNANSWERED,) if is_write else ()]


async def test_what_is_to_be_done_right_before_sending_waits_for_the_turn(
    scripted: ScriptedGitHub, client: Client, clock: ManualClock
) -> None:
    noted: list[float] = []

    async def note() -> None:
        assert len(scripted.calls(COMMENTS)) == len(noted) + 1
        noted.append(clock.time())

    scripted.always("POST", COMMENTS, Answer(201, {"id": 1}))
    await comment(client)
    for _ in range(2):
        await patiently(scripted, pulls.create_comment(client, REPOSITORY, 5, "again", sending=note))
    assert noted == [call.at for call in scripted.calls(COMMENTS)][1:]


@pytest.mark.parametrize(("status", "maybe_later"), [(500, False), (502, False), (503, False), (504, True)])
async def test_who_answers_has_let_go_of_it_but_for_a_gateway_that_waited_in_vain(
    scripted: ScriptedGitHub, client: Client, status: int, maybe_later: bool
) -> None:
    scripted.script("POST", COMMENTS, Answer(status))
    with pytest.raises(GitHubUnavailable) as caught:
        await comment(client)
    assert (caught.value.maybe_taken, caught.value.maybe_later) == (True, maybe_later)
