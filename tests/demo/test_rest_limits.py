"""Limits, ETags and faults: what is counted, what is refused and until when, and what is held against a client."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from bot.clock import ManualClock
from bot.demo.github import SimulatedGitHub, let_pass
from bot.demo.github.rest import Cut, Late, RateLimited, RestFaultRates, ServerError, Slow
from tests.demo.client import Client, Reply, connected
from tests.demo.stage import Receiver, Stage, set_stage

REPO = "/repos/acme/rocket"


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[Client]:
    async with connected(stage.github) as client:
        yield await client.as_installation(stage.installation)


async def advance(client: Client, seconds: float) -> None:
    assert isinstance(client.github.clock, ManualClock)
    await client.github.clock.advance(seconds)


def kinds(client: Client) -> list[str]:
    return [one.kind for one in client.github.rest.ledger.violations]


def left(reply: Reply) -> tuple[int, int]:
    return int(reply.headers["X-RateLimit-Used"]), int(reply.headers["X-RateLimit-Remaining"])


async def test_an_hour_is_counted_by_installation(client: Client, stage: Stage) -> None:
    first = await client.get(REPO)
    assert left(first) == (1, 4_999)
    assert first.headers["X-RateLimit-Reset"] == str(int(stage.github.clock.now().timestamp()) + 3600)
    assert left(await client.get(f"{REPO}/pulls")) == (2, 4_998)
    other = stage.github.installations.install(stage.github.add_organization("other"))
    elsewhere = await Client(stage.github, client.session, client.address).as_installation(other)
    assert left(await elsewhere.get("/installation/repositories")) == (1, 4_999)
    shown = (await client.get("/rate_limit")).body["resources"]["core"]
    assert (shown["used"], shown["remaining"]) == (2, 4_998)
    await advance(client, 3599)
    assert left(await client.get(REPO)) == (3, 4_997)
    await advance(client, 1)
    renewed = await Client(stage.github, client.session, client.address).as_installation(stage.installation)
    assert left(await renewed.get(REPO)) == (1, 4_999)


async def test_when_nothing_remains_one_waits_for_the_reset(client: Client, stage: Stage) -> None:
    stage.github.rest.limits.an_hour = 3
    for _ in range(3):
        last = await client.get(REPO)
    assert left(last) == (3, 0)
    refused = await client.get(REPO)
    assert refused.status == 403
    assert refused.body["message"] == f"API rate limit exceeded for installation ID {stage.installation.id}."
    assert "Retry-After" not in refused.headers
    assert kinds(client) == []
    await advance(client, 1800)
    assert (await client.get(f"{REPO}/pulls")).status == 403
    assert kinds(client) == ["sent_too_early"]
    await advance(client, 1800)
    renewed = await Client(stage.github, client.session, client.address).as_installation(stage.installation)
    assert (await renewed.get(REPO)).status == 200
    assert len(kinds(client)) == 1


async def test_an_unchanged_answer_is_free_but_only_under_its_own_token(client: Client, stage: Stage) -> None:
    first = await client.get(f"{REPO}/actions/runs")
    tag = {"If-None-Match": first.headers["ETag"]}
    again = await client.get(f"{REPO}/actions/runs", **tag)
    assert (again.status, again.body, left(again)) == (304, "", (1, 4_999))
    other = await Client(stage.github, client.session, client.address).as_installation(stage.installation)
    assert (await other.get(f"{REPO}/actions/runs", **tag)).status == 200
    stage.github.actions.start_run_for(stage.open(), stage.workflow)
    changed = await client.get(f"{REPO}/actions/runs", **tag)
    assert (changed.status, left(changed)) == (200, (3, 4_997))


async def test_nine_hundred_points_a_minute(client: Client, stage: Stage) -> None:
    stage.github.rest.limits.points_a_minute = 9
    for _ in range(4):
        assert (await client.get(REPO)).status == 200
    comments = f"{REPO}/issues/{stage.open().number}/comments"
    assert (await client.post(comments, {"body": "five points"})).status == 201
    refused = await client.get(REPO)
    assert (refused.status, refused.headers["Retry-After"]) == (403, "60")
    assert "secondary rate limit" in refused.body["message"]
    await advance(client, 60)
    assert (await client.get(REPO)).status == 200
    assert kinds(client) == ["too_many_points"]


@pytest.mark.parametrize(("limit", "pause"), [("creations_a_minute", 60), ("creations_an_hour", 3600)])
async def test_content_is_created_slowly(client: Client, stage: Stage, limit: str, pause: int) -> None:
    setattr(stage.github.rest.limits, limit, 2)
    stage.github.rest.limits.wait = pause
    comments = f"{REPO}/issues/{stage.open().number}/comments"
    statuses = []
    for _ in range(3):
        statuses.append((await client.post(comments, {"body": "again"})).status)
        await advance(client, 1)
    assert statuses == [201, 201, 403]
    await advance(client, pause)
    renewed = await Client(stage.github, client.session, client.address).as_installation(stage.installation)
    assert (await renewed.post(comments, {"body": "again"})).status == 201
    assert kinds(client) == ["too_many_creations"]


async def test_writes_come_one_after_another_a_second_apart(client: Client, stage: Stage) -> None:
    comments = f"{REPO}/issues/{stage.open().number}/comments"
    await client.post(comments, {"body": "one"})
    await client.post(comments, {"body": "too soon"})
    assert kinds(client) == ["writes_too_close"]
    await advance(client, 1)
    stage.github.rest.scripted_faults.add(Slow(5), method="POST")
    slow = asyncio.ensure_future(client.post(comments, {"body": "slow"}))
    await until(lambda: any(call.fault == "Slow" for call in stage.github.rest.ledger.calls))
    await advance(client, 2)
    await client.post(comments, {"body": "meanwhile"})
    assert kinds(client) == ["writes_too_close", "writes_at_once"]
    await advance(client, 3)
    assert (await slow).status == 201


async def test_no_more_requests_at_once_than_allowed(client: Client, stage: Stage) -> None:
    stage.github.rest.limits.at_once = 2
    stage.github.rest.scripted_faults.add(Slow(5), times=2)
    slow = [asyncio.ensure_future(client.get(REPO)) for _ in range(2)]
    await until(lambda: sum(call.fault == "Slow" for call in stage.github.rest.ledger.calls) == 2)
    assert (await client.get(REPO)).status == 403
    assert kinds(client) == ["too_many_at_once"]
    await advance(client, 5)
    assert [(await one).status for one in slow] == [200, 200]


@pytest.mark.parametrize(
    ("fault", "headers", "wait"),
    [
        (RateLimited(429, retry_after=30), {"Retry-After": "30"}, 30),
        (RateLimited(403, retry_after=7), {"Retry-After": "7"}, 7),
        (RateLimited(403), {}, 60),
        (RateLimited(429, reset_in=600), {"X-RateLimit-Remaining": "0"}, 600),
    ],
)
async def test_a_storm_refuses_until_the_permitted_time(
    client: Client, stage: Stage, fault: RateLimited, headers: dict[str, str], wait: int
) -> None:
    stage.github.rest.scripted_faults.add(fault)
    refused = await client.get(REPO)
    assert refused.status == fault.status
    assert {name: refused.headers.get(name) for name in headers} == headers
    assert ("Retry-After" in refused.headers) == ("Retry-After" in headers)
    # Another request may have been under way; the same one again is a retry that did not wait.
    assert (await client.get(f"{REPO}/pulls")).status == 403
    assert kinds(client) == []
    assert (await client.get(REPO)).status == 403
    await advance(client, wait - 1)
    assert (await client.get(f"{REPO}/actions/runs")).status == 403
    assert kinds(client) == ["sent_too_early", "sent_too_early"]
    await advance(client, 1)
    assert (await client.get(REPO)).status == 200
    assert len(kinds(client)) == 2


async def test_errors_cuts_and_slowness(client: Client, stage: Stage) -> None:
    faults = stage.github.rest.scripted_faults
    comments = f"{REPO}/issues/{stage.open().number}/comments"
    faults.add(ServerError(503), operation="issues/create-comment", times=2)
    for _ in range(2):
        assert (await client.post(comments, {"body": "lost"})).status == 503
        await advance(client, 1)
    faults.add(Cut(), operation="issues/create-comment")
    with pytest.raises(aiohttp.ClientError):
        await client.post(comments, {"body": "lost"})
    await advance(client, 1)
    assert (await client.get(comments)).body == []
    faults.add(Cut(answered=True), operation="issues/create-comment")
    with pytest.raises(aiohttp.ClientError):
        await client.post(comments, {"body": "written, and nobody knows"})
    assert len((await client.get(comments)).body) == 1
    faults.add(Slow(90))
    slow = asyncio.ensure_future(client.get(comments))
    await until(lambda: stage.github.rest.ledger.calls[-1].fault == "Slow")
    await advance(client, 89)
    assert not slow.done()
    await advance(client, 1)
    assert (await slow).status == 200
    assert [call.status for call in stage.github.rest.ledger.of("issues/create-comment")] == [503, 503, 0, 0]


@pytest.mark.parametrize("how", ["answered", "cut", "nobody waits for it"])
async def test_what_is_asked_may_be_done_late(client: Client, stage: Stage, how: str) -> None:
    ledger, world = stage.github.rest.ledger, stage.github.world
    comments, others = (f"{REPO}/issues/{stage.open(branch).number}/comments" for branch in ("a", "b"))
    stage.github.rest.scripted_faults.add(Late(20, cut=how == "cut"), method="POST")
    late = asyncio.ensure_future(client.post(comments, {"body": "late"}))
    await until(lambda: any(call.fault == "Late" for call in ledger.calls))
    if how == "nobody waits for it":
        late.cancel()
    elif how == "cut":
        with pytest.raises(aiohttp.ClientError):
            await late
    await advance(client, 19)
    assert (await client.get(comments)).body == []
    # Whoever was cut off may write again.
    await client.post(others, {"body": "meanwhile"})
    assert kinds(client) == ([] if how == "cut" else ["writes_at_once"])
    await advance(client, 1)
    await until(lambda: len(world.comments) == 2)
    assert [each["body"] for each in (await client.get(comments)).body] == ["late"]
    if how == "answered":
        assert (await late).status == 201
    await until(lambda: stage.github.rest.working == 0)
    assert next(ledger.of("issues/create-comment")).status == (201 if how == "answered" else 0)


async def test_a_storm_may_last_for_a_time_of_the_clock(client: Client, stage: Stage) -> None:
    now = stage.github.clock.now()
    stage.github.rest.scripted_faults.add(
        ServerError(500), until=now + timedelta(minutes=5), installation_id=stage.installation.id, times=None
    )
    assert (await client.get(REPO)).status == 500
    await advance(client, 299)
    assert (await client.get(REPO)).status == 500
    await advance(client, 1)
    assert (await client.get(REPO)).status == 200


async def test_an_outage_is_of_everything(receiver: Receiver) -> None:
    clock = ManualClock()
    stage = set_stage(SimulatedGitHub(clock, webhook_url=receiver.url))
    github = stage.github
    async with connected(github) as anonymous:
        client = await anonymous.as_installation(stage.installation)
        await github.settle()
        github.outages.add(timedelta(hours=60))
        assert (await client.get(REPO)).status == 503
        assert (await anonymous.as_app().get("/app")).status == 503
        stage.open()
        await github.settle()
        lost = list(github.webhooks.log.undelivered())
        assert [one.event for one in lost] == ["pull_request"]
        await clock.advance(60 * 3600)
        assert (await anonymous.as_app().get("/app")).status == 200
        failed = (await anonymous.as_app().get("/app/hook/deliveries?status=failure")).body
        assert [one["guid"] for one in failed] == [lost[0].guid]
        assert (await anonymous.as_app().post(f"/app/hook/deliveries/{failed[0]['id']}/attempts")).status == 202
        await github.settle()
        assert receiver.guids[-1] == lost[0].guid
        assert github.rest.ledger.violations == []


async def test_deliveries_are_walked_by_cursor_for_three_days(receiver: Receiver) -> None:
    clock = ManualClock()
    stage = set_stage(SimulatedGitHub(clock, webhook_url=receiver.url))
    for number in range(12):
        stage.open(f"topic-{number}")
    await stage.github.settle()
    async with connected(stage.github) as anonymous:
        app = anonymous.as_app()
        replies = await app.walk("/app/hook/deliveries?per_page=5")
        assert [len(one.body) for one in replies] == [5, 5, 3]
        listed = [one for reply in replies for one in reply.body]
        assert [one["id"] for one in listed] == sorted((one["id"] for one in listed), reverse=True)
        assert {one["guid"] for one in listed} == {one.guid for one in stage.github.deliveries}
        assert (await app.get("/app/hook/deliveries?cursor=nonsense")).status == 422
        await clock.advance(3 * 86_400 + 1)
        assert (await anonymous.as_app().get("/app/hook/deliveries")).body == []
        gone = await anonymous.as_app().post(f"/app/hook/deliveries/{listed[0]['id']}/attempts")
        assert gone.status == 404


async def test_the_clock_tells_the_date_and_drawn_faults_follow_from_the_seed(client: Client, stage: Stage) -> None:
    assert (await client.get(REPO)).headers["Date"] == "Mon, 05 Jan 2026 09:00:00 GMT"
    await advance(client, 61)
    reply = await client.get(REPO)
    assert reply.headers["Date"] == "Mon, 05 Jan 2026 09:01:01 GMT"
    assert reply.headers["X-GitHub-Request-Id"]
    assert reply.headers["X-GitHub-Media-Type"] == "github.v3; format=json"
    (call, *_) = stage.github.rest.ledger.calls

    def drawn(seed: int) -> list[Any]:
        rates = RestFaultRates(seed, server_error=0.2, rate_limited=0.2, slow=0.3, cut=0.2, late=0.5)
        return [rates.faults_for(call) for _ in range(50)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert {type(fault) for faults in drawn(1) for fault in faults} == {ServerError, RateLimited, Slow, Cut, Late}


async def test_who_goes_on_is_found_out_even_while_the_clock_stands(client: Client, stage: Stage) -> None:
    stage.github.rest.scripted_faults.add(RateLimited(429, retry_after=30))
    for page in range(12):
        assert (await client.get(f"{REPO}/actions/runs?page={page + 1}")).status in {403, 429}
    assert kinds(client) == ["sent_too_early"]


async def test_time_passes_no_faster_than_what_is_under_way(client: Client, stage: Stage) -> None:
    clock, seen = stage.github.clock, []
    assert isinstance(clock, ManualClock)

    async def ask_hourly() -> None:
        while True:
            seen.append((await client.get(REPO)).headers["Date"][17:25])
            await clock.sleep(600)

    stage.github.rest.scripted_faults.add(Slow(100))
    asking = asyncio.ensure_future(ask_hourly())
    assert not await let_pass(stage.github, clock, 1500, step=100)
    assert seen == ["09:00:00", "09:11:40", "09:21:40"]
    assert await let_pass(stage.github, clock, 3600, step=100, until=lambda: len(seen) == 5)
    assert clock.now().hour == 9
    asking.cancel()


async def until(true: Any) -> None:
    """Let others run until something is so."""
    for _ in range(500):
        if true():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came")
