"""Pages of other origins: none may read the API, but those that CORS_ORIGINS lists."""

import pytest

from tests.web.conftest import Client, Serve
from tests.web.rooms import API, TOKEN

ORIGIN, OTHER = "https://dash.example.org", "https://evil.example.org"
PREFLIGHT = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
TEAMS = f"{API}/teams"


def granted(headers: object) -> list[str]:
    return [name for name in map(str, headers) if name.lower().startswith("access-control-")]  # type: ignore[call-overload]


@pytest.mark.parametrize("path", [TEAMS, "/", "/docs", "/login", "/openapi.json", "/healthz"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_it_is_off_unless_asked_for(client: Client, path: str, method: str) -> None:
    answer = await client.request(method, path, headers=TOKEN | PREFLIGHT | {"Origin": ORIGIN}, allow_redirects=False)
    assert granted(answer.headers) == []
    assert "Origin" not in answer.headers.get("Vary", "")
    assert (answer.status == 405) == (method == "OPTIONS")


async def test_a_listed_origin_may_read_and_never_with_a_cookie(serve: Serve) -> None:
    client = await serve(cors_origins=f"{ORIGIN}, https://b.example")
    for headers, status in ((TOKEN, 200), ({}, 401)):
        answer = await client.get(TEAMS, headers=headers | {"Origin": ORIGIN})
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert {"ETag", "RateLimit-Remaining", "Retry-After", "X-Request-Id"} <= set(
            answer.headers["Access-Control-Expose-Headers"].split(", ")
        )
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Origin" in answer.headers["Vary"].split(", ")


async def test_a_preflight_tells_the_methods_of_the_address(serve: Serve) -> None:
    client = await serve(cors_origins=ORIGIN)
    for path, methods in (
        (TEAMS, {"GET", "HEAD"}),
        (f"{API}/backfills", {"POST"}),
        (f"{API}/backfills/1", {"GET", "HEAD"}),
    ):
        answer = await client.options(path, headers=PREFLIGHT | {"Origin": ORIGIN})
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert set(answer.headers["Access-Control-Allow-Methods"].split(", ")) == methods
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"].split(", ")
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", [OTHER, "null", "https://dash.example.org.evil.example", "http://dash.example.org", ""]
)
async def test_any_other_origin_is_told_nothing(serve: Serve, origin: str) -> None:
    client = await serve(cors_origins=ORIGIN)
    read = await client.get(TEAMS, headers=TOKEN | {"Origin": origin})
    asked = await client.options(TEAMS, headers=PREFLIGHT | {"Origin": origin})
    assert (read.status, asked.status) == (200, 405)
    assert granted(read.headers) == granted(asked.headers) == []
    assert "Origin" in read.headers["Vary"].split(", ")


@pytest.mark.parametrize("path", ["/", "/login", "/docs", "/healthz", "/api/github/webhooks", f"{API}/nowhere"])
async def test_nothing_but_the_api_is_opened(serve: Serve, path: str) -> None:
    client = await serve(cors_origins=ORIGIN)
    preflight = await client.options(path, headers=PREFLIGHT | {"Origin": ORIGIN})
    assert preflight.status in {404, 405}
    assert "Access-Control-Allow-Methods" not in preflight.headers
    if not path.startswith(API):
        read = await client.get(path, headers={"Origin": ORIGIN}, allow_redirects=False)
        assert granted(read.headers) == []


async def test_options_without_a_preflight_is_a_method_like_another(serve: Serve) -> None:
    client = await serve(cors_origins=ORIGIN)
    assert (await client.options(TEAMS, headers={"Origin": ORIGIN})).status == 405
