"""The real service, its worker included, and a simulated GitHub that posts to it, on one clock that moves when told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bot.app import create_app
from bot.clock import ManualClock
from bot.demo.github import NeverSent, ScriptedFaults, SimulatedGitHub, let_pass
from bot.demo.github.state.actions import WorkflowRun
from bot.demo.scenario.agreement import differences_from
from bot.settings import Settings
from bot.store.database import Database, current
from tests.demo.conformance import AnswersHeld
from tests.demo.stage import Stage, finish_run, set_stage
from tests.history.house import settings_for
from tests.inbox.deliveries import until_recorded

LIST = "actions/list-workflow-runs-for-repo"
PATIENCE = 200
WEBHOOK = "/api/github/webhooks"


@dataclass
class Service:
    """The organisation `acme` with the repository `rocket` and the App installed, and the service that is told of it.

    `posts` are the faults that deliveries meet on the way.
    """

    github: SimulatedGitHub
    stage: Stage
    clock: ManualClock
    posts: ScriptedFaults
    settings: Settings
    server: TestServer | None = None

    @property
    def database(self) -> Database:
        return current()

    async def begin_again(self) -> None:
        """Start the service, and let it learn of the installation and fetch what was before."""
        self.server = TestServer(create_app(self.settings, self.clock, with_worker=True))
        await self.server.start_server()
        self.github.webhooks.url = str(self.server.make_url(WEBHOOK))
        await self.until("SELECT 1 AS done FROM backfill WHERE finished_at IS NOT NULL")

    async def stop(self) -> None:
        """Stop the service as a signal does."""
        if self.server is not None:
            await self.server.close()
            self.server = None

    # What happens at GitHub

    def start(self, branch: str = "topic") -> WorkflowRun:
        """Open a pull request and start its run."""
        return self.github.actions.start_run_for(self.stage.open(branch), self.stage.workflow)

    def finish(self, run: WorkflowRun) -> None:
        """Run every job of the newest attempt to its end."""
        finish_run(self.stage, run)

    def lose(self) -> None:
        """Let deliveries never be sent from now on, until `deliver`."""
        self.posts.add(NeverSent(), times=None)

    def deliver(self) -> None:
        """Let everything arrive again."""
        self.posts.clear()

    # How time goes by

    async def settle(self) -> None:
        """Let everything that was posted arrive and be handled."""
        await self.pass_time(seconds=5, step=1)

    async def pass_time(self, *, step: float = 60, **span: float) -> None:
        """Let time pass in steps of so many seconds; `span` is a timedelta's."""
        await let_pass(self.github, self.clock, timedelta(**span).total_seconds(), step=step)

    async def until(self, sql: str) -> None:
        """Let time pass until a query has an answer."""
        for _ in range(PATIENCE):
            if await self.database.fetch(sql):
                return
            await self.pass_time(seconds=5, step=5)
        pytest.fail(f"it never was so: {sql}")

    async def until_whole(self) -> None:
        """Let time pass until the record says what GitHub says."""
        for _ in range(PATIENCE):
            if not (differences := await self.differences()):
                return
            await self.pass_time(seconds=30, step=10)
        pytest.fail("\n".join(differences))

    # What is asked, and what is recorded

    def asked(self, operation: str) -> int:
        """Return how often GitHub was asked for an operation."""
        return sum(1 for _ in self.github.rest.ledger.of(operation))

    async def state(self, run: WorkflowRun) -> tuple[str, str | None]:
        """Return what is recorded of a run once all that came is: its status and its conclusion."""
        await until_recorded(self.database)
        sql = "SELECT status, conclusion FROM workflow_run WHERE run_id = ?"
        (row,) = await self.database.fetch(sql, run.id)
        return row["status"], row["conclusion"]

    async def differences(self) -> list[str]:
        """Return where the record strays from what GitHub knows."""
        truth = self.github.truth(self.stage.installation)
        return [each async for each in differences_from(truth, self.stage.organization.login)]


def _settings(github: SimulatedGitHub, api: str, database_url: str) -> Settings:
    told = settings_for(github, api)
    return told.model_copy(update={"database_url": SecretStr(database_url)})


@asynccontextmanager
async def serving(database_url: str, *, seed: int = 7) -> AsyncIterator[Service]:
    """Serve, and give the service once it knows of the installation.

    In the end GitHub has nothing to hold against us, and has kept to its own models.
    """
    clock, posts = ManualClock(), ScriptedFaults()
    github = SimulatedGitHub(clock, seed=seed, faults=posts)
    github.rest.on_answer = held = AnswersHeld()
    stage = set_stage(github)
    async with github, github.serve() as api:
        service = Service(github, stage, clock, posts, _settings(github, api, database_url))
        await service.begin_again()
        try:
            yield service
        finally:
            await service.stop()
    assert held.faults == []
    assert github.rest.ledger.violations == []
