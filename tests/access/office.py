"""People, a record and a GitHub side by side on one clock that moves when told."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import aiohttp
from pydantic import SecretStr

from bot import events
from bot.access import sessions
from bot.access.callers import Caller
from bot.access.people import People
from bot.access.secrets import new_secret
from bot.access.sessions import Session
from bot.clock import ManualClock
from bot.demo.github import SimulatedGitHub, let_pass
from bot.demo.github.state.accounts import Account, Installation
from bot.demo.github.state.repositories import Repository
from bot.recorder import record
from bot.settings import Settings
from bot.store.database import Database
from bot.store.leases import Leases, new_holder
from bot.store.queries import find_scope
from bot.store.registration import Configuration
from tests.demo.conformance import AnswersHeld

T = TypeVar("T")

CALLBACK = "http://127.0.0.1/login/callback"
SECRET_KEY = "kept by the operator alone, and nowhere else"


@dataclass
class Office:
    """The organisation `acme` with three private repositories, the App installed, and Ada, who has no part in it."""

    github: SimulatedGitHub
    clock: ManualClock
    database: Database
    settings: Settings
    http: aiohttp.ClientSession
    people: People
    parts: AsyncExitStack
    acme: Account
    ada: Account
    repositories: list[Repository] = field(default_factory=list)
    installation: Installation = field(init=False)
    heard: int = 0

    async def hear(self) -> None:
        """Record what GitHub has told since."""
        for delivery in self.github.deliveries:
            if delivery.number > self.heard:
                self.heard = delivery.number
                await self.hear_of(delivery.guid, delivery.event, delivery.body)

    async def hear_of(self, guid: str, event: str, body: bytes) -> None:
        now = self.clock.now()
        news = await events.read(guid, event, body, now)
        async with self.database.transaction() as tx:
            await record(tx, news.told, now)

    async def code_of(self, person: Account, verifier: str) -> str:
        """Send a browser to GitHub, and return the code that it comes back with."""
        self.github.rest.signed_in = person
        url = self.people.authorize_url("a state", challenge_of(verifier), CALLBACK)
        async with self.http.get(url, allow_redirects=False) as led:
            assert led.status == 302, await led.text()
            back = parse_qs(urlsplit(led.headers["Location"]).query)
        assert back["state"] == ["a state"]
        return back["code"][0]

    async def sign_in(self, person: Account | None = None, people: People | None = None) -> Session:
        verifier = new_secret()
        code = await self.code_of(person or self.ada, verifier)
        known = await (people or self.people).sign_in(code, verifier, CALLBACK)
        return await sessions.open_session(known.user_id, self.clock.now())

    async def other_people(self) -> People:
        """Return what another process knows people by, on the same database."""
        return await self.parts.enter_async_context(_people(self.settings, self.clock, self.database))

    async def sees(self, session: Session) -> set[str] | None:
        """Return the names of what a session shows, None where its person has to sign in again."""
        return await self.shown(await self.people.caller_of_session(session))

    async def shown(self, caller: Caller | None) -> set[str] | None:
        if caller is None:
            return None
        rows = await self.database.fetch("SELECT repository_id, full_name FROM repository")
        names = {row["repository_id"]: row["full_name"].partition("/")[2] for row in rows}
        return {names[each] for seen in caller.teams.values() for each in seen or ()}

    async def team_id(self) -> int:
        scope = await find_scope("acme")
        assert scope is not None
        return scope.team_id

    async def while_time_passes(self, doing: Awaitable[T], *, seconds: float = 600) -> T:
        """Let the clock run while something is done, no faster than what is under way, and return what it comes to."""
        task = asyncio.ensure_future(doing)
        busy = lambda: self.database.is_working  # noqa: E731
        await let_pass(self.github, self.clock, seconds, step=0.5, busy=busy, until=task.done)
        assert task.done()
        return task.result()

    async def person(self) -> dict[str, Any]:
        (row,) = await self.database.fetch("SELECT * FROM person WHERE user_id = ?", self.ada.id)
        return row

    async def count(self, table: str) -> int:
        rows = await self.database.fetch(f"SELECT count(*) AS count FROM {table}")
        number: int = rows[0]["count"]
        return number

    def next_answer(self) -> asyncio.Event:
        """Return what is set when GitHub has decided on its next answer, and not sent it yet."""
        answered, held = asyncio.Event(), self.github.rest.on_answer

        def note(*told: Any) -> None:
            answered.set()
            self.github.rest.on_answer = held
            if held is not None:
                held(*told)

        self.github.rest.on_answer = note
        return answered

    def asked(self, operation: str) -> int:
        """Return how often an operation of GitHub's was asked for."""
        return self.github.rest.ledger.counts[operation]

    @property
    def looks(self) -> int:
        return self.asked("apps/list-installations-for-authenticated-user")

    def is_granted(self) -> bool:
        """Tell whether any token of Ada's is still good at GitHub, to ask with or to renew."""
        now = self.clock.now()
        kept = self.github.rest.authorizations
        tokens = [each for each in kept._tokens.values() if each.user is self.ada and now < each.expires_at]
        renewing = [each for each in kept._refresh_tokens.values() if each.token.user is self.ada and now < each.until]
        return bool(tokens or renewing)


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


@asynccontextmanager
async def _people(settings: Settings, clock: ManualClock, database: Database) -> AsyncIterator[People]:
    async with People(Configuration(settings, clock), clock, database, Leases(database, clock, new_holder())) as people:
        yield people


def settings_for(github: SimulatedGitHub, address: str) -> Settings:
    return Settings(
        _env_file=None,
        app_id=github.app.id,
        private_key=SecretStr(github.private_key_pem),
        webhook_secret=SecretStr(github.webhook_secret),
        github_client_id=github.app.client_id,
        github_client_secret=SecretStr(github.app.client_secret),
        github_api_url=address,
        github_server_url=address,
        secret_key=SecretStr(SECRET_KEY),
    )


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[Office]:
    """Give an office whose GitHub holds nothing against us in the end."""
    clock = ManualClock()
    github = SimulatedGitHub(clock, seed=7)
    github.rest.on_answer = held = AnswersHeld()
    github.app.callback_urls = (CALLBACK,)
    async with AsyncExitStack() as parts:
        await parts.enter_async_context(github)
        address = await parts.enter_async_context(github.serve())
        http = await parts.enter_async_context(aiohttp.ClientSession())
        settings = settings_for(github, address)
        people = await parts.enter_async_context(_people(settings, clock, database))
        acme, ada = github.add_organization("acme"), github.add_user("ada")
        office = Office(github, clock, database, settings, http, people, parts, acme, ada)
        names = ("rocket", "hidden", "vault")
        office.repositories = [github.repositories.create(acme, name, private=True) for name in names]
        office.installation = github.installations.install(acme)
        await office.hear()
        yield office
    assert held.faults == []
    assert github.rest.ledger.violations == []
