"""A house whose check runs have buttons, and the clerk who sees to what is wanted by them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bot import events
from bot.demo.github import JobSpec
from bot.demo.github.state.accounts import Account
from bot.demo.github.state.actions import Workflow, WorkflowRun
from bot.demo.github.state.checks import Button, CheckRun
from bot.domain.feedback.buttons import RERUN_FAILED
from bot.feedback.actions import carry_out_due
from bot.feedback.tools import Tools
from bot.github import GitHub
from bot.history import opened
from bot.recorder import record
from bot.store.database import Database, to_moment
from tests.demo.stage import finish_run
from tests.history.house import House, housed, settings_for

RERUN = "actions/re-run-workflow-failed-jobs"
PERMISSION = "repos/get-collaborator-permission-level"


@dataclass
class Desk:
    """`mona` may write in the repository; of `heard` deliveries the record knows."""

    house: House
    tools: Tools
    heard: int = 0

    @property
    def mona(self) -> Account:
        return self.house.stage.person

    def workflow(self, job: str) -> Workflow:
        """Return another workflow, of one job whose name it has."""
        path, jobs = f".github/workflows/{job}.yml", [JobSpec(job, ("Run it",))]
        return self.house.github.actions.add_workflow(self.house.stage.repository, job, path, jobs)

    async def hear(self) -> None:
        """Record what GitHub has told since."""
        for delivery in self.house.github.deliveries:
            if delivery.number > self.heard:
                self.heard = delivery.number
                await self.hear_of(delivery.guid, delivery.event, delivery.body)

    async def hear_of(self, guid: str, event: str, body: bytes) -> None:
        if event in events.ACTED_ON:
            now = self.house.clock.now()
            news = await events.read(guid, event, body, now)
            async with self.house.database.transaction() as tx:
                await record(tx, news.told, now)

    async def run(self, *failing: str, workflow: Workflow | None = None, of: WorkflowRun | None = None) -> WorkflowRun:
        """Run a workflow to its end, on the commit `of` another or on a new pull request's, and hear of it."""
        stage, actions = self.house.stage, self.house.github.actions
        if of is None:
            run = actions.start_run_for(stage.open(f"topic-{self.heard}"), workflow or stage.workflow)
        else:
            pull = next(one for one in self.house.github.world.pull_requests.values() if one.head is of.head)
            run = actions.start_run_for(pull, workflow or stage.workflow)
        finish_run(stage, run, *failing)
        await self.hear()
        return run

    def check(self, run: WorkflowRun) -> CheckRun:
        """Make our finished check run on a run's commit."""
        check = self.house.github.checks.create(self.house.stage.repository, "CI summary", run.head.sha)
        check.status, check.conclusion = "completed", "failure"
        check.completed_at = self.house.clock.now()
        check.actions = [Button("Re-run failed jobs", "Again", RERUN_FAILED)]
        return check

    async def press(self, run: WorkflowRun, person: Account | None = None) -> CheckRun:
        """Press our button on a check run of a run's commit, and hear of it."""
        check = self.check(run)
        self.house.github.checks.request_action(check, RERUN_FAILED, person or self.mona)
        await self.hear()
        return check

    async def carry_out(self, *tools: Tools) -> int:
        """See to what is due, with several tools at once; return how much that was."""
        seen_to = 0
        for each in tools or (self.tools,):
            seen_to += await self.house.while_time_passes(carry_out_due(each, self.house.installation_id), step=1)
        return seen_to

    async def actions(self) -> list[dict[str, Any]]:
        rows = await self.house.database.fetch("SELECT * FROM action ORDER BY id")
        return [row | {name: to_moment(row[name]) for name in ("until", "due_at", "wanted_at")} for row in rows]

    async def ended(self) -> list[tuple[str, str]]:
        """Return how each action stands, and what is said about it."""
        return [(row["state"], row["outcome"]) for row in await self.actions()]

    async def renewals(self) -> Sequence[dict[str, Any]]:
        """Return the commits of which a new check run is wanted."""
        rows = await self.house.database.fetch("SELECT * FROM check_summary WHERE renew_wanted")
        return [row | {"due_at": to_moment(row["due_at"])} for row in rows]

    def allow_reruns(self) -> None:
        """Let the App ask for actions:write, and the organisation grant it."""
        self.house.github.app.permissions["actions"] = "write"
        self.house.github.installations.accept_permissions(self.house.stage.installation)


@asynccontextmanager
async def seated(database: Database, *, may_rerun: bool = True) -> AsyncIterator[Desk]:
    async with housed(database) as house:
        house.github.add_member(house.stage.organization, house.stage.person, "write")
        # What the house has recorded of the installation is older than what is heard of it now.
        await house.clock.advance(1)
        desk = Desk(house, tools_of(house, house.tools.github, house.tools.leases))
        if may_rerun:
            desk.allow_reruns()
        await desk.hear()
        yield desk


def tools_of(house: House, github: GitHub, leases: Any) -> Tools:
    return Tools(house.database, github, house.clock, leases, house.github.app.id, "https://github.com")


@asynccontextmanager
async def another_worker(house: House) -> AsyncIterator[Tools]:
    """Give the tools of a second process on the same database."""
    api = house.github.world.addresses.api
    async with opened(settings_for(house.github, api), house.database, house.clock, events.acts_on) as tools:
        yield tools_of(house, tools.github, tools.leases)
