"""The whole way, from signed deliveries to the API's answers: doubled, shuffled, and with a re-run."""

import json
import urllib.parse
import urllib.request
from pathlib import Path
from random import Random
from time import monotonic, sleep

import pytest

from tests import builders as make
from tests.flows.programs import run, serving
from tests.real_input import API, Json, Service

Sent = tuple[str, str, bytes]
JOBS = ("build", "test (3.12)")


def _at(minute: int) -> str:
    return f"2026-01-05T09:{minute:02}:00Z"


def _attempt(number: int, base: int, conclusion: str) -> list[tuple[str, make.Body]]:
    """Return an attempt as GitHub tells it, in order; each thing that happens takes a minute."""
    begin = number * 10
    told: list[tuple[str, make.Body]] = []

    def tell_run(minute: int, status: str, ended: str | None = None) -> None:
        times = {"created_at": _at(0), "updated_at": _at(minute), "run_started_at": _at(begin)}
        state = {"run_attempt": number, "status": status, "conclusion": ended}
        told.append(("workflow_run", make.run(base, pull_requests=[make.linked(7, base)], **times, **state)))

    def tell_job(part: int, status: str, started: int | None, ended: int | None) -> None:
        times = {
            "created_at": _at(begin),
            "started_at": started and _at(started),
            "completed_at": ended and _at(ended),
        }
        state = {"status": status, "conclusion": conclusion if ended else None, "run_attempt": number}
        job = make.job(base + 100 * number + part, base, name=JOBS[part], **times, **state)
        told.append(("workflow_job", job))

    tell_run(begin, "requested")
    for part in (0, 1):
        tell_job(part, "queued", begin, None)
    tell_run(begin + 1, "in_progress")
    for part in (0, 1):
        tell_job(part, "in_progress", begin + 1, None)
        tell_job(part, "completed", begin + 1, begin + 3 + part)
    tell_run(begin + 5, "completed", conclusion)
    return told


def _history(base: int) -> list[Sent]:
    home = make.repository(f"team-{base}/hello", base, base + 5)
    pull = make.pull_request(7) | {"base": {"sha": "f" * 40, "ref": "main", "repo": home}}
    told = [("pull_request", pull), *_attempt(1, base, "failure"), *_attempt(2, base, "success")]
    return [
        (event, make.guid(), make.event("told", repo=home, installation=base, **{event: body})) for event, body in told
    ]


def _wait_until_handled(folder: Path, url: str, count: int) -> None:
    deadline = monotonic() + 30
    while monotonic() < deadline:
        states = [line.split()[3] for line in run(folder, "inbox", "list", DATABASE_URL=url).out.splitlines()]
        if states == ["handled"] * count:
            return
        sleep(0.1)
    pytest.fail(f"these are the states after 30 s: {states}")


def _ask(address: str, token: str, path: str, **query: str | int) -> Json:
    url = f"{address}{API}{path}?{urllib.parse.urlencode(query)}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as response:
        answer: Json = json.load(response)
        return answer


def test_every_order_ends_in_the_same_answers(tmp_path: Path, migrated_url: str) -> None:
    with serving(tmp_path, "--worker", DATABASE_URL=migrated_url) as address:
        service, seeds = Service(tmp_path, address), (1, 2, 3)
        for seed in seeds:
            history = _history(seed * 1000)
            doubled = [*history, *history]
            Random(seed).shuffle(doubled)
            answers = [service.post(*delivery) for delivery in doubled]
            assert {status for status, _ in answers} == {202}
            assert [answer["status"] for _, answer in answers].count("duplicate") == len(history)
        _wait_until_handled(tmp_path, migrated_url, len(history) * len(seeds))
        for seed in seeds:
            _check_record(tmp_path, migrated_url, address, seed * 1000)


def _check_record(folder: Path, url: str, address: str, base: int) -> None:
    team, name = f"team-{base}", f"team-{base}/hello"
    token = run(folder, "token", "create", "--team", team, "--name", "x", DATABASE_URL=url).out.strip()
    page = _ask(address, token, "/workflow-runs", team=team)
    assert (page["total"], page["runs"][0]["runId"], page["runs"][0]["runAttempt"]) == (1, base, 2)
    newest = page["runs"][0]
    assert (newest["status"], newest["conclusion"], newest["runDuration"]) == ("completed", "success", 300)
    assert newest["runCompletedAt"] == _at(25)
    assert newest["triggeringPrNumber"] == 7
    details = _ask(address, token, f"/workflow-runs/{base}", team=team)
    assert details["run"] == newest
    assert [(each["runAttempt"], each["conclusion"]) for each in details["attempts"]] == [
        (2, "success"),
        (1, "failure"),
    ]
    for attempt, conclusion in ((1, "failure"), (2, "success")):
        jobs = _ask(address, token, f"/workflow-runs/{base}", team=team, attempt=attempt)["jobs"]
        told = [(job["name"], job["status"], job["conclusion"], job["queuedSeconds"], job["duration"]) for job in jobs]
        assert told == [(JOBS[part], "completed", conclusion, 60, 120 + 60 * part) for part in (0, 1)]
    assert _ask(address, token, "/workflow-jobs", team=team, runId=base)["total"] == 4
    of_pull_request = _ask(address, token, "/workflow-runs/pr", team=team, repoFullName=name, prNumber=7, latest="true")
    assert of_pull_request["runs"] == [newest]
    repositories = _ask(address, token, "/repositories", team=team)["repositories"]
    assert [(each["fullName"], each["installationId"]) for each in repositories] == [(name, base)]
    teams = _ask(address, token, "/teams")["teams"]
    assert [each["slug"] for each in teams] == [team]
