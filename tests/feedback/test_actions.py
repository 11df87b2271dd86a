"""What comes of a click: failed jobs are run again once, for who may write, and nobody is surprised by it later."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.demo.github.rest.answers import Answer
from bot.demo.github.rest.faults import Cut, RateLimited, ServerError
from bot.demo.github.rest.ledger import Call
from bot.demo.github.state.accounts import Role
from bot.feedback.actions import EVENTS_TAKE, carry_out_due, expire_actions
from bot.github.errors import InstallationSuspended
from bot.metrics import ACTIONS
from bot.store.database import Database
from tests.demo.stage import finish_run
from tests.feedback.desk import PERMISSION, RERUN, Desk, another_worker, seated

DONE = ("done", "1 run again")
# GUIDs of one moment are some microseconds apart.
HOUR = 3601.0


def counted(kind: str, outcome: str) -> float:
    number: float = ACTIONS.labels(kind, outcome)._value.get()
    return number


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with seated(database) as seat:
        yield seat


async def rest(desk: Desk, seconds: float = 10) -> None:
    """Let time pass in which nobody sees to anything."""
    await desk.house.clock.advance(seconds)


# Who and what


async def test_failed_jobs_are_run_again_for_who_may_write(desk: Desk) -> None:
    before = counted("rerun_failed", "done")
    run = await desk.run("unit")
    await desk.press(run)
    assert await desk.carry_out() == 1
    assert [len(run.attempts), run.status] == [2, "queued"]
    assert await desk.ended() == [DONE]
    assert counted("rerun_failed", "done") == before + 1
    # Its own events will tell of it.
    assert await desk.renewals() == []
    assert await desk.carry_out() == 0


async def test_each_failed_run_of_the_commit_and_no_other(desk: Desk) -> None:
    first = await desk.run("unit")
    fine, bad = (
        await desk.run(workflow=desk.workflow("fine"), of=first),
        await desk.run("bad", workflow=desk.workflow("bad"), of=first),
    )
    # A later one takes the place of one that had ended.
    await rest(desk)
    newer = await desk.run("lint", of=first)
    elsewhere = await desk.run("unit")
    await desk.press(first)
    await desk.carry_out()
    assert [len(run.attempts) for run in (first, fine, bad, newer, elsewhere)] == [1, 1, 2, 2, 1]
    assert await desk.ended() == [("done", "2 run again")]


async def test_who_may_write_no_more_is_refused(desk: Desk) -> None:
    run, organization = await desk.run("unit"), desk.house.stage.organization
    roles: tuple[Role, ...] = ("read", "none")
    for number, role in enumerate(roles):
        desk.house.github.add_member(organization, desk.mona, "write")
        desk.house.github.checks.rerequest(await desk.press(run), desk.mona)
        await desk.hear()
        desk.house.github.add_member(organization, desk.mona, role)
        assert await desk.carry_out() == 2
        assert await desk.ended() == [("refused", "whoever pressed it may not write there")] * 2 * (number + 1)
    assert (len(run.attempts), desk.house.asked(RERUN), await desk.renewals()) == (1, 0, [])


async def test_who_has_taken_a_name_is_not_who_had_it(desk: Desk) -> None:
    run = await desk.run("unit")
    await desk.press(run)
    await desk.house.database.execute("UPDATE action SET sender_id = 1")
    await desk.carry_out()
    assert await desk.ended() == [("refused", "the name is another person's by now")]
    await desk.press(run)
    await desk.house.database.execute("UPDATE action SET sender_login = 'nobody-at-all' WHERE state = 'wanted'")
    await desk.carry_out()
    assert (await desk.ended())[1] == ("refused", "GitHub knows nobody of that name there")
    assert len(run.attempts) == 1


async def test_the_check_of_another_app_is_none_of_ours(desk: Desk) -> None:
    run = await desk.run("unit")
    await desk.press(run)
    await desk.house.database.execute("UPDATE action SET app_id = app_id + 1")
    await desk.carry_out()
    assert await desk.ended() == [("refused", "the check belongs to another App")]
    assert (len(run.attempts), desk.house.asked(PERMISSION)) == (1, 0)


async def test_a_repository_out_of_sight_is_left_alone(desk: Desk) -> None:
    run = await desk.run("unit")
    await desk.press(run)
    await desk.house.database.execute("UPDATE repository SET hidden_at = ?", desk.house.clock.now())
    await desk.carry_out()
    assert await desk.ended() == [("refused", "the App does not see the repository any more")]
    assert (len(run.attempts), desk.house.asked(PERMISSION)) == (1, 0)


# GitHub's own buttons


@pytest.mark.parametrize("kind", ["check", "suite"])
async def test_a_re_request_runs_again_what_failed_and_wants_a_new_check_run(desk: Desk, kind: str) -> None:
    run = await desk.run("unit")
    checks, check = desk.house.github.checks, desk.check(run)
    if kind == "check":
        checks.rerequest(check, desk.mona)
    else:
        checks.rerequest_suite(check.suite, desk.mona)
    await desk.hear()
    await desk.house.database.execute("UPDATE check_summary SET due_at = NULL, urgency = 3")
    await desk.carry_out()
    assert (len(run.attempts), await desk.ended()) == (2, [DONE])
    (row,) = await desk.renewals()
    assert (row["head_sha"], row["urgency"]) == (run.head.sha, 0)
    # What is run again tells of itself first, and one check run does for both.
    assert row["due_at"] is not None
    assert row["due_at"] - desk.house.clock.now() <= EVENTS_TAKE


async def test_a_check_run_that_goes_on_is_not_made_anew(desk: Desk) -> None:
    run = await desk.run("unit")
    desk.house.github.checks.rerequest(desk.check(run), desk.mona)
    await desk.hear()
    await desk.house.database.execute("UPDATE check_summary SET status = 'in_progress'")
    await desk.carry_out()
    assert (await desk.ended(), await desk.renewals()) == ([DONE], [])


@pytest.mark.parametrize("has_come", [True, False], ids=["has come", "has not come"])
async def test_a_check_run_that_came_of_the_first_re_run_does_for_all_of_them(desk: Desk, has_come: bool) -> None:
    first = await desk.run("unit")
    runs = [first, *[await desk.run(name, workflow=desk.workflow(name), of=first) for name in ("one", "two", "three")]]
    desk.house.github.checks.rerequest_suite(desk.check(first).suite, desk.mona)
    await desk.hear()
    for tries in range(2):
        # The answers get lost, twice, so that the others are run again only later.
        desk.house.github.rest.scripted_faults.add(Cut(answered=True), operation=RERUN)
        await desk.carry_out()
        assert [len(run.attempts) for run in runs].count(2) == tries + 1
        await rest(desk, 15)
        if has_come:
            await desk.house.database.execute("UPDATE check_summary SET generation = generation + 1")
    await desk.carry_out()
    assert ([len(run.attempts) for run in runs], await desk.ended()) == ([2] * 4, [("done", "4 run again")])
    assert len(await desk.renewals()) == (0 if has_come else 1)


async def test_a_re_request_where_nothing_failed_only_makes_a_new_check_run(desk: Desk) -> None:
    run = await desk.run()
    desk.house.github.checks.rerequest(desk.check(run), desk.mona)
    await desk.hear()
    await desk.carry_out()
    assert await desk.ended() == [("done", "nothing had failed")]
    assert len(run.attempts) == 1
    (row,) = await desk.renewals()
    assert row["due_at"] is not None
    assert row["due_at"] <= desk.house.clock.now()


async def test_a_commit_that_nothing_is_recorded_of_gets_a_check_run_all_the_same(desk: Desk) -> None:
    run = await desk.run()
    await desk.house.database.execute("DELETE FROM check_summary")
    await desk.house.database.execute("DELETE FROM workflow_run")
    desk.house.github.checks.rerequest(desk.check(run), desk.mona)
    await desk.hear()
    await desk.carry_out()
    assert [row["head_sha"] for row in await desk.renewals()] == [run.head.sha]


async def test_without_the_permission_a_new_check_run_is_all_there_is(database: Database) -> None:
    async with seated(database, may_rerun=False) as desk:
        run = await desk.run("unit")
        desk.house.github.checks.rerequest(desk.check(run), desk.mona)
        await desk.press(run)
        await desk.carry_out()
        assert await desk.ended() == [("done", "the App may not run jobs again here")] * 2
        assert (len(run.attempts), desk.house.asked(RERUN)) == (1, 0)
        assert len(await desk.renewals()) == 1


# Once


async def test_two_workers_and_a_delivery_that_comes_twice(desk: Desk) -> None:
    run = await desk.run("unit")
    await desk.press(run)
    last = desk.house.github.deliveries[-1]
    await desk.hear_of(last.guid, last.event, last.body)
    async with another_worker(desk.house) as others:
        tools, number = (desk.tools, others, desk.tools, others), desk.house.installation_id
        seen_to = await desk.house.while_time_passes(
            asyncio.gather(*(carry_out_due(each, number) for each in tools)), step=1
        )
    assert sorted(seen_to) == [0, 0, 0, 1]
    await desk.hear_of(last.guid, last.event, last.body)
    assert await desk.carry_out() == 0
    assert (len(run.attempts), desk.house.asked(RERUN), await desk.ended()) == (2, 1, [DONE])


async def test_two_clicks_are_one_re_run(desk: Desk) -> None:
    run = await desk.run("unit")
    await desk.press(run)
    await desk.press(run)
    assert await desk.carry_out() == 2
    assert (len(run.attempts), desk.house.asked(RERUN)) == (2, 1)
    assert await desk.ended() == [DONE, ("done", "1 going on already")]


async def test_what_was_run_again_meanwhile_is_left_to_it(desk: Desk) -> None:
    run, other = await desk.run("unit"), await desk.run("unit")
    for each in (run, other):
        await desk.press(each)
    for each in (run, other):
        desk.house.github.actions.rerun(each, desk.mona)
    finish_run(desk.house.stage, other)
    # The record still has both as failed.
    await desk.carry_out()
    assert await desk.ended() == [("done", "1 going on already"), ("done", "1 not failed any more")]
    assert (len(run.attempts), len(other.attempts), desk.house.asked(RERUN)) == (2, 2, 0)


@pytest.mark.parametrize("finished", [False, True], ids=["goes on", "failed again"])
@pytest.mark.parametrize("answered", [False, True], ids=["not taken", "taken"])
async def test_an_answer_that_never_comes_is_looked_into(desk: Desk, answered: bool, finished: bool) -> None:
    run = await desk.run("unit")
    await desk.press(run)
    desk.house.github.rest.scripted_faults.add(Cut(answered=answered), operation=RERUN)
    assert await desk.carry_out() == 1
    assert len(run.attempts) == 1 + answered
    (row,) = await desk.actions()
    assert (row["state"], row["tries"]) == ("wanted", 1)
    if answered and finished:
        finish_run(desk.house.stage, run, "unit")
    await rest(desk)
    await desk.carry_out()
    assert (len(run.attempts), await desk.ended()) == (2, [DONE])


async def test_a_worker_that_dies_once_github_has_done_it(desk: Desk) -> None:
    run = await desk.run("unit")
    await desk.press(run)
    rest_api, held = desk.house.github.rest, desk.house.held
    worker = asyncio.ensure_future(carry_out_due(desk.tools, desk.house.installation_id))

    def end(call: Call, answer: Answer) -> None:
        held(call, answer)
        if call.operation == RERUN:
            worker.cancel()

    rest_api.on_answer = end
    with pytest.raises(asyncio.CancelledError):
        await desk.house.while_time_passes(worker, step=1)
    rest_api.on_answer = held
    (row,) = await desk.actions()
    assert (row["state"], row["tries"], len(run.attempts)) == ("wanted", 0, 2)
    # It may even be through by then, and have failed again.
    finish_run(desk.house.stage, run, "unit")
    async with another_worker(desk.house) as others:
        await desk.carry_out(others)
    assert (len(run.attempts), desk.house.asked(RERUN), await desk.ended()) == (2, 1, [DONE])


async def test_a_fault_in_the_middle_leaves_the_rest_for_later(desk: Desk) -> None:
    one = await desk.run("unit")
    two = await desk.run("other", workflow=desk.workflow("other"), of=one)
    await desk.press(one)
    faults = desk.house.github.rest.scripted_faults
    faults.add(ServerError(), operation="actions/get-workflow-run", times=None)
    await desk.carry_out()
    assert (len(one.attempts), len(two.attempts)) == (1, 1)
    faults.clear()
    # The first is taken, the second is not.
    faults.add(Cut(answered=True), operation=RERUN)
    await rest(desk)
    await desk.carry_out()
    assert sorted((len(one.attempts), len(two.attempts))) == [1, 2]
    faults.add(ServerError(), operation=RERUN)
    await rest(desk, 30)
    await desk.carry_out()
    await rest(desk, 60)
    await desk.carry_out()
    assert (len(one.attempts), len(two.attempts)) == (2, 2)
    assert await desk.ended() == [("done", "2 run again")]


# Not now, and not any more


async def test_a_click_of_an_hour_ago_surprises_nobody(desk: Desk) -> None:
    run = await desk.run("unit")
    await desk.press(run)
    await rest(desk, HOUR)
    assert await desk.carry_out() == 1
    assert await desk.ended() == [("expired", "it came too late")]
    assert (len(run.attempts), desk.house.asked(PERMISSION), await desk.renewals()) == (1, 0, [])


async def test_a_click_that_is_delivered_late_is_as_old_as_it_is(desk: Desk) -> None:
    run = await desk.run("unit")
    desk.house.github.checks.rerequest(desk.check(run), desk.mona)
    await rest(desk, HOUR)
    await desk.hear()
    await desk.carry_out()
    assert await desk.ended() == [("expired", "it came too late")]


async def test_what_nobody_may_see_to_any_more_expires_as_well(desk: Desk) -> None:
    run, before = await desk.run("unit"), counted("rerun_failed", "expired")
    await desk.press(run)
    await desk.house.database.execute("UPDATE repository SET installation_id = NULL")
    assert await desk.carry_out() == 0
    assert await expire_actions(desk.house.clock.now()) == 0
    await rest(desk, HOUR)
    assert [await expire_actions(desk.house.clock.now()) for _ in range(2)] == [1, 0]
    assert await desk.ended() == [("expired", "nobody could see to it in time")]
    assert counted("rerun_failed", "expired") == before + 1


async def test_github_is_away_for_longer_than_a_click_lasts(desk: Desk) -> None:
    run = await desk.run("unit")
    await desk.press(run)
    desk.house.github.rest.scripted_faults.add(ServerError(503), times=None)
    tries = 0
    while (await desk.actions())[0]["state"] == "wanted":
        tries += await desk.carry_out()
        await rest(desk, 30)
    assert 10 < tries < 30
    ((state, outcome),) = await desk.ended()
    assert (state, outcome[:27]) == ("expired", "GitHub answered 503 to POST")
    desk.house.github.rest.scripted_faults.clear()
    assert await desk.carry_out() == 0
    assert len(run.attempts) == 1


async def test_it_waits_for_as_long_as_github_says(desk: Desk) -> None:
    run = await desk.run("unit")
    await desk.press(run)
    desk.house.github.rest.scripted_faults.add(RateLimited(retry_after=600), operation=PERMISSION)
    assert [await desk.carry_out() for _ in range(2)] == [1, 0]
    await rest(desk, 700)
    assert await desk.carry_out() == 1
    assert (len(run.attempts), await desk.ended()) == (2, [DONE])


async def test_a_suspended_installation_can_ask_for_nothing(desk: Desk) -> None:
    run = await desk.run("unit")
    await desk.press(run)
    installations, installation = desk.house.github.installations, desk.house.stage.installation
    installations.suspend(installation)
    with pytest.raises(InstallationSuspended):
        await desk.carry_out()
    installations.unsuspend(installation)
    await rest(desk)
    await desk.carry_out()
    assert (len(run.attempts), await desk.ended()) == (2, [DONE])


async def test_what_github_declines_is_said_in_its_words(desk: Desk) -> None:
    run = await desk.run("unit")
    await rest(desk, timedelta(days=31).total_seconds())
    desk.house.github.checks.rerequest(desk.check(run), desk.mona)
    await desk.hear()
    await desk.carry_out()
    await rest(desk)
    await desk.carry_out()
    ((state, outcome),) = await desk.ended()
    assert state == "failed"
    assert "created over a month ago" in outcome
    assert len(await desk.renewals()) == 1


async def test_a_run_that_was_deleted_is_no_obstacle(desk: Desk) -> None:
    run = await desk.run("unit")
    desk.house.github.actions.delete_run(run)
    await desk.press(run)
    await desk.carry_out()
    ((state, outcome),) = await desk.ended()
    assert (state, outcome[:26]) == ("failed", "GitHub has nothing at GET ")


async def test_a_grant_that_our_token_is_too_old_for(database: Database) -> None:
    async with seated(database, may_rerun=False) as desk:
        run = await desk.run("unit")
        await desk.press(run)
        await desk.carry_out()
        desk.allow_reruns()
        await desk.hear()
        await desk.press(run)
        await desk.carry_out()
        await rest(desk)
        await desk.carry_out()
        assert (await desk.ended())[1] == DONE
        assert len(run.attempts) == 2


async def test_a_click_on_an_older_commit_is_about_that_commit(desk: Desk) -> None:
    run = await desk.run("unit")
    pull = next(one for one in desk.house.github.world.pull_requests.values() if one.head is run.head)
    desk.house.github.pulls.push(pull, "More", desk.mona)
    await desk.hear()
    await desk.press(run)
    await desk.carry_out()
    assert (len(run.attempts), await desk.ended()) == (2, [DONE])
