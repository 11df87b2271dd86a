"""What was said stays true: after a push, after somebody has deleted the comment, and of jobs that may fail."""

from collections.abc import Callable
from datetime import timedelta

from bot.demo.github import JobSpec
from bot.demo.github.plays import fails_in
from bot.demo.github.state import causes
from bot.demo.github.state.actions import Job, Workflow
from bot.demo.github.state.checks import CheckRun
from bot.demo.github.state.repositories import PullRequest
from bot.store.database import Database
from tests.feedback.harness import Harness, harnessed
from tests.feedback.moves import CHECKOUT, GIVES_UP, RESUMES, finish, push_to_main, start
from tests.feedback.scenes import merge_queue

HOUR = timedelta(hours=1).total_seconds()
RUFF = causes.ruff()
BOTH = {"unit": RESUMES, "lint": RUFF}


def comments(house: Harness, pull: PullRequest) -> list[str]:
    return [each.body for each in house.github.comments.of(pull) if each.app is house.github.app]


def comment_writes(house: Harness) -> int:
    return sum(one.kind == "comment" for one in house.github.rest.journal.writes)


async def fail_both(house: Harness) -> PullRequest:
    await push_to_main(house, times=3)
    pull = house.stage.open()
    await finish(house, *start(house, pull), failing=lambda job: BOTH.get(job.name))
    await house.settle()
    return pull


def delete(house: Harness, pull: PullRequest) -> None:
    for each in house.github.comments.of(pull):
        house.github.comments.delete(each)


async def test_a_deleted_comment_is_let_be_however_long_the_next_commit_takes(database: Database) -> None:
    async with harnessed(database) as house:
        pull = await fail_both(house)
        delete(house, pull)
        house.github.pulls.push(pull, "Mend it")
        (run,) = start(house, pull)
        await house.passes(60)
        await push_to_main(house, failing=fails_in("lint", cause=RUFF))
        house.github.actions.jobs.start(run.get_job("unit"))
        await house.passes(120)
        before = house.github.rest.requests
        await house.passes(int(HOUR))
        assert house.github.rest.requests - before < 20
        assert comments(house, pull) == []


async def test_in_place_of_a_deleted_comment_nothing_is_written_of_another_failure(database: Database) -> None:
    async with harnessed(database) as house:
        pull = await fail_both(house)
        delete(house, pull)
        written = comment_writes(house)
        house.github.pulls.push(pull, "Mend lint, and break it otherwise")
        await finish(house, *start(house, pull), failing=fails_in("unit", cause=GIVES_UP))
        await house.settle()
        assert comments(house, pull) == []
        assert comment_writes(house) == written


async def test_what_failed_in_the_queue_is_told_of_the_old_commit_after_a_push(database: Database) -> None:
    async with harnessed(database) as house:
        await merge_queue.merge_group(house)
        await house.settle()
        (pull,) = house.github.world.pull_requests.values()
        former = pull.head.sha
        house.github.pulls.push(pull, "Mend it")
        await house.passes(30)
        (comment,) = comments(house, pull)
        assert f"⏳ **This is about the old commit `{former[:7]}`.**" in comment
        assert "**Failed in the merge queue**" in comment
        assert house.github.rest.journal.unchanged() == []


async def test_it_is_said_where_nothing_runs_on_a_new_commit(database: Database) -> None:
    async with harnessed(database) as house:
        pull = await fail_both(house)
        house.github.pulls.push(pull, "Change the words")
        await house.passes(60)
        sha = pull.head.sha[:7]
        assert f"There is no result for the new one, `{sha}`, yet." in comments(house, pull)[0]
        await house.passes(16 * 60)
        assert f"Nothing has run at the new one, `{sha}`." in comments(house, pull)[0]
        (run,) = start(house, pull)
        await house.passes(30)
        assert f"There is no result for the new one, `{sha}`, yet." in comments(house, pull)[0]
        house.github.actions.cancel(run, house.people["hubot"])
        await house.settle()
        assert f"At the new one, `{sha}`, what ran was cancelled." in comments(house, pull)[0]
        assert house.github.rest.journal.unchanged() == []


def mixed(house: Harness) -> Workflow:
    """Return a workflow of two jobs, of which `nightly` may fail."""
    jobs = [
        JobSpec("unit", (CHECKOUT, "Run tests")),
        JobSpec("nightly", (CHECKOUT, "Run tests"), continue_on_error=True),
    ]
    return house.github.actions.add_workflow(house.stage.repository, "Mix", ".github/workflows/mix.yml", jobs)


async def test_what_may_fail_is_not_to_blame_where_another_job_fails(database: Database) -> None:
    async with harnessed(database) as house:
        workflow = mixed(house)
        await push_to_main(house, workflow, times=3, failing=fails_in("nightly", cause=GIVES_UP))
        await push_to_main(house, workflow, failing=lambda job: {"nightly": GIVES_UP, "unit": RESUMES}.get(job.name))
        pull = house.stage.open()
        other = {"nightly": RUFF, "unit": RESUMES}
        await finish(house, *start(house, pull, workflow), failing=lambda job: other.get(job.name))
        await house.settle()
        (check,) = (each for each in house.github.world.check_runs.values() if each.suite.head_sha == pull.head.sha)
        assert check.conclusion == "neutral"
        assert "1 failed as allowed" in (check.summary or "")
        assert comments(house, pull) == []


async def test_not_everything_passed_where_a_job_failed_as_allowed(database: Database) -> None:
    async with harnessed(database) as house:
        workflow = mixed(house)
        await push_to_main(house, workflow, times=2)
        pull = house.stage.open()
        await finish(house, *start(house, pull, workflow), failing=fails_in("unit", cause=RESUMES))
        await house.settle()
        house.github.pulls.push(pull, "Mend it")
        await finish(house, *start(house, pull, workflow), failing=fails_in("nightly", cause=GIVES_UP))
        await house.settle()
        told = comments(house, pull)[0].partition("\n")[2]
        assert told == f"✅ Everything passed at `{pull.head.sha[:7]}`, but for 1 job that may fail and did."


async def cancelled(house: Harness, cancel: Callable[[Job], None]) -> tuple[PullRequest, CheckRun]:
    """Let GitHub cancel one job of a pull request while the other passes; return both it and the check of it."""
    await push_to_main(house, times=2)
    pull = house.stage.open()
    (run,) = start(house, pull)
    jobs = house.github.actions.jobs
    for name in ("unit", "lint"):
        jobs.start(run.get_job(name))
    await house.passes(60)
    jobs.complete(run.get_job("lint"))
    cancel(run.get_job("unit"))
    await house.settle()
    assert run.latest.conclusion == "cancelled"
    (check,) = (each for each in house.github.world.check_runs.values() if each.suite.head_sha == pull.head.sha)
    return pull, check


async def test_a_job_that_github_cancelled_for_its_time_has_timed_out(database: Database) -> None:
    async with harnessed(database) as house:
        pull, check = await cancelled(house, house.github.actions.jobs.exceed_time)
        assert check.conclusion == "failure"
        (comment,) = comments(house, pull)
        assert "has exceeded the maximum execution time of 60 minutes." in comment
        assert ", timed out" in comment


async def test_a_job_that_github_cancelled_for_its_runner_excuses(database: Database) -> None:
    async with harnessed(database) as house:
        jobs = house.github.actions.jobs
        pull, check = await cancelled(house, lambda job: jobs.complete(job, "cancelled", cause=causes.shut_down()))
        assert (check.conclusion, comments(house, pull)) == ("neutral", [])
        assert check.title == "No new failures: 1 job failed because of the infrastructure"
        assert "**Infrastructure**: the runner was shut down" in (check.summary or "")


async def test_what_somebody_cancelled_has_not_failed(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house, times=2)
        pull = house.stage.open()
        (run,) = start(house, pull)
        for name in ("unit", "lint"):
            house.github.actions.jobs.start(run.get_job(name))
        await house.passes(60)
        house.github.actions.cancel(run, house.people["hubot"])
        await house.settle()
        (check,) = (each for each in house.github.world.check_runs.values() if each.suite.head_sha == pull.head.sha)
        assert (check.conclusion, comments(house, pull)) == ("cancelled", [])
