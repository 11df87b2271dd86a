"""A small world to act in, and a receiver of its deliveries."""

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from bot.demo.github import JobSpec, SimulatedGitHub
from bot.demo.github.state.accounts import Account, Installation
from bot.demo.github.state.actions import Workflow, WorkflowRun
from bot.demo.github.state.repositories import PullRequest, Repository


@dataclass
class Stage:
    """One organisation with one repository, one workflow of three jobs, and the App installed."""

    github: SimulatedGitHub
    organization: Account
    person: Account
    repository: Repository
    workflow: Workflow
    installation: Installation

    def open(self, branch: str = "topic") -> PullRequest:
        return self.github.pulls.open(self.repository, "A change", self.person, branch=branch)


def set_stage(github: SimulatedGitHub) -> Stage:
    organization, person = github.add_organization("acme"), github.add_user("mona", "Mona Lisa")
    repository = github.repositories.create(organization, "rocket")
    github.add_member(organization, person)
    jobs = [
        JobSpec("unit", ("Run actions/checkout@v4", "Run tests")),
        JobSpec("lint", ("Run actions/checkout@v4", "Run linter")),
        JobSpec("package", ("Build", "Upload"), needs=("unit", "lint")),
    ]
    workflow = github.actions.add_workflow(repository, "CI", ".github/workflows/ci.yml", jobs)
    return Stage(github, organization, person, repository, workflow, github.installations.install(organization))


@dataclass
class Receiver:
    """What arrived, in order of arrival; `answer` is the status it gives, after `seconds`."""

    url: str = ""
    answer: int = 202
    seconds: float = 0
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    open_now: int = 0
    most_open: int = 0

    @property
    def guids(self) -> list[str]:
        return [headers["X-GitHub-Delivery"] for headers, _ in self.requests]

    async def take(self, request: web.Request) -> web.Response:
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        body = await request.read()
        await asyncio.sleep(self.seconds)
        self.requests.append((dict(request.headers), body))
        self.open_now -= 1
        return web.json_response({"status": "accepted"}, status=self.answer)


def finish_run(stage: Stage, run: WorkflowRun, *failing: str) -> None:
    """Run every job of the newest attempt to its end."""
    while jobs := run.latest.open_jobs():
        for job in jobs:
            stage.github.actions.jobs.start(job)
            stage.github.actions.jobs.complete(job, "failure" if job.name in failing else "success")
