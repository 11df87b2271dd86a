"""Deliveries that did not arrive: found in GitHub's list, delivered once more, rebuilt where that is quicker."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot import events, metrics
from bot.clock import Clock, ManualClock
from bot.demo.github import Fail
from bot.demo.github.rest.faults import Cut, RateLimited, ServerError
from bot.github import apps
from bot.history import opened, recover_deliveries
from bot.history.deliveries import REACH
from bot.history.missed import KEEP_SETTLED, MOST_AT_ONCE, MOST_REDELIVERIES, RUNS_AND_JOBS, SLACK
from bot.history.requests import Kind
from bot.inbox import NewDelivery
from bot.store.database import Database
from bot.worker.deliveries import Deliveries
from tests.demo.stage import finish_run
from tests.history.house import settings_for
from tests.history.post import BETWEEN_CYCLES, Post, acted_on, posting

REDELIVERED = "apps/redeliver-webhook-delivery"
A_MONTH = timedelta(days=31)


@pytest.fixture
async def post(database: Database) -> AsyncIterator[Post]:
    async with posting(database) as opened:
        yield opened


def counted(outcome: str) -> float:
    return metrics.REGISTRY.get_sample_value("runledger_deliveries_missed_total", {"outcome": outcome}) or 0


async def test_what_failed_is_delivered_once_more(post: Post) -> None:
    fine, lost, before = await post.work(), await post.lose(), counted("redelivered")
    assert not set(lost) & await post.arrived()
    assert await post.cycle() == len(lost)
    assert sorted(post.posted) == sorted([one.guid for one in fine] + lost)
    assert counted("redelivered") - before == len(lost)
    await Deliveries(post.house.database, post.house.clock).handle_all()
    assert await post.house.differences() == []


async def test_what_github_calls_ok_is_delivered_once_more_if_the_inbox_lacks_it(post: Post) -> None:
    post.loses = lambda _: True
    lost = acted_on(await post.work())
    assert {one.status_code for one in post.house.github.webhooks.log.attempts} == {202}
    assert await post.cycle() == len(lost)
    assert set(lost) <= await post.arrived()
    assert await post.cycles(2) == [0, 0]


async def test_what_nothing_acts_on_is_left_alone(post: Post) -> None:
    post.faults.add(Fail(), times=None)
    post.house.github.ping()
    made = await post.work()
    post.faults.clear()
    await post.cycle()
    ignored = {one.event for one in made if one.guid not in post.posted}
    assert ignored == {"check_run", "check_suite"}
    assert "ping" not in {one.event for one in post.house.github.deliveries if one.guid in post.posted}


async def test_dead_deliveries_are_the_operators(post: Post) -> None:
    await post.work()
    await post.house.database.execute("UPDATE delivery SET state = 'dead'")
    assert await post.cycle() == 0
    assert await post.missed() == {}


async def test_what_arrives_meanwhile_is_not_asked_for(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = await post.lose()
    redeliver = apps.redeliver

    async def and_somebody_else_redelivers_the_rest(*asked: Any) -> Any:
        for guid in lost[1:]:
            await post.inbox.append(NewDelivery(guid, "workflow_run", b"{}", post.house.clock.now()))
        return await redeliver(*asked)

    monkeypatch.setattr(apps, "redeliver", and_somebody_else_redelivers_the_rest)
    assert await post.cycle() == 1
    assert post.posted == [lost[0]]
    assert (await post.scan()).point is None
    await post.cycle()
    assert (await post.scan()).point is not None


async def test_redelivering_ends_after_five_times(post: Post, caplog: pytest.LogCaptureFixture) -> None:
    post.faults.add(Fail(), times=None, redeliveries=True)
    begun = post.house.clock.now()
    lost = acted_on(await post.work())
    before = {outcome: counted(outcome) for outcome in ("redelivered", "rebuilt", "given_up")}
    assert await post.cycles(MOST_REDELIVERIES + 4) == [len(lost)] * MOST_REDELIVERIES + [0] * 4
    assert await post.missed() == {}
    # Runs and jobs are left to a backfill; a pull request's own event has none.
    events = {one.guid: one.event for one in post.house.github.deliveries}
    runs_and_jobs = [guid for guid in lost if events[guid] in RUNS_AND_JOBS]
    assert await post.settled() == set(lost)
    after = {outcome: counted(outcome) - before[outcome] for outcome in before}
    assert after == {
        "redelivered": MOST_REDELIVERIES * len(lost),
        "rebuilt": len(runs_and_jobs),
        "given_up": len(lost) - len(runs_and_jobs),
    }
    given_up = [line.__dict__["delivery"] for line in caplog.records if "is given up" in line.message]
    assert sorted([*given_up, *runs_and_jobs]) == sorted(lost)
    ((installation_id, since, until),) = await post.asked_for(Kind.GAP)
    assert (installation_id, since) == (post.house.installation_id, begun.replace(microsecond=0) - SLACK)
    ((_, month, now),) = await post.asked_for(Kind.NIGHTLY)
    assert (month, now) == (until - A_MONTH, until)


async def test_what_is_settled_is_forgotten_once_github_lists_it_no_more(post: Post) -> None:
    post.faults.add(Fail(), times=None, redeliveries=True)
    await post.work()
    await post.cycles(MOST_REDELIVERIES + 1)
    assert await post.settled()
    await post.house.clock.advance(KEEP_SETTLED.total_seconds())
    await post.cycle()
    assert await post.settled() == set()


async def test_a_redelivery_has_time_to_arrive(post: Post) -> None:
    post.faults.add(Fail(), times=None, redeliveries=True)
    lost = acted_on(await post.work())
    assert [await post.cycle() for _ in range(3)] == [len(lost), 0, 0]
    await post.house.clock.advance(BETWEEN_CYCLES)
    await post.cycles(MOST_REDELIVERIES - 2)
    assert await post.cycle() == len(lost)
    await post.cycle()
    assert await post.settled() == set()
    await post.house.clock.advance(BETWEEN_CYCLES)
    await post.cycle()
    assert await post.settled() == set(lost)


async def test_the_newest_attempt_is_redelivered(post: Post) -> None:
    post.faults.add(Fail(), times=None, redeliveries=True)
    post.house.stage.open()
    await post.house.github.settle()
    await post.cycles(2)
    tried = post.house.github.webhooks.log.attempts
    asked = [call.path.split("/")[-2] for call in post.house.github.rest.ledger.of(REDELIVERED)]
    assert asked == [str(one.id) for one in tried[:-1]]


async def test_what_github_can_redeliver_no_more_is_left_to_a_backfill(post: Post) -> None:
    post.faults.add(Fail(), times=None, redeliveries=True)
    lost = acted_on(await post.work())
    await post.cycle()
    await post.house.clock.advance(REACH.total_seconds() + 3600)
    before = post.redeliveries()
    assert await post.cycles(2) == [0, 0]
    assert post.redeliveries() - before == len(lost)
    # They wait while what GitHub lists no more is fetched.
    assert len(await post.asked_for(Kind.GAP)) == 1
    await post.house.catch_up()
    await post.cycle()
    assert await post.settled() == set(lost)
    assert len(await post.asked_for(Kind.GAP)) == 2


async def test_when_very_many_are_missing_runs_and_jobs_are_left_to_a_backfill(post: Post) -> None:
    post.faults.add(Fail(), times=None)
    await post.house.clock.advance(3600)
    begun, stage = post.house.clock.now(), post.house.stage
    pull = stage.open("busy")
    made: list[Any] = []
    while len(acted_on(made)) <= MOST_AT_ONCE:
        finish_run(stage, stage.github.actions.start_run_for(pull, stage.workflow))
        made = [one for one in stage.github.deliveries if one.made_at >= begun]
    await stage.github.settle()
    post.faults.clear()
    # The pull request's own event; what is left to the backfill is not asked for again.
    assert await post.cycles(3, step=5) == [1, 0, 0]
    ((installation_id, since, until),) = await post.asked_for(Kind.GAP)
    assert (installation_id, since) == (post.house.installation_id, begun - SLACK)
    assert begun <= until < begun + timedelta(minutes=2)
    assert await post.asked_for(Kind.NIGHTLY) == [(installation_id, until - A_MONTH, until)]
    await Deliveries(post.house.database, post.house.clock).handle_all()
    await post.house.catch_up()
    assert await post.house.differences() == []


@pytest.mark.parametrize("state", ["unheard of", "suspended", "deleted", "seeing nothing"])
async def test_where_github_can_not_be_asked_all_is_redelivered(
    post: Post, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.history.missed.MOST_AT_ONCE", 3)
    database = post.house.database
    if state == "unheard of":
        await database.execute("DELETE FROM installation")
    elif state == "seeing nothing":
        await database.execute("UPDATE repository SET hidden_at = ?", post.house.clock.now())
    else:
        await database.execute("UPDATE installation SET state = ?", state)
    lost = await post.lose()
    rounds = -(-len(lost) // 3)
    assert sum(await post.cycles(rounds)) == len(lost)
    assert await post.asked_for(Kind.GAP) == []
    assert set(lost) <= await post.arrived()


async def test_what_can_not_be_brought_holds_up_no_other(post: Post) -> None:
    post.faults.add(Fail(), times=None, event="pull_request", redeliveries=True)
    await post.work()
    await post.cycles(2)
    assert {row.event for row in (await post.missed()).values()} == {"pull_request"}
    post.loses = lambda _: True
    lost = acted_on(await post.work())
    await post.cycle()
    events = {one.guid: one.event for one in post.house.github.deliveries}
    assert {guid for guid in lost if events[guid] in RUNS_AND_JOBS} <= await post.arrived()


@pytest.mark.parametrize(
    ("fault", "tries"), [(RateLimited(429, retry_after=3600), 0), (ServerError(500), 1), (Cut(answered=True), 1)]
)
async def test_only_a_try_that_github_may_have_taken_counts(post: Post, fault: Any, tries: int) -> None:
    lost = await post.lose()
    faults = post.house.github.rest.scripted_faults
    faults.add(fault, operation=REDELIVERED)
    assert await post.cycle() == 0
    rows = await post.house.database.fetch("SELECT redeliveries FROM missed_delivery")
    assert sorted(row["redeliveries"] for row in rows) == [0] * (len(lost) - 1) + [tries]
    await post.house.clock.advance(3600)
    assert await post.cycle() >= len(lost) - 1
    assert set(lost) <= await post.arrived()


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_a_redelivery_that_github_declines_holds_up_no_other(post: Post, status: int) -> None:
    lost = await post.lose()
    post.house.github.rest.scripted_faults.add(ServerError(status), operation=REDELIVERED, times=2)
    assert await post.cycle() == len(lost) - 2
    assert sorted(row.redeliveries for row in (await post.missed()).values()) == [1, 1]
    await post.house.clock.advance(BETWEEN_CYCLES)
    assert await post.cycle() == 2
    assert set(lost) <= await post.arrived()


class Ahead(Clock):
    """A machine's clock that is wrong, beside GitHub's."""

    def __init__(self, right: ManualClock, seconds: float) -> None:
        self._right, self._seconds = right, seconds

    def now(self) -> datetime:
        return self._right.now() + timedelta(seconds=self._seconds)

    async def sleep(self, seconds: float) -> None:
        await self._right.sleep(seconds)


@pytest.mark.parametrize("seconds", [1200, -1200])
async def test_a_clock_that_is_wrong_hides_nothing(post: Post, seconds: float) -> None:
    house = post.house
    settings = settings_for(house.github, house.tools.github.app.connection.api_url)
    async with opened(settings, house.database, Ahead(house.clock, seconds), events.acts_on) as tools:
        await house.while_time_passes(recover_deliveries(tools))
        await house.clock.advance(BETWEEN_CYCLES)
        post.faults.add(Fail(), times=None)
        lost = acted_on(await post.work())
        post.faults.clear()
        for _ in range(2):
            await house.while_time_passes(recover_deliveries(tools))
            await house.github.settle()
            await house.clock.advance(BETWEEN_CYCLES)
    assert set(lost) <= await post.arrived()


async def test_as_long_as_one_gap_is_fetched_no_other_is_asked_for(post: Post) -> None:
    post.faults.add(Fail(), times=None, redeliveries=True)
    for _ in range(3):
        await post.work()
        await post.cycles(MOST_REDELIVERIES + 1)
    assert len(await post.asked_for(Kind.GAP)) == 1
    assert len(await post.asked_for(Kind.NIGHTLY)) == 1
    await post.house.catch_up()
    await post.cycles(2)
    assert len(await post.asked_for(Kind.GAP)) == 2
    assert await post.missed() == {}


async def test_a_repository_that_can_not_be_listed_holds_up_no_gap_of_another(post: Post) -> None:
    house = post.house
    other = house.github.repositories.create(house.stage.organization, "shuttle")
    workflow = house.github.actions.add_workflow(other, "CI", ".github/workflows/ci.yml", house.stage.workflow.jobs)
    await house.github.settle()
    await Deliveries(house.database, house.clock).handle_all()
    post.faults.add(Fail(), times=None, redeliveries=True)
    await post.work()
    await post.cycles(MOST_REDELIVERIES + 1)
    house.github.actions.start_run(workflow, event="push", tip=other.tip(), actor=house.stage.person)
    await house.github.settle()
    await post.cycles(MOST_REDELIVERIES + 1)
    windows = await house.database.fetch("SELECT DISTINCT repository_id FROM backfill_window WHERE urgency < 2")
    assert {row["repository_id"] for row in windows} == {house.stage.repository.id, other.id}
    assert len(await post.asked_for(Kind.GAP)) == 2
