"""Nothing is begun to be told that is no news; what is told already is kept true, however late its end is learned."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from bot.demo.github.plays import fails_in
from bot.demo.github.state.actions import WorkflowRun
from bot.demo.github.state.repositories import PullRequest
from bot.feedback.pruning import KEEP_COMMITS, prune_feedback
from bot.history import look_back_an_hour
from bot.history.requests import Kind, Target, add_backfill, ask_where_new
from bot.recorder import NEWS_SPAN
from bot.store.database import Database
from tests.feedback.harness import Harness, harnessed
from tests.feedback.moves import RESUMES, all_pass, finish, push_to_main, start

Look = Callable[[Harness], Awaitable[None]]
A_BIT = timedelta(minutes=15)


def checks(house: Harness, pull: PullRequest) -> list[tuple[str, str | None]]:
    """Return the status and conclusion of our check runs of a head, the oldest first."""
    theirs = [check for check in house.github.world.check_runs.values() if check.suite.head_sha == pull.head.sha]
    return [(check.status, check.conclusion) for check in theirs]


def comments(house: Harness, pull: PullRequest) -> list[str]:
    """Return of each comment of ours whether it is red or green."""
    bodies = [each.body for each in house.github.comments.of(pull) if each.app is house.github.app]
    return ["red" if "state=red" in body else "green" for body in bodies]


async def fail(house: Harness, pull: PullRequest) -> WorkflowRun:
    (run,) = start(house, pull)
    await finish(house, run, failing=fails_in("unit", cause=RESUMES))
    return run


async def failed_while_uninstalled(house: Harness, before: timedelta) -> PullRequest:
    """Let a pull request fail so long before the App is installed."""
    house.github.installations.delete(house.stage.installation)
    await house.passes(30)
    pull = house.stage.open()
    await fail(house, pull)
    await house.clock.advance(before.total_seconds())
    house.stage.installation = house.github.installations.install(house.stage.organization)
    await house.passes(10)
    return pull


async def failed_while_left_out(house: Harness, before: timedelta) -> PullRequest:
    """Let a pull request fail while the installation does not see its repository, which it did and will again."""
    github, installation, repository = house.github, house.stage.installation, house.stage.repository
    await push_to_main(house)
    github.installations.remove_repositories(installation, [repository])
    await house.passes(30)
    pull = house.stage.open()
    await fail(house, pull)
    await house.clock.advance(before.total_seconds())
    github.installations.add_repositories(installation, [repository])
    await house.passes(10)
    return pull


async def after_an_hour(house: Harness) -> None:
    await look_back_an_hour(house.processes[0].history)


async def ask_for_a_year(house: Harness, kind: Kind) -> None:
    (row,) = await house.database.fetch("SELECT repository_id, installation_id, team_id FROM repository")
    target, now = Target(row["repository_id"], row["installation_id"]), house.clock.now()
    async with house.database.transaction() as tx:
        await add_backfill(tx, kind, row["team_id"], [target], now - timedelta(days=365), now, now)


async def for_an_operator(house: Harness) -> None:
    await ask_for_a_year(house, Kind.REQUEST)


async def for_the_installation(house: Harness) -> None:
    await house.database.execute("UPDATE repository SET history_asked_at = NULL")
    assert await ask_where_new(house.stage.installation.id, house.clock.now()) == 1


async def learn_too_late(house: Harness) -> None:
    """Let what has happened in a suspended installation be learned when it is no news any more."""
    await house.clock.advance((NEWS_SPAN + timedelta(days=2)).total_seconds())
    house.github.installations.unsuspend(house.stage.installation)
    await house.passes(10)
    await ask_for_a_year(house, Kind.GAP)
    await house.settle()


async def hold_old_news(house: Harness, pull: PullRequest, look: Look) -> None:
    """Look back, and hold that nothing of what has failed is told, but what fails from now on."""
    await look(house)
    await house.settle()
    assert await house.database.fetch("SELECT 1 AS found FROM workflow_run WHERE conclusion = 'failure'") != []
    # Whoever labels it lets the commit be looked at.
    house.github.pulls.label(pull, "later")
    await house.settle()
    assert (checks(house, pull), comments(house, pull)) == ([], [])
    await fail(house, pull)
    await house.settle()
    assert (checks(house, pull), comments(house, pull)) == ([("completed", "failure")], ["red"])


@pytest.mark.parametrize(
    ("look", "before"),
    [(after_an_hour, A_BIT), (for_an_operator, A_BIT), (for_the_installation, timedelta(days=20))],
    ids=["hourly look back", "asked for", "installation"],
)
async def test_what_ended_before_the_installation_is_no_news(database: Database, look: Look, before: timedelta) -> None:
    async with harnessed(database) as house:
        pull = await failed_while_uninstalled(house, before)
        await hold_old_news(house, pull, look)


@pytest.mark.parametrize("look", [after_an_hour, for_an_operator], ids=["hourly look back", "asked for"])
async def test_what_ended_while_a_repository_was_left_out_is_no_news(database: Database, look: Look) -> None:
    async with harnessed(database) as house:
        pull = await failed_while_left_out(house, A_BIT)
        await hold_old_news(house, pull, look)


async def test_a_pull_request_that_failed_long_ago_is_told_of_once(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = house.stage.open()
        await fail(house, pull)
        await house.settle()
        await house.clock.advance((KEEP_COMMITS + timedelta(days=10)).total_seconds())
        assert await prune_feedback(house.clock.now()) > 0
        house.github.pulls.label(pull, "later")
        await house.settle()
        assert (checks(house, pull), comments(house, pull)) == ([("completed", "failure")], ["red"])


@pytest.mark.parametrize("state", ["green", "none"])
async def test_a_comment_is_not_begun_for_what_was_learned_too_late(database: Database, state: str) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = house.stage.open()
        if state == "green":
            run = await fail(house, pull)
            await house.settle()
            house.github.actions.rerun(run, house.people["hubot"], failed_only=True)
            await finish(house, run)
            await house.settle()
        expected = comments(house, pull)
        house.github.installations.suspend(house.stage.installation)
        house.github.pulls.push(pull, "Another try")
        await fail(house, pull)
        await learn_too_late(house)
        house.github.pulls.label(pull, "later")
        await house.settle()
        assert (checks(house, pull), comments(house, pull), expected) == ([], expected, expected)


@pytest.mark.parametrize("days", [5, 9])
@pytest.mark.parametrize(("failing", "told"), [(fails_in("unit", cause=RESUMES), "failure"), (all_pass, "success")])
async def test_a_check_that_was_begun_is_ended_however_late_its_end_is_learned(
    database: Database, days: int, failing: Callable[..., None], told: str
) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = house.stage.open()
        (run,) = start(house, pull)
        house.github.actions.jobs.start(run.get_job("lint"))
        await house.passes(60)
        assert checks(house, pull) == [("in_progress", None)]
        house.github.installations.suspend(house.stage.installation)
        await finish(house, run, failing=failing)
        await house.clock.advance(timedelta(days=days).total_seconds())
        house.github.installations.unsuspend(house.stage.installation)
        await house.settle()
        assert checks(house, pull) == [("completed", told)]


async def test_what_was_to_be_told_when_the_app_was_suspended_is_told_after_it(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = house.stage.open()
        # The check run is to be completed after some quiet, and the comment to be made.
        await fail(house, pull)
        house.github.installations.suspend(house.stage.installation)
        await house.passes(600)
        assert (checks(house, pull), comments(house, pull)) == ([("in_progress", None)], [])
        house.github.installations.unsuspend(house.stage.installation)
        await house.passes(60)
        assert (checks(house, pull), comments(house, pull)) == ([("completed", "failure")], ["red"])


async def test_a_red_comment_goes_green_however_late_it_is_learned(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = house.stage.open()
        run = await fail(house, pull)
        await house.settle()
        house.github.installations.suspend(house.stage.installation)
        house.github.actions.rerun(run, house.people["hubot"], failed_only=True)
        await finish(house, run)
        await learn_too_late(house)
        assert (checks(house, pull), comments(house, pull)) == ([("completed", "success")], ["green"])


async def test_a_red_comment_tells_of_a_push_however_late_it_is_learned(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = house.stage.open()
        await fail(house, pull)
        await house.settle()
        house.github.installations.suspend(house.stage.installation)
        house.github.pulls.push(pull, "Another try")
        await fail(house, pull)
        await learn_too_late(house)
        (body,) = [each.body for each in house.github.comments.of(pull)]
        assert (checks(house, pull), pull.head.sha[:7] in body) == ([], True)


async def lose_what_is_on_its_way(house: Harness) -> None:
    house.post.collect()
    house.post._waiting.clear()


async def test_a_run_that_was_deleted_ends_its_check(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = house.stage.open()
        (run,) = start(house, pull)
        house.github.actions.jobs.start(run.get_job("unit"))
        await house.passes(60)
        house.github.actions.cancel(run, house.people["hubot"])
        house.github.actions.delete_run(run)
        await lose_what_is_on_its_way(house)
        await house.passes(60)
        assert checks(house, pull) == [("in_progress", None)]
        await house.passes(timedelta(days=2).total_seconds())
        assert checks(house, pull) == [("completed", "cancelled")]


async def test_labels_hold_no_completion_off(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = house.stage.open()
        await finish(house, *start(house, pull))
        for number in range(4):
            house.github.pulls.label(pull, f"label {number}")
            await house.passes(20)
        assert checks(house, pull) == [("completed", "success")]


async def test_labels_make_no_check_run_for_a_job_that_never_ends(database: Database) -> None:
    async with harnessed(database) as house:
        await push_to_main(house)
        pull = house.stage.open()
        (run,) = start(house, pull)
        jobs = house.github.actions.jobs
        for name in ("unit", "lint"):
            jobs.start(run.get_job(name))
        await house.passes(30)
        jobs.complete(run.get_job("lint"), "success")
        jobs.finish_attempt(run.latest, "success")
        await house.passes(60)
        assert checks(house, pull) == [("in_progress", None)]
        for number in range(60):
            house.github.pulls.label(pull, f"label {number}")
            await house.passes(20)
        assert checks(house, pull) == [("completed", "success")]
