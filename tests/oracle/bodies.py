"""The objects of GitHub's JSON, as small as GitHub's own schema lets them be.

Shapes: https://docs.github.com/webhooks/webhook-events-and-payloads#workflow_run and #workflow_job,
https://docs.github.com/rest/actions/workflow-runs and /workflow-jobs. Times are ISO 8601, UTC, whole seconds.
"""

from datetime import UTC, datetime, timedelta
from random import Random

from tests.oracle.shapes import Body

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

RUN_FIELDS = (
    *("id", "run_attempt", "run_number", "workflow_id", "name", "path", "display_title", "event"),
    *("status", "conclusion", "head_branch", "head_sha", "html_url", "created_at", "updated_at", "run_started_at"),
    *("actor", "triggering_actor", "head_repository"),
)
JOB_FIELDS = (
    *("id", "run_id", "run_attempt", "name", "workflow_name", "status", "conclusion", "head_sha", "head_branch"),
    *("html_url", "created_at", "started_at", "completed_at", "runner_name", "runner_group_name", "labels", "steps"),
)
# GitHub added these over the years, and leaves them out or null where it does not know them yet.
THIN_RUN_FIELDS = ("path", "display_title", "triggering_actor", "head_repository")
THIN_JOB_FIELDS = ("workflow_name", "head_branch", "created_at")


def moment(microseconds: int) -> datetime:
    """Turn the model's clock (microseconds since 1970) into a time in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def stamp(microseconds: int) -> str:
    """Write a time as GitHub does in bodies."""
    return moment(microseconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def user(login: str, id: int) -> Body:
    """Return a person or bot as GitHub shows it."""
    return {"login": login, "id": id, "type": "Bot" if login.endswith("[bot]") else "User"}


def repository(id: int, owner: str, name: str) -> Body:
    """Return the repository of the envelope."""
    return {
        "id": id,
        "name": name,
        "full_name": f"{owner}/{name}",
        "owner": {"login": owner, "id": id + 1, "type": "Organization"},
        "private": False,
        "html_url": f"https://github.com/{owner}/{name}",
        "url": f"https://api.github.com/repos/{owner}/{name}",
        "default_branch": "main",
        "updated_at": "2026-11-01T08:00:00Z",
    }


def pull_request(number: int, head_sha: str, head: Body, base: Body) -> Body:
    """Return an entry of a run's `pull_requests`; `head` and `base` are repositories."""
    return {
        "url": f"{base['url']}/pulls/{number}",
        "id": base["id"] * 1000 + number,
        "number": number,
        "head": {"ref": "topic", "sha": head_sha, "repo": _short(head)},
        "base": {"ref": "main", "sha": f"{number:040x}", "repo": _short(base)},
    }


def _short(repo: Body) -> Body:
    return {"id": repo["id"], "url": repo["url"], "name": repo["name"]}


def workflow(id: int, number: int) -> Body:
    """Return the workflow of the envelope."""
    path = f".github/workflows/w{number}.yml"
    return {"id": id, "node_id": f"W_{id}", "name": f"Workflow {number}", "path": path, "state": "active"}


def run(rng: Random, id: int, run_number: int, flow: Body, repo: Body, head: Body, actor: Body, now: int) -> Body:
    """Return a run as it stands before its first attempt has begun; `head` is the head repository."""
    head_sha = f"{rng.getrandbits(160):040x}"
    return {
        "id": id,
        "name": flow["name"],
        "node_id": f"WFR_{id}",
        "head_branch": "topic",
        "head_sha": head_sha,
        "path": flow["path"],
        "display_title": f"Change {head_sha[:7]}",
        "run_number": run_number,
        "event": rng.choice(("push", "pull_request", "workflow_dispatch", "merge_group")),
        "status": "requested",
        "conclusion": None,
        "workflow_id": flow["id"],
        "check_suite_id": id + 1,
        "check_suite_node_id": f"CS_{id}",
        "url": f"{repo['url']}/actions/runs/{id}",
        "html_url": f"{repo['html_url']}/actions/runs/{id}",
        "pull_requests": [],
        "created_at": stamp(now),
        "updated_at": stamp(now),
        "actor": actor,
        "triggering_actor": actor,
        "run_attempt": 1,
        "run_started_at": stamp(now),
        "head_repository": {k: head[k] for k in ("id", "name", "full_name", "owner", "private", "html_url", "url")},
        "repository": {k: repo[k] for k in ("id", "name", "full_name", "owner", "private", "html_url", "url")},
    }


def job(id: int, name: str, attempt: Body, labels: list[str], now: int) -> Body:
    """Return a job of an attempt as it stands when it is made."""
    return {
        "id": id,
        "run_id": attempt["id"],
        "run_url": attempt["url"],
        "run_attempt": attempt["run_attempt"],
        "node_id": f"CR_{id}",
        "workflow_name": attempt["name"],
        "head_branch": attempt["head_branch"],
        "head_sha": attempt["head_sha"],
        "url": f"{attempt['repository']['url']}/actions/jobs/{id}",
        "html_url": f"{attempt['html_url']}/job/{id}",
        "check_run_url": f"{attempt['repository']['url']}/check-runs/{id}",
        "status": "queued",
        "conclusion": None,
        "created_at": stamp(now),
        "started_at": stamp(now),
        "completed_at": None,
        "name": name,
        "steps": [],
        "labels": labels,
        "runner_id": None,
        "runner_name": None,
        "runner_group_id": None,
        "runner_group_name": None,
    }


def steps(names: list[str], begun: int, done: int, conclusion: str | None) -> list[Body]:
    """Return a job's steps: the first `done` are completed, the next one runs, the last done has `conclusion`."""
    return [_step(number, name, begun, done, conclusion) for number, name in enumerate(names[: done + 1], 1)]


def _step(number: int, name: str, begun: int, done: int, conclusion: str | None) -> Body:
    at = begun + number * SECOND
    completed = number <= done
    return {
        "name": name,
        "status": "completed" if completed else "in_progress",
        "conclusion": (conclusion or "success" if number == done else "success") if completed else None,
        "number": number,
        "started_at": stamp(at),
        "completed_at": stamp(at + SECOND) if completed else None,
    }
