"""The plays that feedback is shown to be right by: what happens at GitHub, at distances as in life.

Between two parts of a play the house settles, so that however late news comes, each part is told before the next.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from bot.demo.github import JobSpec
from bot.demo.github.plays import Beat, Failing, Moment, Pace, fails_in, play_run, together
from bot.demo.github.state import causes
from bot.demo.github.state.actions import Job, Workflow, WorkflowRun
from bot.demo.github.state.repositories import PullRequest
from tests.feedback.harness import Harness

# Acts that are nearer to one another than so many seconds happen at once.
TOGETHER = 3.0
CHECKOUT = "Run actions/checkout@v4"
RESUMES = causes.pytest()
GIVES_UP = causes.pytest("tests/test_retry.py::test_gives_up", "TimeoutError: still waiting after 5 tries", 31)


# Moves that plays share


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


# One commit, one result


async def all_green(house: Harness) -> None:
    """Everything passes."""
    await push_to_main(house)
    await finish(house, *start(house, house.stage.open()))


async def one_failure(house: Harness) -> None:
    """One job fails of what the base branch passes."""
    await push_to_main(house, times=3)
    await finish(house, *start(house, house.stage.open()), failing=fails_in("unit", cause=RESUMES))


async def no_base(house: Harness) -> None:
    """One job fails of a workflow that never ran on the base branch."""
    await finish(house, *start(house, house.stage.open()), failing=fails_in("unit", cause=RESUMES))


async def two_causes(house: Harness) -> None:
    """25 of 60 jobs fail, for two reasons."""
    tests = matrix(house, "Tests", 60)
    await push_to_main(house, tests)
    names = [spec.name for spec in tests.jobs]
    cause_of = dict.fromkeys(names[0:40:2], RESUMES) | dict.fromkeys(names[41:51:2], GIVES_UP)
    assert len(cause_of) == 25
    await finish(house, *start(house, house.stage.open(), tests), failing=lambda job: cause_of.get(job.name))


async def matrix_of_500(house: Harness) -> None:
    """Three of 500 jobs fail."""
    tests = matrix(house, "Tests", 500)
    names = [tests.jobs[place].name for place in (3, 250, 499)]
    await finish(house, *start(house, house.stage.open(), tests), failing=fails_in(*names, cause=RESUMES))


async def annotated(house: Harness) -> None:
    """A type error and a finding of a linter are noted on their lines."""
    house.github.actions.add_workflow(
        house.stage.repository,
        "Static",
        ".github/workflows/static.yml",
        [JobSpec("types", (CHECKOUT, "Run tsc")), JobSpec("ruff", (CHECKOUT, "Run ruff"))],
    )
    static = house.github.actions.workflows_of(house.stage.repository, "pull_request")[-1]
    await push_to_main(house, static)
    await finish(house, *start(house, house.stage.open(), static), failing=fails_in("types", "ruff"))


async def timed_out(house: Harness) -> None:
    """A job takes longer than it may."""
    await push_to_main(house)
    (run,) = start(house, house.stage.open())
    jobs = house.github.actions.jobs
    unit = run.get_job("unit")
    jobs.start(unit)
    await house.passes(600)
    jobs.complete(unit, "timed_out")
    await finish(house, run)


async def startup_failure(house: Harness) -> None:
    """The workflow file can't be read, so that there are no jobs."""
    pull = house.stage.open()
    house.github.actions.start_run(
        house.stage.workflow, event="pull_request", tip=pull.tip, actor=pull.user, startup_failure=True
    )
    await house.passes(60)


async def still_running(house: Harness) -> None:
    """One job has passed, another goes on and on."""
    await push_to_main(house, times=2)
    (run,) = start(house, house.stage.open())
    jobs = house.github.actions.jobs
    await house.passes(8)
    jobs.start(run.get_job("unit"))
    jobs.start(run.get_job("lint"))
    await house.passes(90)
    jobs.complete(run.get_job("unit"))


async def cancelled(house: Harness) -> None:
    """Somebody cancels the run."""
    await push_to_main(house)
    (run,) = start(house, house.stage.open())
    await house.passes(10)
    house.github.actions.jobs.start(run.get_job("unit"))
    await house.passes(40)
    house.github.actions.cancel(run, house.people["hubot"])


async def required_approval(house: Harness) -> None:
    """A stranger's first run waits for somebody to let it go on, and nobody does."""
    pull = fork_pull(house)
    start(house, pull, needs_approval=True)
    await house.passes(60)


async def approved(house: Harness) -> None:
    """A stranger's first run is let go on, and fails."""
    await push_to_main(house)
    pull = fork_pull(house)
    (run,) = start(house, pull, needs_approval=True)
    await house.settle()
    house.github.actions.approve_run(run, house.people["hubot"])
    await finish(house, run, failing=fails_in("unit", cause=RESUMES))


async def infra(house: Harness) -> None:
    """A runner is lost, one is shut down, and an action can't be fetched."""
    tests = matrix(house, "Tests", 4)
    await push_to_main(house, tests)
    (run,) = start(house, house.stage.open(), tests)
    jobs = house.github.actions.jobs
    lost, ended, unset, _ = run.jobs
    for job in (lost, ended, unset):
        await house.passes(4)
        jobs.start(job)
    await house.passes(5)
    jobs.complete(unset, "failure", failed_step=causes.SET_UP, cause=causes.download_failed())
    await house.passes(60)
    jobs.complete(ended, "failure", cause=causes.shut_down())
    await house.passes(300)
    jobs.lose_runner(lost)
    await finish(house, run)


async def no_log(house: Harness) -> None:
    """A step fails, nothing but that is noted on its job, and GitHub has no log of it, now or later."""
    await push_to_main(house)
    unlogged = replace(RESUMES, has_log=False)
    await finish(house, *start(house, house.stage.open()), failing=fails_in("unit", cause=unlogged))


async def late_log(house: Harness) -> None:
    """The same, but GitHub is merely slow with the log."""
    await push_to_main(house)
    house.github.rest.logs.ready_after = 90
    await finish(house, *start(house, house.stage.open()), failing=fails_in("unit", cause=RESUMES))


# Evidence from elsewhere


async def broken_base(house: Harness) -> None:
    """The base branch fails in the same way."""
    await push_to_main(house, times=2)
    await push_to_main(house, failing=fails_in("unit", cause=RESUMES))
    await house.settle()
    await finish(house, *start(house, house.stage.open()), failing=fails_in("unit", cause=RESUMES))


async def broken_base_and_more(house: Harness) -> None:
    """The base branch fails in one way, and the pull request in that and in another."""
    await push_to_main(house, times=2)
    await push_to_main(house, failing=fails_in("unit", cause=RESUMES))
    await house.settle()
    why = {"unit": RESUMES, "lint": causes.ruff()}
    await finish(house, *start(house, house.stage.open()), failing=lambda job: why.get(job.name))


async def flaky_after_rerun(house: Harness) -> None:
    """A job fails, and passes when it is run again."""
    await push_to_main(house)
    (run,) = start(house, house.stage.open())
    await finish(house, run, failing=fails_in("unit", cause=RESUMES))
    await house.settle()
    house.github.actions.rerun(run, house.people["hubot"], failed_only=True)
    await finish(house, run)


async def flaky_elsewhere(house: Harness) -> None:
    """Two others' pull requests fail in the same way as a third's."""
    await push_to_main(house)
    for login in ("hubot", "octo", "mona"):
        pull = house.github.pulls.open(
            house.stage.repository, f"A change of {login}", house.people[login], branch=f"topic-of-{login}"
        )
        await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))
        await house.settle()


# What becomes of a pull request


def fork_pull(house: Harness) -> PullRequest:
    """Open a pull request of a stranger, from a branch of the fork that is named as the base is."""
    kestrel = house.people["kestrel"]
    fork = house.github.repositories.fork(house.stage.repository, kestrel)
    return house.github.pulls.open(
        house.stage.repository, "A change from afar", kestrel, branch="main", head_repository=fork
    )


async def fork(house: Harness) -> None:
    """A pull request from a fork fails."""
    await push_to_main(house)
    await finish(house, *start(house, fork_pull(house)), failing=fails_in("unit", cause=RESUMES))


async def draft(house: Harness) -> None:
    """A draft fails, and stays a draft."""
    await push_to_main(house)
    pull = house.github.pulls.open(house.stage.repository, "A draft", house.stage.person, branch="topic", draft=True)
    await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))


async def made_ready(house: Harness) -> None:
    """A draft fails, and is made ready for review afterwards."""
    await draft(house)
    await house.settle()
    (pull,) = house.github.world.pull_requests.values()
    house.github.pulls.mark_ready(pull)


async def closed_meanwhile(house: Harness) -> None:
    """A pull request is closed before its run fails."""
    await push_to_main(house)
    pull = house.stage.open()
    runs = start(house, pull)
    await house.passes(5)
    house.github.pulls.close(pull)
    await house.passes(30)
    await finish(house, *runs, failing=fails_in("unit", cause=RESUMES))


async def locked(house: Harness) -> None:
    """The conversation of a pull request is locked before its run fails."""
    await push_to_main(house)
    pull = house.stage.open()
    await house.passes(5)
    house.github.pulls.lock(pull, house.people["hubot"], "too heated")
    await house.passes(30)
    await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))


async def muted(house: Harness) -> None:
    """A pull request bears the label by which it asks for silence."""
    await push_to_main(house)
    pull = house.stage.open()
    await house.passes(5)
    house.github.pulls.label(pull, "ci-mute")
    await house.passes(30)
    await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))


async def head_moved_meanwhile(house: Harness) -> None:
    """A commit fails just after the next one was pushed, and the next one passes."""
    await push_to_main(house)
    pull = house.stage.open()
    (first,) = start(house, pull)
    jobs = house.github.actions.jobs
    jobs.start(first.get_job("unit"))
    await house.passes(40)
    house.github.pulls.push(pull, "Say it otherwise")
    (second,) = start(house, pull)
    await house.passes(2)
    jobs.complete(first.get_job("unit"), "failure", cause=RESUMES)
    await finish(house, first)
    await finish(house, second)


async def green_again(house: Harness) -> None:
    """A commit fails, and the next one passes."""
    await one_failure(house)
    await house.settle()
    (pull,) = house.github.world.pull_requests.values()
    house.github.pulls.push(pull, "Mend it")
    await finish(house, *start(house, pull))


async def red_again(house: Harness) -> None:
    """A commit fails, the next one passes, the third one fails otherwise."""
    await green_again(house)
    await house.settle()
    (pull,) = house.github.world.pull_requests.values()
    house.github.pulls.push(pull, "Break something else")
    await finish(house, *start(house, pull), failing=fails_in("unit", cause=GIVES_UP))


async def force_push_back(house: Harness) -> None:
    """A commit fails, the next one passes, and the branch is pushed back to the first, which fails again."""
    await green_again(house)
    await house.settle()
    (pull,) = house.github.world.pull_requests.values()
    house.github.pulls.push_back(pull, pull.commits[0])
    await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))


async def new_base(house: Harness) -> None:
    """A pull request that fails is to be merged into another branch, which fails in the same way."""
    await one_failure(house)
    await house.settle()
    (pull,) = house.github.world.pull_requests.values()
    repository, hubot = house.stage.repository, house.people["hubot"]
    house.github.repositories.push(repository, "Cut the release", hubot, "release")
    tip = repository.tip("release")
    run = house.github.actions.start_run(house.stage.workflow, event="push", tip=tip, actor=hubot)
    await finish(house, run, failing=fails_in("unit", cause=RESUMES))
    await house.settle()
    house.github.pulls.change_base(pull, "release")


# The merge queue


def queue_workflow(house: Harness) -> Workflow:
    """Add a workflow that the merge queue starts, and a push."""
    jobs = [JobSpec("integration", (CHECKOUT, "Run pytest"))]
    on = ("push", "merge_group")
    return house.github.actions.add_workflow(house.stage.repository, "Queue", ".github/workflows/queue.yml", jobs, on)


async def merge_group(house: Harness) -> None:
    """A pull request that is green fails in the merge queue, and is taken out of it."""
    await push_to_main(house, house.stage.workflow, queue_workflow(house))
    pull = house.stage.open()
    await finish(house, *start(house, pull))
    await house.settle()
    group = house.github.merge_queue.add(pull, house.people["hubot"])
    await finish(house, *group.runs, failing=fails_in("integration", cause=GIVES_UP))
    house.github.merge_queue.remove(group)


async def merged_by_queue(house: Harness) -> None:
    """A pull request passes in the merge queue and is merged."""
    await push_to_main(house, house.stage.workflow, queue_workflow(house))
    pull = house.stage.open()
    await finish(house, *start(house, pull))
    await house.settle()
    group = house.github.merge_queue.add(pull, house.people["hubot"])
    await finish(house, *group.runs)
    house.github.merge_queue.merge(group)


SCENES = (
    all_green,
    one_failure,
    no_base,
    two_causes,
    matrix_of_500,
    annotated,
    timed_out,
    startup_failure,
    still_running,
    cancelled,
    required_approval,
    approved,
    infra,
    no_log,
    late_log,
    broken_base,
    broken_base_and_more,
    flaky_after_rerun,
    flaky_elsewhere,
    fork,
    draft,
    made_ready,
    closed_meanwhile,
    locked,
    muted,
    head_moved_meanwhile,
    green_again,
    red_again,
    force_push_back,
    new_base,
    merge_group,
    merged_by_queue,
)
