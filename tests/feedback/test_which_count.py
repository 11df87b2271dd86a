"""Which runs and jobs of a commit count: none that failed is hidden by another that passed."""

import dataclasses
from collections.abc import AsyncIterator

import pytest

from bot.demo.github import JobSpec
from bot.demo.github.plays import fails_in
from bot.demo.github.state.actions import Job, Workflow, WorkflowRun
from bot.demo.github.state.causes import Cause
from bot.demo.github.state.repositories import PullRequest
from bot.store.database import Database
from tests.feedback.harness import Harness, harnessed
from tests.feedback.moves import RESUMES, finish, push_to_main, start


@pytest.fixture
async def house(database: Database) -> AsyncIterator[Harness]:
    async with harnessed(database) as house:
        await push_to_main(house)
        yield house


def check(house: Harness, pull: PullRequest) -> tuple[str, str | None, str | None]:
    """Return how our newest check run on the head of a pull request stands."""
    ours = [one for one in house.github.world.check_runs.values() if one.suite.head_sha == pull.head.sha]
    newest = max(ours, key=lambda one: one.id)
    return newest.status, newest.conclusion, newest.title


def comments(house: Harness, pull: PullRequest) -> list[str]:
    """Return what our comments say, without the marker."""
    ours = (one.body for one in house.github.comments.of(pull) if one.app is house.github.app)
    return [body.split("\n", 1)[1] for body in ours]


async def fail(house: Harness, job: Job) -> None:
    house.github.actions.jobs.start(job)
    await house.passes(20)
    house.github.actions.jobs.complete(job, "failure", cause=RESUMES)
    await house.passes(60)


async def test_a_run_that_goes_on_is_waited_for_though_a_later_one_has_passed(house: Harness) -> None:
    pull = house.stage.open()
    (opened,), (labeled,) = start(house, pull), start(house, pull)
    await finish(house, labeled)
    await house.passes(60)
    assert check(house, pull)[:2] == ("in_progress", None)
    assert comments(house, pull) == []
    await finish(house, opened, failing=fails_in("unit", cause=RESUMES))
    await house.settle()
    assert check(house, pull) == ("completed", "failure", "1 new failure")
    assert len(comments(house, pull)) == 1


async def test_both_of_two_runs_that_fail_are_run_again(house: Harness) -> None:
    pull = house.stage.open()
    runs = [*start(house, pull), *start(house, pull)]
    await finish(house, *runs, failing=fails_in("unit", cause=RESUMES))
    await house.settle()
    assert check(house, pull) == ("completed", "failure", "1 new failure in 2 jobs")
    mona = house.people["mona"]
    house.github.add_member(house.stage.organization, mona, "write")
    suite = next(each for each in house.github.world.check_suites.values() if each.head_sha == pull.head.sha)
    house.github.checks.rerequest_suite(suite, mona)
    await house.passes(30)
    assert [run.latest.number for run in runs] == [2, 2]
    await finish(house, *runs)
    await house.settle()
    assert check(house, pull)[1] == "success"


async def test_what_was_asked_for_once_more_takes_the_place_of_what_failed(house: Harness) -> None:
    pull = house.stage.open()
    await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))
    await house.settle()
    await finish(house, *start(house, pull))
    await house.settle()
    assert check(house, pull) == ("completed", "success", "All 3 jobs passed")


async def test_what_its_concurrency_group_cancels_does_not_count(house: Harness) -> None:
    pull = house.stage.open()
    (opened,) = start(house, pull)
    await house.passes(5)
    (labeled,) = start(house, pull)
    await house.passes(1)
    house.github.actions.cancel(opened, house.people["mona"])
    await finish(house, labeled)
    await house.settle()
    assert check(house, pull) == ("completed", "success", "All 3 jobs passed")


async def test_of_one_branch_in_two_pull_requests_each_run_counts(house: Harness) -> None:
    house.github.repositories.push(house.stage.repository, "Cut the release", house.people["hubot"], "release")
    pulls = house.github.pulls
    first = pulls.open(house.stage.repository, "To main", house.stage.person, branch="topic", base_ref="main")
    second = pulls.open(house.stage.repository, "To release", house.stage.person, branch="other", base_ref="release")
    second.head_ref, second.commits[:] = "topic", first.commits
    pulls.label(second, "backport")
    (to_main,) = start(house, first)
    await finish(house, to_main, failing=fails_in("unit", cause=RESUMES))
    await finish(house, *start(house, second))
    await house.settle()
    assert check(house, first) == ("completed", "failure", "1 new failure")


def same_names(house: Harness) -> tuple[PullRequest, WorkflowRun]:
    """Start a run whose two jobs have one name, as when GitHub cuts those of a matrix."""
    specs = [JobSpec("first", ("Run pytest",)), JobSpec("second", ("Run pytest",))]
    path = ".github/workflows/matrix.yml"
    workflow = house.github.actions.add_workflow(house.stage.repository, "Matrix", path, specs)
    pull = house.stage.open()
    (run,) = start(house, pull, workflow)
    for job in run.jobs:
        job.spec = dataclasses.replace(job.spec, name="test (a name that is cut…)")
    workflow.jobs = tuple(job.spec for job in run.jobs)
    return pull, run


async def test_jobs_of_one_name_hide_nothing_of_one_another(house: Harness) -> None:
    pull, run = same_names(house)
    first, second = run.jobs
    await fail(house, first)
    assert check(house, pull)[2] == "1 of 2 jobs done, 1 failed"
    house.github.actions.jobs.start(second)
    await house.passes(20)
    house.github.actions.jobs.complete(second, "success")
    await house.settle()
    assert check(house, pull) == ("completed", "failure", "1 failure")
    assert "before any job began" not in comments(house, pull)[0]


# continue-on-error


def with_a_tolerated_job(house: Harness) -> Workflow:
    specs = [JobSpec("nightly", ("Run pytest",), continue_on_error=True), JobSpec("stable", ("Run pytest",))]
    path = ".github/workflows/allowing.yml"
    return house.github.actions.add_workflow(house.stage.repository, "Allowing", path, specs)


def nightly_fails(job: Job) -> Cause | None:
    return RESUMES if job.name == "nightly" else None


async def test_what_the_base_tolerates_is_not_told_before_the_run_ends(house: Harness) -> None:
    workflow = with_a_tolerated_job(house)
    await push_to_main(house, workflow, failing=nightly_fails)
    pull = house.stage.open()
    (run,) = start(house, pull, workflow)
    await fail(house, run.get_job("nightly"))
    status, _, title = check(house, pull)
    assert (status, (title or "").partition(",")[0]) == ("in_progress", "1 of 2 jobs done")
    assert "failed" not in (title or "")
    await finish(house, run)
    await house.settle()
    assert check(house, pull) == ("completed", "success", "1 job passed, 1 failed as allowed")
    assert comments(house, pull) == []


async def test_what_is_tolerated_no_more_is_told_when_the_run_ends(house: Harness) -> None:
    workflow = with_a_tolerated_job(house)
    await push_to_main(house, workflow, failing=nightly_fails)
    workflow.jobs = tuple(dataclasses.replace(spec, continue_on_error=False) for spec in workflow.jobs)
    pull = house.stage.open()
    (run,) = start(house, pull, workflow)
    await fail(house, run.get_job("nightly"))
    assert comments(house, pull) == []
    await finish(house, run)
    await house.settle()
    assert check(house, pull)[1] != "success"
