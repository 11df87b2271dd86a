"""Whatever happens on the way, a commit has one current check run, a pull request one comment, and both are true."""

import asyncio
import contextlib
import random
from collections import Counter
from datetime import timedelta

import pytest

from bot.demo.github.plays import fails_in
from bot.demo.github.rest.faults import Cut, RateLimited, RestFault, ScriptedRestFaults, ServerError
from bot.demo.github.state import causes
from bot.demo.github.state.repositories import PullRequest
from bot.feedback.rows import MOST_TRIES
from bot.github import Answer, Client, Json, pulls
from bot.inbox import NewDelivery
from bot.store.database import Database
from bot.store.leases import Leases
from tests.feedback.harness import Harness, harnessed
from tests.feedback.moves import GIVES_UP, RESUMES, finish, matrix, push_to_main, queue_workflow, start
from tests.feedback.scenes import one_commit
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
        tests = matrix(house, "Tests", 22)
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
@pytest.mark.parametrize(
    "operation", ["checks/create", "checks/update", "issues/create-comment", "issues/update-comment"]
)
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
        house.github.pulls.push(pull, "Mend it")
        await finish(house, *start(house, pull))
        await house.passes(150)
        assert "✅" in comments(house, pull)[0]
        # Nobody is told the same twice.
        assert house.github.rest.journal.unchanged() == []


async def test_a_comment_whose_answer_never_came_is_turned_as_well(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = house.stage.open()
        await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))
        # It is there, and before anybody looks for it all is well again.
        faults(house).add(TAKEN, operation="issues/create-comment")
        while not any(write.kind == "comment" for write in house.github.rest.journal.writes):
            await house.passes(1)
        house.github.pulls.push(pull, "Mend it")
        await finish(house, *start(house, pull))
        await house.passes(300)
        (comment,) = comments(house, pull)
        assert "✅" in comment


async def test_a_check_run_whose_answer_never_came_is_ended_though_the_head_moved(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = house.stage.open()
        first = pull.head.sha
        faults(house).add(TAKEN, operation="checks/create")
        (run,) = start(house, pull)
        await house.passes(2)
        house.github.pulls.push(pull, "Say it otherwise")
        house.github.actions.cancel(run, house.people["hubot"])
        await finish(house, *start(house, pull))
        await house.passes(300)
        assert checks(house, first) == [("completed", "cancelled")]
        assert checks(house, pull.head.sha) == [("completed", "success")]


@pytest.mark.parametrize("fault", [TAKEN, NOT_TAKEN], ids=["taken", "not taken"])
async def test_each_annotation_is_sent_once(database: Database, fault: RestFault) -> None:
    async with harnessed(database) as house:
        house.post.collect()
        script = faults(house)
        await one_commit.annotated(house)
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


@pytest.mark.parametrize("is_lost", [False, True], ids=["answered", "an answer is lost"])
async def test_more_annotations_than_fit_in_a_request_all_come(database: Database, is_lost: bool) -> None:
    async with harnessed(database) as house:
        tests = matrix(house, "Tests", 8)
        pull = house.stage.open()
        (run,) = start(house, pull, tests)
        for number, job in enumerate(run.jobs):
            house.github.actions.jobs.start(job)
            await house.passes(2)
            notes = [f"src/{number}/{line}.py" for line in range(19)]
            annotate(house, job.id, notes)
            house.github.actions.jobs.complete(job, "failure", cause=causes.pytest())
        await house.passes(20)
        if is_lost:
            faults(house).add(TAKEN, operation="checks/update", times=2)
        await house.passes(600)
        check = newest_check(house.github, house.stage.repository, pull.head.sha)
        assert check is not None
        paths = [note.path for note in house.github.world.annotations_of(check)]
        assert len(paths) == len(set(paths)) == 152


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


async def test_a_comment_that_somebody_deleted_comes_again_only_once_all_was_well(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = await fail(house)
        (ours,) = [each for each in house.github.comments.of(pull) if each.app is house.github.app]
        house.github.comments.delete(ours)
        house.github.pulls.label(pull, "later")
        await house.passes(300)
        assert comments(house, pull) == []
        # Neither the same failure once more nor another brings it back.
        for jobs, cause in ((["unit"], RESUMES), (["unit", "lint"], GIVES_UP)):
            house.github.pulls.push(pull, "Try again")
            await finish(house, *start(house, pull), failing=fails_in(*jobs, cause=cause))
            await house.passes(300)
            assert comments(house, pull) == []
        house.github.pulls.push(pull, "Mend it")
        await finish(house, *start(house, pull))
        await house.passes(150)
        assert comments(house, pull) == []
        house.github.pulls.push(pull, "Break it once more")
        await fail(house, pull)
        await house.passes(150)
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


async def test_what_is_refused_again_and_again_is_given_up_until_something_is_new(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        house.stage.repository.archived = True
        pull = await fail(house)
        (run,) = house.github.world.runs.at_commit(house.stage.repository, pull.head.sha)
        await house.passes(timedelta(hours=3).total_seconds())
        refused = house.github.rest.ledger.counts["status 403"]
        # The check run and the comment: a dozen times each.
        assert MOST_TRIES <= refused <= 2 * MOST_TRIES
        await house.passes(timedelta(hours=5).total_seconds())
        assert house.github.rest.ledger.counts["status 403"] == refused
        house.stage.repository.archived = False
        house.github.actions.rerun(run, house.people["hubot"], failed_only=True)
        await finish(house, run, failing=fails_in("unit", cause=RESUMES))
        await house.passes(150)
        assert checks(house, pull.head.sha)[-1] == ("completed", "failure")
        assert len(comments(house, pull)) == 1


@pytest.mark.parametrize("operation", ["checks/create", "issues/create-comment"])
async def test_while_github_refuses_one_worker_the_others_are_silent(database: Database, operation: str) -> None:
    async with harnessed(database, workers=3) as house:
        await push_to_main(house)
        faults(house).add(RateLimited(429, retry_after=70), operation=operation)
        pull = await fail(house)
        await house.passes(120)
        assert (len(comments(house, pull)), len(checks(house, pull.head.sha))) == (1, 1)
    # That nobody sent anything too early is what `harnessed` asks GitHub in the end.


async def test_a_rerun_on_an_older_commit_shows_there(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = await fail(house)
        first = pull.head.sha
        (run,) = house.github.world.runs.at_commit(house.stage.repository, first)
        house.github.pulls.push(pull, "Mend it")
        await finish(house, *start(house, pull))
        await house.passes(150)
        house.github.actions.rerun(run, house.people["hubot"], failed_only=True)
        await finish(house, run)
        await house.passes(150)
        assert checks(house, first) == [("completed", "failure"), ("completed", "success")]


async def test_of_two_pull_requests_with_one_head_each_has_its_own_base(database: Database) -> None:
    async with harnessed(database) as house:
        github, repository, hubot = house.github, house.stage.repository, house.people["hubot"]
        await push_to_main(house)
        github.repositories.push(repository, "Cut the release", hubot, "release")
        broken = github.actions.start_run(
            house.stage.workflow, event="push", tip=repository.tip("release"), actor=hubot
        )
        await finish(house, broken, failing=fails_in("unit", cause=RESUMES))
        to_release = github.pulls.open(repository, "A change", house.stage.person, branch="topic", base_ref="release")
        to_main = house.stage.open("other")
        await house.passes(5)
        github.pulls.push_back(to_main, to_release.commits[0])
        assert to_main.head.sha == to_release.head.sha
        await finish(house, *start(house, to_release), failing=fails_in("unit", cause=RESUMES))
        await house.passes(300)
        # What excuses it for one does not for the other, and the check run is both's.
        assert checks(house, to_main.head.sha)[-1] == ("completed", "failure")
        assert (len(comments(house, to_release)), len(comments(house, to_main))) == (0, 1)


async def test_the_newest_group_of_the_merge_queue_is_told(database: Database) -> None:
    async with harnessed(database) as house:
        queue_workflow(house)
        pull = house.stage.open()
        await finish(house, *start(house, pull))
        groups = []
        for cause in (RESUMES, GIVES_UP):
            group = house.github.merge_queue.add(pull, house.people["hubot"])
            await finish(house, *group.runs, failing=fails_in("integration", cause=cause))
            house.github.merge_queue.remove(group)
            await house.passes(200)
            groups.append(group)
        again = "UPDATE check_summary SET revision = revision + 1, urgency = 0, due_at = ? WHERE head_sha = ?"
        await database.execute(again, house.clock.now(), groups[0].commit.sha)
        await house.passes(200)
        # While the second group ran, nothing was known to be wrong.
        former, newest = comments(house, pull)
        assert ("✅" in former, f"`{groups[1].commit.sha[:7]}`" in newest) == (True, True)


async def test_what_a_stopped_worker_writes_when_it_goes_on_is_put_right(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with harnessed(database, workers=2) as house:
        await push_to_main(house)
        pull = await fail(house)
        gate, real = asyncio.Event(), pulls.update_comment
        stopped: list[int] = []

        async def stop_the_first(client: Client, repository: str, number: int, body: str) -> Answer[Json]:
            if not stopped:
                stopped.append(number)
                await gate.wait()
                await real(client, repository, number, body)
                raise asyncio.CancelledError
            answer: Answer[Json] = await real(client, repository, number, body)
            return answer

        async def renew_nothing(*_: object) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(pulls, "update_comment", stop_the_first)
        monkeypatch.setattr(Leases, "_renew", renew_nothing)
        house.github.pulls.push(pull, "Mend it")
        (run,) = start(house, pull)
        await house.passes(20)
        await finish(house, run)
        await house.passes(120)
        (told,) = comments(house, pull)
        assert (len(stopped), "✅" in told) == (1, True)
        gate.set()
        with contextlib.suppress(asyncio.CancelledError):
            await house.passes(5)
        for process in house.processes:
            process.tasks.clear()
        await house.passes(300)
        assert comments(house, pull) == [told]
