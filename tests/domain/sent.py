"""Bodies as GitHub sends them, made of the oracle's: a new one at every call, so that a test may spoil it."""

import asyncio
import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from random import Random
from typing import Any

from bot import events
from bot.domain import facts
from tests.oracle import bodies
from tests.oracle.guids import timed_guid

Body = dict[str, Any]
Path = tuple[str | int, ...]

NOON = 1_793_620_800 * bodies.SECOND
GUID = timed_guid(NOON, 0, 1)

_repository = bodies.repository(10, "octo-org", "hello-world")
_fork = bodies.repository(20, "octocat", "hello-world")
_people = bodies.user("octocat", 583231)
_run = bodies.run(Random(1), 100, 7, bodies.workflow(30, 1), _repository, _repository, _people, NOON)
_job = bodies.job(200, "job 1", _run, ["ubuntu-latest"], NOON)
_installation = {
    "id": 5,
    "account": {"login": "octo-org", "id": 11, "type": "Organization"},
    "repository_selection": "selected",
    "permissions": {"actions": "read", "checks": "write"},
    "events": ["workflow_run"],
    "updated_at": "2026-11-02T12:00:00Z",
    "suspended_at": None,
}
_thin = {"id": 10, "full_name": "octo-org/hello-world", "private": False}


def _pull_request() -> Body:
    end = {"ref": "main", "sha": "b" * 40, "repo": {"id": 10, "full_name": "octo-org/hello-world"}}
    return {
        "id": 300,
        "number": 4,
        "state": "open",
        "title": "Change",
        "user": _people,
        "html_url": "https://github.com/octo-org/hello-world/pull/4",
        "draft": False,
        "locked": False,
        "labels": [{"name": "bug"}],
        "head": {"ref": "topic", "sha": "a" * 40, "repo": {"id": 20, "full_name": "octocat/hello-world"}},
        "base": end,
        "created_at": "2026-11-02T11:00:00Z",
        "updated_at": "2026-11-02T12:00:00Z",
        "closed_at": None,
        "merged_at": None,
    }


def sent(event: str) -> Body:
    """Return a whole body of `event` in which every text that is recorded is there."""
    repository = {"repository": {**_repository, "archived": False}, "installation": {"id": 5}, "sender": _people}
    listed = [bodies.pull_request(4, _run["head_sha"], _repository, _repository)]
    step = bodies.steps(["Set up job"], NOON, 1, "success")
    ran = {"runner_id": 1, "runner_name": "r1", "runner_group_id": 2, "runner_group_name": "g", "steps": step}
    ended = {"status": "completed", "conclusion": "success"}
    made: dict[str, Body] = {
        "workflow_run": {
            "action": "completed",
            "workflow_run": {**_run, **ended, "pull_requests": listed},
            **repository,
        },
        "workflow_job": {
            "action": "completed",
            "workflow_job": {**_job, **ended, **ran, "completed_at": "2026-11-02T12:00:09Z"},
            **repository,
        },
        "pull_request": {"action": "opened", "pull_request": _pull_request(), **repository},
        "repository": {"action": "renamed", "changes": {"repository": {"name": {"from": "old"}}}, **repository},
        "installation": {"action": "created", "installation": _installation, "repositories": [_thin]},
        "installation_repositories": {
            "action": "added",
            "installation": _installation,
            "repositories_added": [_thin],
            "repositories_removed": [{**_thin, "id": 12, "full_name": "octo-org/other"}],
        },
        "installation_target": {
            "action": "renamed",
            "account": {"login": "new-org", "id": 11, "type": "Organization"},
            "installation": {"id": 5},
        },
        "check_run": {
            "action": "requested_action",
            "check_run": {"id": 400, "name": "CI summary", "head_sha": "a" * 40, "app": {"id": 9, "slug": "runledger"}},
            "requested_action": {"identifier": "rerun_failed"},
            **repository,
        },
        "check_suite": {
            "action": "rerequested",
            "check_suite": {"id": 500, "head_sha": "a" * 40, "app": {"id": 9, "slug": "runledger"}},
            **repository,
        },
        "github_app_authorization": {"action": "revoked", "sender": _people},
        "ping": {"zen": "Keep it logically awesome.", "hook_id": 1},
    }
    return deepcopy(made[event])


def changed(body: Any, path: Path, value: Any) -> Any:
    """Return `body` with the value at `path` replaced; the root has the empty path."""
    if not path:
        return value
    if isinstance(body, dict):
        return {**body, str(path[0]): changed(body.get(str(path[0])), path[1:], value)}
    place = int(path[0])
    return [*body[:place], changed(body[place], path[1:], value), *body[place + 1 :]]


def without(body: Any, path: Path) -> Any:
    """Return `body` without the value at `path`."""
    if len(path) > 1:
        return changed(body, path[:1], without(body[path[0]], path[1:]))
    if isinstance(body, dict):
        return {key: value for key, value in body.items() if key != path[0]}
    return [*body[: int(path[0])], *body[int(path[0]) + 1 :]]


def paths(body: Any, before: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Go over every value of a body with the path that leads to it."""
    yield before, body
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in inner:
        yield from paths(value, (*before, key))


def told(event: str, body: Any, guid: str = GUID) -> list[facts.Facts]:
    """Return what a delivery with this body, bytes or an object to be written as JSON, tells.

    Raises MalformedPayload.
    """
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    return asyncio.run(events.read(guid, event, written, datetime(2026, 11, 2, 13, tzinfo=UTC))).told
