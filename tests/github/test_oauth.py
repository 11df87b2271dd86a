"""People's tokens over the wire: what is sent, where to, and what becomes of strange answers."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.github.errors import GitHubError, GitHubUnavailable, Unauthorized
from bot.github.oauth import OAuth, TokenRefused, UserTokens, authorize_url

WHOLE = {
    "access_token": "ghu_first",
    "expires_in": 28800,
    "refresh_token": "ghr_first",
    "refresh_token_expires_in": 15811200,
    "scope": "",
    "token_type": "bearer",
}
SECRET = "client-secret-canary"


class Server:
    """Answers everything with one answer, and remembers what was asked."""

    def __init__(self) -> None:
        self.status, self.body, self.asked = 200, b"{}", list[tuple[web.Request, bytes]]()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self.server = TestServer(app)

    async def _handle(self, request: web.Request) -> web.Response:
        self.asked.append((request, await request.read()))
        return web.Response(status=self.status, body=self.body, content_type="application/json")

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")


@pytest.fixture
async def pages() -> AsyncIterator[Server]:
    server = Server()
    async with server.server:
        yield server


@pytest.fixture
async def api() -> AsyncIterator[Server]:
    server = Server()
    async with server.server:
        yield server


@pytest.fixture
async def oauth(pages: Server, api: Server) -> AsyncIterator[OAuth]:
    async with OAuth("Iv1", SECRET, server_url=pages.url + "/", api_url=api.url + "/api/v3") as oauth:
        yield oauth


def test_the_address_that_a_browser_is_sent_to() -> None:
    url = urlsplit(
        authorize_url("https://ghe.example/", "Iv1", "a&b", "challenge", "https://us.example/login/callback")
    )
    assert (url.netloc, url.path) == ("ghe.example", "/login/oauth/authorize")
    asked = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert asked == {
        "client_id": "Iv1",
        "redirect_uri": "https://us.example/login/callback",
        "state": "a&b",
        "code_challenge": "challenge",
        "code_challenge_method": "S256",
    }


async def test_a_code_goes_to_the_pages_with_its_verifier(oauth: OAuth, pages: Server, api: Server) -> None:
    pages.body = web.json_response(WHOLE).body  # type: ignore[assignment]
    tokens = await oauth.exchange("code", "verifier", "https://us.example/login/callback")
    assert tokens == UserTokens("ghu_first", timedelta(hours=8), "ghr_first", timedelta(days=183))
    assert not any(value in repr(tokens) for value in ("ghu_first", "ghr_first"))
    ((request, body),) = pages.asked
    assert (request.method, request.path, api.asked) == ("POST", "/login/oauth/access_token", [])
    assert {name: values[0] for name, values in parse_qs(body.decode()).items()} == {
        "client_id": "Iv1",
        "client_secret": SECRET,
        "code": "code",
        "code_verifier": "verifier",
        "redirect_uri": "https://us.example/login/callback",
    }
    assert "Authorization" not in request.headers


async def test_an_app_whose_tokens_do_not_expire(oauth: OAuth, pages: Server) -> None:
    pages.body = b'{"access_token": "ghu_first", "scope": "", "token_type": "bearer"}'
    assert await oauth.refresh("ghr") == UserTokens("ghu_first")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b'{"error": "bad_refresh_token", "error_description": "It is ghr_canary that expired"}', TokenRefused),
        (200, b'{"error": "incorrect_client_credentials"}', TokenRefused),
        (200, b"{}", GitHubUnavailable),
        (200, b'{"access_token": ""}', GitHubUnavailable),
        (200, b'{"access_token": 7, "refresh_token": "ghr_canary"}', GitHubUnavailable),
        (200, b"<html>ghr_canary", GitHubUnavailable),
        (200, b"\xff\xfe", GitHubUnavailable),
        (200, b"[]", GitHubUnavailable),
        (302, b"", GitHubError),
        (401, b'{"message": "no"}', Unauthorized),
        (404, b"{}", GitHubError),
        (500, b"", GitHubUnavailable),
        (503, b"<html>", GitHubUnavailable),
    ],
)
async def test_a_strange_answer_is_an_error_without_secrets(
    oauth: OAuth, pages: Server, status: int, body: bytes, error: type[GitHubError]
) -> None:
    pages.status, pages.body = status, body
    with pytest.raises(error) as raised:
        await oauth.refresh("ghr_canary")
    assert not any(canary in f"{raised.value!s}{raised.value!r}" for canary in ("canary", "ghr_"))
    assert raised.value.__cause__ is None
    # What may have been taken is not sent again.
    assert len(pages.asked) == 1


async def test_a_token_is_ended_over_the_api(oauth: OAuth, pages: Server, api: Server) -> None:
    for api.status in (204, 404, 422):
        await oauth.revoke("ghu_canary")
    assert pages.asked == []
    request, body = api.asked[0]
    assert (request.method, request.path, body) == (
        "DELETE",
        "/api/v3/applications/Iv1/token",
        b'{"access_token": "ghu_canary"}',
    )
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(f"Iv1:{SECRET}".encode()).decode()


@pytest.mark.parametrize(("status", "error"), [(401, Unauthorized), (500, GitHubUnavailable), (403, GitHubError)])
async def test_one_that_can_not_be_ended_is_told(
    oauth: OAuth, api: Server, status: int, error: type[GitHubError]
) -> None:
    api.status = status
    with pytest.raises(error) as raised:
        await oauth.revoke("ghu_canary")
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"expires_in": 1e18},
        {"expires_in": -1e300},
        {"expires_in": -1},
        {"refresh_token_expires_in": 1e18},
        {"refresh_token": "ghr_\r\nX: y"},
        {"access_token": "ghu_ \0"},
    ],
    ids=str,
)
async def test_a_token_that_comes_with_what_cannot_be_used_is_ended(
    oauth: OAuth, pages: Server, api: Server, spoilt: dict[str, object]
) -> None:
    told = WHOLE | spoilt
    pages.body, api.status = json.dumps(told).encode(), 204
    for asking in (oauth.exchange("code", "verifier", "https://us.example/"), oauth.refresh("ghr_former")):
        with pytest.raises(GitHubUnavailable):
            await asking
    assert [(request.method, json.loads(body)) for request, body in api.asked] == [
        ("DELETE", {"access_token": told["access_token"]})
    ] * 2


async def test_a_token_that_cannot_be_ended_either_is_none_all_the_same(
    oauth: OAuth, pages: Server, api: Server
) -> None:
    pages.body, api.status = json.dumps(WHOLE | {"expires_in": 1e18}).encode(), 500
    with pytest.raises(GitHubUnavailable, match="time"):
        await oauth.exchange("code", "verifier", "https://us.example/")
