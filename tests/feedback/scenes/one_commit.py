"""One commit, and what comes of it."""

from dataclasses import replace

from bot.demo.github import JobSpec
from bot.demo.github.plays import fails_in
from bot.demo.github.state import causes
from tests.feedback.harness import Harness
from tests.feedback.moves import CHECKOUT, GIVES_UP, RESUMES, finish, fork_pull, matrix, push_to_main, start


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
