"""Somebody asks for a run whose jobs are not there: they are fetched at once, whatever else goes on."""

import asyncio
from datetime import timedelta

from bot.demo.github import let_pass
from bot.demo.github.rest.faults import Slow
from bot.demo.github.state.actions import WorkflowRun
from bot.domain.wanting import JOBS_SPAN
from bot.history import ask_for_jobs, look_back_a_month, look_back_an_hour
from tests.history.watch import JOBS, LIST, RUN, Watch

ATTEMPT = "actions/get-workflow-run-attempt"


def old_run(watch: Watch, attempts: int = 1) -> WorkflowRun:
    """Return a run of long ago that nobody told of, and whose jobs are not worth asking for."""
    watch.lose()
    with watch.github.at(watch.clock.now() - JOBS_SPAN - timedelta(days=1)):
        run = watch.start()
        watch.finish(run)
        while len(run.attempts) < attempts:
            watch.finish(watch.github.actions.rerun(run, watch.stage.person).run)
    watch.deliver()
    return run


def listed_so_far(watch: Watch) -> int:
    return sum(1 for _ in watch.github.rest.ledger.of(LIST))


async def has_all_jobs(watch: Watch, run: WorkflowRun) -> bool:
    return await watch.jobs(run) == {job.id: job.conclusion for job in run.all_jobs()}


async def test_they_are_fetched_at_once(watch: Watch) -> None:
    run = old_run(watch)
    await watch.look_back_a_month()
    assert await watch.jobs(run) == {}
    assert await ask_for_jobs(run.id, watch.clock.now())
    await watch.house.catch_up()
    assert await has_all_jobs(watch, run)
    assert watch.asked_about(run) == {JOBS: 1}
    assert await watch.wanted() == []


async def test_what_has_not_ended_is_looked_at_again_like_everything_that_has_not(watch: Watch) -> None:
    run = watch.start()
    await watch.hear()
    await ask_for_jobs(run.id, watch.clock.now())
    await watch.house.catch_up()
    assert watch.asked_about(run) == {RUN: 1, JOBS: 1}
    await watch.watch(minutes=10)
    assert watch.asked_about(run) == {RUN: 1, JOBS: 1}
    watch.lose()
    watch.finish(run)
    await watch.watch(minutes=10)
    assert await watch.house.differences() == []


async def test_whoever_asks_waits_for_no_list(watch: Watch) -> None:
    run = old_run(watch)
    await watch.look_back_a_month()
    await watch.clock.advance(3600)
    watch.github.rest.scripted_faults.add(Slow(60), operation=LIST)
    before = listed_so_far(watch)
    await look_back_an_hour(watch.house.tools)
    listing = asyncio.create_task(watch.house.historian.catch_up())
    await let_pass(watch.github, watch.clock, 600, until=lambda: listed_so_far(watch) > before)
    await ask_for_jobs(run.id, watch.clock.now())
    await watch.house.historian.start_what_is_due()
    await let_pass(watch.github, watch.clock, 20, until=lambda: watch.asked_about(run)[JOBS] > 0)
    await let_pass(watch.github, watch.clock, 5)
    assert await has_all_jobs(watch, run)
    assert not listing.done()
    await watch.house.while_time_passes(listing)


async def test_who_asks_while_it_is_looked_at_for_less_gets_all(watch: Watch) -> None:
    run = old_run(watch, attempts=2)
    watch.github.rest.scripted_faults.add(Slow(60), operation=ATTEMPT)
    await look_back_a_month(watch.house.tools)
    looking = asyncio.create_task(watch.house.historian.catch_up())
    await let_pass(watch.github, watch.clock, 600, until=lambda: bool(watch.asked_about(run)))
    assert watch.asked_about(run) == {ATTEMPT: 1}
    await ask_for_jobs(run.id, watch.clock.now())
    await watch.house.while_time_passes(looking)
    await watch.house.catch_up()
    assert await has_all_jobs(watch, run)
    assert await watch.wanted() == []


async def test_of_what_can_not_be_asked_about_nothing_is_promised(watch: Watch) -> None:
    run = watch.start()
    await watch.hear()
    assert not await ask_for_jobs(run.id + 1, watch.clock.now())
    watch.github.installations.suspend(watch.stage.installation)
    await watch.hear()
    assert not await ask_for_jobs(run.id, watch.clock.now())
    assert await watch.wanted() == []
