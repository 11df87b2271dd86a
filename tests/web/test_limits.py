"""How often somebody may ask: what a bucket grants, whose bucket it is, and what is told of it."""

from itertools import pairwise

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from bot.access import tokens
from bot.access.secrets import new_secret
from bot.clock import Clock
from bot.web import keys
from bot.web.limits import Limits, Standing, network_of
from bot.web.problems import Problem
from tests.web.conftest import Client, Serve
from tests.web.rooms import API, NOW, TOKEN, WEBHOOK, Rooms, delivery_headers

A_MINUTE, BURST, WRITES, STRANGERS, LOOKUPS = 600, 120, 30, 60, 300
BAD_TOKEN = {"Authorization": "Bearer another-token"}


class Hands(Clock):
    """A clock that shows what it is set to."""

    at = 0.0

    def monotonic(self) -> float:
        return self.at


REQUESTS = {method: make_mocked_request(method, "/") for method in ("GET", "HEAD", "PUT", "POST")}


def charged(limits: Limits, method: str = "GET", credential: str = "token 1") -> Standing:
    request = REQUESTS[method]
    try:
        limits.charge(request, credential, "its secret")
    except Problem:
        assert request[keys.STANDING].wait
    return request[keys.STANDING]


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 150)), max_size=6))
def test_no_span_of_time_holds_more_than_is_promised(bursts: list[tuple[float, int]]) -> None:
    clock = Hands()
    limits = Limits(clock, A_MINUTE)
    granted: list[tuple[float, int]] = []
    for pause, count in bursts:
        clock.at += pause
        granted.append((clock.at, sum(not charged(limits).wait for _ in range(count))))
    for first, (since, _) in enumerate(granted):
        for last in range(first, len(granted)):
            until = granted[last][0]
            assert (
                sum(count for _, count in granted[first : last + 1]) <= BURST + (until - since) * A_MINUTE / 60 + 1e-3
            )


@given(st.integers(1, 400), st.lists(st.floats(0, 5), max_size=4))
def test_whoever_waits_as_long_as_is_told_is_let_in(a_minute: int, pauses: list[float]) -> None:
    clock = Hands()
    limits = Limits(clock, a_minute)
    for pause in pauses:
        clock.at += pause
        while not (standing := charged(limits)).wait:
            assert 0 <= standing.remaining < standing.limit
        assert standing.remaining == 0
        clock.at += standing.wait
        assert charged(limits).wait == 0
        clock.at += charged(limits).reset
        assert charged(limits).remaining == max(a_minute // 5, 1) - 1


def test_what_remains_is_counted_down_to_nothing() -> None:
    limits = Limits(Hands(), A_MINUTE)
    told = [charged(limits) for _ in range(BURST + 1)]
    assert [standing.remaining for standing in told] == [*range(BURST - 1, -1, -1), 0]
    assert all(before.reset <= after.reset for before, after in pairwise(told))
    assert [standing.wait for standing in told] == [0] * BURST + [1]
    assert told[-1].headers == {
        "RateLimit-Limit": "120",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "12",
        "Retry-After": "1",
    }


def test_each_credential_has_a_bucket_and_another_for_what_it_changes() -> None:
    limits = Limits(Hands(), A_MINUTE)
    while not charged(limits).wait:
        pass
    assert charged(limits, credential="token 2").remaining == BURST - 1
    assert charged(limits, "PUT").remaining == WRITES - 1
    assert charged(limits, "POST").remaining == WRITES - 2
    assert charged(limits, "HEAD").wait


def test_at_nought_nothing_is_limited() -> None:
    limits = Limits(Hands(), 0)
    request = make_mocked_request("GET", "/")
    for _ in range(200):
        limits.charge(request, "token 1", "its secret")
        limits.check_stranger(request, "a secret")
        limits.charge_stranger(request)
    assert keys.STANDING not in request


@pytest.mark.parametrize(
    ("peer", "forwarded", "network"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("8.8.8.8", ["1.1.1.1"], "8.8.8.8"),
        ("2a00:1450::8", ["1.1.1.1"], "2a00:1450::/64"),
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["1.1.1.1"], "1.1.1.1"),
        ("127.0.0.1", ["6.6.6.6, 1.1.1.1"], "1.1.1.1"),
        ("127.0.0.1", ["6.6.6.6", "7.7.7.7,1.1.1.1"], "1.1.1.1"),
        ("::ffff:10.1.2.3", ["2a00:1450:1:2:3::4"], "2a00:1450:1:2::/64"),
        ("fe80::1%eth0", ["1.1.1.1"], "1.1.1.1"),
        ("100.64.0.1", ["1.1.1.1"], "1.1.1.1"),
        ("10.1.2.3", ["nobody"], "10.1.2.3"),
        ("10.1.2.3", [""], "10.1.2.3"),
        ("", ["1.1.1.1"], "1.1.1.1"),
        ("", [], "None"),
    ],
)
def test_only_a_proxy_nearby_is_believed_whom_it_passes_on(peer: str, forwarded: list[str], network: str) -> None:
    assert network_of(peer, forwarded) == network


async def test_an_api_answer_tells_how_its_credential_stands(client: Client) -> None:
    for path, remaining in ((f"{API}/teams", "119"), (f"{API}/workflow-runs?team=elsewhere", "118")):
        answer = await client.get(path, headers=TOKEN)
        assert answer.headers["RateLimit-Limit"] == "120"
        assert answer.headers["RateLimit-Remaining"] == remaining
        assert answer.headers["RateLimit-Reset"] in {"1", "2"}


async def test_too_many_are_refused_before_the_record_is_asked(serve: Serve, rooms: Rooms) -> None:
    client = await serve(api_rate_limit=10)
    path = f"{API}/workflow-runs?team=octo"
    assert [(await client.get(path, headers=TOKEN)).status for _ in range(2)] == [200, 200]
    asked = len(rooms.asked)
    answer = await client.get(path, headers=TOKEN)
    assert (answer.status, answer.content_type) == (429, "application/problem+json")
    assert answer.headers["Retry-After"] == "6"
    assert "ask less often" in (await answer.json())["detail"]
    assert len(rooms.asked) == asked


async def test_whoever_guesses_is_stopped_and_nobody_who_was_let_in_with_them(client: Client) -> None:
    assert (await client.get(f"{API}/teams", headers=TOKEN)).status == 200
    told = [(await client.get(f"{API}/teams", headers=BAD_TOKEN)).status for _ in range(STRANGERS + 2)]
    assert told == [401] * STRANGERS + [429, 429]
    assert (await client.get(f"{API}/teams", headers=TOKEN)).status == 200
    assert (await client.get(f"{API}/teams")).status == 429
    elsewhere = {"X-Forwarded-For": "6.6.6.6, 1.1.1.1"}
    assert (await client.get(f"{API}/teams", headers=BAD_TOKEN | elsewhere)).status == 429


async def test_a_proxy_is_believed_where_there_must_be_one(serve: Serve) -> None:
    client = await serve(public_url="https://ledger.example.com")
    for number in range(STRANGERS + 1):
        invented = {"X-Forwarded-For": f"10.9.{number}.1, 1.1.1.1"}
        last = await client.get(f"{API}/teams", headers=BAD_TOKEN | invented)
    assert last.status == 429
    elsewhere = {"X-Forwarded-For": "6.6.6.6, 2.2.2.2"}
    assert (await client.get(f"{API}/teams", headers=BAD_TOKEN | elsewhere)).status == 401


async def test_a_good_token_is_found_though_its_address_has_sent_bad_ones(serve: Serve, rooms: Rooms) -> None:
    client, good = await serve(), new_secret(tokens.PREFIX)
    rooms.good_token = good
    bad = {"Authorization": f"Bearer {new_secret(tokens.PREFIX)}"}
    told = [(await client.get(f"{API}/teams", headers=bad)).status for _ in range(STRANGERS + LOOKUPS)]
    assert told == [401] * STRANGERS + [429] * LOOKUPS
    assert (await client.get(f"{API}/teams", headers={"Authorization": f"Bearer {good}"})).status == 200


async def test_so_many_tokens_that_look_good_are_looked_up_and_no_more(client: Client, rooms: Rooms) -> None:
    for number in range(LOOKUPS + 1):
        if number == LOOKUPS:
            rooms.failure = RuntimeError("nobody should have looked")
        guessed = {"Authorization": f"Bearer {new_secret(tokens.PREFIX)}"}
        last = await client.get(f"{API}/teams", headers=guessed)
    assert last.status == 429


def test_a_credential_that_was_found_bad_may_become_good_again() -> None:
    limits = Limits(Hands(), A_MINUTE)
    limits.note_bad("its secret")
    charged(limits)
    assert not limits._bad


async def test_an_unknown_credential_from_there_is_not_even_looked_up(client: Client, rooms: Rooms) -> None:
    for _ in range(STRANGERS):
        await client.get(f"{API}/teams", headers=BAD_TOKEN)
    rooms.failure = RuntimeError("nobody should have looked")
    assert (await client.get(f"{API}/teams", headers=BAD_TOKEN)).status == 429


async def test_a_guessed_metrics_token_counts_too(serve: Serve) -> None:
    client = await serve(metrics_token="right")
    headers = {"Via": "1.1 proxy", "Authorization": "Bearer wrong"}
    told = [(await client.get("/metrics", headers=headers)).status for _ in range(STRANGERS + 1)]
    assert told == [401] * STRANGERS + [429]


async def test_a_page_is_limited_as_a_page(serve: Serve) -> None:
    client = await serve(api_rate_limit=10)
    assert (await client.get("/")).status == 200
    answer = await client.get("/")
    assert (answer.status, answer.content_type) == (429, "text/html")
    assert answer.headers["Retry-After"] == "60"


async def test_github_and_health_checks_and_files_are_not_counted(serve: Serve) -> None:
    client = await serve(api_rate_limit=1)
    for number in range(5):
        for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
            answer = await client.get(path)
            assert (answer.status, "RateLimit-Limit" in answer.headers) == (200, False)
        body = f'{{"at": "{NOW}", "number": {number}}}'.encode()
        headers = delivery_headers(body, X_GitHub_Delivery=f"0b1f1c1e-0000-11ef-8000-{number:012}")
        assert (await client.post(WEBHOOK, data=body, headers=headers)).status == 202
