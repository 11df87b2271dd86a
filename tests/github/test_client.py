"""One request and its answer, on a real connection: what is asked, answered, kept and counted."""

from datetime import UTC, datetime, timedelta

import pytest

from bot import metrics
from bot.clock import ManualClock
from bot.github import Client, GitHub, pulls, runs
from bot.github.errors import (
    BadRequest,
    GitHubUnavailable,
    NotFound,
)
from bot.github.ledger import Lane
from tests.github.asked import COMMENTS, REPOSITORY, RUN, RUNS, get
from tests.github.scripted import APP_ID, Answer, ScriptedGitHub, patiently

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
    assert answer.total == 812
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
    next_page = {"Link": f'<{api}/repositories/9/actions/runs/1/jobs?page=2>; rel="next"'}
    scripted.script("GET", f"/api/v3{RUN}/jobs", Answer(body={"jobs": []}, headers=next_page))
    scripted.script("GET", "/api/v3/repositories/9/actions/runs/1/jobs", Answer(body={"jobs": []}))
    async with GitHub(APP_ID, private_key, api_url=api, clock=clock) as github:
        pages = [page async for page in runs.job_pages(github.installation(7), REPOSITORY, 1)]
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


async def test_backfill_keeps_no_bodies_and_large_ones_are_never_kept(
    scripted: ScriptedGitHub, github: GitHub, client: Client
) -> None:
    large = Answer(body={"id": 1, "text": "x" * 600_000}, headers={"ETag": '"large"'})
    scripted.script("GET", RUN, large, Answer(body={"id": 1}, headers={"ETag": '"small"'}), Answer(body={"id": 1}))
    await get(client)
    await get(github.installation(7, lane=Lane.BACKFILL))
    await get(client)
    assert [call.headers.get("if-none-match") for call in scripted.calls(RUN)] == [None, None, None]


async def test_an_unchanged_answer_costs_backfill_nothing(
    scripted: ScriptedGitHub, github: GitHub, client: Client
) -> None:
    scripted.script("GET", RUN, Answer(body={"id": 1}, headers={"ETag": '"abc"'}), *[Answer(304)] * 3)
    await get(client)
    left = client.outlook().backfill_left
    for _ in range(3):
        await get(github.installation(7, lane=Lane.BACKFILL))
    assert client.outlook().backfill_left == left


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
