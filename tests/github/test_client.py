"""One request and what may happen to it on the way, on a real connection."""

import asyncio
import itertools
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from bot import metrics
from bot.clock import ManualClock
from bot.github import Client, GitHub, checks, pulls, runs
from bot.github.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    Gone,
    NotFound,
    RateLimited,
    Unprocessable,
)
from bot.github.ledger import Lane
from tests.github.scripted import APP_ID, Answer, ScriptedGitHub, patiently

REPOSITORY = "octo/widgets"
RUN = "/repos/octo/widgets/actions/runs/1"
RUNS = "/repos/octo/widgets/actions/runs"
COMMENTS = "/repos/octo/widgets/issues/5/comments"


@pytest.fixture
def client(github: GitHub) -> Client:
    return github.installation(7)


async def get(client: Client) -> object:
    return (await runs.get_run(client, REPOSITORY, 1)).data


# What is asked and answered


async def test_a_request_says_who_asks_and_for_which_version(scripted: ScriptedGitHub, client: Client) -> None:
    scripted.script("GET", RUN, Answer(body={"id": 1}))
    await get(client)
    headers = scripted.calls(RUN)[0].headers
    assert headers["accept"] == "application/vnd.github+json"
    assert headers["x-github-api-version"] == "2022-11-28"
    assert headers["user-agent"].startswith("runledger/")
    assert headers["authorization"] == f"Bearer {scripted.tokens[0]}"


async def test_an_answer_carries_githubs_time_its_neighbours_and_its_total(
    scripted: ScriptedGitHub, client: Client, clock: ManualClock
) -> None:
    links = f'<{scripted.url}{RUNS}?page=3>; rel="next", <{scripted.url}{RUNS}?page=9>; rel="last"'
    scripted.script(
        "GET", RUNS, Answer(body={"total_count": 812, "workflow_runs": [{"id": 1}]}, headers={"Link": links})
    )
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, 12, 30, 1, tzinfo=UTC)
    filters = runs.RunFilters(created=runs.window(since, until), status="completed")
    await clock.advance(0.75)
    answer = await runs.list_runs(client, REPOSITORY, filters, page=2, per_page=50)
    assert answer.data == [{"id": 1}]
    assert (answer.total, answer.last_page) == (812, 9)
    assert answer.next_url == f"{scripted.url}{RUNS}?page=3"
    assert answer.date == clock.now().replace(microsecond=0)
    assert scripted.calls(RUNS)[0].query == {
        "created": "2026-01-01T00:00:00Z..2026-01-02T12:30:01Z",
        "status": "completed",
        "page": "2",
        "per_page": "50",
    }


async def test_without_a_date_our_own_time_stands_in(
    scripted: ScriptedGitHub, client: Client, clock: ManualClock
) -> None:
    scripted.date = "yesterday"
    scripted.script("GET", RUN, Answer(body={"id": 1}))
    assert (await runs.get_run(client, REPOSITORY, 1)).date == clock.now()


async def test_an_enterprise_server_is_asked_below_its_path(
    scripted: ScriptedGitHub, clock: ManualClock, private_key: str
) -> None:
    api = f"{scripted.url}/api/v3"
    next_page = {"Link": f'<{api}/repositories/9/actions/runs?page=2>; rel="next"'}
    scripted.script("GET", f"/api/v3{RUNS}", Answer(body={"workflow_runs": []}, headers=next_page))
    scripted.script("GET", "/api/v3/repositories/9/actions/runs", Answer(body={"workflow_runs": []}))
    async with GitHub(APP_ID, private_key, api_url=api, clock=clock) as github:
        pages = [page async for page in runs.run_pages(github.installation(7), REPOSITORY)]
    assert len(pages) == 2
    assert scripted.token_calls[0].path == "/api/v3/app/installations/7/access_tokens"


async def test_pages_follow_one_another_to_the_end(scripted: ScriptedGitHub, client: Client) -> None:
    for page in (1, 2, 3):
        link = {"Link": f'<{scripted.url}{COMMENTS}?per_page=100&page={page + 1}>; rel="next"'} if page < 3 else {}
        scripted.script("GET", COMMENTS, Answer(body=[{"id": page}], headers=link))
    found = [comment["id"] async for page in pulls.comment_pages(client, REPOSITORY, 5) for comment in page.data]
    assert found == [1, 2, 3]
    assert [call.query.get("page") for call in scripted.calls(COMMENTS)] == [None, "2", "3"]
    assert {call.query["per_page"] for call in scripted.calls(COMMENTS)} == {"100"}


async def test_pages_that_go_round_in_a_circle_end(scripted: ScriptedGitHub, client: Client) -> None:
    around = {"Link": f'<{scripted.url}{COMMENTS}?page=2>; rel="next"'}
    scripted.script("GET", COMMENTS, Answer(body=[], headers=around), Answer(body=[], headers=around))
    with pytest.raises(GitHubUnavailable, match="circle"):
        async for _ in pulls.comment_pages(client, REPOSITORY, 5):
            pass


async def test_a_next_page_on_another_host_gets_no_token(scripted: ScriptedGitHub, client: Client) -> None:
    scripted.script("GET", COMMENTS, Answer(body=[], headers={"Link": '<http://localhost:9/steal>; rel="next"'}))
    with pytest.raises(BadRequest, match="outside its API"):
        async for _ in pulls.comment_pages(client, REPOSITORY, 5):
            pass


@pytest.mark.parametrize("name", ["octo", "octo/widgets/runs", "../widgets", "octo/..", "octo/wid?gets", "octo/", ""])
async def test_what_is_no_repositorys_name_is_not_asked_for(
    scripted: ScriptedGitHub, client: Client, name: str
) -> None:
    with pytest.raises(NotFound):
        await runs.get_run(client, name, 1)
    assert scripted.asked == []


# ETags


async def test_what_has_not_changed_is_not_sent_again(
    scripted: ScriptedGitHub, client: Client, clock: ManualClock
) -> None:
    first = Answer(body={"id": 1}, headers={"ETag": '"abc"', "X-RateLimit-Remaining": "8"})
    scripted.script("GET", RUN, first, Answer(304), Answer(body={"id": 2}, headers={"ETag": '"def"'}), Answer(304))
    answers = []
    for _ in range(4):
        answers.append(await runs.get_run(client, REPOSITORY, 1))
        await clock.advance(10)
    assert [answer.data["id"] for answer in answers] == [1, 1, 2, 2]
    assert [call.headers.get("if-none-match") for call in scripted.calls(RUN)] == [None, '"abc"', '"abc"', '"def"']
    assert answers[1].date == answers[0].date + timedelta(seconds=10)
    answers[0].data["id"] = 99
    assert answers[1].data["id"] == 1


async def test_an_etag_is_shown_to_no_other_token(scripted: ScriptedGitHub, github: GitHub, clock: ManualClock) -> None:
    scripted.always("GET", RUN, Answer(body={"id": 1}, headers={"ETag": '"abc"'}))
    await get(github.installation(7))
    await get(github.installation(8))
    await clock.advance(3600)
    await get(github.installation(7))
    assert [call.headers.get("if-none-match") for call in scripted.calls(RUN)] == [None, None, None]


async def test_backfill_keeps_no_bodies_and_large_ones_are_never_kept(scripted: ScriptedGitHub, client: Client) -> None:
    large = Answer(body={"id": 1, "text": "x" * 600_000}, headers={"ETag": '"large"'})
    scripted.script("GET", RUN, large, Answer(body={"id": 1}, headers={"ETag": '"small"'}), Answer(body={"id": 1}))
    await get(client)
    await get(client.for_backfill())
    await get(client)
    assert [call.headers.get("if-none-match") for call in scripted.calls(RUN)] == [None, None, None]


async def test_an_unchanged_answer_costs_backfill_nothing(scripted: ScriptedGitHub, client: Client) -> None:
    scripted.script("GET", RUN, Answer(body={"id": 1}, headers={"ETag": '"abc"'}), *[Answer(304)] * 3)
    await get(client)
    left = client.outlook().backfill_left
    for _ in range(3):
        await get(client.for_backfill())
    assert client.outlook().backfill_left == left


# Faults that pass


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


async def comment(client: Client) -> object:
    return (await pulls.create_comment(client, REPOSITORY, 5, "hello")).data


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


# Limits


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


# Errors


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer(404, {"message": "Not Found"}), NotFound, f"nothing at GET {RUN}: Not Found"),
        (Answer(410, {"message": "Gone"}), Gone, "no longer has"),
        (Answer(451, {"message": "Blocked"}), Gone, "may no longer show"),
        (Answer(409, {"message": "Busy"}), Conflict, "can't do now"),
        (Answer(400, {"message": "Problems parsing JSON"}), BadRequest, "answered 400"),
        (Answer(418, b"tea"), BadRequest, "answered 418"),
        (Answer(404, b"[1]"), NotFound, "nothing at"),
        (Answer(304), BadRequest, "do not follow"),
        (Answer(206, {}), BadRequest, "answered 206"),
        (Answer(200, b""), GitHubUnavailable, "not JSON"),
        (Answer(200, b"{"), GitHubUnavailable, "not JSON"),
        (Answer(200, b"<html>", {"Content-Type": "text/html"}), GitHubUnavailable, "not JSON"),
        (Answer(200, b"\xff", {"Content-Type": "application/json; charset=klingon"}), GitHubUnavailable, "not JSON"),
        (Answer(403, {"message": "Must have admin rights"}), Forbidden, "forbids GET"),
    ],
    ids=str,
)
async def test_every_answer_becomes_one_error_of_ours(
    scripted: ScriptedGitHub, client: Client, answer: Answer, kind: type[GitHubError], words: str
) -> None:
    scripted.script("GET", RUN, answer)
    with pytest.raises(kind, match=words) as caught:
        await get(client)
    assert type(caught.value) is kind


async def test_a_refusal_names_the_permission_that_is_missing(scripted: ScriptedGitHub, client: Client) -> None:
    told = {"X-Accepted-GitHub-Permissions": "actions=write", "X-RateLimit-Remaining": "0"}
    answer = Answer(403, {"message": "Resource not accessible by integration"}, told)
    scripted.script("POST", f"{RUN}/rerun", answer)
    with pytest.raises(Forbidden, match="it takes actions=write") as caught:
        await runs.rerun(client, REPOSITORY, 1)
    assert caught.value.permissions == "actions=write"


async def test_what_github_declines_comes_with_its_reasons(scripted: ScriptedGitHub, client: Client) -> None:
    errors = [
        {"resource": "CheckRun", "field": "name", "code": "missing_field"},
        {"message": "too long", "field": "output"},
        "plain words",
    ]
    scripted.script("POST", "/repos/octo/widgets/check-runs", Answer(422, {"message": "No", "errors": errors}))
    with pytest.raises(Unprocessable, match=r"No; CheckRun\.name: missing_field") as caught:
        await checks.create_check_run(client, REPOSITORY, {})
    assert caught.value.errors == ("CheckRun.name: missing_field", "output: too long", "plain words")


@pytest.mark.parametrize("body", [{"message": "In order to keep the API fast", "errors": None}, {"errors": "x"}, []])
async def test_a_refusal_without_reasons_is_one_all_the_same(
    scripted: ScriptedGitHub, client: Client, body: object
) -> None:
    scripted.script("GET", RUNS, Answer(422, body))
    with pytest.raises(Unprocessable):
        await runs.list_runs(client, REPOSITORY, page=401)


@pytest.mark.parametrize("body", [{"workflow_runs": 1}, [], 3, {"message": "?"}])
async def test_a_list_that_is_none_is_an_error(scripted: ScriptedGitHub, client: Client, body: object) -> None:
    scripted.script("GET", RUNS, Answer(200, body))
    with pytest.raises(GitHubUnavailable, match="not the list"):
        await runs.list_runs(client, REPOSITORY)


# Redirects


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_renamed_repository_is_followed(scripted: ScriptedGitHub, client: Client, status: int) -> None:
    scripted.script("GET", RUN, Answer(status, {}, {"Location": "/repositories/9/actions/runs/1"}))
    scripted.script("GET", "/repositories/9/actions/runs/1", Answer(body={"id": 1}))
    answer = await runs.get_run(client, REPOSITORY, 1)
    assert answer.data == {"id": 1}
    assert answer.url == f"{scripted.url}/repositories/9/actions/runs/1"


@pytest.mark.parametrize(
    "location", ["http://localhost:9/x", "//evil.example/x", "https://127.0.0.1/x", "", "http://[/"]
)
async def test_no_redirect_leads_to_another_host(scripted: ScriptedGitHub, client: Client, location: str) -> None:
    scripted.script("GET", RUN, Answer(301, {}, {"Location": location}))
    with pytest.raises(BadRequest, match="do not follow"):
        await get(client)


async def test_redirects_end(scripted: ScriptedGitHub, client: Client) -> None:
    scripted.script("GET", RUN, *[Answer(301, {}, {"Location": RUN})] * 4)
    with pytest.raises(BadRequest, match="do not follow"):
        await get(client)


async def test_a_write_goes_along_where_that_keeps_its_method(scripted: ScriptedGitHub, client: Client) -> None:
    moved = {"Location": "/repositories/9/issues/5/comments"}
    scripted.script("POST", COMMENTS, Answer(307, {}, moved), Answer(302, {}, moved))
    scripted.script("POST", "/repositories/9/issues/5/comments", Answer(201, {"id": 1}))
    assert await patiently(scripted, comment(client)) == {"id": 1}
    assert json.loads(scripted.calls("/repositories/9/issues/5/comments")[0].body) == {"body": "hello"}
    with pytest.raises(BadRequest):
        await patiently(scripted, comment(client))


# Counting


async def test_requests_are_counted_by_how_they_ended(scripted: ScriptedGitHub, github: GitHub) -> None:
    client = github.installation(4242)
    scripted.script("GET", RUN, Answer(body={}, headers={"ETag": '"a"'}), Answer(304), Answer(500), Answer(cut=True))
    scripted.script("GET", RUN, Answer(429, {}, {"Retry-After": "1"}), Answer(404))
    await get(client)
    await get(client)
    with pytest.raises(NotFound):
        await patiently(scripted, get(client))
    text = metrics.render([])[0].decode()
    for outcome in metrics.GITHUB_OUTCOMES:
        assert f'runledger_github_requests_total{{installation="4242",outcome="{outcome}"}} 1.0' in text
    assert 'runledger_github_wait_seconds_bucket{lane="live"' in text
    github.forget(4242)
    assert 'installation="4242"' not in metrics.render([])[0].decode()


async def test_backfill_is_asked_for_in_its_own_lane(scripted: ScriptedGitHub, github: GitHub) -> None:
    hour = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4999", "X-RateLimit-Reset": "1767610000"}
    scripted.always("GET", RUN, Answer(body={}, headers=hour))
    await get(github.installation(7, lane=Lane.BACKFILL))
    await get(github.installation(7))
    assert github.installation(7).outlook().backfill_left == 2498


async def test_a_client_outside_of_its_context_says_so(clock: ManualClock, private_key: str) -> None:
    github = GitHub(APP_ID, private_key, api_url="http://127.0.0.1:9", clock=clock)
    with pytest.raises(RuntimeError, match="outside of its context"):
        await get(github.installation(7))
