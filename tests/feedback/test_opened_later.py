"""A run that began before its commit was anybody's pull request is told of as soon as it is."""

import pytest

from bot.demo.github.plays import fails_in
from bot.demo.github.state.actions import WorkflowRun
from bot.demo.github.state.repositories import PullRequest
from bot.store.database import Database
from tests.feedback.harness import Harness, harnessed
from tests.feedback.moves import RESUMES, finish, push_to_main


def run_of_a_push(house: Harness) -> WorkflowRun:
    """Push a branch of which there is no pull request, and start what that starts."""
    repository, mona = house.stage.repository, house.people["mona"]
    house.github.repositories.push(repository, "Change it", mona, "topic")
    tip = repository.tip("topic")
    return house.github.actions.start_run(house.stage.workflow, event="push", tip=tip, actor=mona)


def open_for(house: Harness, run: WorkflowRun, monkeypatch: pytest.MonkeyPatch) -> PullRequest:
    """Open a pull request whose head is there already."""
    with monkeypatch.context() as patch:
        patch.setattr(house.github.repositories, "push", lambda *_: run.head)
        pull = house.stage.open("topic")
    assert pull.head.sha == run.head.sha
    return pull


def checks(house: Harness, sha: str) -> list[tuple[str, str | None]]:
    """Return the status and conclusion of our check runs of a commit, the oldest first."""
    theirs = [check for check in house.github.world.check_runs.values() if check.suite.head_sha == sha]
    return [(check.status, check.conclusion) for check in theirs]


async def test_what_was_queued_before_the_pull_request_was_opened_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        run = run_of_a_push(house)
        await house.passes(60)
        assert checks(house, run.head.sha) == []
        pull = open_for(house, run, monkeypatch)
        await house.passes(10)
        assert checks(house, run.head.sha) == [("in_progress", None)]
        await finish(house, run, failing=fails_in("unit", cause=RESUMES))
        await house.settle()
        assert checks(house, run.head.sha) == [("completed", "failure")]
        assert len(house.github.comments.of(pull)) == 1


async def test_what_had_ended_before_the_pull_request_was_opened_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        run = run_of_a_push(house)
        await finish(house, run, failing=fails_in("unit", cause=RESUMES))
        await house.settle()
        assert checks(house, run.head.sha) == []
        pull = open_for(house, run, monkeypatch)
        await house.passes(120)
        assert checks(house, run.head.sha) == [("completed", "failure")]
        assert len(house.github.comments.of(pull)) == 1


async def test_what_ran_while_a_pull_request_was_closed_is_told_once_it_is_open_again(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = house.stage.open()
        await house.passes(5)
        house.github.pulls.close(pull)
        await house.passes(30)
        tip, mona = house.stage.repository.tip(pull.head_ref), house.people["mona"]
        run = house.github.actions.start_run(house.stage.workflow, event="push", tip=tip, actor=mona)
        await house.passes(60)
        assert checks(house, pull.head.sha) == []
        house.github.pulls.reopen(pull)
        await house.passes(10)
        assert checks(house, pull.head.sha) == [("in_progress", None)]
        await finish(house, run)
        await house.settle()
        assert checks(house, pull.head.sha) == [("completed", "success")]
