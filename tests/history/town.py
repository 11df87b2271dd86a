"""Two organisations on a GitHub that sends nothing, and a record that has only REST to learn of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot import events
from bot.clock import ManualClock
from bot.demo.github import SimulatedGitHub, let_pass
from bot.demo.github.payloads.repositories import html_url
from bot.demo.github.state.accounts import Account, Installation
from bot.demo.github.state.repositories import Repository
from bot.demo.github.webhooks.deliveries import Delivery
from bot.history import Tools, due_installations, find_installations, opened, sync_installation
from bot.store.database import Database, to_moment
from tests.demo.conformance import AnswersHeld
from tests.history.house import settings_for
from tests.recorder.arrived import handle

Directory = dict[str, dict[int, Any]]
REPOSITORIES = "apps/list-repos-accessible-to-installation"

_INSTALLATIONS = "SELECT * FROM installation WHERE state <> 'deleted'"
_REPOSITORIES = (
    "SELECT repository.*, installation.state, installation.team_id AS installation_team FROM repository"
    " LEFT JOIN installation ON installation.installation_id = repository.installation_id"
    " WHERE hidden_at IS NULL AND (state IS NULL OR state <> 'suspended')"
)


@dataclass
class Town:
    """`acme` and `globex`, the App on neither."""

    github: SimulatedGitHub
    acme: Account
    globex: Account
    clock: ManualClock
    database: Database
    tools: Tools

    def create(self, *names: str, owner: Account | None = None) -> list[Repository]:
        return [self.github.repositories.create(owner or self.acme, name) for name in names]

    def install(self, *repositories: Repository, owner: Account | None = None) -> Installation:
        """Install the App for some repositories, or for all where none is named."""
        return self.github.installations.install(owner or self.acme, repositories or None)

    # What the service does

    async def pass_time(self, seconds: float = 2) -> None:
        await self.clock.advance(seconds)

    async def while_time_passes(self, doing: Awaitable[object]) -> None:
        """Let the clock run while something is done that waits for it."""
        task = asyncio.ensure_future(doing)
        await let_pass(self.github, self.clock, 600, until=task.done)
        await task

    async def find(self) -> int:
        await self.pass_time()
        return await find_installations(self.tools)

    async def sync(self) -> None:
        """Look once for installations, then sync what is due."""
        await self.find()
        await self.sync_due()

    async def sync_due(self) -> list[int]:
        """Sync until nothing is due any more; return what was, in that order."""
        synced: list[int] = []
        while due := await due_installations(self.clock.now()):
            assert len(synced) < 20, "it never ends"
            await self.pass_time()
            for installation_id in due:
                await sync_installation(self.tools, installation_id)
            synced += due
        return synced

    async def hear(self, deliveries: Iterable[Delivery]) -> None:
        """Record deliveries as the worker does, one at a time, whenever they were made."""
        now = self.clock.now()
        for each in deliveries:
            news = (await events.read(each.guid, each.event, each.body, now)).told
            async with self.database.transaction() as tx:
                await handle(tx, news, now)

    # What is so, and what is known

    def truth(self) -> Directory:
        """Return what GitHub knows of the App's installations, and of what those see that are active."""
        living = [one for one in self.github.world.installations.values() if one.deleted_at is None]
        return {
            "installations": {one.id: _installation(one) for one in living},
            "repositories": {
                each.id: self._repository(one, each)
                for one in living
                if one.active
                for each in one.repositories.values()
            },
        }

    def _repository(self, installation: Installation, repository: Repository) -> dict[str, Any]:
        return {
            "installation_id": installation.id,
            "account_id": repository.owner.id,
            "full_name": repository.full_name,
            "private": repository.private,
            "archived": repository.archived,
            "default_branch": repository.default_branch,
            "html_url": html_url(self.github.world.addresses, repository),
            "same_team": True,
        }

    async def directory(self) -> Directory:
        """Return the same of what is recorded; the repositories of a suspended installation stay as they were."""
        repositories = {}
        for row in await self.database.fetch(_REPOSITORIES):
            same_team = row["team_id"] == row["installation_team"]
            told = row | {"private": bool(row["private"]), "archived": bool(row["archived"]), "same_team": same_team}
            repositories[row["repository_id"]] = {name: told[name] for name in _REPOSITORY}
        rows = await self.tools.database.fetch(_INSTALLATIONS)
        return {
            "installations": {
                row["installation_id"]: {name: _read(row[name]) for name in _INSTALLATION} for row in rows
            },
            "repositories": repositories,
        }

    async def row(self, installation: Installation) -> dict[str, Any]:
        (row,) = await self.database.fetch("SELECT * FROM installation WHERE installation_id = ?", installation.id)
        return row | {name: to_moment(row[name]) for name in ("sync_due_at", "synced_at", "silent_since")}

    async def due_in(self, installation: Installation) -> timedelta | None:
        """Return how long it is until an installation is synced again; None: it is due."""
        due: datetime | None = (await self.row(installation))["sync_due_at"]
        return None if due is None else due - self.clock.now()


_REPOSITORY = (
    "installation_id",
    "account_id",
    "full_name",
    "private",
    "archived",
    "default_branch",
    "html_url",
    "same_team",
)
_INSTALLATION = (
    "account_id",
    "account_login",
    "account_type",
    "state",
    "repository_selection",
    "permissions",
    "events",
)


def _installation(one: Installation) -> dict[str, Any]:
    return {
        "account_id": one.account.id,
        "account_login": one.account.login,
        "account_type": one.account.type,
        "state": "active" if one.active else "suspended",
        "repository_selection": one.repository_selection,
        "permissions": one.permissions,
        "events": list(one.app.events),
    }


def _read(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value[:1] in {"[", "{"} else value


@asynccontextmanager
async def founded(database: Database, *, seed: int = 7) -> AsyncIterator[Town]:
    """Give a town whose GitHub keeps to its own models, and holds nothing against us in the end."""
    clock = ManualClock()
    github = SimulatedGitHub(clock, seed=seed)
    github.rest.on_answer = held = AnswersHeld()
    acme, globex = github.add_organization("acme"), github.add_organization("globex")
    async with (
        github,
        github.serve() as api,
        opened(settings_for(github, api), database, clock) as tools,
    ):
        yield Town(github, acme, globex, clock, database, tools)
    assert held.faults == []
    assert github.rest.ledger.violations == []
