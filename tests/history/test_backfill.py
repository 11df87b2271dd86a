"""Backfill: all runs of the past, jobs as far as the policy goes, and no request more than that takes."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from bot import events
from bot.demo.github.rest import ServerError
from bot.demo.github.state.actions import WorkflowRun
from bot.demo.github.state.repositories import PullRequest
from bot.domain.wanting import JOBS_SPAN
from bot.errors import ParameterError
from bot.history import Historian, ask_for_backfill, opened
from bot.history.requests import FIRST_RUN, MOST_UNDER_WAY, Kind, ask_of_installation, ask_where_new
from bot.store import queries
from bot.store.database import Database
from bot.store.views import BackfillProgress
from tests.demo.stage import finish_run
from tests.history.house import House, housed, settings_for

RUNS, JOBS = "actions/list-workflow-runs-for-repo", "actions/list-jobs-for-workflow-run"


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    async with housed(database) as opened_house:
        yield opened_house


async def ask(house: House, days: int = 90) -> int:
    scope = await queries.get_scope(house.team)
    since = house.clock.now() - timedelta(days=days)
    (asked,) = await ask_for_backfill(scope, "acme/rocket", since, None, house.clock.now())
    return asked


async def progress_of(house: House, asked: int) -> BackfillProgress:
    return await queries.get_backfill(await queries.get_scope(house.team), asked)


async def backfill(house: House, days: int = 90) -> BackfillProgress:
    asked = await ask(house, days)
    await house.catch_up(step=20)
    return await progress_of(house, asked)


async def test_a_past_within_the_policy_is_fetched_whole(house: House) -> None:
    house.add_past(120, days=13)
    progress = await backfill(house)
    assert (progress.state, progress.error) == ("done", None)
    assert (progress.runs_at_github, progress.runs_stored) == (120, 120)
    assert await house.differences() == []
    assert progress.jobs_stored == await house.count("workflow_job")
    assert house.asked(RUNS) == 2


async def test_nothing_is_a_backfill_too(house: House) -> None:
    progress = await backfill(house)
    assert (progress.state, progress.runs_at_github, progress.runs_stored) == ("done", 0, 0)


# Requests are dear.


def asked_about(house: House) -> set[int]:
    """Return the runs whose jobs GitHub was asked for."""
    calls = (re.search(r"/runs/(\d+)/jobs", call.path) for call in house.github.rest.ledger.of(JOBS))
    return {int(call[1]) for call in calls if call}


def worth_asking(runs: list[dict[str, str]], now: datetime) -> set[int]:
    since = f"{now - JOBS_SPAN:%Y-%m-%dT%H:%M:%SZ}"
    return {
        int(run["id"])
        for run in runs
        if run["conclusion"] == "failure" or (run["created_at"] >= since and run["conclusion"] != "startup_failure")
    }


async def test_no_request_is_spent_on_jobs_beyond_the_policy(house: House) -> None:
    house.add_past(600, days=60)
    begun = house.clock.now()
    assert (await backfill(house)).runs_stored == 600
    runs = house.github.truth()["runs"]
    # The clock ran on meanwhile, so that a run may have come to be too old.
    assert worth_asking(runs, house.clock.now()) <= asked_about(house) <= worth_asking(runs, begun)
    assert len(asked_about(house)) < 400
    assert house.asked(JOBS) == len(asked_about(house))
    # Attempts are asked for all the same.
    assert await house.count("workflow_run_attempt") == house.github.counts()["attempts"] > 600


@pytest.mark.parametrize("capped", [False, True], ids=["real totals", "totals of 1000 at most"])
async def test_lists_of_more_than_github_shows_are_cut(house: House, capped: bool) -> None:
    house.github.rest.limits.capped_totals = capped
    house.add_past(2600, days=300, bursts=2)
    asked = await ask(house, days=365)
    # What single runs tell is not what this is about.
    await house.while_time_passes(until_listed(house), step=20)
    assert await house.count("workflow_run") == 2600
    assert house.asked(RUNS) <= 1.6 * 2600 / 100
    assert (await progress_of(house, asked)).runs_at_github == 2600


async def until_listed(house: House) -> None:
    working = asyncio.create_task(house.historian.catch_up())
    while await house.count("backfill_window") and not working.done():
        await asyncio.sleep(0.01)
    await house.historian.stop()
    await asyncio.gather(working, return_exceptions=True)


async def test_the_newest_come_first(house: House) -> None:
    house.add_past(2500, days=80)
    await ask(house)
    await house.while_time_passes(until_listed(house), step=20)
    windows = [re.search(r"created=([^&]+?)\.\.", call.query) for call in house.github.rest.ledger.of(RUNS)]
    begins = [window[1] for window in windows if window]
    # The first is the whole, which is then cut.
    assert begins[1:] == sorted(begins[1:], reverse=True)
    assert len(set(begins)) > 2


# Crashes.


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.deep), pytest.param(3, marks=pytest.mark.deep)])
async def test_after_a_crash_one_page_is_asked_for_again_at_the_most(house: House, seed: int) -> None:
    house.add_past(1500, days=60, bursts=1)
    chance, crashes = random.Random(seed), 8
    asked = await ask(house)
    for _ in range(crashes):
        await work_for(house, requests=chance.randrange(1, 6))
    await house.while_time_passes(until_listed(house), step=20)
    assert await house.count("workflow_run") == 1500
    pages = [f"{call.query}" for call in house.github.rest.ledger.of(RUNS)]
    assert len(pages) - len(set(pages)) <= crashes
    await house.catch_up(step=20)
    progress = await progress_of(house, asked)
    assert (progress.state, progress.runs_at_github, progress.runs_stored) == ("done", 1500, 1500)
    assert await house.count("workflow_run_attempt") == house.github.counts()["attempts"]


async def work_for(house: House, requests: int) -> None:
    """Let another process of ours work until GitHub has answered so often, and end it at once."""
    enough = len(house.github.rest.ledger.calls) + requests
    settings = settings_for(house.github, house.tools.github.app.connection.api_url)
    async with opened(settings, house.database, house.clock, events.acts_on) as tools:
        historian = Historian(tools)
        working = asyncio.create_task(historian.catch_up())

        async def enough_asked() -> None:
            while len(house.github.rest.ledger.calls) < enough and not working.done():
                await asyncio.sleep(0)

        await house.while_time_passes(enough_asked(), step=5)
        await historian.stop()
        await asyncio.gather(working, return_exceptions=True)


# Pull requests.


async def links(house: House, run: WorkflowRun) -> list[int]:
    details = await queries.get_workflow_run_by_id(house.team, run.id)
    return [link.number for link in details.run.pull_requests]


COMMIT_PULLS = "repos/list-pull-requests-associated-with-commit"


async def runs_from_a_fork(house: House) -> tuple[PullRequest, list[WorkflowRun]]:
    """Let a stranger's pull request run at two commits, of which the first is then its head no more."""
    github, stage = house.github, house.stage
    stranger = github.add_user("stranger")
    fork = github.repositories.fork(stage.repository, stranger)
    pull = github.pulls.open(stage.repository, "From afar", stranger, branch="main", head_repository=fork)
    runs = [github.actions.start_run_for(pull, stage.workflow)]
    finish_run(stage, runs[0], "unit")
    github.pulls.push(pull, "Better")
    runs.append(github.actions.start_run_for(pull, stage.workflow))
    finish_run(stage, runs[1])
    return pull, runs


@pytest.mark.parametrize("ending", ["open", "closed", "merged"])
async def test_runs_from_forks_find_their_pull_requests(house: House, ending: str) -> None:
    pull, runs = await runs_from_a_fork(house)
    await house.clock.advance(60)
    if ending == "closed":
        house.github.pulls.close(pull)
    elif ending == "merged":
        house.github.pulls.merge(pull, house.stage.person)
    await house.clock.advance(3600)
    await backfill(house)
    for run in runs:
        assert await links(house, run) == [pull.number]
    assert await house.differences() == []
    # The list of pull requests tells their branches, so that no commit is worth a request.
    assert house.asked(COMMIT_PULLS) == 0


async def test_a_pull_request_that_no_list_told_of_is_asked_for_by_commit(house: House) -> None:
    pull, runs = await runs_from_a_fork(house)
    await house.clock.advance(3600)
    async with house.database.transaction() as tx:
        since, now = house.clock.now() - timedelta(hours=3), house.clock.now()
        await ask_of_installation(tx, Kind.OVERLAP, house.installation_id, since, now, now)
    await house.catch_up()
    for run in runs:
        assert await links(house, run) == [pull.number]
    assert house.asked("pulls/list") == 0
    assert 1 <= house.asked(COMMIT_PULLS) <= 2


async def test_a_commit_whose_pull_requests_may_not_be_seen_keeps_nothing_else_back(house: House) -> None:
    _, runs = await runs_from_a_fork(house)
    await house.clock.advance(3600)
    house.github.rest.scripted_faults.add(ServerError(403), operation=COMMIT_PULLS, times=None)
    async with house.database.transaction() as tx:
        since, now = house.clock.now() - timedelta(hours=3), house.clock.now()
        await ask_of_installation(tx, Kind.OVERLAP, house.installation_id, since, now, now)
    await house.catch_up()
    for run in runs:
        details = await queries.get_workflow_run_by_id(house.team, run.id)
        assert len(details.jobs) == len(run.latest.jobs)
        assert details.run.pull_requests == []
    assert await house.database.fetch("SELECT DISTINCT tries FROM run_wanted") == []


async def test_runs_of_closed_pull_requests_find_them(house: House) -> None:
    pull = house.stage.open()
    run = house.github.actions.start_run_for(pull, house.stage.workflow)
    finish_run(house.stage, run)
    house.github.pulls.merge(pull, house.stage.person)
    await house.clock.advance(3600)
    await backfill(house)
    assert await links(house, run) == [pull.number]
    assert house.asked("pulls/list") == 1
    assert house.asked(COMMIT_PULLS) == 0


# Asking.


async def test_what_is_under_way_is_joined(house: House) -> None:
    scope, now = await queries.get_scope(house.team), house.clock.now()
    (first,) = await ask_for_backfill(scope, "acme/rocket", now - timedelta(days=30), None, now)
    await house.clock.advance(60)
    later = house.clock.now()
    assert await ask_for_backfill(scope, "ACME/Rocket", now - timedelta(days=20), None, later) == [first]
    assert await ask_for_backfill(scope, None, now - timedelta(days=30), None, later) == [first]
    assert await ask_for_backfill(scope, "acme/rocket", now - timedelta(days=40), None, later) != [first]
    await house.catch_up()
    assert await ask_for_backfill(scope, "acme/rocket", now - timedelta(days=30), None, later) != [first]


async def test_so_many_are_under_way_at_the_most(house: House) -> None:
    for days in range(10, 10 + MOST_UNDER_WAY):
        await ask(house, days)
    with pytest.raises(ParameterError, match="under way"):
        await ask(house, 99)
    # What is under way is joined all the same.
    assert await ask(house, 10)
    await house.catch_up()
    assert await ask(house, 99)


async def test_nothing_is_asked_for_from_before_there_were_actions(house: House) -> None:
    scope = await queries.get_scope(house.team)
    long_ago = datetime(1, 1, 1, tzinfo=UTC)
    (asked,) = await ask_for_backfill(scope, "acme/rocket", long_ago, None, house.clock.now())
    await house.catch_up()
    progress = await progress_of(house, asked)
    assert (progress.state, progress.since) == ("done", FIRST_RUN)


async def test_a_new_repository_is_asked_for_once(house: House) -> None:
    now = house.clock.now()
    house.add_past(20, days=100)
    assert await ask_where_new(house.installation_id, now) == 1
    assert await ask_where_new(house.installation_id, now) == 0
    await house.catch_up()
    assert await ask_where_new(house.installation_id, house.clock.now()) == 0
    within = [
        run for run in house.github.truth()["runs"] if run["created_at"] >= f"{now - timedelta(days=90):%Y-%m-%d}"
    ]
    assert 0 < await house.count("workflow_run") <= len(within) < 20


async def test_a_repository_that_is_gone_is_given_up(house: House) -> None:
    house.add_past(150, days=10)
    asked = await ask(house)
    house.github.installations.remove_repositories(house.stage.installation, [house.stage.repository])
    await house.catch_up()
    progress = await progress_of(house, asked)
    assert progress.state == "failed"
    assert "acme/rocket" in (progress.error or "")
    assert await house.count("backfill_window") == await house.count("run_wanted") == 0
