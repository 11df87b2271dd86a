"""Every error is problem details, and tells a stranger nothing."""

import logging
from typing import Any

import pytest
from aiohttp import web

from bot.errors import DatabaseUnavailable, ParameterError
from bot.web.hardening import page_policy
from bot.web.request_ids import HEADER as REQUEST_ID_HEADER
from tests.web.conftest import Client, Serve
from tests.web.rooms import API, TOKEN, Rooms, make_app

RUNS = f"{API}/workflow-runs"


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer another-token",
        "Bearer good-token more",
        "Basic good-token",
        "good-token",
        "Bearer é",
        "Bearer " + "x" * 5000,
    ],
)
@pytest.mark.parametrize("path", [f"{API}/teams", f"{RUNS}?team=octo", f"{RUNS}?what=ever", f"{RUNS}/8?team=octo"])
async def test_without_a_good_token_there_is_one_answer(client: Client, path: str, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await client.get(path, headers=headers)
    assert (answer.status, answer.content_type) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert set(await answer.json()) == {"type", "title", "status", "detail"}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_case_insensitive(client: Client, scheme: str) -> None:
    assert (await client.get(f"{API}/teams", headers={"Authorization": f"{scheme} good-token"})).status == 200


async def test_two_tokens_are_none(client: Client) -> None:
    headers = [("Authorization", "Bearer good-token"), ("Authorization", "Bearer good-token")]
    assert (await client.get(f"{API}/teams", headers=headers)).status == 401


async def test_what_is_not_there_and_what_is_not_yours_are_the_same_bytes(client: Client) -> None:
    paths = [
        f"{RUNS}/8?team=octo",
        f"{RUNS}/7?team=someone-elses",
        f"{RUNS}/8?team=no-such-team",
        "/nowhere",
        f"{API}/",
    ]
    answers = {(answer.status, await answer.read()) for answer in [await client.get(p, headers=TOKEN) for p in paths]}
    assert len(answers) == 1
    assert next(iter(answers))[0] == 404


async def test_a_missing_team_is_named(client: Client) -> None:
    answer = await client.get(RUNS, headers=TOKEN)
    assert (answer.status, (await answer.json())["errors"]) == (400, [{"parameter": "team", "message": "is required"}])


async def test_parameters_where_there_are_none_are_refused(client: Client) -> None:
    answer = await client.get(f"{API}/teams?team=octo", headers=TOKEN)
    assert (answer.status, (await answer.json())["errors"][0]["parameter"]) == (400, "team")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", RUNS, {"GET", "HEAD"}),
        ("DELETE", f"{RUNS}/7", {"GET", "HEAD"}),
        ("GET", "/api/github/webhooks", {"POST"}),
        ("PROPFIND", "/healthz", {"GET", "HEAD"}),
    ],
)
async def test_another_method_is_told_which_are_allowed(
    client: Client, method: str, path: str, allowed: set[str]
) -> None:
    answer = await client.request(method, path)
    assert (answer.status, answer.content_type) == (405, "application/problem+json")
    assert {name.strip() for name in answer.headers["Allow"].split(",")} == allowed


async def test_a_query_may_find_a_parameter_wrong_too(client: Client, rooms: Rooms) -> None:
    rooms.query_failure = ParameterError("cursor", "is not one of ours")
    answer = await client.get(f"{RUNS}?team=octo&cursor=x", headers=TOKEN)
    problem = await answer.json()
    assert answer.status == 400
    assert problem["errors"] == [{"parameter": "cursor", "message": "is not one of ours"}]
    assert "cursor" in problem["detail"]


async def test_a_database_that_is_away_is_a_503(client: Client, rooms: Rooms) -> None:
    rooms.failure = DatabaseUnavailable("connection to 10.0.0.3 refused")
    answer = await client.get(f"{RUNS}?team=octo", headers=TOKEN)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert "10.0.0.3" not in await answer.text()


async def test_a_bug_is_logged_and_told_by_its_number_alone(
    client: Client, rooms: Rooms, caplog: pytest.LogCaptureFixture
) -> None:
    rooms.failure = RuntimeError("the password is hunter2")
    with caplog.at_level(logging.ERROR, "bot"):
        answer = await client.get(f"{RUNS}?team=octo&branch=private-name", headers=TOKEN)
    problem = await answer.json()
    assert (answer.status, answer.content_type) == (500, "application/problem+json")
    assert "hunter2" not in await answer.text()
    assert problem["requestId"] == answer.headers[REQUEST_ID_HEADER]
    (record,) = (record for record in caplog.records if record.name.startswith("bot"))
    assert problem["requestId"] in record.getMessage()
    assert "private-name" not in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is rooms.failure


@pytest.mark.parametrize(
    ("given", "kept"), [("4f8a2c1e-0000-11ef-8000-000000000001", True), ("x", False), ("a b c d e f", False)]
)
async def test_a_proxys_request_id_is_kept_when_it_is_one(client: Client, given: str, kept: bool) -> None:
    answer = await client.get("/healthz", headers={REQUEST_ID_HEADER: given})
    assert (answer.headers[REQUEST_ID_HEADER] == given) is kept


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/login", "/logout", "/healthz", "/nowhere", f"{API}/teams", "/openapi.json"]
)
async def test_every_answer_is_hardened(client: Client, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "aiohttp" not in headers["Server"]
    assert headers[REQUEST_ID_HEADER]
    is_page = headers.get("Content-Type", "").startswith("text/html")
    assert (headers.get("Cross-Origin-Opener-Policy") == "same-origin") == is_page
    assert ("camera=()" in headers.get("Permissions-Policy", "")) == is_page
    assert ("form-action 'self';" in headers["Content-Security-Policy"]) == is_page
    assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize(
    ("address", "is_told"), [("https://ledger.example.com", True), ("http://localhost:8080", False)]
)
async def test_browsers_are_told_to_keep_to_tls_where_there_is_some(
    serve: Serve, address: str, *, is_told: bool
) -> None:
    client = await serve(public_url=address)
    for path in ("/healthz", "/", "/nowhere"):
        told = (await client.get(path)).headers.get("Strict-Transport-Security")
        assert told == ("max-age=63072000" if is_told else None)


def test_a_page_may_let_one_origin_be_posted_to() -> None:
    assert "form-action 'self' https://github.com; base-uri" in page_policy("https://github.com")
    assert "unsafe" not in page_policy("https://github.com")


async def test_a_redirect_stays_one_and_an_odd_status_has_a_title(aiohttp_client: Any) -> None:
    async def moved(request: web.Request) -> web.Response:
        raise web.HTTPFound("/healthz")

    async def unavailable(request: web.Request) -> web.Response:
        raise web.HTTPUnavailableForLegalReasons(link="https://example.com", text="internal")

    app = make_app(Rooms())
    app.router.add_get("/moved", moved)
    app.router.add_get("/law", unavailable)
    client = await aiohttp_client(app)
    assert (await client.get("/moved", allow_redirects=False)).status == 302
    answer = await client.get("/law")
    assert (answer.status, (await answer.json())["title"]) == (451, "Unavailable For Legal Reasons")
