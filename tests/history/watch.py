"""A house whose GitHub posts its webhooks, some of which are lost, and which is looked after as the worker does."""

import math
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.clock import ManualClock
from bot.demo.github import NeverSent, SimulatedGitHub
from bot.demo.github.state.actions import Job, WorkflowRun
from bot.demo.scenario.agreement import differences_from
from bot.history import due_installations, look_back_a_month, look_back_an_hour, prune_history, sweep, sync_installation
from bot.store.database import Database, to_moment
from bot.worker.deliveries import Deliveries
from tests.demo.stage import Stage, finish_run
from tests.history.house import House
from tests.history.post import Post, posting

RUN, JOBS = "actions/get-workflow-run", "actions/list-jobs-for-workflow-run"
LIST = "actions/list-workflow-runs-for-repo"
EVERY = timedelta(minutes=5)


@dataclass
class Watch:
    """What happens at GitHub, what arrives of it, and how often GitHub is asked."""

    post: Post

    @property
    def house(self) -> House:
        return self.post.house

    @property
    def github(self) -> SimulatedGitHub:
        return self.house.github

    @property
    def stage(self) -> Stage:
        return self.house.stage

    @property
    def clock(self) -> ManualClock:
        return self.house.clock

    @property
    def database(self) -> Database:
        return self.house.database

    # What happens at GitHub

    def start(self, branch: str = "topic", **options: bool) -> WorkflowRun:
        """Open a pull request and start its run."""
        return self.github.actions.start_run_for(self.stage.open(branch), self.stage.workflow, **options)

    def finish(self, run: WorkflowRun, *failing: str) -> None:
        """Run every job of the newest attempt to its end."""
        finish_run(self.stage, run, *failing)

    def finish_some(self, run: WorkflowRun, which: Callable[[Job], bool]) -> None:
        """Run some jobs of the newest attempt to their end, also those that appear on the way."""
        jobs = self.github.actions.jobs
        while ready := [job for job in run.latest.open_jobs() if job.status == "queued" and which(job)]:
            jobs.start(ready[0])
            jobs.complete(ready[0])

    def lose(self, event: str | None = None, action: str | None = None, times: int | None = None) -> None:
        """Let deliveries never be sent from now on, all of them or those of an event, until `deliver`."""
        self.post.faults.add(NeverSent(), event=event, action=action, times=times)

    def deliver(self) -> None:
        """Let everything arrive again."""
        self.post.faults.clear()

    # What the service does

    async def hear(self) -> None:
        """Let everything that was posted arrive and be handled."""
        await self.github.settle()
        await Deliveries(self.database, self.clock).handle_all()

    async def watch(self, *, every: timedelta = EVERY, step: float = 5, **span: float) -> None:
        """Sweep every five minutes for as long as a timedelta of `span`, and do what that makes due."""
        for _ in range(math.ceil(timedelta(**span) / every)):
            await self.clock.advance(every.total_seconds())
            await sweep(self.house.tools)
            await self.house.catch_up(step=step)

    async def sync(self) -> None:
        """Ask GitHub about the installations whose turn it is."""
        for installation_id in await due_installations(self.clock.now()):
            await self.house.while_time_passes(sync_installation(self.house.tools, installation_id))

    async def look_back_an_hour(self) -> int:
        asked = await look_back_an_hour(self.house.tools)
        await self.house.catch_up()
        return asked

    async def look_back_a_month(self) -> int:
        asked = await look_back_a_month(self.house.tools)
        await self.house.catch_up()
        return asked

    async def prune(self) -> int:
        return await prune_history(self.clock.now())

    # What is asked, and what is recorded

    def asked_about(self, run: WorkflowRun) -> Counter[str]:
        """Return how often each operation was asked for about a run."""
        return Counter(call.operation for call in self.github.rest.ledger.calls if str(run.id) in call.path.split("/"))

    def asked_at(self, operation: str, run: WorkflowRun) -> list[datetime]:
        return [call.at for call in self.github.rest.ledger.of(operation) if str(run.id) in call.path.split("/")]

    async def row(self, run: WorkflowRun) -> dict[str, Any]:
        """Return what is recorded of a run."""
        (row,) = await self.database.fetch("SELECT * FROM workflow_run WHERE run_id = ?", run.id)
        return row | {"gone_at": to_moment(row["gone_at"])}

    async def state(self, run: WorkflowRun) -> tuple[str, str | None]:
        row = await self.row(run)
        return row["status"], row["conclusion"]

    async def differences(self, team: str) -> list[str]:
        """Return where the record strays from what the App sees of an account that it is installed on."""
        installation = self.github.installations.find(
            next(one for one in self.github.world.accounts.values() if one.login == team)
        )
        return [each async for each in differences_from(self.github.truth(installation), team)]

    async def jobs(self, run: WorkflowRun) -> dict[int, str | None]:
        """Return how the recorded jobs of a run ended, by their ids."""
        rows = await self.database.fetch("SELECT job_id, conclusion FROM workflow_job WHERE run_id = ?", run.id)
        return {row["job_id"]: row["conclusion"] for row in rows}

    async def unfinished_jobs(self) -> list[str]:
        rows = await self.database.fetch("SELECT name FROM workflow_job WHERE status <> 'completed' ORDER BY name")
        return [row["name"] for row in rows]

    async def wanted(self) -> list[int]:
        """Return the runs that GitHub is still to be asked about."""
        return [row["run_id"] for row in await self.database.fetch("SELECT run_id FROM run_wanted ORDER BY run_id")]


@asynccontextmanager
async def watching(database: Database) -> AsyncIterator[Watch]:
    """Give a watch that so far has heard of the installation alone."""
    async with posting(database) as post:
        yield Watch(post)
