"""What is told is told in the end, however long GitHub fails or refuses, and where it is meant for."""

import asyncio
from datetime import timedelta

import pytest

from bot.demo.github import let_pass
from bot.demo.github.plays import fails_in
from bot.demo.github.rest.faults import ServerError
from bot.demo.github.state import causes
from bot.demo.github.state.checks import Annotation
from bot.demo.github.state.repositories import PullRequest
from bot.history import due_installations, sync_installation
from bot.store.database import Database
from tests.feedback.harness import Harness, harnessed
from tests.feedback.moves import RESUMES, finish, push_to_main, start
from tests.feedback.shown import newest_check
from tests.feedback.test_one_writer import checks, comments, faults

HOUR = 3600


def first_lines(house: Harness, pull: PullRequest) -> list[str]:
    return [body.split("\n")[1] for body in comments(house, pull)]


async def sync(house: Harness) -> None:
    """Let the installation be compared with GitHub, as it is every hour."""
    await house.passes(HOUR)
    for each in await due_installations(house.clock.now()):
        task = asyncio.ensure_future(sync_installation(house.processes[0].history, each))
        # What it asks takes some of the machine's time, in which no hours may go by.
        await let_pass(house.github, house.clock, HOUR, busy=lambda: house.database.is_working, until=task.done)
        await task


@pytest.mark.parametrize("operation", ["checks/update", "issues/update-comment"])
async def test_writes_that_fail_for_hours_are_made_up_for(database: Database, operation: str) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = house.stage.open()
        await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))
        await house.passes(150)
        house.github.pulls.push(pull, "Mend it")
        runs = start(house, pull)
        await house.passes(30)
        until = house.clock.now() + timedelta(hours=6)
        faults(house).add(ServerError(502), operation=operation, times=None, until=until)
        await finish(house, *runs)
        await house.passes(9 * HOUR)
        assert checks(house, pull.head.sha) == [("completed", "success")]
        (line,) = first_lines(house, pull)
        assert "Everything passed" in line


async def test_what_was_not_permitted_meanwhile_is_told_once_it_is(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        red = house.stage.open("red")
        await finish(house, *start(house, red), failing=fails_in("unit", cause=RESUMES))
        await house.passes(150)
        pull = house.stage.open()
        (run,) = start(house, pull)
        await house.passes(30)
        granted = dict(house.stage.installation.permissions)
        house.stage.installation.permissions = {**granted, "checks": "read", "pull_requests": "read"}
        await sync(house)
        await finish(house, run)
        house.github.pulls.push(red, "Mend it")
        await finish(house, *start(house, red))
        house.stage.installation.permissions = granted
        await sync(house)
        await house.passes(HOUR)
        assert checks(house, pull.head.sha) == checks(house, red.head.sha) == [("completed", "success")]
        (line,) = first_lines(house, red)
        assert "Everything passed" in line


async def test_nothing_is_said_on_whoever_has_the_name_by_now(database: Database) -> None:
    async with harnessed(database) as house:
        github, stage = house.github, house.stage
        other = github.repositories.create(stage.organization, "rocket-v2")
        theirs = github.pulls.open(other, "Another's change", house.people["hubot"], branch="x")
        await house.passes(5)
        await push_to_main(house)
        pull = stage.open()
        assert theirs.number == pull.number
        await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))
        house.post.collect()
        github.repositories.rename(stage.repository, "rocket-v1")
        github.repositories.rename(other, "rocket")
        # The deliveries that tell of it are lost.
        house.post._made = github.webhooks.log.counts["made"]
        await house.passes(240)
        assert comments(house, theirs) == comments(house, pull) == []
        await sync(house)
        await house.passes(2 * HOUR)
        assert comments(house, theirs) == []
        (line,) = first_lines(house, pull)
        assert "new failure" in line


async def test_no_secret_is_told_by_a_title(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = house.stage.open()
        (run,) = start(house, pull)
        told = "login failed: DB_PASSWORD=hunter2Correct9"
        (failing,) = (job for job in run.jobs if job.name == "unit")
        for job in list(run.jobs):
            house.github.actions.jobs.start(job)
            if job is failing:
                annotation = Annotation("src/db.py", 3, 3, "failure", told, told)
                house.github.world.annotations.setdefault(job.id, []).append(annotation)
            house.github.actions.jobs.complete(job, "failure" if job is failing else "success", cause=causes.pytest())
        await house.passes(200)
        check = newest_check(house.github, house.stage.repository, pull.head.sha)
        assert check is not None
        (remark,) = house.github.world.annotations_of(check)
        assert remark.message == remark.title == "login failed: DB_PASSWORD=***"
