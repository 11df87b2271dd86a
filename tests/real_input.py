"""`make real-input DIR=folder`: webhook bodies go in signed, and the answers are held against them, field by field.

Each `EVENT.ACTION….json` of the folder is received by a service of its own on an empty SQLite database. What the API
has to answer is said once more, in the tables below, as paths into the body: nothing of the program is imported here.
"""

import hashlib
import hmac
import json
import re
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from tests.flows.programs import SECRET, run, serving

Json = dict[str, Any]
Rule = str | Callable[[Json], Any]

API = "/api/integrations/github"
PATIENCE_SECONDS = 20.0
# Files are received side by side, each on a service of its own.
LANES = 2
# GitHub sends these about every App and for what nobody asked; of the others nothing is to be passed over.
MAY_BE_IGNORED = frozenset({"check_run", "check_suite", "installation_target", "pull_request"})
RECORDED = MAY_BE_IGNORED | {
    "installation",
    "installation_repositories",
    "ping",
    "repository",
    "workflow_job",
    "workflow_run",
}
PULL_REQUEST_EVENTS = {
    "pull_request",
    "pull_request_target",
    "pull_request_review",
    "pull_request_review_comment",
}
MERGE_QUEUE_BRANCH = re.compile(r"gh-readonly-queue/.+/pr-(\d+)-[0-9a-f]+")


class Differs(Exception):
    """The service did not do what the body asks for; the message says where."""


def at(body: Any, path: str) -> Any:
    """Return what stands at a dotted path, or None where the way there ends."""
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


def moment(text: str | None) -> datetime | None:
    """Read a time with its offset, so that instants are compared and not spellings."""
    return None if text is None else datetime.fromisoformat(text)


def seconds_between(body: Json, begin: str, end: str) -> float | None:
    """Return the seconds from one time of the body to another, none below zero, or None where one is missing."""
    begun, ended = moment(at(body, begin)), moment(at(body, end))
    return None if begun is None or ended is None else max(0.0, (ended - begun).total_seconds())


def own_pull_requests(body: Json) -> list[Json]:
    """Return the pull requests that the run lists, without those of other repositories, by number."""
    here = at(body, "repository.id")
    listed = [each for each in at(body, "workflow_run.pull_requests") or [] if at(each, "base.repo.id") in (here, None)]
    told = [
        {"number": each["number"], "headSha": at(each, "head.sha"), "baseRef": at(each, "base.ref")} for each in listed
    ]
    return sorted(told, key=lambda each: int(each["number"]))


def triggering_pull_request(body: Json) -> int | None:
    """Return the pull request that a merge queue's branch names, or the only one of a pull request's event."""
    event, branch = at(body, "workflow_run.event"), at(body, "workflow_run.head_branch") or ""
    if event == "merge_group" and (match := MERGE_QUEUE_BRANCH.fullmatch(branch)):
        return int(match[1])
    numbers = {each["number"] for each in own_pull_requests(body)}
    return numbers.pop() if event in PULL_REQUEST_EVENTS and len(numbers) == 1 else None


def run_completed_at(body: Json) -> datetime | None:
    """Return when a completed run was last updated: GitHub tells no other end."""
    return moment(at(body, "workflow_run.updated_at")) if at(body, "workflow_run.status") == "completed" else None


def run_duration(body: Json) -> float | None:
    """Return the seconds of the attempt, once it is completed."""
    completed = run_completed_at(body) is not None
    return seconds_between(body, "workflow_run.run_started_at", "workflow_run.updated_at") if completed else None


def queued_seconds(body: Json) -> float | None:
    """Return how long the job waited, once it has begun."""
    if at(body, "workflow_job.status") in {"queued", "waiting", "pending", "requested"}:
        return None
    return seconds_between(body, "workflow_job.created_at", "workflow_job.started_at")


def steps(body: Json) -> list[Json]:
    """Return the job's steps in the API's spelling."""
    return [
        {
            "number": at(step, "number"),
            "name": at(step, "name"),
            "status": at(step, "status"),
            "conclusion": at(step, "conclusion"),
            "startedAt": moment(at(step, "started_at")),
            "completedAt": moment(at(step, "completed_at")),
        }
        for step in at(body, "workflow_job.steps") or []
    ]


RUN: Mapping[str, Rule] = {
    "provider": lambda _: "github",
    "installationId": "installation.id",
    "repositoryId": "repository.id",
    "repoFullName": "repository.full_name",
    "runId": "workflow_run.id",
    "runAttempt": lambda body: at(body, "workflow_run.run_attempt") or 1,
    "runNumber": "workflow_run.run_number",
    "workflowId": "workflow_run.workflow_id",
    "workflowName": "workflow_run.name",
    "workflowPath": "workflow_run.path",
    "displayTitle": "workflow_run.display_title",
    "event": "workflow_run.event",
    "status": "workflow_run.status",
    "conclusion": "workflow_run.conclusion",
    "headBranch": "workflow_run.head_branch",
    "headSha": "workflow_run.head_sha",
    "htmlUrl": "workflow_run.html_url",
    "createdAt": "workflow_run.created_at",
    "updatedAt": "workflow_run.updated_at",
    "runStartedAt": "workflow_run.run_started_at",
    "runCompletedAt": run_completed_at,
    "runDuration": run_duration,
    "actorLogin": "workflow_run.actor.login",
    "actorId": "workflow_run.actor.id",
    "triggeringActorLogin": "workflow_run.triggering_actor.login",
    "headRepoFullName": "workflow_run.head_repository.full_name",
    "pullRequests": own_pull_requests,
    "triggeringPrNumber": triggering_pull_request,
    "goneAt": lambda _: None,
}
JOB: Mapping[str, Rule] = {
    "jobId": "workflow_job.id",
    "runId": "workflow_job.run_id",
    "runAttempt": "workflow_job.run_attempt",
    "name": "workflow_job.name",
    "workflowName": "workflow_job.workflow_name",
    "status": "workflow_job.status",
    "conclusion": "workflow_job.conclusion",
    "headSha": "workflow_job.head_sha",
    "headBranch": "workflow_job.head_branch",
    "htmlUrl": "workflow_job.html_url",
    "createdAt": "workflow_job.created_at",
    "startedAt": "workflow_job.started_at",
    "completedAt": "workflow_job.completed_at",
    "queuedSeconds": queued_seconds,
    "duration": lambda body: seconds_between(body, "workflow_job.started_at", "workflow_job.completed_at"),
    "runnerName": "workflow_job.runner_name",
    "runnerGroupName": "workflow_job.runner_group_name",
    "labels": lambda body: at(body, "workflow_job.labels") or [],
    "steps": steps,
}


def differences(table: Mapping[str, Rule], body: Json, answer: Json) -> list[str]:
    """Return a sentence for each field that is missing, unknown, or not what the body says."""
    found = [f"{name}: not answered" for name in table if name not in answer]
    for name, value in answer.items():
        if name not in table:
            found.append(f"{name}: answered, but in no table")
            continue
        rule = table[name]
        wanted = at(body, rule) if isinstance(rule, str) else rule(body)
        if _comparable(name, value) != _comparable(name, wanted):
            found.append(f"{name}: {value!r} instead of {wanted!r}")
    return found


def _comparable(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_comparable(name, each) for each in value]
    if isinstance(value, dict):
        return {key: _comparable(key, each) for key, each in value.items()}
    if not (name.endswith("At") and isinstance(value, str)):
        return value
    try:
        return moment(value)
    except ValueError:
        return value


class Service:
    """A running service and the commands beside it, both on one empty database in `folder`."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder
        self._address = address
        self._token: str | None = None

    def post(self, event: str, guid: str, body: bytes) -> tuple[int, Json]:
        """Post a delivery, signed; return the status and the answer."""
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": guid,
            "X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(),
        }
        return self._ask(urllib.request.Request(self._address + "/api/github/webhooks", data=body, headers=headers))

    def get(self, path: str, **query: str | int) -> tuple[int, Json]:
        """Ask the API with the team's token; return the status and the answer."""
        address = f"{self._address}{API}{path}?{urllib.parse.urlencode(query)}"
        return self._ask(urllib.request.Request(address, headers={"Authorization": f"Bearer {self._token}"}))

    @staticmethod
    def _ask(request: urllib.request.Request) -> tuple[int, Json]:
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {"detail": error.read().decode(errors="replace")}

    def outcome(self, guid: str) -> str:
        """Return what `inbox list` says of a delivery once it no longer waits: the state, and why it is dead."""
        deadline = monotonic() + PATIENCE_SECONDS
        while monotonic() < deadline:
            listed = run(self._folder, "inbox", "list")
            line = next((line.split(maxsplit=5) for line in listed.out.splitlines() if guid in line), None)
            if listed.code or line is None:
                raise Differs(f"inbox list does not show it: {listed.err or listed.out}")
            if line[3] != "waiting":
                return " ".join(line[3:4] + line[5:])
            sleep(0.02)
        raise Differs(f"it still waits after {PATIENCE_SECONDS:.0f} s")

    def settle(self) -> None:
        """Wait until no delivery waits any more."""
        deadline = monotonic() + PATIENCE_SECONDS
        while waiting := run(self._folder, "inbox", "list", "--state", "waiting").out:
            if monotonic() > deadline:
                raise Differs(f"deliveries still wait after {PATIENCE_SECONDS:.0f} s:\n{waiting}")
            sleep(0.02)

    def log_in(self, owner: str) -> str:
        """Make a token for the owner's team, or else for the team that is listed; return the team's slug."""
        made = run(self._folder, "token", "create", "--team", (team := owner.lower()), "--name", "real input")
        if made.code:
            listed = run(self._folder, "team", "list").out.splitlines()
            if len(listed) != 1:
                raise Differs(f"not one team but {len(listed)}")
            team = listed[0].split()[1]
            made = run(self._folder, "token", "create", "--team", team, "--name", "real input")
        self._token = made.out.strip()
        return team


@contextmanager
def empty_service() -> Iterator[Service]:
    """Give a service on a database that nothing is in yet."""
    with tempfile.TemporaryDirectory(prefix="runledger-real-input-") as folder, serving(Path(folder)) as address:
        yield Service(Path(folder), address)


def check_outcome(event: str, outcome: str) -> None:
    """Raise Differs unless a delivery of `event` ended as it should."""
    allowed = {"handled"} if event in RECORDED else {"ignored"}
    if event in MAY_BE_IGNORED:
        allowed.add("ignored")
    if outcome.partition(" ")[0] not in allowed:
        raise Differs(f"it ended {outcome!r}")


def check_run(service: Service, team: str, body: Json) -> int:
    """Hold a run's answers, in the list and alone, against its body; return how many fields that were."""
    table = {**RUN, "team": lambda _: team}
    run_id = at(body, "workflow_run.id")
    status, page = service.get("/workflow-runs", team=team)
    if status != 200 or page["total"] != 1 or len(page["runs"]) != 1:
        raise Differs(f"the list of runs is {status} {page}")
    status, details = service.get(f"/workflow-runs/{run_id}", team=team)
    if status != 200 or len(details["attempts"]) != 1 or details["jobs"]:
        raise Differs(f"the run alone is {status} {details}")
    return _check(table, body, page["runs"][0], details["run"], details["attempts"][0])


def check_job(service: Service, team: str, body: Json) -> int:
    """Hold a job's answer against its body; return how many fields that were."""
    status, page = service.get("/workflow-jobs", team=team, runId=at(body, "workflow_job.run_id"))
    if status != 200 or page["total"] != 1 or len(page["jobs"]) != 1:
        raise Differs(f"the list of jobs is {status} {page}")
    return _check(JOB, body, page["jobs"][0])


def _check(table: Mapping[str, Rule], body: Json, *answers: Json) -> int:
    found = [difference for answer in answers for difference in differences(table, body, answer)]
    if found:
        raise Differs("; ".join(dict.fromkeys(found)))
    return len(answers) * len(table)


CHECKS: Mapping[str, Callable[[Service, str, Json], int]] = {"workflow_run": check_run, "workflow_job": check_job}


def check_body(service: Service, event: str, raw: bytes) -> str:
    """Let the service receive one body, the first of its team, and return what was found to be right.

    Raises Differs.
    """
    guid = str(uuid.uuid1())
    status, answer = service.post(event, guid, raw)
    if (status, answer) != (202, {"status": "accepted"}):
        raise Differs(f"it was answered {status} {answer}")
    outcome = service.outcome(guid)
    check_outcome(event, outcome)
    if event not in CHECKS:
        return outcome
    body = json.loads(raw)
    team = service.log_in(at(body, "repository.owner.login"))
    return f"{outcome}, {CHECKS[event](service, team, body)} fields as in the body"


def check_file(path: Path) -> tuple[bool, str]:
    """Return whether a file's body is received and answered rightly, and the line to print."""
    try:
        with empty_service() as service:
            return True, f"pass  {path.name}: {check_body(service, path.name.partition('.')[0], path.read_bytes())}"
    except (Differs, OSError, RuntimeError, ValueError, KeyError) as error:
        reason = str(error) if isinstance(error, Differs) else f"{type(error).__name__}: {error}"
        return False, f"FAIL  {path.name}: {reason}"


def main(arguments: list[str]) -> int:
    """Check a folder's bodies; return the exit code."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("Say which folder of EVENT.ACTION….json files to read.", file=sys.stderr)
        return 2
    files = sorted(Path(arguments[0]).glob("*.json"))
    passed = 0
    with ThreadPoolExecutor(LANES) as lanes:
        for good, line in lanes.map(check_file, files):
            print(line, flush=True)
            passed += good
    if not files:
        print(f"There is no .json file in {arguments[0]}.")
    print(f"{passed} passed, {len(files) - passed} failed")
    return 0 if passed == len(files) and files else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
