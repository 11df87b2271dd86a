"""The rooms below `web`, kept in memory to the letter of their contract, so that these tests are about HTTP alone."""

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest
from aiohttp import web

from bot import access, history, inbox
from bot.clock import ManualClock
from bot.errors import NotFound
from bot.settings import Settings
from bot.store import health, queries, views
from bot.store.registration import Configuration
from bot.web import keys, routes
from bot.web.webhook import Receiver

if TYPE_CHECKING:
    from bot.access.people import People

API = "/api/integrations/github"
WEBHOOK = "/api/github/webhooks"
SECRET = "it is a secret"
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
TOKEN = {"Authorization": "Bearer good-token"}


def a_run(run_id: int = 7, **changes: Any) -> views.Run:
    facts: dict[str, Any] = dict.fromkeys(views.Run.__struct_fields__)
    facts |= {
        "provider": "github",
        "team": "octo",
        "repository_id": 1,
        "repo_full_name": "octo/hello",
        "run_id": run_id,
        "run_attempt": 1,
        "status": "completed",
        "created_at": NOW,
        "updated_at": NOW + timedelta(milliseconds=1),
        "pull_requests": [],
    }
    return views.Run(**(facts | changes))


class Rooms:
    """Deliveries kept, questions remembered, and the one thing that shall go wrong, if any."""

    def __init__(self) -> None:
        self.kept: dict[str, inbox.NewDelivery] = {}
        self.asked: list[tuple[str, Any]] = []
        self.good_token = "good-token"
        self.failure: Exception | None = None
        self.query_failure: Exception | None = None
        self.ask_failure: Exception | None = None
        self.hold = asyncio.Event()
        self.hold.set()
        self.heartbeat: datetime | None = NOW
        self.oldest: datetime | None = NOW - timedelta(seconds=90)
        self.next_cursor: str | None = "next one"
        # How often a run is looked at before its jobs are there, and whether anybody can ask for them.
        self.pending = 0
        self.jobs_may_come = True

    async def append(self, delivery: inbox.NewDelivery) -> Literal["accepted", "duplicate"]:
        await self._answer()
        if delivery.guid in self.kept:
            return "duplicate"
        self.kept[delivery.guid] = delivery
        return "accepted"

    def put(self, delivery: inbox.NewDelivery, settle: inbox.Settle) -> None:
        def tell(ended: asyncio.Future[Literal["accepted", "duplicate"]]) -> None:
            failure = ended.exception()
            settle(failure if isinstance(failure, Exception) else ended.result())

        asyncio.ensure_future(self.append(delivery)).add_done_callback(tell)

    async def _answer(self) -> None:
        await self.hold.wait()
        if self.failure is not None:
            raise self.failure

    async def find_caller(self, token: str) -> Any:
        await self._answer()
        good = access.Caller(access.Actor("token", "ci", 1), "token 1", {1: None})
        return good if token == self.good_token else None

    def note_use(self, session: Any) -> None:
        """Take note of nothing."""

    async def get_scope(self, caller: Any, team: str) -> Any:
        if team not in {"octo", "1"}:
            message = f"no team {team}"
            raise NotFound(message)
        return queries.Scope(1, "octo")

    async def list_teams(self, caller: Any) -> views.TeamList:
        return views.TeamList(teams=[views.Team(id=1, slug="octo", name="Octo", installations=[])])

    async def list_runs(self, scope: Any, query: Any, *, as_json: bool = False) -> views.RunPage:
        await self._answer()
        if self.query_failure is not None:
            raise self.query_failure
        self.asked.append((scope.slug, query))
        return views.RunPage(runs=[a_run()], total=1, total_is_exact=True, next_cursor=self.next_cursor)

    async def remember(self, question: Any, find_out: Any, size_of: Any) -> Any:
        hash(question)
        return await find_out()

    async def list_jobs(self, scope: Any, query: Any, *, as_json: bool = False) -> views.JobPage:
        self.asked.append((scope.slug, query))
        return views.JobPage(jobs=[], total=0, total_is_exact=True, next_cursor=None)

    async def get_run_details(self, scope: Any, run_id: int, attempt: int | None) -> views.RunDetails:
        self.asked.append((scope.slug, (run_id, attempt)))
        if run_id != 7:
            message = f"no run {run_id}"
            raise NotFound(message)
        self.pending -= 1
        return views.RunDetails(run=a_run(), attempts=[a_run()], jobs=[], jobs_pending=self.pending > 0)

    async def list_repositories(self, scope: Any) -> views.RepositoryList:
        return views.RepositoryList(repositories=[])

    async def get_backfill(self, scope: Any, backfill_id: int) -> views.BackfillProgress:
        self.asked.append((scope.slug, backfill_id))
        facts: dict[str, Any] = dict.fromkeys(views.BackfillProgress.__struct_fields__)
        facts |= {"id": backfill_id, "kind": "request", "state": "done", "created_at": NOW}
        facts |= dict.fromkeys(("runs_stored", "jobs_stored", "jobs_pending", "requests_left"), 0)
        return views.BackfillProgress(**facts)

    async def ask_for_backfill(
        self, scope: Any, full_name: str, since: datetime | None, until: datetime | None, now: datetime, note: Any
    ) -> list[int]:
        if self.ask_failure is not None:
            raise self.ask_failure
        self.asked.append((scope.slug, (full_name, since, until, now)))
        if full_name != "octo/hello":
            message = f"no repository {full_name}"
            raise NotFound(message)
        return [3]

    async def ask_for_jobs(self, run_id: int, now: datetime) -> bool:
        if self.ask_failure is not None:
            raise self.ask_failure
        self.asked.append(("jobs", run_id))
        return self.jobs_may_come

    async def last_deliveries(self) -> list[tuple[int, datetime]]:
        await self._answer()
        return [(11, NOW), (12, NOW - timedelta(hours=1))]

    async def silent_installations(self) -> dict[int, bool]:
        return {11: False, 12: True}

    async def get_statistics(self) -> Any:
        await self._answer()
        return SimpleNamespace(waiting=3, dead=2, oldest_waiting=self.oldest)

    async def check_writable(self) -> None:
        await self._answer()

    async def newest_heartbeat(self) -> datetime | None:
        await self._answer()
        return self.heartbeat

    def move_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of the real rooms for one test."""
        for module, names in {
            access: ("get_scope", "list_teams"),
            history: ("ask_for_backfill", "ask_for_jobs"),
            inbox: ("get_statistics",),
            health: ("check_writable", "newest_heartbeat"),
            queries: ("remember", "list_runs", "list_jobs", "get_run_details", "list_repositories", "get_backfill"),
        }.items():
            for name in names:
                monkeypatch.setattr(module, name, getattr(self, name))
        monkeypatch.setattr(queries, "list_pull_request_runs", self.list_runs)
        monkeypatch.setattr(queries, "last_deliveries", self.last_deliveries)
        monkeypatch.setattr(queries, "silent_installations", self.silent_installations)


def make_app(rooms: Rooms, receiver: Receiver | None = None, **settings: Any) -> web.Application:
    """Build the application as `app.py` does, around these rooms."""
    app = web.Application(middlewares=routes.middlewares, handler_args=routes.HANDLER_ARGS)
    given = Settings(**({"webhook_secret": SECRET, "_env_file": None} | settings))
    app[keys.CLOCK] = ManualClock(NOW)
    app[keys.CONFIGURATION] = Configuration(given, app[keys.CLOCK])
    app[keys.PEOPLE] = cast("People", rooms)
    app[keys.INBOX] = cast("inbox.Inbox", rooms)
    if receiver is not None:
        app[keys.RECEIVER] = receiver
    routes.add_routes(app)
    return app


def signature(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def delivery_headers(body: bytes, **changes: str | None) -> dict[str, str]:
    """Return what GitHub sends beside `body`; a change to None leaves the header out, `_` stands for `-`."""
    headers: Mapping[str, str | None] = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "workflow_run",
        "X-GitHub-Delivery": "0b1f1c1e-0000-11ef-8000-000000000001",
        "X-Hub-Signature-256": signature(body),
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in headers.items() if value is not None}
