"""A record and a GitHub side by side on one clock that moves when told, with nothing between them but REST."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from pydantic import SecretStr

from bot import events
from bot.clock import ManualClock
from bot.demo.github import Past, SimulatedGitHub, let_pass
from bot.demo.scenario.agreement import differences_from
from bot.domain import facts, ordering
from bot.history import Historian, Tools, opened
from bot.recorder import record
from bot.settings import Settings
from bot.store.database import Database
from tests.demo.conformance import AnswersHeld
from tests.demo.stage import Stage, set_stage

T = TypeVar("T")


@dataclass
class House:
    """The organisation `acme` with the repository `rocket`, the App installed, and a record that knows of it."""

    github: SimulatedGitHub
    stage: Stage
    clock: ManualClock
    database: Database
    tools: Tools
    historian: Historian
    held: AnswersHeld

    @property
    def team(self) -> str:
        return self.stage.organization.login

    @property
    def installation_id(self) -> int:
        return self.stage.installation.id

    async def hear_of_installation(self) -> None:
        """Record the installation and its repositories as its event would."""
        made = ordering.microseconds(self.clock.now())
        account = facts.Account(self.stage.organization.id, self.team, "Organization")
        told: list[facts.Facts] = [
            facts.Installation(
                installation_id=self.installation_id,
                account=account,
                version=ordering.entity_version(None, made, b""),
                login_version=facts.login_version(self.team, made),
            )
        ]
        told += [
            facts.Repository(
                repository_id=repository.id,
                full_name=repository.full_name,
                owner=account,
                installation_id=self.installation_id,
                private=repository.private,
                archived=False,
                default_branch=repository.default_branch,
                version=ordering.entity_version(None, made, b""),
            )
            for repository in self.stage.installation.repositories.values()
        ]
        async with self.database.transaction() as tx:
            await record(tx, told, self.clock.now())

    def add_past(self, runs: int, *, days: int = 60, bursts: int = 0) -> None:
        """Give the repository a past of so many finished runs, which no webhook told of."""
        until = self.clock.now() - timedelta(hours=5)
        since = until - timedelta(days=days)
        stage = self.stage
        past = Past(stage.repository, [stage.workflow], [stage.person], runs, since, until, bursts=bursts)
        self.github.add_history(past)

    async def while_time_passes(self, doing: Awaitable[T], *, hours: float = 1000, step: float = 5) -> T:
        """Let the clock run while something is done, and return what it comes to."""
        task = asyncio.ensure_future(doing)
        await let_pass(
            self.github,
            self.clock,
            hours * 3600,
            step=step,
            busy=lambda: self.database.is_working,
            until=task.done,
        )
        assert task.done(), f"not done after {hours} hours"
        return task.result()

    async def catch_up(self, *, step: float = 5) -> None:
        """Let the historian do all that is due."""
        await self.while_time_passes(self.historian.catch_up(), step=step)

    async def differences(self) -> list[str]:
        """Return where the record strays from what the simulated GitHub knows."""
        truth = self.github.truth(self.stage.installation)
        return [each async for each in differences_from(truth, self.team)]

    async def count(self, table: str) -> int:
        rows = await self.database.fetch(f"SELECT count(*) AS count FROM {table}")
        number: int = rows[0]["count"]
        return number

    def asked(self, operation: str) -> int:
        """Return how often an operation of GitHub's was asked for."""
        return self.github.rest.ledger.counts[operation]


def settings_for(github: SimulatedGitHub, api: str) -> Settings:
    return Settings(
        _env_file=None,
        app_id=github.app.id,
        private_key=SecretStr(github.private_key_pem),
        webhook_secret=SecretStr(github.webhook_secret),
        github_api_url=api,
    )


@asynccontextmanager
async def housed(
    database: Database, clock: ManualClock | None = None, *, seed: int = 7, api_path: str = ""
) -> AsyncIterator[House]:
    """Give a house whose GitHub keeps to its own models, and holds nothing against us in the end.

    With an `api_path` of `/api/v3` it is an Enterprise Server.
    """
    clock = clock or ManualClock()
    github = SimulatedGitHub(clock, seed=seed)
    github.rest.on_answer = held = AnswersHeld()
    stage = set_stage(github)
    async with (
        github,
        github.serve(api_path=api_path) as api,
        opened(settings_for(github, api), database, clock, events.acts_on) as tools,
    ):
        house = House(github, stage, clock, database, tools, Historian(tools), held)
        await house.hear_of_installation()
        yield house
        await house.historian.stop()
    assert held.faults == []
    assert github.rest.ledger.violations == []
