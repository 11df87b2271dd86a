"""The moves that plays share, and what their jobs fail of."""

import random
from collections.abc import Iterator
from itertools import product

from bot.demo.github import JobSpec
from bot.demo.github.plays import Beat, Failing, Moment, Pace, play_run, together
from bot.demo.github.state import causes
from bot.demo.github.state.actions import Job, Workflow, WorkflowRun
from bot.demo.github.state.repositories import PullRequest
from tests.feedback.harness import Harness

# Acts that are nearer to one another than so many seconds happen at once.
TOGETHER = 3.0
CHECKOUT = "Run actions/checkout@v4"
RESUMES = causes.pytest()
GIVES_UP = causes.pytest("tests/test_retry.py::test_gives_up", "TimeoutError: still waiting after 5 tries", 31)


def all_pass(_: Job) -> None:
    """Let no job fail."""


async def finish(house: Harness, *runs: WorkflowRun, failing: Failing = all_pass) -> None:
    """Play the newest attempts of runs to their end, side by side."""
    pace = Pace(random.Random(" ".join(f"{run.workflow.name} {run.number} {run.latest.number}" for run in runs)))
    await perform(house, together(*(play_run(house.github, run, pace, failing=failing) for run in runs)))


async def perform(house: Harness, play: Iterator[Beat]) -> None:
    """Let happen what a play tells, in its time."""
    passed = 0.0
    for beat in play:
        passed += 0.0 if isinstance(beat, Moment) else beat
        if passed >= TOGETHER:
            await house.passes(passed)
            passed = 0.0
    await house.passes(passed)


def start(house: Harness, pull: PullRequest, *workflows: Workflow, needs_approval: bool = False) -> list[WorkflowRun]:
    """Start what a pull request's head starts: the house's own workflow if no others are given."""
    chosen = workflows or (house.stage.workflow,)
    return [house.github.actions.start_run_for(pull, one, needs_approval=needs_approval) for one in chosen]


async def push_to_main(house: Harness, *workflows: Workflow, failing: Failing = all_pass, times: int = 1) -> None:
    """Push to the base branch and play what that starts."""
    for number in range(times):
        hubot, repository = house.people["hubot"], house.stage.repository
        house.github.repositories.push(repository, f"Change {number + 1} of main", hubot)
        tip, chosen = repository.tip(), workflows or (house.stage.workflow,)
        runs = [house.github.actions.start_run(one, event="push", tip=tip, actor=hubot) for one in chosen]
        await finish(house, *runs, failing=failing)
        await house.passes(600)


def matrix(house: Harness, name: str, count: int, step: str = "Run pytest") -> Workflow:
    """Add a workflow of so many jobs `test (system, version)`."""
    systems = ("ubuntu", "macos", "windows", "alpine", "debian")
    pairs = list(product(range(10, 10 + -(-count // len(systems))), systems))[:count]
    jobs = [JobSpec(f"test ({system}, 3.{version})", (CHECKOUT, "Set up Python", step)) for version, system in pairs]
    return house.github.actions.add_workflow(
        house.stage.repository, name, f".github/workflows/{name.lower()}.yml", jobs
    )


def fork_pull(house: Harness) -> PullRequest:
    """Open a pull request of a stranger, from a branch of the fork that is named as the base is."""
    kestrel = house.people["kestrel"]
    fork = house.github.repositories.fork(house.stage.repository, kestrel)
    return house.github.pulls.open(
        house.stage.repository, "A change from afar", kestrel, branch="main", head_repository=fork
    )


def queue_workflow(house: Harness) -> Workflow:
    """Add a workflow that the merge queue starts, and a push."""
    jobs = [JobSpec("integration", (CHECKOUT, "Run pytest"))]
    on = ("push", "merge_group")
    return house.github.actions.add_workflow(house.stage.repository, "Queue", ".github/workflows/queue.yml", jobs, on)
