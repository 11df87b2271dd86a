"""Webhook bodies as GitHub sends them, as small as they can be; keyword arguments say what is different.

Shapes: https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

import itertools
import json
import uuid
from typing import Any

Body = dict[str, Any]

SHA = "5779607b49aab1200488439f02372c57b4f75444"
CREATED, STARTED, ENDED = "2026-01-05T09:00:00Z", "2026-01-05T09:00:05Z", "2026-01-05T09:03:25Z"
INSTALLATION = 71
_sequence = itertools.count(1)


def guid() -> str:
    """Return a delivery's GUID that no other has, of version 1 as GitHub's are; later ones carry later times."""
    ticks = 0x1EF_0000_0000_0000 + next(_sequence) * 10_000
    return str(uuid.UUID(fields=(ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48 | 0x1000, 0x80, 0, 7)))


def owner(login: str = "octo-org", id: int = 5) -> Body:
    return {"login": login, "id": id, "type": "Organization"}


def repository(full_name: str = "octo-org/hello", id: int = 9, owner_id: int = 5, **changes: Any) -> Body:
    login, _, name = full_name.partition("/")
    told = {
        "id": id,
        "name": name,
        "full_name": full_name,
        "owner": owner(login, owner_id),
        "private": False,
        "archived": False,
        "default_branch": "main",
        "html_url": f"https://github.com/{full_name}",
    }
    return told | changes


def linked(number: int, repository_id: int = 9, head_sha: str = SHA) -> Body:
    """Return a pull request as a run lists it."""
    repo = {"id": repository_id, "name": "hello", "url": "https://api.github.com/repos/octo-org/hello"}
    base = {"sha": "f" * 40, "ref": "main", "repo": repo}
    return {
        "id": 1000 + number,
        "number": number,
        "head": {"sha": head_sha, "ref": "topic", "repo": repo},
        "base": base,
    }


def run(id: int = 100, **changes: Any) -> Body:
    told = {
        "id": id,
        "name": "CI",
        "path": ".github/workflows/ci.yml",
        "display_title": "Change it",
        "workflow_id": 33,
        "run_number": 4,
        "run_attempt": 1,
        "event": "pull_request",
        "status": "completed",
        "conclusion": "success",
        "head_branch": "topic",
        "head_sha": SHA,
        "html_url": f"https://github.com/octo-org/hello/actions/runs/{id}",
        "created_at": CREATED,
        "updated_at": ENDED,
        "run_started_at": STARTED,
        "actor": {"login": "mona", "id": 6, "type": "User"},
        "triggering_actor": {"login": "hubot", "id": 8, "type": "User"},
        "head_repository": {"id": 9, "full_name": "octo-org/hello"},
        "pull_requests": [],
    }
    return told | changes


def job(id: int = 500, run_id: int = 100, **changes: Any) -> Body:
    told = {
        "id": id,
        "run_id": run_id,
        "run_attempt": 1,
        "name": "build",
        "workflow_name": "CI",
        "status": "completed",
        "conclusion": "success",
        "head_branch": "topic",
        "head_sha": SHA,
        "html_url": f"https://github.com/octo-org/hello/actions/runs/{run_id}/job/{id}",
        "created_at": CREATED,
        "started_at": STARTED,
        "completed_at": ENDED,
        "labels": ["ubuntu-latest"],
        "runner_id": 3,
        "runner_name": "Runner 3",
        "runner_group_id": 1,
        "runner_group_name": "Default",
        "steps": [step(1, "Set up job"), step(2, "Run make test")],
    }
    return told | changes


def step(number: int, name: str, **changes: Any) -> Body:
    told = {
        "number": number,
        "name": name,
        "status": "completed",
        "conclusion": "success",
        "started_at": STARTED,
        "completed_at": ENDED,
    }
    return told | changes


def pull_request(number: int = 1, *, head_sha: str = SHA, head_repository: Body | None = None, **changes: Any) -> Body:
    base = repository()
    told = {
        "id": 1000 + number,
        "number": number,
        "state": "open",
        "title": "Change it",
        "draft": False,
        "locked": False,
        "merged_at": None,
        "created_at": CREATED,
        "updated_at": STARTED,
        "closed_at": None,
        "html_url": f"https://github.com/octo-org/hello/pull/{number}",
        "user": {"login": "mona", "id": 6},
        "labels": [],
        "head": {"sha": head_sha, "ref": "topic", "repo": head_repository or base},
        "base": {"sha": "f" * 40, "ref": "main", "repo": base},
    }
    return told | changes


def event(action: str, *, repo: Body | None = None, installation: int | None = INSTALLATION, **subject: Body) -> bytes:
    """Return the body of an event about a repository, with its subject under GitHub's name for it."""
    told: Body = {"action": action, "repository": repo or repository(), **subject}
    if installation is not None:
        told["installation"] = {"id": installation}
    return json.dumps(told).encode()


def installation_event(action: str, id: int = INSTALLATION, account: Body | None = None, **changes: Any) -> bytes:
    """Return the body of an `installation` event."""
    told = {
        "id": id,
        "account": account or owner(),
        "repository_selection": "all",
        "permissions": {"metadata": "read", "actions": "read", "checks": "write", "pull_requests": "write"},
        "events": ["workflow_run", "workflow_job", "pull_request", "repository"],
        "suspended_at": None,
    }
    repositories = [{"id": 9, "full_name": "octo-org/hello", "private": False}]
    return json.dumps({"action": action, "installation": told | changes, "repositories": repositories}).encode()
