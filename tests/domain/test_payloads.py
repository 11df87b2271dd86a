"""Whatever a signed body holds, reading it ends in facts or in MalformedPayload, which says what is wrong."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import events
from bot.domain import facts, payloads
from bot.errors import MalformedPayload
from tests.domain.anything import BEYOND, EVENTS, VALUES, spoilt
from tests.domain.sent import Path, changed, paths, sent, told, without

SUBJECTS = ("workflow_run", "workflow_job", "pull_request")
DEEP = 100_000

# What nothing can be recorded without.
REQUIRED: dict[str, list[Path]] = {
    "workflow_run": [
        ("repository",),
        ("repository", "id"),
        ("repository", "full_name"),
        ("repository", "owner"),
        ("repository", "owner", "login"),
        ("workflow_run",),
        *(("workflow_run", name) for name in ("id", "status", "created_at", "updated_at")),
    ],
    "workflow_job": [("workflow_job",), *(("workflow_job", name) for name in ("id", "run_id", "name", "status"))],
    "pull_request": [
        ("pull_request",),
        *(("pull_request", name) for name in ("id", "number", "state", "head", "base", "updated_at")),
        ("pull_request", "head", "sha"),
    ],
    "check_run": [("check_run",), ("check_run", "head_sha"), ("sender",), ("sender", "id"), ("sender", "login")],
    "check_suite": [("check_suite",), ("check_suite", "head_sha"), ("check_suite", "app", "id"), ("sender", "login")],
    "repository": [("repository",), ("repository", "id")],
    "installation": [("installation",), ("installation", "id"), ("installation", "account", "id")],
    "installation_repositories": [("installation",), ("repositories_added", 0, "full_name")],
    "installation_target": [("account",), ("installation",)],
    "github_app_authorization": [("sender",), ("sender", "id"), ("sender", "login")],
}


@pytest.mark.parametrize("event", sorted(events.ACTED_ON))
def test_the_whole_body_is_read(event: str) -> None:
    assert bool(told(event, sent(event))) is (event != "ping")


@pytest.mark.parametrize(("event", "path"), [(event, path) for event, listed in REQUIRED.items() for path in listed])
def test_missing_or_null(event: str, path: Path) -> None:
    name = str(path[-1])
    with pytest.raises(MalformedPayload, match=f"missing required field `{name}`"):
        told(event, without(sent(event), path))
    with pytest.raises(MalformedPayload, match=f"got `null`.*{name}"):
        told(event, changed(sent(event), path, None))


@pytest.mark.parametrize(
    ("event", "path", "value", "reason"),
    [
        ("workflow_job", ("workflow_job",), [], r"Expected `object`, got `array`.*workflow_job"),
        ("workflow_job", ("workflow_job", "steps"), {}, r"steps"),
        ("workflow_job", ("workflow_job", "steps", 0), 1, r"steps\[0\]"),
        ("workflow_job", ("workflow_job", "labels"), [1], r"labels"),
        ("workflow_job", ("workflow_job", "id"), "200", r"Expected `int`, got `str`.*workflow_job\.id"),
        ("workflow_job", ("workflow_job", "id"), 2**70, r"workflow_job\.id"),
        ("workflow_job", ("workflow_job", "id"), -1, r"workflow_job\.id"),
        ("workflow_job", ("workflow_job", "id"), 1.5, r"workflow_job\.id"),
        ("workflow_job", ("workflow_job", "id"), True, r"workflow_job\.id"),
        ("workflow_job", ("workflow_job", "run_id"), 2**63, r"run_id"),
        ("workflow_job", ("workflow_job", "run_attempt"), 0, r"run_attempt"),
        ("workflow_job", ("workflow_job", "status"), "", r"status"),
        ("workflow_job", ("workflow_job", "head_branch"), "b" * 513, r"head_branch"),
        ("workflow_run", ("workflow_run", "run_attempt"), 2**31, r"run_attempt"),
        ("workflow_run", ("workflow_run", "run_number"), 2**70, r"run_number"),
        ("workflow_run", ("workflow_run", "actor"), "octocat", r"actor"),
        ("workflow_run", ("workflow_run", "actor", "id"), 2**70, r"actor\.id"),
        ("workflow_run", ("workflow_run", "updated_at"), 0, r"updated_at"),
        ("workflow_run", ("workflow_run", "updated_at"), "yesterday", r"updated_at"),
        ("workflow_run", ("workflow_run", "updated_at"), "2026-11-02T12:00:00", r"updated_at"),
        ("workflow_run", ("workflow_run", "updated_at"), "2026-13-02T12:00:00Z", r"updated_at"),
        ("workflow_run", ("workflow_run", "pull_requests"), [None], r"pull_requests"),
        ("workflow_run", ("workflow_run", "pull_requests", 0, "number"), 2**31, r"number"),
        ("workflow_run", ("repository", "id"), 2**70, r"repository\.id"),
        ("workflow_run", ("installation",), 5, r"installation"),
        ("workflow_run", ("action",), {"a": 1}, r"action"),
        ("workflow_run", (), None, r"got `null`"),
        ("workflow_run", (), [], r"got `array`"),
        ("workflow_run", (), "text", r"got `str`"),
        ("workflow_run", (), {}, r"missing required field"),
        ("pull_request", ("pull_request", "number"), 2**70, r"number"),
        ("pull_request", ("pull_request", "head", "repo"), 7, r"head\.repo"),
        ("repository", ("changes",), "all", r"changes"),
        ("repository", ("changes", "repository", "name", "from"), 7, r"changes\.repository\.name\.from"),
        ("installation", ("installation", "suspended_at"), "once", r"suspended_at"),
        ("installation", ("installation", "permissions"), {"actions": 1}, r"permissions"),
        ("installation", ("repositories",), {"id": 1}, r"repositories"),
        ("installation_target", ("account", "id"), 2**63, r"account\.id"),
    ],
)
def test_of_another_type_or_size(event: str, path: Path, value: Any, reason: str) -> None:
    with pytest.raises(MalformedPayload, match=reason):
        told(event, changed(sent(event), path, value))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"payload=%7B%7D", "not JSON"),
        (b"{", "not JSON"),
        (b'{"action": NaN}', "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b'{"action": "\xff"}', "not JSON"),
        (b'{"action": "\xed\xa0\x80"}', "not JSON"),
        (b'{"action": "a\x00b"}', "not JSON"),
        (rb'{"action": "\ud800"}', "not JSON"),
        (b"[" * DEEP, "array|deep"),
        (b'{"more": ' + b"[" * DEEP + b"]" * DEEP + b"}", "deep"),
        (b'{"more": ' + b'{"a": ' * DEEP + b"1" + b"}" * DEEP + b"}", "deep"),
        (b'{"workflow_job": ' * DEEP + b"1" + b"}" * DEEP, r"\S"),
    ],
    ids=lambda value: repr(value)[:30],
)
@pytest.mark.parametrize("event", ["workflow_job", "installation", "ping"])
def test_no_json_at_all(event: str, body: bytes, reason: str) -> None:
    with pytest.raises(MalformedPayload, match=reason):
        told(event, body)


def recorded_texts(event: str) -> list[Path]:
    """Return where a body holds texts that go into a row: those which make a difference to the facts."""
    whole = sent(event)
    before = repr(told(event, whole))
    texts = [path for path, value in paths(whole) if isinstance(value, str)]
    # A time stays one, moved by a century; any other text may be anything, within what its column holds.
    return [path for path in texts if not _is_time(path) and repr(told(event, changed(whole, path, "zebra"))) != before]


def _is_time(path: Path) -> bool:
    return str(path[-1]).endswith("_at")


TEXTS = [(event, path) for event in sorted(events.ACTED_ON) for path in recorded_texts(event)]


def test_the_recorded_texts_are_found() -> None:
    found = {(event, str(path[-1])) for event, path in TEXTS}
    assert {("workflow_run", "display_title"), ("workflow_job", "name"), ("pull_request", "title")} <= found
    assert {("repository", "from"), ("installation", "login"), ("installation_target", "login")} <= found
    assert len(TEXTS) > 60


@pytest.mark.parametrize(("event", "path"), TEXTS, ids=str)
def test_a_text_that_postgresql_cannot_store(event: str, path: Path) -> None:
    with pytest.raises(MalformedPayload, match="NUL"):
        told(event, changed(sent(event), path, "a\0b"))
    with pytest.raises(MalformedPayload, match="not JSON"):
        told(event, changed(sent(event), path, "a\ud800b"))


@pytest.mark.parametrize("event", SUBJECTS)
def test_a_nul_where_nobody_reads_does_no_harm(event: str) -> None:
    body = {**sent(event), "organization": {"description": "a\0b"}}
    assert told(event, body) == told(event, sent(event))


def test_a_nul_in_a_key_that_is_recorded() -> None:
    body = changed(sent("installation"), ("installation", "permissions"), {"a\0b": "read"})
    with pytest.raises(MalformedPayload, match="NUL"):
        told("installation", body)


TIMES = [
    (event, path) for event in SUBJECTS for path, _ in paths(sent(event)) if path[:1] == (event,) and _is_time(path)
]
# It is looked at for whether it is there; its value goes into no row.
UNRECORDED_TIMES = {("pull_request", "merged_at")}


def test_the_times_are_found() -> None:
    assert len(TIMES) == 3 + 3 + 2 + 4


@pytest.mark.parametrize("time", BEYOND)
@pytest.mark.parametrize(("event", "path"), TIMES, ids=str)
def test_a_time_outside_the_calendar(event: str, path: Path, time: str) -> None:
    body = changed(sent(event), path, time)
    if path in UNRECORDED_TIMES:
        assert told(event, body)
    else:
        with pytest.raises(MalformedPayload, match=f"{time[:4]}.*calendar"):
            told(event, body)


def test_the_edges_of_the_calendar_are_inside() -> None:
    for time in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        assert told("workflow_run", changed(sent("workflow_run"), ("workflow_run", "updated_at"), time))


def test_an_object_of_the_rest_api_is_held_to_the_same() -> None:
    run = sent("workflow_run")["workflow_run"]
    assert payloads.read(run, payloads.WorkflowRun).id == run["id"]
    deep: list[Any] = []
    for _ in range(DEEP):
        deep = [deep]
    for poison in (None, {**run, "id": 2**70}, {**run, "name": "\ud800"}, {**run, "name": "\0"}, {"a": object()}, deep):
        with pytest.raises(MalformedPayload, match=r"\S"):
            payloads.read(poison, payloads.WorkflowRun)


# Whatever comes.

calm = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], max_examples=300)


def outcome(event: str, body: Any) -> list[facts.Facts] | None:
    """Return what a body tells, or None where it is refused; any other exception passes."""
    try:
        return told(event, body)
    except MalformedPayload:
        return None


@calm
@given(spoilt())
def test_a_spoilt_body_is_read_or_refused(drawn: tuple[str, Any]) -> None:
    event, body = drawn
    for fact in outcome(event, body) or ():
        assert isinstance(fact, facts.Facts)
        assert b"\\u0000" not in msgspec.json.encode(fact)


@calm
@given(EVENTS, VALUES)
def test_any_json_is_read_or_refused(event: str, body: Any) -> None:
    outcome(event, body)


@calm
@given(EVENTS, st.binary())
def test_any_bytes_are_read_or_refused(event: str, body: bytes) -> None:
    outcome(event, body)


@calm
@given(EVENTS, st.data())
def test_a_torn_body_is_refused(event: str, data: st.DataObject) -> None:
    whole = json.dumps(sent(event)).encode()
    torn = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert outcome(event, torn) is None
