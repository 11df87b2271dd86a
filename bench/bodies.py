"""Signed deliveries as GitHub sends them to a busy installation: 70% jobs, 15% runs, 15% checks of other Apps.

Each run lives through its states (3 deliveries of its own, 14 of its five jobs, 3 of checks), and many runs live at
once, so that a receiver has to update what it holds and meets two states of one thing at the same moment.
https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

import hashlib
import hmac
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

Body = dict[str, Any]

SECRET = "a secret for benchmarks only"
ACTIVE_RUNS = 40
BEGIN = datetime(2026, 11, 2, 8, tzinfo=UTC)
API, WEB = "https://api.github.com", "https://github.com"
ORGANIZATION, ORGANIZATION_ID, INSTALLATION_ID = "northwind-traders-engineering", 7_340_001, 51_200_345
REPOSITORIES = tuple(
    f"{word}-continuous-delivery-platform" for word in ("search", "billing", "console", "gateway", "mobile")
)
_UUID_EPOCH = datetime(1582, 10, 15, tzinfo=UTC)

_USER_LINKS = (
    *("followers", "following{/other_user}", "gists{/gist_id}", "starred{/owner}{/repo}", "subscriptions", "orgs"),
    *("repos", "events{/privacy}", "received_events"),
)
_REPOSITORY_LINKS = (
    *("forks", "keys{/key_id}", "collaborators{/collaborator}", "teams", "hooks", "issues/events{/number}", "events"),
    *("assignees{/user}", "branches{/branch}", "tags", "git/blobs{/sha}", "git/tags{/sha}", "git/refs{/sha}"),
    *("git/trees{/sha}", "statuses/{sha}", "languages", "stargazers", "contributors", "subscribers", "subscription"),
    *("commits{/sha}", "git/commits{/sha}", "comments{/number}", "issues/comments{/number}", "contents/{+path}"),
    *("compare/{base}...{head}", "merges", "{archive_format}{/ref}", "downloads", "issues{/number}", "pulls{/number}"),
    *("milestones{/number}", "notifications{?since,all,participating}", "labels{/name}", "releases{/id}"),
    *("deployments",),
)
_STEPS = (
    *("Set up job", "Check out the repository", "Set up the language", "Restore caches", "Install dependencies"),
    *("Build", "Lint", "Run unit tests", "Run integration tests", "Upload the coverage report", "Publish artifacts"),
    *(f"Run the checks of part {number} of the platform" for number in range(12)),
    *("Save caches", "Post Check out the repository", "Complete job"),
)
_JOBS = ("lint", "build (ubuntu-24.04)", "test (3.11, ubuntu-24.04)", "test (3.13, ubuntu-24.04)", "end-to-end")


@dataclass(frozen=True)
class Delivery:
    """One signed POST, whole: headers and body, ready to be written to a socket."""

    guid: str
    event: str
    body: bytes
    request: bytes


@dataclass
class Traffic:
    """Deliveries in the order they are sent, and what a receiver must hold once all are applied.

    `runs` and `jobs` give `(status, conclusion)` and `(status, conclusion, runner_name)` by id.
    """

    deliveries: list[Delivery] = field(default_factory=list)
    runs: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    jobs: dict[int, tuple[str, str | None, str | None]] = field(default_factory=dict)


def _links(base: str, names: tuple[str, ...]) -> Body:
    return {f"{name.partition('{')[0].strip('/').replace('/', '_')}_url": f"{base}/{name}" for name in names}


def _user(login: str, id: int, kind: str = "User") -> Body:
    url = f"{API}/users/{login}"
    names = {"login": login, "id": id, "node_id": f"U_{id:012x}", "gravatar_id": ""}
    avatar = f"https://avatars.githubusercontent.com/u/{id}?v=4"
    rest = {"avatar_url": avatar, "url": url, "html_url": f"{WEB}/{login}", "type": kind, "site_admin": False}
    return names | rest | _links(url, _USER_LINKS)


def _organization() -> Body:
    url = f"{API}/orgs/{ORGANIZATION}"
    links = _links(url, ("repos", "events", "hooks", "issues", "members{/member}", "public_members{/member}"))
    return {"login": ORGANIZATION, "id": ORGANIZATION_ID, "url": url, "description": "Builds things."} | links


def _short_repository(name: str, id: int) -> Body:
    full_name = f"{ORGANIZATION}/{name}"
    url = f"{API}/repos/{full_name}"
    told = {
        "id": id,
        "node_id": f"R_{id:012x}",
        "name": name,
        "full_name": full_name,
        "private": True,
        "owner": _user(ORGANIZATION, ORGANIZATION_ID, "Organization"),
        "html_url": f"{WEB}/{full_name}",
        "description": "What the company runs on, and the pipelines that bring it there.",
        "fork": False,
        "url": url,
    }
    return told | _links(url, _REPOSITORY_LINKS)


def _repository(name: str, id: int) -> Body:
    counts = ("size", "stargazers_count", "watchers_count", "forks_count", "open_issues_count", "forks", "watchers")
    flags = ("has_issues", "has_projects", "has_downloads", "has_wiki", "has_pages", "has_discussions")
    return {
        **_short_repository(name, id),
        "created_at": "2021-03-04T09:12:45Z",
        "updated_at": "2026-10-30T17:40:02Z",
        "pushed_at": "2026-11-02T07:58:11Z",
        "git_url": f"git://github.com/{ORGANIZATION}/{name}.git",
        "ssh_url": f"git@github.com:{ORGANIZATION}/{name}.git",
        "clone_url": f"{WEB}/{ORGANIZATION}/{name}.git",
        **{count: len(count) for count in counts},
        **dict.fromkeys(flags, True),
        "homepage": None,
        "language": "Python",
        "archived": False,
        "disabled": False,
        "license": None,
        "topics": ["continuous-delivery", "platform", "python"],
        "visibility": "private",
        "default_branch": "main",
        "custom_properties": {"team": "platform", "tier": "one", "data-classification": "internal"},
    }


@dataclass
class _World:
    """What all bodies share, and the clock that GUIDs and times are taken from."""

    chance: random.Random
    traffic: Traffic
    ticks: int = 0

    def __post_init__(self) -> None:
        self.people = [_user(f"developer-{number:02}", 9_000 + number) for number in range(20)]
        self.repositories = [_repository(name, 640_000_100 + i) for i, name in enumerate(REPOSITORIES)]
        self.heads = [_short_repository(name, 640_000_100 + i) for i, name in enumerate(REPOSITORIES)]
        self.organization = _organization()

    def guid(self) -> str:
        """Return a version-1 UUID, later than every one before (RFC 9562, section 5.1)."""
        self.ticks += 1
        made = BEGIN + timedelta(milliseconds=7 * self.ticks)
        time = (made - _UUID_EPOCH) // timedelta(microseconds=1) * 10
        low, mid, high = time & 0xFFFFFFFF, time >> 32 & 0xFFFF, time >> 48 & 0x0FFF
        return str(uuid.UUID(fields=(low, mid, high | 0x1000, 0x80, self.ticks & 0xFF, 0x0242AC120002)))

    def now(self) -> str:
        return (BEGIN + timedelta(milliseconds=7 * self.ticks)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def send(self, event: str, action: str, which: int, sender: Body, content: Body) -> None:
        """Add one delivery with the envelope that all events share."""
        envelope = {
            "repository": self.repositories[which],
            "organization": self.organization,
            "sender": sender,
            "installation": {"id": INSTALLATION_ID, "node_id": "MDIzOkludGVncmF0aW9uSW5zdGFsbGF0aW9u"},
        }
        self.traffic.deliveries.append(
            signed(event, orjson.dumps({"action": action} | content | envelope), self.guid())
        )


def signed(event: str, body: bytes, guid: str, secret: str = SECRET) -> Delivery:
    """Return the POST that GitHub would send."""
    digest = hmac.digest(secret.encode(), body, "sha256").hex()
    sha1 = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    head = (
        "POST /api/github/webhooks HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nContent-Type: application/json\r\n"
        f"User-Agent: GitHub-Hookshot/5a3c9f1\r\nX-GitHub-Delivery: {guid}\r\nX-GitHub-Event: {event}\r\n"
        "X-GitHub-Hook-ID: 390112233\r\nX-GitHub-Hook-Installation-Target-ID: 702211\r\n"
        f"X-GitHub-Hook-Installation-Target-Type: integration\r\nX-Hub-Signature: sha1={sha1}\r\n"
        f"X-Hub-Signature-256: sha256={digest}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return Delivery(guid, event, body, head.encode() + body)


class _Life:
    """One run from its request to its end, told step by step."""

    def __init__(self, world: _World, number: int) -> None:
        self.world, self.number = world, number
        self.id = 11_800_000_000 + number
        self.which = world.chance.randrange(len(world.repositories))
        self.actor = world.chance.choice(world.people)
        self.sha = f"{world.chance.getrandbits(160):040x}"
        self.branch = f"{self.actor['login']}/change-{number}"
        self.begun = world.now()
        self.base = world.repositories[self.which]
        self.conclusion = world.chance.choice(("success", "success", "success", "failure"))

    def __iter__(self) -> Iterator[None]:
        """Send one delivery a turn: 20 in all."""
        self._run("requested", "queued")
        yield
        self._check_suite("requested", "queued", None)
        yield
        yield from self._all_queued()
        self._run("in_progress", "in_progress")
        yield
        self._check_run("created", "in_progress", None)
        yield
        for number in range(len(_JOBS)):
            # One job a run ends without ever having been picked up, as those that are skipped or cancelled do.
            if number < len(_JOBS) - 1:
                self._job("in_progress", number, None)
                yield
            self._job("completed", number, self.conclusion if number == 2 else "success")
            yield
        self._check_run("completed", "completed", "neutral")
        yield
        self._run("completed", "completed", self.conclusion)
        yield

    def _all_queued(self) -> Iterator[None]:
        for number in range(len(_JOBS)):
            self._job("queued", number, None)
            yield

    def _run(self, action: str, status: str, conclusion: str | None = None) -> None:
        told = {
            **self._common(self.id, f"{self.base['url']}/actions/runs/{self.id}"),
            "name": "Continuous integration",
            "path": ".github/workflows/ci.yml",
            "display_title": f"Make change {self.number} of the platform safer and faster",
            "run_number": self.number,
            "run_attempt": 1,
            "event": "pull_request",
            "status": status,
            "conclusion": conclusion,
            "workflow_id": 88_001 + self.which,
            "pull_requests": [self._pull_request()],
            "created_at": self.begun,
            "updated_at": self.world.now(),
            "run_started_at": self.begun,
            "actor": self.actor,
            "triggering_actor": self.actor,
            "head_commit": {"id": self.sha, "message": "Make it safer\n\nAnd faster.", "timestamp": self.begun},
            "repository": self.world.heads[self.which],
            "head_repository": self.world.heads[self.which],
        }
        workflow = {"id": 88_001 + self.which, "name": told["name"], "path": told["path"], "state": "active"}
        self.world.send("workflow_run", action, self.which, self.actor, {"workflow_run": told, "workflow": workflow})
        self.world.traffic.runs[self.id] = status, conclusion

    def _job(self, status: str, number: int, conclusion: str | None) -> None:
        id = 33_000_000_000 + self.number * 10 + number
        runner = None if status == "queued" else f"runner-{id % 97:03}-large-ubuntu-24.04-x64"
        told = {
            **self._common(id, f"{self.base['url']}/actions/jobs/{id}"),
            "run_id": self.id,
            "run_url": f"{self.base['url']}/actions/runs/{self.id}",
            "run_attempt": 1,
            "name": _JOBS[number],
            "workflow_name": "Continuous integration",
            "status": status,
            "conclusion": conclusion,
            "created_at": self.begun,
            "started_at": self.begun if status == "queued" else self.world.now(),
            "completed_at": self.world.now() if conclusion else None,
            "steps": self._steps(status, conclusion),
            "check_run_url": f"{self.base['url']}/check-runs/{id}",
            "labels": ["ubuntu-24.04", "large", "x64"],
            "runner_id": None if runner is None else id % 97,
            "runner_name": runner,
            "runner_group_id": None if runner is None else 3,
            "runner_group_name": None if runner is None else "Large runners",
        }
        self.world.send("workflow_job", status, self.which, self.actor, {"workflow_job": told, "deployment": None})
        self.world.traffic.jobs[id] = status, conclusion, runner

    def _steps(self, status: str, conclusion: str | None) -> list[Body]:
        if status == "queued":
            return []
        names = _STEPS if conclusion else _STEPS[:2]
        return [
            {
                "name": name,
                "status": "completed",
                "conclusion": "success",
                "number": number,
                "started_at": self.begun,
                "completed_at": self.world.now(),
            }
            for number, name in enumerate(names, 1)
        ]

    def _common(self, id: int, url: str) -> Body:
        places = {"url": url, "html_url": f"{self.base['html_url']}/actions/runs/{self.id}"}
        return {"id": id, "node_id": f"N_{id:016x}", "head_sha": self.sha, "head_branch": self.branch} | places

    def _pull_request(self) -> Body:
        short = {"id": self.base["id"], "url": self.base["url"], "name": self.base["name"]}
        head = {"ref": self.branch, "sha": self.sha, "repo": short}
        base = {"ref": "main", "sha": f"{self.number:040x}", "repo": short}
        url = f"{self.base['url']}/pulls/{self.number}"
        return {"url": url, "id": 2_000_000_000 + self.number, "number": self.number, "head": head, "base": base}

    def _suite(self, status: str, conclusion: str | None) -> Body:
        told = self._common(44_000_000_000 + self.number, f"{self.base['url']}/check-suites/{self.number}")
        permissions = {"checks": "write", "contents": "read", "metadata": "read", "statuses": "write"}
        app = {"id": 15_368, "slug": "another-app", "owner": self.base["owner"], "permissions": permissions}
        return told | {"status": status, "conclusion": conclusion, "app": app, "pull_requests": [self._pull_request()]}

    def _check_suite(self, action: str, status: str, conclusion: str | None) -> None:
        content = {"check_suite": self._suite(status, conclusion)}
        self.world.send("check_suite", action, self.which, self.actor, content)

    def _check_run(self, action: str, status: str, conclusion: str | None) -> None:
        suite = self._suite(status, conclusion)
        output = {"title": "Coverage", "summary": "All lines are covered. " * 40, "text": None, "annotations_count": 0}
        told = suite | {"name": "coverage", "external_id": "", "output": output, "check_suite": suite}
        self.world.send("check_run", action, self.which, self.actor, {"check_run": told})


def make_traffic(count: int, seed: int = 1) -> Traffic:
    """Return `count` deliveries of runs that live beside each other, each run's own ones in order."""
    chance = random.Random(seed)
    world = _World(chance, Traffic())
    lives: list[Iterator[None]] = []
    begun = 0
    while len(world.traffic.deliveries) < count:
        if len(lives) < ACTIVE_RUNS:
            begun += 1
            lives.append(iter(_Life(world, begun)))
        life = chance.choice(lives)
        if next(life, life) is life:
            lives.remove(life)
    return world.traffic
