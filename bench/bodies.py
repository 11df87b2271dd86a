"""Signed deliveries as GitHub sends them to a busy installation: 70% jobs, 15% runs, 15% checks of other Apps.

Each run lives through its states (3 deliveries of its own, 14 of its five jobs, 3 of checks), and many runs live at
once, so that a receiver has to update what it holds and meets two states of one thing at the same moment.
https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

import base64
import hashlib
import hmac
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import orjson

from bot.clock import Clock

Body = dict[str, Any]

SECRET = "a secret for benchmarks only"
ACTIVE_RUNS, DELIVERIES_A_RUN = 40, 20
RUNS_A_SEED = 1_000_000
# Of late, as what is delivered is: what is old marks no commit to be looked at.
BEGIN = Clock().now().replace(microsecond=0) - timedelta(hours=2)
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
    *(f"Run the checks of part {number} of the platform" for number in range(70)),
    *("Save caches", "Post Check out the repository", "Complete job"),
)
_JOBS = ("lint", "build (ubuntu-24.04)", "test (3.11, ubuntu-24.04)", "test (3.13, ubuntu-24.04)", "end-to-end")


@dataclass(frozen=True)
class Delivery:
    """One signed POST: `request` is whole, headers and body, ready to be written to a socket."""

    guid: str
    event: str
    request: bytes
    size: int

    @property
    def body(self) -> bytes:
        """The body alone, of `size` bytes."""
        return self.request[-self.size :]


@dataclass
class Truth:
    """What a receiver must hold once all is applied.

    `runs` and `jobs` give `(status, conclusion)` and `(status, conclusion, runner_name)` by id.
    """

    runs: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    jobs: dict[int, tuple[str, str | None, str | None]] = field(default_factory=dict)

    def __or__(self, other: "Truth") -> "Truth":
        return Truth(self.runs | other.runs, self.jobs | other.jobs)


@dataclass
class Traffic:
    """Deliveries in the order they are sent, and the truth once all are applied."""

    deliveries: list[Delivery]
    truth: Truth

    @property
    def requests(self) -> list[bytes]:
        """What is written to the sockets."""
        return [delivery.request for delivery in self.deliveries]

    @property
    def mean_size(self) -> float:
        """The bodies' mean size in bytes."""
        return sum(delivery.size for delivery in self.deliveries) / len(self.deliveries)


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
    """Return a repository as an event's envelope has it; the more an organisation says of it, the larger it is."""
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
        "custom_properties": {f"property-{number:02}": "of the platform" for number in range(id % 5 * 20)},
    }


@dataclass
class _World:
    """What all bodies share, and the clock that GUIDs and times are taken from."""

    chance: random.Random
    truth: Truth = field(default_factory=Truth)
    begun: int = 0

    def __post_init__(self) -> None:
        self.ticks = self.begun * DELIVERIES_A_RUN
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

    def send(self, event: str, action: str, which: int, sender: Body, content: Body) -> Delivery:
        """Return one delivery with the envelope that all events share."""
        envelope = {
            "repository": self.repositories[which],
            "organization": self.organization,
            "sender": sender,
            "installation": {"id": INSTALLATION_ID, "node_id": "MDIzOkludGVncmF0aW9uSW5zdGFsbGF0aW9u"},
        }
        return signed(event, orjson.dumps({"action": action} | content | envelope), self.guid())


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
    return Delivery(guid, event, head.encode() + body, len(body))


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
        self.steps = world.chance.randrange(10, len(_STEPS))
        self.message = "Make it safer\n\n" + "And faster, as was asked for. " * world.chance.randrange(80)

    def __iter__(self) -> Iterator[Delivery]:
        """Give its deliveries, DELIVERIES_A_RUN in all."""
        yield self._run("requested", "queued")
        yield self._check_suite("requested", "queued", None)
        for number in range(len(_JOBS)):
            yield self._job("queued", number, None)
        yield self._run("in_progress", "in_progress")
        yield self._check_run("created", "in_progress", None)
        for number in range(len(_JOBS)):
            # One job a run ends without ever having been picked up, as those that are skipped or cancelled do.
            if number < len(_JOBS) - 1:
                yield self._job("in_progress", number, None)
            yield self._job("completed", number, self.conclusion if number == 2 else "success")
        yield self._check_run("completed", "completed", "neutral")
        yield self._run("completed", "completed", self.conclusion)

    def _run(self, action: str, status: str, conclusion: str | None = None) -> Delivery:
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
            "head_commit": {"id": self.sha, "message": self.message, "timestamp": self.begun},
            "repository": self.world.heads[self.which],
            "head_repository": self.world.heads[self.which],
        }
        workflow = {"id": 88_001 + self.which, "name": told["name"], "path": told["path"], "state": "active"}
        self.world.truth.runs[self.id] = status, conclusion
        content = {"workflow_run": told, "workflow": workflow}
        return self.world.send("workflow_run", action, self.which, self.actor, content)

    def _job(self, status: str, number: int, conclusion: str | None) -> Delivery:
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
        self.world.truth.jobs[id] = status, conclusion, runner
        content = {"workflow_job": told, "deployment": None}
        return self.world.send("workflow_job", status, self.which, self.actor, content)

    def _steps(self, status: str, conclusion: str | None) -> list[Body]:
        if status == "queued":
            return []
        names = _STEPS[: self.steps] if conclusion else _STEPS[: self.steps // 4]
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

    def _check_suite(self, action: str, status: str, conclusion: str | None) -> Delivery:
        content = {"check_suite": self._suite(status, conclusion)}
        return self.world.send("check_suite", action, self.which, self.actor, content)

    def _check_run(self, action: str, status: str, conclusion: str | None) -> Delivery:
        suite = self._suite(status, conclusion)
        output = {"title": "Coverage", "summary": "All lines are covered. " * 40, "text": None, "annotations_count": 0}
        told = suite | {"name": "coverage", "external_id": "", "output": output, "check_suite": suite}
        return self.world.send("check_run", action, self.which, self.actor, {"check_run": told})


def _live(world: _World) -> Iterator[Delivery]:
    """Begin runs without end, and let some of them live beside each other, each run's own deliveries in order."""
    lives: list[Iterator[Delivery]] = []
    while True:
        if len(lives) < ACTIVE_RUNS:
            world.begun += 1
            lives.append(iter(_Life(world, world.begun)))
        life = world.chance.choice(lives)
        delivery = next(life, None)
        if delivery is None:
            lives.remove(life)
        else:
            yield delivery


class Source:
    """Deliveries without end, made as they are asked for, and the truth of those that were; of another seed, others."""

    def __init__(self, seed: int = 1) -> None:
        world = _World(random.Random(seed), begun=(seed - 1) * RUNS_A_SEED)
        self.truth = world.truth
        self._lives = _live(world)

    def __iter__(self) -> Iterator[Delivery]:
        return self._lives

    def take(self, count: int) -> list[Delivery]:
        """Return the next so many."""
        return list(islice(self._lives, count))


def make_traffic(count: int, seed: int = 1) -> Traffic:
    """Return so many deliveries, made beforehand."""
    source = Source(seed)
    return Traffic(source.take(count), source.truth)


def make_large(count: int, size: int, seed: int) -> list[Delivery]:
    """Return so many deliveries of jobs and runs that are `size` bytes larger than others, by random text."""
    chance = random.Random(seed)
    told = (each for each in Source(seed) if each.event in {"workflow_job", "workflow_run"})
    return [_grown(each, size, chance) for each in islice(told, count)]


def _grown(delivery: Delivery, size: int, chance: random.Random) -> Delivery:
    padding = base64.b64encode(chance.randbytes(size * 3 // 4)).decode()
    return signed(delivery.event, orjson.dumps(orjson.loads(delivery.body) | {"padding": padding}), delivery.guid)
