"""An answer that comes once, or about one thing, takes nothing else from the record."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from bot.demo.github.rest import ServerError
from bot.demo.github.rest.faults import RestFault, ScriptedRestFaults
from bot.demo.github.rest.ledger import Call
from bot.history.deferring import MOST_FAILURES
from bot.history.refusals import MOST_REFUSALS
from bot.history.requests import ask_for_backfill, ask_where_new
from bot.store import queries
from bot.store.database import Database
from bot.store.views import BackfillProgress
from tests.history.house import House, housed
from tests.history.test_refusals import LIST, PULLS, backfills, grant, work_on
from tests.history.test_trouble import Poison, attempts_ended
from tests.history.watch import Watch

RUN = "actions/get-workflow-run"


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    async with housed(database) as opened:
        opened.add_past(60, days=60)
        yield opened


async def begin(watch: Watch) -> None:
    """Let what an installation asks for at first be over."""
    await watch.hear()
    for _ in range(2):
        await watch.sync()
        await watch.house.catch_up()
    await watch.watch(minutes=10)


async def ask(watch: Watch) -> int:
    """Ask for all of the repository's past."""
    (asked,) = await ask_for_backfill(await queries.get_scope("acme"), "acme/rocket", None, None, watch.clock.now())
    return asked


async def progress(asked: int) -> BackfillProgress:
    return await queries.get_backfill(await queries.get_scope("acme"), asked)


async def take_name(watch: Watch, *, may_be_seen: bool = True) -> None:
    """Let another repository have the name of the recorded one, of which nothing is heard."""
    watch.lose()
    watch.github.repositories.rename(watch.stage.repository, "rocket-1")
    new = watch.github.repositories.create(watch.stage.organization, "rocket")
    if not may_be_seen:
        watch.github.installations.remove_repositories(watch.stage.installation, [new])
    await watch.clock.advance(30)


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_one_after_an_outage_of_hours_gives_no_past_up(house: House, status: int) -> None:
    await ask_where_new(house.installation_id, house.clock.now())
    house.github.rest.scripted_faults.add(ServerError(502), times=None)
    for _ in range(100):
        await house.catch_up()
        await house.clock.advance(300)
    house.github.rest.scripted_faults.clear()
    house.github.rest.scripted_faults.add(ServerError(status), operation=LIST, times=1)
    await work_on(house, rounds=3)
    assert await backfills(house) == [("installation", "done")]
    assert await house.count("workflow_run") == 60


async def test_a_list_that_is_not_found_for_a_moment_is_asked_for_again(watch: Watch) -> None:
    await begin(watch)
    watch.house.add_past(60, days=80)
    asked = await ask(watch)
    watch.github.rest.scripted_faults.add(ServerError(404), operation=LIST, times=1)
    await watch.watch(hours=2)
    assert (await progress(asked)).state == "done"
    assert await watch.house.count("workflow_run") == 60


async def test_lists_that_are_never_found_are_given_up(watch: Watch) -> None:
    await begin(watch)
    asked = await ask(watch)
    watch.github.rest.scripted_faults.add(ServerError(404), operation=LIST, times=None)
    await watch.watch(hours=24)
    assert (await progress(asked)).state == "failed"


@dataclass
class NotFoundBefore:
    """GitHub finds no list of runs that begins before a day."""

    before: str

    def faults_for(self, call: Call) -> Sequence[RestFault]:
        created = parse_qs(call.query).get("created", [self.before])[0]
        return (ServerError(404),) if call.operation == LIST and created < self.before else ()


async def test_one_list_that_is_never_found_keeps_no_other_from_being_asked_for(watch: Watch) -> None:
    await begin(watch)
    asked = await ask(watch)
    watch.github.rest.faults = NotFoundBefore(watch.clock.now().date().isoformat())
    for _ in range(16):
        await watch.watch(hours=1, every=timedelta(minutes=15))
        await watch.look_back_an_hour()
    ended = await progress(asked)
    assert (ended.state, "GitHub has nothing at" in str(ended.error)) == ("failed", True)
    assert await watch.database.fetch("SELECT refused_until FROM repository") == [{"refused_until": None}]


async def test_pull_requests_that_are_not_found_for_a_while_are_listed_then(watch: Watch) -> None:
    await begin(watch)
    watch.lose()
    watch.finish(watch.start("late"))
    asked = await ask(watch)
    watch.github.rest.scripted_faults.add(ServerError(404), operation=PULLS, times=3)
    await watch.watch(hours=3)
    assert (await progress(asked)).state == "done"
    assert await watch.house.count("pull_request") == 1


async def test_what_was_refused_under_another_s_name_is_asked_for_under_the_new_one(watch: Watch) -> None:
    run = watch.start()
    await begin(watch)
    await take_name(watch, may_be_seen=False)
    await ask(watch)
    await watch.house.catch_up()
    await watch.sync()
    watch.finish(run)
    await watch.watch(hours=3)
    assert (await watch.state(run))[0] == "completed"


async def test_pull_requests_under_a_name_that_is_taken_wait_for_the_new_one(watch: Watch) -> None:
    await begin(watch)
    watch.lose()
    watch.finish(watch.start("late"))
    await take_name(watch)
    asked = await ask(watch)
    await watch.house.catch_up()
    await watch.sync()
    await watch.watch(hours=2)
    assert (await progress(asked)).state == "done"
    assert await watch.house.count("pull_request") == 1


async def test_looks_that_are_refused_now_and_then_do_not_add_up(watch: Watch) -> None:
    watch.start()
    await watch.hear()
    await watch.sync()
    for _ in range(MOST_REFUSALS + 2):
        watch.github.rest.scripted_faults.add(ServerError(403), operation=RUN, times=1)
        for _ in range(10):
            await watch.watch(hours=1, every=timedelta(minutes=30))
            await watch.database.execute("UPDATE run_wanted SET tries = 0")
        assert await watch.database.fetch("SELECT refused_until FROM repository") == [{"refused_until": None}]


async def test_one_run_that_is_forbidden_keeps_no_other_out(watch: Watch) -> None:
    await begin(watch)
    run, other = watch.start(), watch.start("other")
    await watch.hear()
    watch.lose()
    watch.github.rest.faults = Poison(f"/runs/{run.id}/", ServerError(403))
    await watch.watch(hours=7)
    watch.finish(other)
    await watch.watch(hours=12, every=timedelta(minutes=30))
    assert (await watch.state(other))[0] == "completed"


async def test_pull_requests_are_listed_with_a_token_that_shows_them(watch: Watch) -> None:
    grant(watch.house, pull_requests="none")
    await begin(watch)
    watch.lose()
    watch.finish(watch.start("late"))
    # A token is made for something else, and does not show pull requests.
    await watch.look_back_an_hour()
    grant(watch.house, pull_requests="read")
    before = watch.house.asked(PULLS)
    asked = await ask(watch)
    await watch.watch(hours=1)
    assert (await progress(asked)).state == "done"
    assert watch.house.asked(PULLS) == before + 2
    assert await watch.house.count("pull_request") == 1


async def test_an_attempt_is_asked_for_again_however_long_its_run_was_waited_for(watch: Watch) -> None:
    run = watch.start()
    await watch.hear()
    await watch.sync()
    await watch.watch(hours=12, every=timedelta(minutes=15))
    watch.lose()
    watch.finish(run, "unit")
    watch.finish(watch.github.actions.rerun(run, watch.stage.person).run)
    watch.github.rest.faults = Poison(f"/runs/{run.id}/attempts/1/", ServerError(404))
    while not await attempts_ended(watch, run):
        await watch.watch(minutes=15, every=timedelta(minutes=15))
    watch.github.rest.faults = ScriptedRestFaults()
    await watch.watch(hours=30, every=timedelta(hours=1))
    assert await attempts_ended(watch, run) == [1, 2]


async def test_a_run_that_was_looked_at_for_weeks_is_not_left_out_at_its_first_refusal(watch: Watch) -> None:
    watch.start()
    await begin(watch)
    await watch.watch(hours=1)
    await watch.database.execute("UPDATE run_wanted SET tries = ?", MOST_FAILURES)
    assert await watch.house.count("run_wanted") == 1
    watch.github.rest.scripted_faults.add(ServerError(403), operation=RUN, times=1)
    before = watch.house.asked(RUN)
    while watch.house.asked(RUN) == before:
        await watch.watch(minutes=5)
    assert await watch.house.count("run_wanted") == 1
