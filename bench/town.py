"""Organisations of a simulated GitHub whose pull requests run and fail, at an even rate or all at once."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bot.demo.github import JobSpec, SimulatedGitHub
from bot.demo.github.plays import Moment, Pace, play_run
from bot.demo.github.rest.faults import RestFault, ServerError
from bot.demo.github.rest.ledger import Call
from bot.demo.github.state import causes
from bot.demo.github.state.accounts import Account
from bot.demo.github.state.actions import Workflow, WorkflowRun
from bot.demo.github.state.causes import Cause
from bot.demo.github.state.repositories import PullRequest, Repository

CHECKOUT = "Run actions/checkout@v4"
JOBS: Final = (
    JobSpec("lint", (CHECKOUT, "Run ruff")),
    JobSpec("unit", (CHECKOUT, "Run pytest")),
    JobSpec("build", (CHECKOUT, "Build")),
    JobSpec("package", ("Upload",), needs=("lint", "unit", "build")),
)
CULPRIT = "unit"
ONE_IN = 3
"""Of so many pull requests one fails."""
# Opened; a run requested, begun and completed; jobs queued, begun and completed, but for the one that is skipped then.
EVENTS_A_PULL = 1 + 3 + 3 * len(JOBS) - 2 / ONE_IN
ASKED_FOR = frozenset({"pull_request", "workflow_run", "workflow_job"})
QUIET_SECONDS, WARM_UP_SECONDS = 1.0, 20.0
DOWNLOAD = "actions/download-job-logs-for-workflow-run"


class Brisk(Pace):
    """Jobs that wait for some seconds and are done within half a minute."""

    def queue(self) -> float:
        return self.random.uniform(1, 4)

    def job(self) -> float:
        return self.random.uniform(5, 30)


class Hasty(Pace):
    """Jobs that are done within a second."""

    def queue(self) -> float:
        return self.random.uniform(0, 0.2)

    def job(self) -> float:
        return self.random.uniform(0.1, 0.5)


class HalfTheLogs:
    """Refuses to give the logs of half of the jobs, however often they are asked for."""

    def __init__(self) -> None:
        self.refused = self.asked = 0

    def faults_for(self, call: Call) -> Sequence[RestFault]:
        if call.operation != DOWNLOAD:
            return ()
        self.asked += 1
        if random.Random(call.path).random() >= 0.5:
            return ()
        self.refused += 1
        return (ServerError(502),)


@dataclass(frozen=True)
class Place:
    """One organisation with the App installed, its repository, and somebody who works there."""

    person: Account
    repository: Repository
    workflow: Workflow


@dataclass(frozen=True)
class Failed:
    """The first failure of a pull request, of the moment at which its delivery was made."""

    pull: PullRequest
    at: datetime


@dataclass
class Town:
    """What happens on a GitHub, and when pull requests failed; the chance that it is drawn from is the same always."""

    github: SimulatedGitHub
    pulls: list[PullRequest] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)

    def found(self, name: str) -> Place:
        """Found an organisation, install the App there, and let its main branch pass."""
        github = self.github
        organization, person = github.add_organization(name), github.add_user(f"{name}-mona")
        repository = github.repositories.create(organization, "rocket")
        github.add_member(organization, person)
        workflow = github.actions.add_workflow(repository, "CI", ".github/workflows/ci.yml", JOBS)
        github.installations.install(organization)
        run = github.actions.start_run(workflow, event="push", tip=repository.tip(), actor=person)
        while jobs := run.latest.open_jobs():
            for job in jobs:
                github.actions.jobs.start(job)
                github.actions.jobs.complete(job)
        return Place(person, repository, workflow)

    async def until_quiet(self, warm_up: float = 0.0) -> None:
        """Wait until nobody has asked for anything for some time, for `warm_up` seconds at least.

        So long it takes until what was installed is looked at, and its history fetched.
        """
        served, since = -1, self.github.clock.time() + max(0.0, warm_up - QUIET_SECONDS)
        while self.github.clock.time() < since + QUIET_SECONDS:
            await self.github.clock.sleep(QUIET_SECONDS / 20)
            if self.github.busy or self.github.served != served:
                served, since = self.github.served, self.github.clock.time()

    async def live(self, places: Sequence[Place], events_a_second: float, seconds: float, pace: type[Pace]) -> None:
        """Open pull requests at an even rate, for so many seconds, and play each to its end."""
        clock, number = self.github.clock, 0
        began = clock.monotonic()
        async with asyncio.TaskGroup() as lives:
            while (due := number * EVENTS_A_PULL / events_a_second) < seconds:
                await clock.sleep(max(0.0, began + due - clock.monotonic()))
                turn, place = divmod(number, len(places))
                # So each organisation has its turns at those that fail.
                fails = (turn + place) % ONE_IN == 0
                lives.create_task(self._play(places[place], number, pace(random.Random(f"pace {number}")), fails=fails))
                number += 1

    async def _play(self, place: Place, number: int, pace: Pace, *, fails: bool) -> None:
        pull, run = self.open(place, number)
        failing = {CULPRIT} if fails else set()
        for beat in play_run(
            self.github, run, pace, failing=lambda job: self._why(pull) if job.name in failing else None
        ):
            if not isinstance(beat, Moment):
                await self.github.clock.sleep(beat)

    def open(self, place: Place, number: int) -> tuple[PullRequest, WorkflowRun]:
        """Open a pull request and start what it starts."""
        pull = self.github.pulls.open(place.repository, f"Change {number}", place.person, branch=f"topic-{number}")
        self.pulls.append(pull)
        return pull, self.github.actions.start_run_for(pull, place.workflow)

    def fail(self, pull: PullRequest, run: WorkflowRun) -> None:
        """End the job that is to blame, which has to be running."""
        job = run.get_job(CULPRIT)
        self.github.actions.jobs.complete(job, "failure", cause=self._why(pull))

    def _why(self, pull: PullRequest) -> Cause:
        """Return a cause that no other pull request has, for what fails elsewhere too may be excused."""
        self.failed.append(Failed(pull, self.github.clock.now()))
        word = _word(pull.id)
        return causes.pytest(f"tests/test_{word}.py::test_{word}_is_whole", f"AssertionError: {word} is not whole")


def _word(number: int) -> str:
    """Return a word of letters alone: numbers are left out where failures are told from one another."""
    letters = ""
    while number:
        number, digit = divmod(number, 20)
        letters += "abcdefghijklmnopqrst"[digit]
    return letters
