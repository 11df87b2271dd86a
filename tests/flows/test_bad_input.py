"""Bad input against the running service: it is refused or ends dead, nothing leaks, and neighbours are unharmed."""

import http.client
import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bot.clock import Clock
from bot.demo.github import SimulatedGitHub
from tests import builders as make
from tests.flows.programs import run, serving
from tests.real_input import API, Json, Service

# Nobody answers as GitHub there, so that what is asked of it only waits; and nobody is told to ask less often.
AN_APP = {
    "API_RATE_LIMIT": "0",
    "APP_ID": "1",
    "PRIVATE_KEY": SimulatedGitHub(Clock()).private_key_pem,
    "GITHUB_API_URL": "http://127.0.0.1:1",
}


class World(NamedTuple):
    """A service with the records of two teams, and what is needed to ask it."""

    folder: Path
    address: str
    service: Service
    tokens: Mapping[str, str]
    document: Json

    def ask(self, path: str, token: str | None = "octo-org", method: str = "GET") -> tuple[int, bytes]:
        """Ask for a path and query that are already escaped."""
        parts = urlsplit(self.address)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        headers = {} if token is None else {"Authorization": f"Bearer {self.tokens.get(token, token)}"}
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _token(folder: Path, team: str, name: str) -> str:
    made = run(folder, "token", "create", "--team", team, "--name", name, "--expires", "1")
    assert made.code == 0, made.err
    return made.out.strip()


def _expire(folder: Path, name: str) -> None:
    database = sqlite3.connect(folder / "runledger.sqlite3", timeout=10)
    with database:
        database.execute("UPDATE api_token SET expires_at = '2020-01-01 00:00:00+00:00' WHERE name = ?", (name,))
    database.close()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as name, serving(folder := Path(name), **AN_APP) as address:
        service = Service(folder, address)
        for installation, owner in ((71, "octo-org"), (72, "second")):
            home = make.repository(f"{owner}/hello", installation, installation + 5)
            linked = [make.linked(1, installation)]
            for event, body in (
                ("workflow_run", make.run(installation, pull_requests=linked)),
                ("workflow_job", make.job(installation, installation)),
            ):
                raw = make.event("completed", repo=home, installation=installation, **{event: body})
                guid = make.guid()
                assert service.post(event, guid, raw)[0] == 202
                assert service.outcome(guid) == "handled"
        tokens = {team: _token(folder, team, team) for team in ("octo-org", "second")}
        tokens |= {name: _token(folder, "octo-org", name) for name in ("revoked", "expired")}
        assert run(folder, "token", "revoke", "revoked").code == 0
        _expire(folder, "expired")
        world = World(folder, address, service, tokens, {})
        yield world._replace(document=json.loads(world.ask("/openapi.json", None)[1]))


def _subject(event: str, **changes: Any) -> bytes:
    bodies: dict[str, Callable[..., make.Body]] = {
        "workflow_run": make.run,
        "workflow_job": make.job,
        "pull_request": make.pull_request,
    }
    return make.event("completed", **{event: bodies[event](**changes)})  # type: ignore[arg-type]


def _without(raw: bytes, *path: str) -> bytes:
    body = inner = json.loads(raw)
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return json.dumps(body).encode()


GOOD_RUN, GOOD_JOB, GOOD_PULL = (_subject(event) for event in ("workflow_run", "workflow_job", "pull_request"))
POISON: dict[str, tuple[str, bytes]] = {
    "null job": ("workflow_job", GOOD_JOB.replace(b'"workflow_job": {', b'"workflow_job": null, "x": {')),
    "no run": ("workflow_run", _without(GOOD_RUN, "workflow_run")),
    "no repository": ("workflow_run", _without(GOOD_RUN, "repository")),
    "no owner": ("workflow_job", _without(GOOD_JOB, "repository", "owner")),
    "no id": ("workflow_run", _without(GOOD_RUN, "workflow_run", "id")),
    "no head": ("pull_request", _without(GOOD_PULL, "pull_request", "head")),
    "a list for a run": ("workflow_run", GOOD_RUN.replace(b'"workflow_run": {', b'"workflow_run": [], "x": {')),
    "a text for an id": ("workflow_run", _subject("workflow_run", id="100")),
    "a number for a name": ("workflow_job", _subject("workflow_job", name=5)),
    "a fraction for an id": ("workflow_run", _subject("workflow_run", id=1.5)),
    "a negative id": ("workflow_run", _subject("workflow_run", id=-1)),
    "2^63": ("workflow_run", _subject("workflow_run", id=2**63)),
    "2^70": ("workflow_job", _subject("workflow_job", run_id=2**70)),
    "attempt 2^31": ("workflow_run", _subject("workflow_run", run_attempt=2**31)),
    "1e400": ("workflow_run", GOOD_RUN.replace(b'"run_number": 4', b'"run_number": 1e400')),
    "NaN": ("workflow_run", GOOD_RUN.replace(b'"run_number": 4', b'"run_number": NaN')),
    "no such day": ("workflow_run", _subject("workflow_run", created_at="2026-02-30T00:00:00Z")),
    "no offset": ("workflow_run", _subject("workflow_run", created_at="2026-02-03T00:00:00")),
    "before the calendar": ("workflow_run", _subject("workflow_run", updated_at="0001-01-01T00:00:00+14:00")),
    "NUL in a name": ("workflow_job", _subject("workflow_job", name="a\0b")),
    "NUL in a step": ("workflow_job", _subject("workflow_job", steps=[make.step(1, "\0")])),
    "NUL in a label": ("workflow_job", _subject("workflow_job", labels=["\0"])),
    "a bare NUL": ("workflow_run", GOOD_RUN.replace(b"topic", b"to\0pic")),
    "a lone surrogate": ("workflow_run", _subject("workflow_run", display_title="\ud83d")),
    "not UTF-8": ("workflow_run", GOOD_RUN.replace(b"topic", b"to\xffpic")),
    "depth 100,000": ("workflow_run", b'{"workflow_run":' * 100_000 + b"1" + b"}" * 100_000),
    "unfinished depth": ("workflow_job", b"[" * 100_000),
    "deep where nobody looks": ("ping", b'{"zen":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "not JSON": ("workflow_run", b"workflow_run=1"),
    "nothing": ("workflow_run", b""),
    "half": ("workflow_run", GOOD_RUN[: len(GOOD_RUN) // 2]),
    "two": ("workflow_run", GOOD_RUN + GOOD_RUN),
    "null": ("workflow_run", b"null"),
    "a text": ("pull_request", b'"hello"'),
    "a list": ("ping", b"[]"),
    "an installation without account": ("installation", b'{"action":"created","installation":{"id":1}}'),
    "repositories that are a number": (
        "installation_repositories",
        make.installation_event("added")[:-1] + b', "repositories_added": 5}',
    ),
    "a rename to nothing": ("repository", b'{"action":"renamed","repository":null}'),
    "a very long branch": ("workflow_run", _subject("workflow_run", head_branch="x" * 5000)),
}


def test_poison_ends_dead_with_a_reason_and_harms_no_neighbour(world: World) -> None:
    home = make.repository("neighbours/hello", 81, 86)
    sent: dict[str, str] = {}
    for number, (kind, (event, raw)) in enumerate(POISON.items(), 1000):
        good = make.event("completed", repo=home, installation=81, workflow_run=make.run(number))
        assert world.service.post("workflow_run", make.guid(), good)[0] == 202
        sent[kind] = make.guid()
        assert world.service.post(event, sent[kind], raw) == (202, {"status": "accepted"}), kind
    world.service.settle()
    listed = run(world.folder, "inbox", "list", "--state", "dead").out.splitlines()
    reasons = {line.split(maxsplit=5)[1]: line.split(maxsplit=5)[5] for line in listed}
    assert set(reasons) == set(sent.values())
    assert all(len(reason) > 10 for reason in reasons.values())
    token = _token(world.folder, "neighbours", "neighbours")
    status, answer = world.ask(f"{API}/workflow-runs?team=neighbours&limit=100", token)
    assert (status, json.loads(answer)["total"]) == (200, len(POISON))


GARBAGE = [
    "",
    " ",
    "0",
    "-1",
    "1.5",
    "1e3",
    "NaN",
    "null",
    "true",
    "٣",
    "9" * 40,
    str(2**63),
    str(2**31),
    "' OR 1=1 --",
    "1; DROP TABLE workflow_run",
    '") OR ("1"="1',
    "%",
    "_",
    "../../etc/passwd",
    "a\0b",
    "\r\nSet-Cookie: a=b",
    "🚀" * 300,
    "x" * 3000,
    "MTIz",
    "{{7*7}}",
    "9999-99-99",
    "0001-01-01T00:00:00+23:59",
    "[]",
]
RAW_GARBAGE = ["%ff", "%ed%a0%80", "%", "%00", "%u0041"]


class Asked(NamedTuple):
    """An operation of the document, and one good value for each parameter that it requires."""

    method: str
    path: str
    required: dict[str, str]
    parameters: list[str]


GOOD_VALUES = {
    "team": "octo-org",
    "repoFullName": "octo-org/hello",
    "prNumber": "1",
    "runId": "71",
    "id": "1",
    "repositoryId": "71",
}


def _operations(document: Json) -> list[Asked]:
    found = []
    for path, methods in document["paths"].items():
        for method in methods if path.startswith(API) else ():
            parameters = [each for each in methods[method]["parameters"] if "$ref" not in each]
            needed = [
                each["name"] for each in parameters if each["required"] or "required, here" in each["description"]
            ]
            values = {name: GOOD_VALUES[name] for name in needed}
            found.append(Asked(method.upper(), path, values, [each["name"] for each in parameters]))
    return found


def _address(asked: Asked, name: str, escaped: str) -> str:
    values = {key: quote(value, safe="") for key, value in asked.required.items()} | {name: escaped}
    path = asked.path
    for key in [key for key in values if f"{{{key}}}" in path]:
        path = path.replace(f"{{{key}}}", values.pop(key) or "%20")
    return f"{path}?{'&'.join(f'{key}={value}' for key, value in values.items())}"


def _rows(answer: bytes) -> int:
    body = json.loads(answer)
    return sum(len(value) for value in body.values() if isinstance(value, list))


def test_every_parameter_takes_garbage_calmly(world: World) -> None:
    operations = _operations(world.document)
    assert len(operations) >= 8
    asked = 0
    for operation in operations:
        for name in [*operation.parameters, "unknown"]:
            for escaped in [*(quote(value.encode(), safe="") for value in GARBAGE), *RAW_GARBAGE]:
                address = _address(operation, name, escaped)
                status, answer = world.ask(address, method=operation.method)
                asked += 1
                # A text that is well formed is a filter that nothing fits, or a flag that says nothing.
                fits = status == 200 and (not _rows(answer) or (name, escaped) == ("latest", "true"))
                assert fits or status in {400, 404}, (address, status, answer)
                if status == 400 and "{" + name not in operation.path:
                    assert json.loads(answer)["errors"][0]["parameter"] in {name, "cursor"}, address
    assert asked > 1000


def test_a_repeated_parameter_is_named(world: World) -> None:
    status, answer = world.ask(f"{API}/workflow-runs?team=octo-org&team=second")
    assert (status, json.loads(answer)["errors"]) == (
        400,
        [{"parameter": "team", "message": "is given more than once"}],
    )


@pytest.mark.parametrize("token", [None, "revoked", "expired", "rlt_" + "a" * 43, "", "' OR 1=1 --", "x" * 9000])
def test_without_a_token_in_force_nothing_is_answered(world: World, token: str | None) -> None:
    for operation in _operations(world.document):
        status, answer = world.ask(_address(operation, "unknown", "1"), token, operation.method)
        assert (status, b"octo-org" in answer) == (400 if token == "x" * 9000 else 401, False)


def test_another_teams_token_gets_the_bytes_of_what_is_not_there(world: World) -> None:
    for operation in _operations(world.document):
        if "team" not in operation.parameters:
            continue
        theirs, nobodys = (
            world.ask(_address(operation, "team", team), "second", operation.method)
            for team in ("octo-org", "no-such-team")
        )
        assert theirs == nobodys
        assert theirs[0] == 404
    by_id = [world.ask(f"{API}/workflow-runs?team={number}", "second") for number in range(1, 6)]
    assert sorted(status for status, _ in by_id) == [200, 404, 404, 404, 404]
    assert {run["team"] for _, answer in by_id for run in json.loads(answer).get("runs", [])} == {"second"}
    status, answer = world.ask(f"{API}/workflow-runs/71?team=second", "second")
    assert (status, answer) == world.ask(f"{API}/workflow-runs/4711?team=second", "second")
    status, answer = world.ask(f"{API}/workflow-runs?{urlencode({'team': 'second', 'installationId': 71})}", "second")
    assert (status, _rows(answer)) == (200, 0)


CONFORMS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]


@pytest.mark.parametrize("token", ["octo-org", None], ids=["with a token", "without"])
def test_the_document_tells_every_answer(world: World, token: str | None) -> None:
    headers = {"Authorization": f"Bearer {world.tokens[token]}"} if token else {}
    schema = schemathesis.openapi.from_dict(world.document)
    tried: list[int] = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        _check_operation(found.ok(), world.address, headers, tried)
    assert {200, 400, 401 if token is None else 404} <= set(tried)


def _check_operation(operation: Any, address: str, headers: dict[str, str], tried: list[int]) -> None:
    cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE) | operation.as_strategy(
        generation_mode=GenerationMode.NEGATIVE
    )

    @settings(max_examples=12, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def check(case: Any) -> None:
        for name in ("team", "repoFullName"):
            if isinstance(case.query, dict) and name in case.query and len(tried) % 2:
                case.query[name] = GOOD_VALUES[name]
        response = case.call(base_url=address, headers=headers)
        tried.append(response.status_code)
        case.validate_response(response, checks=CONFORMS)

    check()


GOOD_REQUEST = {name: GOOD_VALUES[name] for name in ("team", "repoFullName")}


@pytest.mark.parametrize(
    ("query", "body", "status"),
    [
        (GOOD_REQUEST, None, 202),
        ({}, GOOD_REQUEST | {"since": "2026-01-01", "until": "2026-01-05T09:00:00Z"}, 202),
        (GOOD_REQUEST, {"repoFullName": "octo-org/other"}, 400),
        ({}, [GOOD_REQUEST], 400),
        ({}, GOOD_REQUEST | {"repoFullName": "second/hello"}, 404),
    ],
)
def test_the_document_tells_what_asking_for_history_is_answered(
    world: World, query: dict[str, str], body: Any, status: int
) -> None:
    operation = schemathesis.openapi.from_dict(world.document)[f"{API}/backfills"]["POST"]
    given = {} if body is None else {"body": body, "media_type": "application/json"}
    case = operation.Case(query=query, **given)
    response = case.call(base_url=world.address, headers={"Authorization": f"Bearer {world.tokens['octo-org']}"})
    assert response.status_code == status
    case.validate_response(response, checks=CONFORMS)
