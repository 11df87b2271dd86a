"""The real service without a worker, on a record of two organisations, a simulated GitHub, and people with browsers."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from bot import access
from bot.access.sessions import csrf_token_of
from bot.app import create_app
from bot.clock import Clock
from bot.demo.github import SimulatedGitHub
from bot.demo.github.state.accounts import Account, Installation
from bot.demo.github.state.repositories import Repository
from bot.inbox import get_statistics
from bot.settings import Settings
from bot.store.database import current
from bot.web import cookies, keys
from tests.databases import quick
from tests.demo.stage import Stage, finish_run, set_stage

API = "/api/integrations/github"
CALLBACK = "/login/callback"
SECRET_KEY = "a key of which nobody should learn"


class Watch(Clock):
    """The machine's time, put forward by `ahead`."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead.total_seconds()


@dataclass
class Answer:
    """What came back, read whole."""

    status: int
    headers: Any
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def location(self) -> str:
        return str(self.headers.get("Location", ""))


@dataclass
class Visitor:
    """A browser: it keeps the cookies that it is given, and follows nothing by itself."""

    http: aiohttp.ClientSession
    address: str
    kept: dict[str, str] = field(default_factory=dict)

    @property
    def secret(self) -> str:
        return self.kept.get(cookies.SESSION, "")

    @property
    def csrf_token(self) -> str:
        return csrf_token_of(self.secret)

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> Answer:
        """Ask for a path of the service; what it says of cookies is obeyed."""
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.kept.items())} if self.kept else {}
        url = URL(self.address + path, encoded=True)
        async with self.http.request(
            method, url, headers=sent | (headers or {}), allow_redirects=False, **options
        ) as answer:
            for name, cookie in answer.cookies.items():
                self.kept[name] = cookie.value
                if cookie["max-age"] == "0":
                    del self.kept[name]
            return Answer(answer.status, answer.headers, await answer.read())

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> Answer:
        """Send a form of a page that this browser was shown."""
        return await self.ask("POST", path, headers, data={"csrf": self.csrf_token} | fields)

    async def leave(self, path: str = "/login") -> str:
        """Begin to sign in, agree at GitHub, and return the path that GitHub leads back to."""
        led = await self.get(path)
        assert led.status == 303, led.text
        async with self.http.get(URL(led.location, encoded=True), allow_redirects=False) as answer:
            assert answer.status == 302, await answer.text()
            back = urlsplit(answer.headers["Location"])
        return f"{back.path}?{back.query}"

    async def sign_in(self, path: str = "/login") -> Answer:
        """Sign in, and return what the service answers whoever comes back."""
        return await self.get(await self.leave(path))

    async def is_signed_in(self) -> bool:
        """Find out whether the API takes the visitor for somebody."""
        status = (await self.get(f"{API}/teams")).status
        assert status in {200, 401}
        return status == 200


@dataclass
class Town:
    """Everything there is, and what it is asked with."""

    github: SimulatedGitHub
    stage: Stage
    cellar: Repository
    other: Installation
    held: Installation
    clock: Watch
    settings: Settings
    http: aiohttp.ClientSession
    address: str = ""
    app: web.Application | None = None
    visitors: dict[str, Visitor] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def account(self, login: str) -> Account:
        found = self.github.world.find_account(login)
        assert found is not None
        return found

    def visitor(self, **kept: str) -> Visitor:
        return Visitor(self.http, self.address, dict(kept))

    async def signed_in(self, login: str) -> Visitor:
        """Return a browser in which somebody has just signed in."""
        self.github.rest.signed_in = self.account(login)
        visitor = self.visitor()
        answer = await visitor.sign_in()
        assert answer.status == 303, answer.text
        return visitor

    async def rows(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        return await current().fetch(sql, *parameters)

    @asynccontextmanager
    async def serving(self, *, with_worker: bool) -> AsyncIterator[None]:
        """Serve on a port that stays the same."""
        self.app = create_app(self.settings, self.clock, with_worker=with_worker)
        port = urlsplit(self.address).port or 0
        async with TestServer(self.app, port=port) as server:
            self.address = str(server.make_url("/")).rstrip("/")
            self.github.webhooks.url = self.address + "/api/github/webhooks"
            self.github.app.callback_urls = (self.address + CALLBACK,)
            yield

    async def settle(self) -> None:
        """Wait until a worker has handled what happened."""
        await self.github.settle()
        async with asyncio.timeout(30):
            while (await get_statistics()).waiting:
                await asyncio.sleep(0.02)

    async def make_token(self, login: str, team: str, name: str) -> str:
        """Return a token that a person has made for a team."""
        assert self.app is not None
        session = await access.sessions.find_session(self.visitors[login].secret, self.clock.now())
        assert session is not None
        maker = await self.app[keys.PEOPLE].caller_of_session(session)
        return await access.create_token(team, name, self.clock.now(), 30, maker=maker)


def _found(github: SimulatedGitHub) -> tuple[Stage, Repository, Installation, Installation]:
    """Found `acme` with two repositories and the people who see them; `other`, whom none of them knows; and `held`."""
    stage = set_stage(github)
    acme, people = stage.organization, github.people
    cellar = github.repositories.create(acme, "cellar", private=True)
    people.add_owner(acme, github.add_user("olive"))
    people.add_member(acme, github.add_user("carl"), "admin", [stage.repository])
    people.add_member(acme, github.add_user("rita"), "admin")
    people.add_member(acme, github.add_user("tess"), "write")
    other = github.add_organization("other")
    people.add_owner(other, github.add_user("otto"))
    github.repositories.create(other, "rocket", private=True)
    held = github.add_organization("held")
    people.add_owner(held, github.add_user("hal"))
    github.repositories.create(held, "rocket", private=True)
    return stage, cellar, github.installations.install(other), github.installations.install(held)


def _run_in(github: SimulatedGitHub, stage: Stage, repositories: Iterable[Repository]) -> None:
    for repository in repositories:
        workflow = github.actions.add_workflow(
            repository, "Checks", ".github/workflows/checks.yml", stage.workflow.jobs
        )
        pull = github.pulls.open(repository, "A change", stage.person, branch="topic")
        finish_run(stage, github.actions.start_run_for(pull, workflow), "unit")


@asynccontextmanager
async def founded(url: str, **settings: Any) -> AsyncIterator[Town]:
    """Let a worker record what there is, and give the town with a service that has none."""
    clock = Watch()
    github = SimulatedGitHub(clock, seed=3)
    async with github, github.serve() as api, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        stage, cellar, other, held = _found(github)
        given: dict[str, Any] = {
            "database_url": quick(url),
            "webhook_secret": github.webhook_secret,
            "secret_key": SECRET_KEY,
            "app_id": github.app.id,
            "private_key": github.private_key_pem,
            "github_client_id": github.app.client_id,
            "github_client_secret": github.app.client_secret,
            "github_api_url": api,
            "github_server_url": github.world.addresses.html,
            "api_rate_limit": 0,
        }
        town = Town(github, stage, cellar, other, held, clock, Settings(_env_file=None, **(given | settings)), http)
        async with town.serving(with_worker=True):
            _run_in(github, stage, (stage.repository, cellar))
            await town.settle()
            github.installations.suspend(held)
            await town.settle()
        async with town.serving(with_worker=False):
            yield town
