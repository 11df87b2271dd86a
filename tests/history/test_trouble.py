"""Trouble with GitHub, and with single things at GitHub: it delays what it concerns, and nothing is lost."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bot.demo.github.rest.faults import (
    Cut,
    RateLimited,
    RestFault,
    RestFaultPlan,
    RestFaultRates,
    ScriptedRestFaults,
    ServerError,
    Slow,
)
from bot.demo.github.rest.ledger import Call
from bot.demo.github.state.actions import WorkflowRun
from bot.history.looking import MOST_MISSES
from bot.history.refusals import MOST_REFUSALS
from bot.settings import Dialect
from bot.store import connected
from tests.history.watch import LIST, Watch, watching

ATTEMPT = "actions/get-workflow-run-attempt"
QUARTER, HALF_A_MINUTE = timedelta(minutes=15), timedelta(seconds=30)


@pytest.fixture
async def exposed(migrated_sqlite: str) -> AsyncIterator[Watch]:
    """Give a watch for what is the same whichever the database."""
    async with connected(migrated_sqlite) as database, watching(database) as opened:
        yield opened


async def stand_still(watch: Watch, number: int) -> list[WorkflowRun]:
    """Let runs begin of whose end nobody tells."""
    begun = len(watch.github.world.runs.living)
    runs = [watch.start(f"still-{begun + place}") for place in range(number)]
    await watch.hear()
    watch.lose()
    for run in runs:
        watch.finish(run)
    watch.deliver()
    return runs


# Storms


def scripted(*faults: RestFault) -> RestFaultPlan:
    plan = ScriptedRestFaults()
    for fault in faults:
        plan.add(fault, times=None)
    return plan


STORMS: dict[str, Callable[[], RestFaultPlan]] = {
    "nothing but 502": lambda: scripted(ServerError(502)),
    "503 half the time": lambda: RestFaultRates(1, server_error=0.5),
    "connections that are cut": lambda: RestFaultRates(2, cut=0.5),
    "answers that break off": lambda: scripted(Cut(answered=True)),
    "slow answers": lambda: scripted(Slow(9)),
    "429 with retry-after": lambda: RestFaultRates(3, rate_limited=0.2),
    "429 that says no time": lambda: scripted(RateLimited(429)),
    "403 that says no time": lambda: scripted(RateLimited(403)),
    "403 with retry-after": lambda: scripted(RateLimited(403, retry_after=40)),
    "an exhausted hour": lambda: scripted(RateLimited(403, reset_in=1800)),
    "all at once": lambda: RestFaultRates(4, server_error=0.2, rate_limited=0.05, slow=0.2, cut=0.2),
}


@pytest.mark.parametrize("storm", STORMS)
async def test_after_a_storm_all_is_there(exposed: Watch, storm: str) -> None:
    watch = exposed
    await stand_still(watch, 6)
    watch.github.rest.faults = STORMS[storm]()
    await watch.watch(hours=1, every=QUARTER, step=20)
    calm = watch.clock.now()
    watch.github.rest.faults = ScriptedRestFaults()
    await watch.watch(hours=3, every=QUARTER, step=20)
    assert await watch.house.differences() == []
    assert await watch.wanted() == []
    # Whatever the weather, nobody is asked without end.
    asked = [call for call in watch.github.rest.ledger.calls if call.at < calm]
    assert len(asked) < 150


async def test_while_github_is_away_it_is_asked_seldom_and_then_all_is_there(exposed: Watch) -> None:
    watch = exposed
    await stand_still(watch, 6)
    watch.github.outages.add(timedelta(hours=10))
    await watch.watch(hours=10, every=QUARTER, step=20)
    assert len(watch.github.rest.ledger.calls) < 300
    await watch.watch(hours=6, every=QUARTER)
    assert await watch.house.differences() == []


# Single things


@dataclass
class Poison:
    """Whatever is asked about something, named by a part of its path, meets a fault."""

    part: str
    fault: RestFault
    met: int = 0

    def faults_for(self, call: Call) -> Sequence[RestFault]:
        if self.part not in f"{call.path}/":
            return ()
        self.met += 1
        return (self.fault,)


async def thrice(watch: Watch) -> WorkflowRun:
    """Let a run of three attempts pass by unheard, and GitHub not find the first of them."""
    watch.lose()
    run = watch.start()
    watch.finish(run, "unit")
    for _ in range(2):
        watch.finish(watch.github.actions.rerun(run, watch.stage.person).run, "unit")
    watch.github.rest.faults = Poison(f"/runs/{run.id}/attempts/1/", ServerError(404))
    await watch.clock.advance(600)
    await watch.look_back_an_hour()
    return run


async def test_an_attempt_that_github_does_not_find_for_a_moment_is_asked_for_again(watch: Watch) -> None:
    run = await thrice(watch)
    # Whatever is found meanwhile is there at once, and no backfill waits for the rest.
    assert await attempts_ended(watch, run) == [2, 3]
    assert len(await watch.jobs(run)) == len([*run.all_jobs()])
    assert await watch.database.fetch("SELECT state FROM backfill") == [{"state": "done"}]
    watch.github.rest.faults = ScriptedRestFaults()
    await watch.watch(minutes=20)
    assert await watch.house.differences() == []
    assert await watch.wanted() == []


async def test_an_attempt_that_github_never_finds_is_given_up(watch: Watch) -> None:
    run = await thrice(watch)
    await watch.watch(hours=9, every=QUARTER)
    row = await watch.row(run)
    assert (row["gone_at"], row["jobs_attempt"], await attempts_ended(watch, run)) == (None, 3, [2, 3])
    assert watch.asked_about(run)[ATTEMPT] == 1 + MOST_MISSES + 1
    assert await watch.wanted() == []


async def attempts_ended(watch: Watch, run: WorkflowRun) -> list[int]:
    sql = "SELECT run_attempt FROM workflow_run_attempt WHERE run_id = ? AND status = 'completed' ORDER BY run_attempt"
    return [row["run_attempt"] for row in await watch.database.fetch(sql, run.id)]


@pytest.mark.parametrize("status", [502, 409, 400, 422])
async def test_a_run_that_can_never_be_asked_about_holds_up_no_other(watch: Watch, status: int) -> None:
    poisoned, *others = await stand_still(watch, 9)
    watch.github.rest.faults = poison = Poison(f"/runs/{poisoned.id}/", ServerError(status))
    await watch.watch(minutes=20)
    assert {await watch.state(run) for run in others} == {("completed", "success")}
    later = (await stand_still(watch, 3))[1:]
    await watch.watch(minutes=25)
    assert {await watch.state(run) for run in later} == {("completed", "success")}
    await watch.watch(hours=7, every=QUARTER)
    assert 3 <= poison.met <= 40
    watch.github.rest.faults = ScriptedRestFaults()
    await watch.watch(hours=7, every=QUARTER)
    assert await watch.house.differences() == []


async def test_a_repository_that_can_never_be_listed_holds_up_no_other(watch: Watch) -> None:
    watch.github.repositories.create(watch.stage.organization, "comet")
    await watch.hear()
    watch.github.rest.faults = Poison("/acme/comet/", ServerError(502))
    for hour in range(4):
        watch.lose()
        watch.finish(watch.start(f"hour-{hour}"))
        await watch.clock.advance(3600)
        await watch.look_back_an_hour()
        await watch.watch(minutes=5, every=HALF_A_MINUTE)
        assert await watch.house.differences() == []
    watch.lose()
    run = next(iter(watch.github.world.runs.living.values()))
    for _ in range(2):
        watch.finish(watch.github.actions.rerun(run, watch.stage.person).run)
        await watch.clock.advance(86400)
        await watch.look_back_a_month()
        await watch.watch(minutes=5, every=HALF_A_MINUTE)
        assert await watch.house.differences() == []


async def test_a_window_that_github_declines_is_given_up_and_its_backfill_says_so(watch: Watch) -> None:
    watch.github.rest.scripted_faults.add(ServerError(422), operation=LIST, times=None)
    await watch.look_back_an_hour()
    await watch.watch(hours=8, every=QUARTER)
    (backfill,) = await watch.database.fetch("SELECT state, error FROM backfill")
    assert backfill["state"] == "failed"
    assert "declines" in backfill["error"]
    assert len([*watch.github.rest.ledger.of(LIST)]) == MOST_REFUSALS + 1


REFUSE = {
    Dialect.SQLITE: """
        CREATE TRIGGER refuse BEFORE INSERT ON workflow_job WHEN NEW.run_id = {run}
        BEGIN SELECT RAISE(ABORT, 'no such jobs here'); END;
    """,
    Dialect.POSTGRESQL: """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'no such jobs here' USING ERRCODE = '22000'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON workflow_job FOR EACH ROW WHEN (NEW.run_id = {run})
        EXECUTE FUNCTION refuse();
    """,
}


async def test_what_the_database_refuses_holds_up_nothing_else(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    refused, *others = await stand_still(watch, 6)
    await watch.database.client.execute_script(REFUSE[watch.database.dialect].format(run=refused.id))
    await watch.watch(minutes=20)
    assert {await watch.state(run) for run in others} == {("completed", "success")}
    assert "no such jobs here" in caplog.text
    asked = watch.asked_about(refused).total()
    await watch.watch(hours=6, every=QUARTER)
    assert watch.asked_about(refused).total() < asked + 30


async def test_a_job_that_never_came_to_be_is_not_asked_for_again_and_again(watch: Watch) -> None:
    run = watch.start()
    watch.finish_some(run, lambda job: job.name == "unit")
    watch.lose("workflow_job")
    watch.finish(run)
    # GitHub told of it once, and does not know it any more.
    run.latest.jobs.remove(run.get_job("lint"))
    await watch.hear()
    assert await watch.unfinished_jobs() == ["lint"]
    await watch.watch(hours=6, every=QUARTER)
    assert await watch.unfinished_jobs() == []
    assert watch.asked_about(run).total() <= 2
