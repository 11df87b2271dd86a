"""What the API's answers look like on the wire: times, ETags, links to other pages, and what is handed below."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest
from yarl import URL

from bot import metrics
from tests.web.conftest import Client, Serve
from tests.web.rooms import API, TOKEN, Rooms

RUNS = f"{API}/workflow-runs"


async def test_a_page_of_runs(client: Client, rooms: Rooms) -> None:
    answer = await client.get(RUNS, params={"team": "octo", "branch": "main", "since": "2026-01-05"}, headers=TOKEN)
    page = await answer.json()
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert (page["total"], page["totalIsExact"], page["nextCursor"]) == (1, True, "next one")
    assert page["runs"][0]["createdAt"] == "2026-01-05T09:00:00Z"
    ((team, query),) = rooms.asked
    assert (team, query.branch, query.since) == ("octo", "main", datetime(2026, 1, 5, tzinfo=UTC))
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert "Authorization" in answer.headers["Vary"]


async def test_a_run_an_attempt_and_a_backfill_are_asked_for_by_number(client: Client, rooms: Rooms) -> None:
    for path in ("/workflow-runs/7?team=1&attempt=2", "/workflow-runs/7?team=octo", "/backfills/3?team=octo"):
        assert (await client.get(API + path, headers=TOKEN)).status == 200
    assert [asked for _, asked in rooms.asked] == [(7, 2), (7, None), 3]


async def test_a_pull_requests_runs(client: Client, rooms: Rooms) -> None:
    params = {"team": "octo", "repoFullName": "octo/hello", "prNumber": "5", "latest": "true"}
    answer = await client.get(f"{RUNS}/pr", params=params, headers=TOKEN)
    assert answer.status == 200
    assert (rooms.asked[0][1].pr_number, rooms.asked[0][1].latest) == (5, True)


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '"x" , W/{} , "y"', "*"])
async def test_what_the_client_holds_is_not_sent_again(client: Client, form: str) -> None:
    first = await client.get(RUNS, params={"team": "octo"}, headers=TOKEN)
    etag = first.headers["ETag"]
    again = await client.get(RUNS, params={"team": "octo"}, headers=TOKEN | {"If-None-Match": form.format(etag)})
    assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", etag)
    assert again.headers["Link"] == first.headers["Link"]
    assert again.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("held", ['"x"', "x", '"unfinished', "", ",,,"])
async def test_anything_else_held_is_answered_in_full(client: Client, held: str) -> None:
    answer = await client.get(RUNS, params={"team": "octo"}, headers=TOKEN | {"If-None-Match": held})
    assert answer.status == 200


async def test_the_etag_follows_the_answer(client: Client, rooms: Rooms) -> None:
    first = await client.get(RUNS, params={"team": "octo"}, headers=TOKEN)
    rooms.next_cursor = None
    second = await client.get(RUNS, params={"team": "octo"}, headers=TOKEN)
    assert first.headers["ETag"] != second.headers["ETag"]


async def test_the_next_page_keeps_every_filter(client: Client) -> None:
    params = [("team", "octo"), ("branch", "a&b=ü +>"), ("cursor", "this one"), ("limit", "7")]
    answer = await client.get(RUNS, params=params, headers=TOKEN)
    following, first = URL(answer.links["next"]["url"]), answer.links["first"]["url"]
    assert f"{following.origin()}{following.path}" == str(client.make_url(RUNS))
    assert parse_qsl(urlsplit(str(following)).query) == [*params[:2], params[3], ("cursor", "next one")]
    assert parse_qsl(urlsplit(str(first)).query) == [*params[:2], params[3]]
    assert (await client.get(following.relative(), headers=TOKEN)).status == 200


async def test_the_last_page_has_no_next(client: Client, rooms: Rooms) -> None:
    rooms.next_cursor = None
    answer = await client.get(RUNS, params={"team": "octo"}, headers=TOKEN)
    assert set(answer.links) == {"first"}


async def test_links_lead_where_the_operator_says(serve: Serve) -> None:
    client = await serve(public_url="https://ledger.example.com/")
    answer = await client.get(RUNS, params={"team": "octo"}, headers=TOKEN)
    assert str(answer.links["next"]["url"]).startswith(f"https://ledger.example.com{RUNS}?team=octo&cursor=")


@pytest.mark.parametrize("host", ['evil>; rel="next"', "a b", "é"])
async def test_a_host_that_is_none_does_not_get_into_a_link(client: Client, host: str) -> None:
    answer = await client.get(RUNS, params={"team": "octo"}, headers=TOKEN | {"Host": host})
    assert answer.status == 200
    assert answer.headers["Link"].startswith(f"<{RUNS}?team=octo&cursor=")


async def test_head_is_get_without_a_body(client: Client) -> None:
    got = await client.get(RUNS, params={"team": "octo"}, headers=TOKEN)
    head = await client.head(RUNS, params={"team": "octo"}, headers=TOKEN)
    assert (head.status, await head.read()) == (200, b"")
    assert head.headers["ETag"] == got.headers["ETag"]
    assert head.headers["Content-Length"] == got.headers["Content-Length"]


async def test_queries_and_requests_are_timed_and_counted(client: Client) -> None:
    def sample(name: str, **labels: str) -> float:
        return metrics.REGISTRY.get_sample_value(name, labels) or 0.0

    route = {"route": f"{RUNS}/{{runId}}", "method": "GET", "status": "404"}
    queries, requests = (
        sample("runledger_query_seconds_count", query="list_workflow_runs"),
        sample("runledger_http_requests_total", **route),
    )
    await client.get(RUNS, params={"team": "octo"}, headers=TOKEN)
    await client.get(f"{RUNS}/8?team=octo", headers=TOKEN)
    assert sample("runledger_query_seconds_count", query="list_workflow_runs") == queries + 1
    assert sample("runledger_http_requests_total", **route) == requests + 1
