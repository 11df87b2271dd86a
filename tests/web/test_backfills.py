"""Asking for history over HTTP: what may stand where, what is wrong with it, and what comes back."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.clock import Clock
from bot.demo.github import SimulatedGitHub
from bot.errors import DatabaseUnavailable, ParameterError
from bot.web.members import LIMIT
from tests.web.conftest import Client, Serve
from tests.web.rooms import API, NOW, TOKEN, Rooms

BACKFILLS = f"{API}/backfills"
AN_APP = {"app_id": 1, "private_key": SimulatedGitHub(Clock()).private_key_pem}
GOOD = {"team": "octo", "repoFullName": "octo/hello"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def client(serve: Serve) -> Client:
    return await serve(**AN_APP)


async def faults(client: Client, *, query: Any = (), body: Any = None, **headers: str) -> tuple[int, list[str]]:
    """Post, and return the status and the parameters that are said to be at fault."""
    raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    answer = await client.post(BACKFILLS, params=query, data=raw, headers=TOKEN | JSON | headers)
    problem = await answer.json()
    return answer.status, [fault["parameter"] for fault in problem.get("errors", [])]


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (GOOD, None),
        ({}, GOOD),
        ({"team": "octo"}, {"repoFullName": "octo/hello"}),
        (GOOD, GOOD),
        (GOOD, {}),
        ({}, GOOD | {"since": None, "until": None}),
        ({"repoFullName": "octo/hello"}, {"team": 1}),
    ],
)
async def test_what_is_asked_for_may_stand_in_query_or_body(
    client: Client, rooms: Rooms, query: Any, body: Any
) -> None:
    data = None if body is None else json.dumps(body)
    answer = await client.post(BACKFILLS, params=query, data=data, headers=TOKEN | ({} if body is None else JSON))
    assert (answer.status, answer.content_type) == (202, "application/json")
    assert (await answer.json())["id"] == 3
    assert rooms.asked == [("octo", ("octo/hello", None, None, NOW)), ("octo", 3)]


async def test_times_are_read_as_in_every_query(client: Client, rooms: Rooms) -> None:
    body = GOOD | {"since": "2026-01-01T00:00:00+01:00", "until": "2026-01-03"}
    assert (await client.post(BACKFILLS, json=body, headers=TOKEN)).status == 202
    since, until = datetime(2025, 12, 31, 23, tzinfo=UTC), datetime(2026, 1, 3, 23, 59, 59, 999999, tzinfo=UTC)
    assert rooms.asked[0][1] == ("octo/hello", since, until, NOW)


async def test_the_answer_to_a_request_is_kept_by_nobody(client: Client) -> None:
    for held in ("*", '"anything"'):
        answer = await client.post(BACKFILLS, params=GOOD, headers=TOKEN | {"If-None-Match": held})
        assert (answer.status, answer.headers["Cache-Control"]) == (202, "no-store")
        assert "ETag" not in answer.headers


MALFORMED: list[tuple[Any, Any, list[str]]] = [
    ({}, None, ["team", "repoFullName"]),
    ({}, {"team": None, "repoFullName": "octo/hello"}, ["team"]),
    (GOOD, {"team": "other"}, ["team"]),
    (GOOD, {"repoFullName": "octo/Hello"}, ["repoFullName"]),
    (GOOD | {"since": "2026-01-01"}, {"since": "2026-01-01T00:00:00Z"}, ["since"]),
    (GOOD, {"colour": "blue"}, ["colour"]),
    (GOOD | {"colour": "red"}, {"colour": "blue"}, ["colour", "colour"]),
    ({}, GOOD | {"repoFullName": "hello"}, ["repoFullName"]),
    ({}, GOOD | {"repoFullName": "octo/hello\n"}, ["repoFullName"]),
    ({}, GOOD | {"team": "o\0"}, ["team"]),
    ({}, GOOD | {"team": "\ud83d"}, ["team"]),
    ({}, GOOD | {"\ud83d": "1"}, [r"\ud83d"]),
    ({}, GOOD | {"since": "yesterday"}, ["since"]),
    ({}, GOOD | {"since": 20260101}, ["since"]),
    ({}, GOOD | {"team": ["octo"]}, ["team"]),
    ({}, GOOD | {"team": True}, ["team"]),
    ({}, GOOD | {"team": 1.5}, ["team"]),
    ({}, GOOD | {"until": {"date": "2026-01-01"}}, ["until"]),
    (GOOD, [], ["body"]),
    (GOOD, [["team", "octo"]], ["body"]),
    (GOOD, "octo", ["body"]),
    (GOOD, b"null", ["body"]),
    (GOOD, b"{", ["body"]),
    (GOOD, b"{}{}", ["body"]),
    (GOOD, b" ", ["body"]),
    (GOOD, b"team=octo", ["body"]),
    (GOOD, b'{"team": "\xff"}', ["body"]),
    (GOOD, '{"team": "octo"}'.encode("utf-16"), ["body"]),
    (GOOD, b"[" * 30_000, ["body"]),
    (GOOD, b'{"a":' * 10_000 + b"1" + b"}" * 10_000, ["body"]),
    (GOOD, b'{"team": ' + b"9" * 5000 + b"}", ["body"]),
    (GOOD, b'{"team": NaN}', ["team"]),
    ({}, b'{"team": "octo", "team": "octo", "repoFullName": "octo/hello"}', ["team"]),
    (GOOD, b" " * LIMIT + b"{}", ["body"]),
]


@pytest.mark.parametrize(("query", "body", "named"), MALFORMED, ids=range(len(MALFORMED)))
async def test_whatever_is_malformed_is_named(
    client: Client, rooms: Rooms, query: Any, body: Any, named: list[str]
) -> None:
    assert await faults(client, query=query, body=body) == (400, named)
    assert rooms.asked == []


async def test_a_body_of_the_largest_size_is_read(client: Client) -> None:
    raw = json.dumps(GOOD).encode().ljust(LIMIT)
    assert (await client.post(BACKFILLS, data=raw, headers=TOKEN | JSON)).status == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/problem+json"},
        {"Content-Encoding": "gzip"},
    ],
)
async def test_a_body_of_another_kind_is_not_read(client: Client, rooms: Rooms, headers: dict[str, str]) -> None:
    assert await faults(client, query=GOOD, body={}, **headers) == (415, [])
    assert rooms.asked == []


@pytest.mark.parametrize("media", ["application/json; charset=utf-8", "Application/JSON"])
async def test_json_is_json_however_it_is_written(client: Client, media: str) -> None:
    answer = await client.post(BACKFILLS, data=json.dumps(GOOD), headers=TOKEN | {"Content-Type": media})
    assert answer.status == 202


async def test_no_body_needs_no_kind(client: Client) -> None:
    for headers in ({"Content-Length": "0"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        assert (await client.post(BACKFILLS, params=GOOD, data=b"", headers=TOKEN | headers)).status == 202


async def test_a_stranger_is_turned_away_before_the_body_is_looked_at(client: Client) -> None:
    answer = await client.post(BACKFILLS, data=b"{", headers=JSON)
    assert answer.status == 401


async def test_a_repository_that_is_not_yours_is_the_bytes_of_a_team_that_is_not_yours(client: Client) -> None:
    asked = [GOOD | {"repoFullName": "octo/other"}, GOOD | {"team": "someone-elses"}, GOOD | {"team": "nobody"}]
    answers = [await client.post(BACKFILLS, json=each, headers=TOKEN) for each in asked]
    answers.append(await client.get(f"{API}/nowhere", headers=TOKEN))
    assert len({(answer.status, await answer.read()) for answer in answers}) == 1
    assert answers[0].status == 404


async def test_what_history_finds_wrong_is_named(client: Client, rooms: Rooms) -> None:
    rooms.failure = None
    rooms.hold.set()
    rooms.ask_failure = ParameterError("since", "must be before the end of what is asked for")
    assert await faults(client, query=GOOD) == (400, ["since"])
    rooms.ask_failure = DatabaseUnavailable("gone")
    answer = await client.post(BACKFILLS, params=GOOD, headers=TOKEN)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize(
    "settings", [{}, {"app_id": 1}, {"private_key": AN_APP["private_key"]}], ids=["neither", "id", "key"]
)
async def test_without_an_app_nothing_is_promised(serve: Serve, rooms: Rooms, settings: dict[str, Any]) -> None:
    client = await serve(**settings)
    answer = await client.post(BACKFILLS, params=GOOD, headers=TOKEN)
    assert (answer.status, answer.content_type) == (503, "application/problem+json")
    assert "APP_ID" in (await answer.json())["detail"]
    assert "Retry-After" not in answer.headers
    assert rooms.asked == []
    # What is wrong, or not theirs, is told first.
    assert (await client.post(BACKFILLS, headers=TOKEN)).status == 400
    assert (await client.post(BACKFILLS, params=GOOD | {"team": "nobody"}, headers=TOKEN)).status == 404


async def test_it_is_asked_for_by_post_alone(client: Client) -> None:
    answer = await client.get(BACKFILLS, params=GOOD, headers=TOKEN)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
