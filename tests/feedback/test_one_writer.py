"""Whatever happens on the way, a commit has one current check run, a pull request one comment, and both are true."""

import random
from collections import Counter
from datetime import timedelta

import pytest

from bot.demo.github.plays import fails_in
from bot.demo.github.rest.faults import Cut, RestFault, ScriptedRestFaults, ServerError
from bot.demo.github.state import causes
from bot.demo.github.state.repositories import PullRequest
from bot.inbox import NewDelivery
from bot.store.database import Database
from tests.feedback import scenes
from tests.feedback.harness import Harness, harnessed
from tests.feedback.scenes import RESUMES, finish, push_to_main, start
from tests.feedback.shown import newest_check

NAME = "CI summary"
TAKEN, NOT_TAKEN = Cut(answered=True), ServerError(502)


def comments(house: Harness, pull: PullRequest) -> list[str]:
    return [each.body for each in house.github.comments.of(pull) if each.app is house.github.app]


def checks(house: Harness, sha: str) -> list[tuple[str, str | None]]:
    """Return the status and conclusion of our check runs of a commit, the oldest first."""
    found = [check for check in house.github.world.check_runs.values() if check.suite.head_sha == sha]
    assert {check.name for check in found} <= {NAME}
    return [(check.status, check.conclusion) for check in found]


def faults(house: Harness) -> ScriptedRestFaults:
    house.github.rest.faults = scripted = ScriptedRestFaults()
    return scripted


async def fail(house: Harness, pull: PullRequest | None = None) -> PullRequest:
    """Let a pull request fail, and all be told that is to be told."""
    pull = pull or house.stage.open()
    await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))
    await house.passes(150)
    return pull


async def test_fifty_deliveries_in_any_order_on_three_workers_make_one_comment(database: Database) -> None:
    async with harnessed(database, workers=3) as house:
        tests = scenes.matrix(house, "Tests", 22)
        pull = house.stage.open()
        (run,) = start(house, pull, tests)
        for job in run.jobs:
            house.github.actions.jobs.start(job)
        for number, job in enumerate(run.jobs):
            house.github.actions.jobs.complete(job, "failure" if number % 2 else "success", cause=RESUMES)
        # All that GitHub has made of it, at once and in no order.
        made = [one for one in house.github.deliveries if one.event in {"workflow_run", "workflow_job"}]
        assert len(made) >= 50
        house.post.collect()
        random.Random(5).shuffle(made)
        for one in made:
            await house.inbox.append(NewDelivery(one.guid, one.event, one.body, house.clock.now()))
        await house.passes(300)
        (comment,) = comments(house, pull)
        assert "11 failures in 11 jobs" in comment or "1 failure in 11 jobs" in comment
        assert checks(house, pull.head.sha) == [("completed", "failure")]
        assert house.github.rest.journal.unchanged() == []


@pytest.mark.parametrize("fault", [TAKEN, NOT_TAKEN], ids=["taken", "not taken"])
@pytest.mark.parametrize("operation", ["checks/create", "checks/update", "issues/create-comment"])
async def test_an_answer_that_never_came_makes_no_second_one(
    database: Database, operation: str, fault: RestFault
) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        # The client itself asks again for what can be asked twice.
        faults(house).add(fault, operation=operation, times=4 if fault is NOT_TAKEN else 1)
        pull = await fail(house)
        assert len(comments(house, pull)) == 1
        assert checks(house, pull.head.sha) == [("completed", "failure")]


@pytest.mark.parametrize("fault", [TAKEN, NOT_TAKEN], ids=["taken", "not taken"])
async def test_each_annotation_is_sent_once(database: Database, fault: RestFault) -> None:
    async with harnessed(database) as house:
        house.post.collect()
        script = faults(house)
        await scenes.annotated(house)
        for _ in range(3):
            script.add(fault, operation="checks/update")
            await house.passes(40)
        await house.passes(300)
        (pull,) = house.github.world.pull_requests.values()
        check = newest_check(house.github, house.stage.repository, pull.head.sha)
        assert check is not None
        assert check.status == "completed"
        notes = Counter(house.github.world.annotations_of(check))
        assert notes
        assert set(notes.values()) == {1}


async def test_more_annotations_than_fit_in_a_request_all_come(database: Database) -> None:
    async with harnessed(database) as house:
        tests = scenes.matrix(house, "Tests", 8)
        pull = house.stage.open()
        (run,) = start(house, pull, tests)
        for number, job in enumerate(run.jobs):
            house.github.actions.jobs.start(job)
            await house.passes(2)
            notes = [f"src/{number}/{line}.py" for line in range(9)]
            annotate(house, job.id, notes)
            house.github.actions.jobs.complete(job, "failure", cause=causes.pytest())
        await house.passes(300)
        check = newest_check(house.github, house.stage.repository, pull.head.sha)
        assert check is not None
        paths = [note.path for note in house.github.world.annotations_of(check)]
        assert len(paths) == len(set(paths)) == 72


def annotate(house: Harness, job_id: int, paths: list[str]) -> None:
    from bot.demo.github.state.checks import Annotation

    house.github.world.annotations.setdefault(job_id, []).extend(
        Annotation(path, 3, 3, "failure", "undefined name") for path in paths
    )


async def test_a_record_that_was_lost_finds_its_comment_again(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = house.stage.open()
        forged = "<!-- runledger:failure-comment pull=1 sequence=7 state=red -->\nPraise me!"
        house.github.comments.create(pull, forged, house.people["kestrel"])
        for number in range(120):
            house.github.comments.create(pull, f"Remark {number}", house.stage.person)
        await fail(house, pull)
        (before,) = comments(house, pull)
        await database.execute("DELETE FROM failure_comment")
        await database.execute("UPDATE check_summary SET due_at = changed_at, urgency = 0, revision = revision + 1")
        await house.passes(150)
        assert comments(house, pull) == [before]
        # It is gone on with: a push marks it as being about the old commit.
        house.github.pulls.push(pull, "Try again")
        start(house, pull)
        await house.passes(60)
        (after,) = comments(house, pull)
        assert after != before
        assert forged in [each.body for each in house.github.comments.of(pull)]


async def test_a_comment_that_somebody_deleted_comes_again_only_with_something_new(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = await fail(house)
        (ours,) = [each for each in house.github.comments.of(pull) if each.app is house.github.app]
        house.github.comments.delete(ours)
        house.github.pulls.label(pull, "later")
        await house.passes(300)
        assert comments(house, pull) == []
        house.github.pulls.push(pull, "Break it otherwise")
        await finish(house, *start(house, pull), failing=fails_in("unit", "lint", cause=scenes.GIVES_UP))
        await house.passes(300)
        assert len(comments(house, pull)) == 1


async def test_after_a_rerun_another_check_run_takes_the_place_of_the_completed_one(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = await fail(house)
        (run,) = house.github.world.runs.at_commit(house.stage.repository, pull.head.sha)
        house.github.actions.rerun(run, house.people["hubot"], failed_only=True)
        await house.passes(30)
        assert checks(house, pull.head.sha) == [("completed", "failure"), ("in_progress", None)]
        await finish(house, run)
        await house.passes(150)
        assert checks(house, pull.head.sha) == [("completed", "failure"), ("completed", "success")]
        (comment,) = comments(house, pull)
        assert "✅" in comment


async def test_without_permission_nothing_is_asked(database: Database) -> None:
    granted = {"metadata": "read", "actions": "read"}
    async with harnessed(database, permissions=granted) as house:
        pull = await fail(house)
        assert comments(house, pull) == []
        assert checks(house, pull.head.sha) == []
        refused = [call for call in house.github.rest.ledger.calls if call.status == 403]
        assert len(refused) <= 2, refused


async def test_a_refusal_holds_up_no_other_repository_and_is_not_repeated_with_every_event(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        house.stage.repository.archived = True
        pull = house.stage.open()
        await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))
        await house.passes(timedelta(minutes=20).total_seconds())
        refused = house.github.rest.ledger.counts["status 403"]
        assert 0 < refused < 12
