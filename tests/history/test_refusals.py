"""What GitHub refuses: put off, then given up, and asked for again once it may be seen."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.demo.github import JobSpec
from bot.demo.github.rest import ServerError
from bot.demo.github.rest.answers import Failure
from bot.demo.github.state.actions import WorkflowRun
from bot.demo.github.state.repositories import Repository
from bot.history import Historian, due_installations, sync_installation
from bot.history.refusals import LONGEST_DELAY, MOST_REFUSALS, Refusals, Refused, delay
from bot.history.requests import DEFAULT_SPAN, ask_for_backfill, ask_where_new
from bot.store import queries
from bot.store.database import Database
from tests.demo.stage import finish_run
from tests.history.house import House, housed
from tests.history.watch import Watch

LIST, PULLS, TOKENS = "actions/list-workflow-runs-for-repo", "pulls/list", "apps/create-installation-access-token"


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    async with housed(database) as opened:
        opened.add_past(60, days=60)
        yield opened


async def backfills(house: House) -> list[tuple[str, str]]:
    rows = await house.database.fetch("SELECT kind, state FROM backfill ORDER BY id")
    return [(row["kind"], row["state"]) for row in rows]


async def work_on(house: House, *, rounds: int = MOST_REFUSALS + 1) -> None:
    """Let the historian try again and again, each time after the longest rest it takes."""
    for _ in range(rounds):
        await house.catch_up()
        await house.clock.advance(LONGEST_DELAY.total_seconds())


async def sync(house: House) -> None:
    await house.clock.advance(3600)
    for installation_id in await due_installations(house.clock.now()):
        await house.while_time_passes(sync_installation(house.tools, installation_id))


async def test_what_is_refused_for_a_while_is_fetched_all_the_same(house: House) -> None:
    grant(house, actions="none")
    await ask_where_new(house.installation_id, house.clock.now())
    await work_on(house, rounds=2)
    assert await house.count("workflow_run") == 0
    grant(house, actions="read")
    await work_on(house)
    assert await backfills(house) == [("installation", "done")]
    assert await house.count("workflow_run") == 60


async def test_what_was_given_up_is_asked_for_again_when_it_is_granted(house: House) -> None:
    grant(house, actions="none")
    await ask_where_new(house.installation_id, house.clock.now())
    await work_on(house)
    assert await backfills(house) == [("installation", "failed")]
    asked = house.asked(LIST)
    # Nothing is asked in vain meanwhile.
    assert await ask_where_new(house.installation_id, house.clock.now()) == 0
    await work_on(house, rounds=2)
    assert house.asked(LIST) == asked
    grant(house, actions="read")
    await sync(house)
    await work_on(house, rounds=1)
    assert await backfills(house) == [("installation", "failed"), ("installation", "done")]
    assert await house.count("workflow_run") == 60


async def test_refusals_with_pages_between_them_do_not_add_up(house: House) -> None:
    await ask_where_new(house.installation_id, house.clock.now())
    for _ in range(MOST_REFUSALS + 1):
        grant(house, actions="none")
        await work_on(house, rounds=1)
        grant(house, actions="read")
        await work_on(house, rounds=1)
        await ask_for_backfill(await queries.get_scope(house.team), "acme/rocket", None, None, house.clock.now())
    assert "failed" not in {state for _, state in await backfills(house)}


async def test_pull_requests_that_may_not_be_seen_keep_no_run_out(house: House) -> None:
    grant(house, pull_requests="none")
    await ask_where_new(house.installation_id, house.clock.now())
    await work_on(house, rounds=2)
    assert await backfills(house) == [("installation", "done")]
    assert await house.count("workflow_run") == 60
    # Once more with a new token, which might show them.
    assert house.asked(PULLS) == 2


async def test_without_a_token_nothing_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await ask_where_new(house.installation_id, house.clock.now())
    asked = 0

    def refuse(*_: Any, **__: Any) -> Any:
        nonlocal asked
        asked += 1
        raise Failure(403, "Although you appear to have the correct authorization credentials, the IP is not allowed.")

    with monkeypatch.context() as patch:
        patch.setattr(type(house.github.rest.credentials), "issue", refuse, raising=True)
        await work_on(house)
    assert asked > 0
    assert await house.count("backfill_window") > 0
    await work_on(house, rounds=1)
    assert await backfills(house) == [("installation", "done")]


async def test_what_ran_while_a_repository_was_out_of_sight_is_fetched_when_it_is_back(house: House) -> None:
    await ask_where_new(house.installation_id, house.clock.now())
    await work_on(house, rounds=1)
    installations, repository = house.github.installations, house.stage.repository
    installations.remove_repositories(house.stage.installation, [repository])
    await sync(house)
    await house.clock.advance(timedelta(days=50).total_seconds())
    house.add_past(40, days=45)
    installations.add_repositories(house.stage.installation, [repository])
    await sync(house)
    await Historian(house.tools).stop()
    await work_on(house, rounds=1)
    begin = f"{house.clock.now() - DEFAULT_SPAN + timedelta(days=2):%Y-%m-%d}"
    wanted = {run["id"] for run in house.github.truth()["runs"] if run["created_at"] >= begin}
    stored = {row["run_id"] for row in await house.database.fetch("SELECT run_id FROM workflow_run")}
    assert len(wanted) > 40
    assert wanted <= stored


def grant(house: House, **permissions: str) -> None:
    """Let the installation grant these, and others as before."""
    granted = {**house.stage.installation.permissions, **permissions}
    house.stage.installation.permissions = {name: level for name, level in granted.items() if level != "none"}


async def test_a_run_that_was_looked_at_often_is_no_reason_to_give_up(watch: Watch) -> None:
    # It waits for somebody's approval, and is looked at now and then.
    watch.start()
    await watch.hear()
    await watch.watch(hours=9)
    (waiting,) = await watch.database.fetch("SELECT tries FROM run_wanted")
    assert waiting["tries"] >= MOST_REFUSALS
    watch.house.add_past(300, days=80)
    now = watch.clock.now()
    (asked,) = await ask_for_backfill(await queries.get_scope("acme"), "acme/rocket", None, None, now)
    grant(watch.house, actions="none")
    await watch.database.execute("UPDATE run_wanted SET due_at = ?", now)
    await watch.house.catch_up()
    assert not await watch.database.fetch("SELECT 1 FROM repository WHERE refused_until IS NOT NULL")
    grant(watch.house, actions="read")
    await watch.watch(hours=2)
    progress = await queries.get_backfill(await queries.get_scope("acme"), asked)
    assert (progress.state, progress.error) == ("done", None)


async def test_looks_at_runs_that_are_refused_again_and_again_are_given_up(watch: Watch) -> None:
    watch.start()
    await watch.hear()
    grant(watch.house, actions="none")
    await watch.watch(hours=24)
    (repository,) = await watch.database.fetch("SELECT refused_until FROM repository")
    assert repository["refused_until"] is not None
    assert await watch.house.count("run_wanted") == 0


async def taken_name(watch: Watch) -> tuple[Repository, WorkflowRun]:
    """Let another repository take the recorded one's name while nothing is heard; return it and a run of it."""
    watch.finish(watch.start())
    await watch.hear()
    watch.lose()
    watch.github.repositories.rename(watch.stage.repository, "rocket-1")
    new = watch.github.repositories.create(watch.stage.organization, "rocket")
    workflow = watch.github.actions.add_workflow(new, "CI", ".github/workflows/ci.yml", [JobSpec("build", ("Build",))])
    pull = watch.github.pulls.open(new, "In the new one", watch.stage.person, branch="topic")
    run = watch.github.actions.start_run_for(pull, workflow)
    finish_run(watch.stage, run)
    await watch.clock.advance(30)
    return new, run


async def test_what_the_name_of_another_repository_leads_to_is_not_recorded(watch: Watch) -> None:
    new, run = await taken_name(watch)
    await watch.look_back_an_hour()
    assert not await watch.database.fetch("SELECT 1 FROM workflow_run WHERE run_id = ?", run.id)
    watch.deliver()
    await watch.sync()
    await watch.watch(hours=2)
    await watch.look_back_an_hour()
    (found,) = await watch.database.fetch("SELECT repository_id FROM workflow_run WHERE run_id = ?", run.id)
    assert found["repository_id"] == new.id


async def test_a_backfill_under_a_name_that_is_taken_waits_for_the_new_one(watch: Watch) -> None:
    await taken_name(watch)
    scope = await queries.get_scope("acme")
    (asked,) = await ask_for_backfill(scope, "acme/rocket", None, None, watch.clock.now())
    await watch.house.catch_up()
    assert (await queries.get_backfill(scope, asked)).state not in {"done", "failed"}
    # The list of what the installation sees is asked for at once.
    await watch.sync()
    await watch.watch(hours=1)
    progress = await queries.get_backfill(scope, asked)
    assert (progress.state, progress.error) == ("done", None)
    assert progress.runs_stored == progress.runs_at_github == 1


async def test_a_backfill_under_a_name_that_is_taken_by_one_without_runs_waits_as_well(watch: Watch) -> None:
    watch.finish(watch.start())
    await watch.hear()
    await watch.sync()
    await watch.watch(hours=1)
    watch.lose()
    watch.house.add_past(60, days=80)
    watch.github.repositories.rename(watch.stage.repository, "rocket-1")
    watch.github.repositories.create(watch.stage.organization, "rocket")
    await watch.clock.advance(30)
    scope = await queries.get_scope("acme")
    (asked,) = await ask_for_backfill(scope, "acme/rocket", None, None, watch.clock.now())
    await watch.house.catch_up()
    await watch.sync()
    await watch.watch(hours=2)
    progress = await queries.get_backfill(scope, asked)
    assert (progress.state, progress.error) == ("done", None)
    assert progress.runs_stored >= 60


@pytest.mark.parametrize("ends", [False, True])
async def test_a_run_is_not_gone_because_another_repository_has_the_name(watch: Watch, ends: bool) -> None:
    run = watch.start()
    await watch.hear()
    watch.lose()
    watch.github.repositories.rename(watch.stage.repository, "rocket-1")
    watch.github.repositories.create(watch.stage.organization, "rocket")
    await watch.watch(hours=1)
    assert (await watch.row(run))["gone_at"] is None
    if ends:
        watch.finish(run)
    await watch.sync()
    await watch.watch(hours=6)
    row = await watch.row(run)
    assert (row["status"], row["gone_at"]) == ("completed" if ends else run.latest.status, None)


async def test_what_fails_before_is_no_reason_to_give_up_what_is_refused(house: House) -> None:
    await ask_where_new(house.installation_id, house.clock.now())
    await house.database.execute("UPDATE backfill_window SET tries = ?", MOST_REFUSALS)
    house.github.rest.scripted_faults.add(ServerError(403), operation=LIST, times=1)
    await work_on(house, rounds=2)
    assert await backfills(house) == [("installation", "done")]
    assert await house.count("workflow_run") == 60


async def test_what_is_refused_is_no_failure_of_what_was_not_asked(house: House) -> None:
    grant(house, actions="none")
    await ask_where_new(house.installation_id, house.clock.now())
    await work_on(house, rounds=2)
    assert await house.database.fetch("SELECT DISTINCT tries FROM backfill_window") == [{"tries": 0}]


def test_refusals_at_once_count_once_and_those_long_past_not_at_all() -> None:
    refusals, now, what = Refusals(), datetime(2026, 11, 2, tzinfo=UTC), (Refused.LOOKS, 7)
    for times in range(MOST_REFUSALS + 1):
        moments = (now, now, now + delay(times) / 2)
        assert [refusals.count(what, moment) for moment in moments] == [times] * 3
        now += delay(times)
    assert refusals.count((Refused.LIST, 7), now) == 0
    assert refusals.count(what, now + 3 * LONGEST_DELAY) == 0
    refusals.forget(what)
    assert refusals.count(what, now + 3 * LONGEST_DELAY) == 0
