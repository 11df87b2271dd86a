"""`make real-input` on GitHub's examples, on bodies that no example shows, and on answers that are wrong."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import builders as make
from tests import real_input
from tests.real_input import JOB, RUN, Differs, Service, check_body, differences, empty_service, main

PAYLOADS = Path(__file__).parent.parent / "payloads"
EXAMPLES = (
    "check_run.completed.1.json",
    "installation.deleted.1.json",
    "workflow_job.in_progress.1.json",
    "workflow_job.in_progress.3.json",
    "workflow_run.completed.3.json",
)
EMOJI = "déploie 🚀 \u202e\u200d 日本語 \\ \" ' ; -- <b>&amp;"
THIN_RUN = ("run_attempt", "path", "display_title", "triggering_actor", "head_repository", "run_started_at")
THIN_JOB = ("run_attempt", "workflow_name", "head_branch", "created_at", "labels", "runner_group_name")
MERGE_BRANCH = f"gh-readonly-queue/release/1.x/pr-17-{'a' * 40}"

UNSEEN_RUNS: dict[str, Any] = {
    "third attempt": {"run_attempt": 3},
    "running": {"status": "in_progress", "conclusion": None, "pull_requests": [make.linked(7)]},
    "failed": {"conclusion": "failure", "pull_requests": [make.linked(8), make.linked(7), make.linked(7, 4711)]},
    "startup failure": {"conclusion": "startup_failure", "name": ".github/workflows/ci.yml"},
    "stale": {"conclusion": "stale", "updated_at": "2026-01-05T08:59:59Z"},
    "fork": {"head_repository": {"id": 77, "full_name": "stranger/hello", "fork": True}},
    "deleted fork": {"head_repository": None, "pull_requests": []},
    "merge queue": {"event": "merge_group", "head_branch": MERGE_BRANCH},
    "not quite a merge queue": {"event": "push", "head_branch": MERGE_BRANCH, "pull_requests": [make.linked(17)]},
    "dispatched with a pull request": {"event": "workflow_dispatch", "pull_requests": [make.linked(3)]},
    "unicode": {"name": EMOJI, "head_branch": "feature/" + EMOJI, "display_title": EMOJI},
    "long title": {"display_title": "long 🚀 " * 700, "name": "n" * 2000},
    "nobody": {"actor": None, "triggering_actor": None, "head_branch": None, "conclusion": None, "name": None},
    "no pull requests at all": {"pull_requests": None, "workflow_id": None, "run_number": None},
    "milliseconds and an offset": {
        "updated_at": "2026-01-05T10:03:25.125+01:00",
        "created_at": "2026-01-05T09:00:00+00:00",
    },
    "large numbers": {"run_number": 2**40, "workflow_id": 2**53 + 1, "actor": {"login": "x", "id": 2**53 + 1}},
    "dynamic": {"event": "dynamic", "path": "dynamic/pages/pages-build-deployment"},
}
UNSEEN_JOBS: dict[str, Any] = {
    "reusable workflow": {"name": "build / test (3.12)", "run_attempt": 2, "conclusion": "failure"},
    "long name": {"name": "matrix (" + "x" * 600 + ")"},
    "unicode": {"name": EMOJI, "labels": [EMOJI, "self-hosted"], "runner_name": EMOJI},
    "no labels": {"labels": [], "steps": [], "runner_id": 0, "runner_name": "", "runner_group_name": ""},
    "skipped": {"conclusion": "skipped", "started_at": make.STARTED, "completed_at": make.CREATED, "labels": []},
    "began before it was made": {"created_at": make.STARTED, "started_at": make.CREATED},
    "waiting": {"status": "waiting", "conclusion": None, "completed_at": None, "runner_id": None, "steps": []},
    "never started": {"status": "queued", "conclusion": None, "started_at": None, "completed_at": None},
    "cancelled": {"conclusion": "cancelled", "steps": [make.step(1, EMOJI, conclusion=None, completed_at=None)]},
    "half a second": {"steps": [make.step(1, "a", started_at="2026-01-05T09:00:05.500Z")]},
    "nulls": {"steps": None, "labels": None, "head_branch": None, "workflow_name": None, "html_url": None},
}


def _without(body: make.Body, names: tuple[str, ...]) -> make.Body:
    return {name: value for name, value in body.items() if name not in names}


def _unseen() -> Iterator[tuple[str, str, make.Body]]:
    for name, changes in UNSEEN_RUNS.items():
        yield name, "workflow_run", make.run(**changes)
    for name, changes in UNSEEN_JOBS.items():
        yield name, "workflow_job", make.job(**changes)
    yield "of an older server", "workflow_run", _without(make.run(), THIN_RUN)
    yield "of an older server", "workflow_job", _without(make.job(), THIN_JOB)


def _at_home(number: int, event: str, subject: make.Body, installation: int | None) -> bytes:
    # Each body has a team of its own, so that all of them can be received by one service.
    home, owner_id = make.repository(f"Team-{number}/hello", id=9, owner_id=100 + number), 20_000 + number
    home["id"] = owner_id
    ends = [end for each in subject.get("pull_requests") or () for end in (each["head"], each["base"])]
    for end in ends:
        end["repo"] = {**end["repo"], "id": owner_id} if end["repo"]["id"] == 9 else end["repo"]
    told = {**subject, "id": 5000 + number, **({"run_id": 9000 + number} if event == "workflow_job" else {})}
    return make.event("completed", repo=home, installation=installation, **{event: told})


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with empty_service() as running:
        yield running


@pytest.mark.parametrize(
    ("number", "event", "subject"),
    [pytest.param(n, event, subject, id=f"{event}: {name}") for n, (name, event, subject) in enumerate(_unseen(), 1)],
)
def test_a_body_that_no_example_shows(service: Service, number: int, event: str, subject: make.Body) -> None:
    raw = _at_home(number, event, json.loads(json.dumps(subject)), 700 + number if number % 2 else None)
    assert check_body(service, event, raw).startswith("handled, ")


def test_a_login_that_is_no_slug_is_found_by_the_teams_that_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "workflow_job.completed.json"
    path.write_bytes(make.event("completed", repo=make.repository("octo_Corp/x"), workflow_job=make.job()))
    assert real_input.check_file(path)[0]


def test_examples_pass_as_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in EXAMPLES:
        shutil.copy(PAYLOADS / name, tmp_path)
    assert main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [["pass", f"{name}:"] for name in sorted(EXAMPLES)]
    assert lines[-1] == f"{len(EXAMPLES)} passed, 0 failed"


def test_a_body_that_ends_dead_fails_and_its_neighbour_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "workflow_job.queued.1.json").write_text('{"action": "queued", "workflow_job": null}')
    (tmp_path / "workflow_run.bad.json").write_text("{")
    shutil.copy(PAYLOADS / "ping.event.1.json", tmp_path)
    assert main([str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "FAIL  workflow_job.queued.1.json: it ended 'dead" in out
    assert "FAIL  workflow_run.bad.json: it ended 'dead" in out
    assert out.endswith("1 passed, 2 failed\n")


def test_an_empty_folder_is_said_plainly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines() == [f"There is no .json file in {tmp_path}.", "0 passed, 0 failed"]


@pytest.mark.parametrize("arguments", [[], ["/nonexistent"], ["a", "b"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


def _answers(table: Any, body: make.Body) -> make.Body:
    """Return what a service would answer if it were right."""

    def value(rule: Any) -> Any:
        wanted = real_input.at(body, rule) if isinstance(rule, str) else rule(body)
        return wanted.isoformat() if hasattr(wanted, "isoformat") else wanted

    return {name: value(rule) for name, rule in table.items()}


BODIES = {
    "run": (RUN, json.loads(make.event("completed", workflow_run=make.run(pull_requests=[make.linked(1)])))),
    "job": (JOB, json.loads(make.event("completed", workflow_job=make.job()))),
}


@pytest.mark.parametrize(("table", "field"), [(table, field) for table in BODIES for field in BODIES[table][0]])
def test_each_field_that_is_answered_wrongly_is_named(table: str, field: str) -> None:
    rules, body = BODIES[table]
    right = _answers(rules, body)
    assert not differences(rules, body, right)
    for wrong in ("something else", None, 4711, [], ["x"], "1999-01-01T00:00:00Z"):
        if wrong != right[field]:
            (difference,) = differences(rules, body, right | {field: wrong})
            assert difference.startswith(f"{field}: {wrong!r} instead of ")


def test_a_missing_and_an_unknown_field_are_named() -> None:
    rules, body = BODIES["job"]
    right = _answers(rules, body)
    assert differences(rules, body, {name: right[name] for name in right if name != "name"}) == ["name: not answered"]
    assert differences(rules, body, right | {"node": 1}) == ["node: answered, but in no table"]


def test_times_are_compared_as_instants() -> None:
    rules, body = BODIES["job"]
    right = _answers(rules, body)
    assert not differences(rules, body, right | {"createdAt": "2026-01-05T10:00:00.000+01:00"})
    assert differences(rules, body, right | {"createdAt": "2026-01-05T09:00:00.001Z"})


@pytest.mark.parametrize(
    ("event", "outcome"),
    [("workflow_run", "ignored"), ("workflow_run", "dead MalformedPayload"), ("ping", "waiting"), ("star", "handled")],
)
def test_an_outcome_that_is_wrong_for_the_event_is_told(event: str, outcome: str) -> None:
    with pytest.raises(Differs):
        real_input.check_outcome(event, outcome)
