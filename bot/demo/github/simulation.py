"""The simulated GitHub as one object: state, operations, webhooks and truth on a shared clock."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from bot.demo.github import truth
from bot.demo.github.operations.actions import Actions
from bot.demo.github.operations.apps import Apps, client_id_of
from bot.demo.github.operations.checks import Checks
from bot.demo.github.operations.comments import Comments
from bot.demo.github.operations.installations import Installations
from bot.demo.github.operations.merge_queue import MergeQueue
from bot.demo.github.operations.people import People
from bot.demo.github.operations.pulls import Pulls
from bot.demo.github.operations.repositories import Repositories
from bot.demo.github.outages import Outages
from bot.demo.github.rest.keys import private_pem
from bot.demo.github.rest.server import served
from bot.demo.github.rest.service import Rest
from bot.demo.github.state.accounts import Account, App, Hook
from bot.demo.github.state.history import LONGEST, History
from bot.demo.github.state.world import World
from bot.demo.github.webhooks.deliverer import Deliverer
from bot.demo.github.webhooks.events import Events

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from bot.clock import Clock
    from bot.demo.github.faults import FaultPlan
    from bot.demo.github.payloads.values import Json
    from bot.demo.github.state.accounts import AccountType, Installation, Role
    from bot.demo.github.state.history import Past
    from bot.demo.github.state.repositories import Repository
    from bot.demo.github.webhooks.deliveries import Delivery

PERMISSIONS = {"metadata": "read", "actions": "read", "checks": "write", "pull_requests": "write"}
EVENTS = ("workflow_run", "workflow_job", "pull_request", "repository")


class SimulatedGitHub:
    """GitHub with one registered App whose webhook goes to `webhook_url` (None: deliveries are made, not sent).

    With `registered=False` there is no App until one is made of a manifest; each that is made is an App of its own, and
    `app` is the newest. Operations are plain calls that change the state at once and post their deliveries: `people`,
    `installations`, `repositories`, `pulls`, `actions`, `merge_queue`, `checks` and `comments`. `webhooks` is the
    deliverer with its log and its faults. The same seed, clock and calls give the same bytes.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int = 1,
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        permissions: dict[str, str] | None = None,
        registered: bool = True,
        faults: FaultPlan | None = None,
        concurrency: int = 8,
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.world = World(clock, seed)
        if registered:
            app = _register_app(self.world, seed, permissions or dict(PERMISSIONS))
            app.hook = Hook(app.hook.id, webhook_secret or app.hook.secret, webhook_url)
        self.outages = Outages(clock)
        self.webhooks = Deliverer(clock, self.world, seed, faults=faults, concurrency=concurrency, outages=self.outages)
        self.events = Events(self.world, seed=seed, post=self.webhooks.post)
        self.people = People(self.world)
        self.apps = Apps(self.world, self.events)
        self.installations = Installations(self.world, self.events)
        self.repositories = Repositories(self.world, self.events, self.installations)
        self.pulls = Pulls(self.world, self.events, self.repositories)
        self.actions = Actions(self.world, self.events)
        self.merge_queue = MergeQueue(self.world, self.events, self.repositories, self.pulls, self.actions)
        self.checks = Checks(self.world, self.events)
        self.comments = Comments(self.world)
        self.rest = Rest(self, seed)

    def add_organization(self, login: str, name: str | None = None) -> Account:
        return self._add_account(login, "Organization", name)

    def add_user(self, login: str, name: str | None = None) -> Account:
        return self._add_account(login, "User", name)

    def _add_account(self, login: str, kind: AccountType, name: str | None) -> Account:
        return self.world.add_account(login, kind, name)

    def add_member(
        self, account: Account, person: Account, role: Role = "write", repositories: Iterable[Repository] | None = None
    ) -> None:
        """Let a person into an organisation's repositories, all of them (None) or some: see `people` for more."""
        self.people.add_member(account, person, role, repositories)

    def add_history(self, past: Past) -> History:
        """Give a repository finished runs of the past, of which no webhook tells; cheap for hundreds of thousands.

        ValueError when it reaches into the last four hours, in which such runs could still be going on.
        """
        if past.until > self.clock.now() - timedelta(seconds=LONGEST):
            raise ValueError("the past has to end four hours ago")
        history = History(past, self.world.numbers, self.seed)
        self.world.runs.histories[past.repository.id].append(history)
        return history

    @property
    def app(self) -> App:
        """The App that was registered last; LookupError when there is none."""
        return self.world.app

    @property
    def hook_id(self) -> int:
        """The id of its hook."""
        return self.app.hook.id

    @property
    def webhook_secret(self) -> str:
        """What its deliveries are signed with."""
        return self.app.hook.secret

    @property
    def private_key_pem(self) -> str:
        """Its private key, as GitHub hands it out."""
        return private_pem(self.app.id)

    def serve(
        self, host: str = "127.0.0.1", port: int = 0, *, logs_port: int = 0, api_path: str = ""
    ) -> AbstractAsyncContextManager[str]:
        """Listen as GitHub's API, its pages and, on another port, its host of logs; yields the API's address.

        With an `api_path` of `/api/v3` it looks like GitHub Enterprise Server. OSError when a port is taken.
        """
        return served(self, host, port, logs_port, api_path)

    def at(self, moment: datetime) -> AbstractContextManager[None]:
        """Stamp a moment of the past on what is done inside (ValueError: of the future); deliveries are made now."""
        return self.world.timeline.at(moment)

    def revoke_authorization(self, person: Account) -> None:
        """Let a person withdraw what they allowed the App: their tokens end, and the App hears of it."""
        self.rest.authorizations.revoke(self.app, person)
        self.events.authorization_revoked(self.app, person)

    def ping(self) -> None:
        """Send what GitHub sends when a webhook is set up."""
        self.events.ping(self.app)

    @property
    def deliveries(self) -> list[Delivery]:
        """Every delivery made in the last three days, in that order."""
        return self.webhooks.log.deliveries

    def redeliver(self, guid: str) -> None:
        """Send a delivery again; KeyError when the log does not have it."""
        self.webhooks.redeliver(guid)

    @property
    def busy(self) -> bool:
        """Whether a request or a delivery is under way, other than one that waits for the clock."""
        return self.rest.working > 0 or self.webhooks.sending > 0

    @property
    def served(self) -> int:
        """How many requests and attempts at deliveries there have been so far."""
        return self.rest.requests + self.webhooks.log.counts["attempts"]

    async def settle(self) -> None:
        """Wait until no delivery is held back or in flight."""
        await self.webhooks.settle()

    async def close(self) -> None:
        await self.webhooks.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def truth(self, installation: Installation | None = None) -> Json:
        """Return what GitHub would say of runs, attempts, jobs and pull requests: see `truth.truth`.

        For a large past, `truth.each_run(github.world)` and its like yield the same records one by one.
        """
        return truth.truth(self.world, installation)

    def counts(self, installation: Installation | None = None) -> dict[str, int]:
        """Return how many runs, attempts, jobs and pull requests there are, and what became of the deliveries.

        `deliveries_` made, attempts, succeeded, failed, redeliveries, delayed, duplicates and never_sent.
        """
        log = self.webhooks.log.counts
        return truth.counts(self.world, installation) | {
            f"deliveries_{name}": log[name]
            for name in (
                "made",
                "attempts",
                "succeeded",
                "failed",
                "redeliveries",
                "delayed",
                "duplicates",
                "never_sent",
            )
        }


def _register_app(world: World, seed: int, permissions: dict[str, str]) -> App:
    number = world.numbers.next("app")
    owner = Account(world.numbers.next("account"), "runledger", "Organization", "Runledger", world.now())
    app = world.apps[number] = App(
        id=number,
        slug="runledger",
        name="Runledger",
        description="Remembers every workflow run.",
        owner=owner,
        client_id=client_id_of(number),
        external_url="https://example.com/runledger",
        permissions=permissions,
        events=EVENTS,
        created_at=datetime(2026, 1, 2, 8, tzinfo=UTC),
        hook=Hook(world.numbers.next("hook"), _secret("webhook", seed)),
        client_secret=_secret("client", seed)[:40],
    )
    return app


def _secret(kind: str, seed: int) -> str:
    return hashlib.sha256(f"{kind} secret {seed}".encode()).hexdigest()
