"""The worker and history writing of the same runs at the same moment: nobody gives up, and nothing is asked twice."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot import events
from bot.demo.github.state.actions import WorkflowRun
from bot.demo.github.webhooks.deliveries import Delivery
from bot.domain import facts
from bot.history import ask_for_jobs
from bot.inbox import NewDelivery
from bot.recorder import record
from bot.store import connected
from bot.store.database import Transaction
from bot.worker.deliveries import Deliveries
from tests.history.watch import JOBS, Watch, watching
from tests.inbox.sessions import other_session

RUNS = 24


@pytest.fixture
async def impatient(migrated_postgres: str) -> AsyncIterator[Watch]:
    """Give a watch on a PostgreSQL that soon looks whether those who wait wait for each other.

    Whoever looks is the one that is ended; `patiently` makes sure that it is not the test itself.
    """
    async with other_session(migrated_postgres) as operator:
        await operator.alter_database("SET deadlock_timeout = '800ms'")
    async with connected(migrated_postgres) as database, watching(database) as opened:
        yield opened


async def patiently(tx: Transaction) -> None:
    """Let a transaction leave it to others to look."""
    await tx.execute("SET LOCAL deadlock_timeout = '30s'")


def made_by(watch: Watch, run: WorkflowRun) -> list[Delivery]:
    """Let a run come to its end, and return what GitHub makes of that."""
    before = watch.github.webhooks.log.counts["made"]
    watch.finish(run)
    return [one for one in watch.github.deliveries if one.number > before and events.acts_on(one.event, one.action)]


async def test_while_the_worker_records_runs_history_records_them_too(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    watch.lose()
    runs = [watch.start(f"topic-{number}") for number in range(RUNS)]
    made = itertools.chain.from_iterable(made_by(watch, run) for run in runs)
    arriving = iter(sorted(made, key=lambda one: one.number % 7))
    await watch.clock.advance(1200)

    async def arrive_and_be_handled() -> None:
        deliveries = Deliveries(watch.database, watch.clock)
        for one in arriving:
            await watch.post.inbox.append(NewDelivery(one.guid, one.event, one.body, watch.clock.now()))
            await deliveries.handle_batch(5)

    await asyncio.gather(
        watch.look_back_an_hour(), arrive_and_be_handled(), arrive_and_be_handled(), watch.look_back_a_month()
    )
    await watch.hear()
    assert await watch.house.differences() == []
    assert [record.message for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []


async def told_of(delivery: Delivery, watch: Watch) -> list[facts.Facts]:
    return (await events.read(delivery.guid, delivery.event, delivery.body, watch.clock.now())).told


async def until_it_waits(watch: Watch, tx: Transaction) -> None:
    """Return once somebody waits for what a transaction has locked."""
    async with asyncio.timeout(10):
        while not (await tx.fetch("SELECT count(*) AS waiting FROM pg_locks WHERE NOT granted"))[0]["waiting"]:
            await asyncio.sleep(0.002)


async def test_who_is_ended_for_anothers_sake_records_what_it_was_told_all_the_same(
    impatient: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    watch, run = impatient, impatient.start()
    made = made_by(watch, run)
    of_run, of_job = made[-1], next(one for one in made if one.event == "workflow_job")
    assert of_run.event == "workflow_run"
    await watch.hear()
    await ask_for_jobs(run.id, watch.clock.now())
    begun = asyncio.Event()

    async def look() -> None:
        await begun.wait()
        await watch.house.historian.catch_up()

    looking = asyncio.create_task(look())
    async with watch.database.transaction() as tx:
        await patiently(tx)
        # The run first and then its job, as the worker does; history has the job by then, and wants the run.
        await record(tx, await told_of(of_run, watch), watch.clock.now())
        begun.set()
        await until_it_waits(watch, tx)
        await record(tx, await told_of(of_job, watch), watch.clock.now())
    async with asyncio.timeout(10):
        await looking
    assert await watch.house.differences() == []
    assert watch.asked_about(run) == {JOBS: 1}
    assert await watch.wanted() == []
    assert not caplog.records or {record.levelname for record in caplog.records} <= {"INFO", "DEBUG"}


async def test_a_page_is_recorded_whole_whomever_it_collides_with(impatient: Watch) -> None:
    watch = impatient
    # What is told of the repository is known by then, and locks nothing.
    watch.finish(watch.start())
    await watch.hear()
    watch.lose()
    runs = sorted((watch.start(f"topic-{number}") for number in range(4)), key=lambda run: run.id)
    told = {run.id: await told_of(made_by(watch, run)[-1], watch) for run in runs}
    await watch.clock.advance(1200)
    begun = asyncio.Event()

    async def look_back() -> Any:
        await begun.wait()
        return await watch.look_back_an_hour()

    looking = asyncio.create_task(look_back())
    async with watch.database.transaction() as tx:
        await patiently(tx)
        # From the last to the first, which nobody of us does.
        await record(tx, told[runs[-1].id], watch.clock.now())
        begun.set()
        await until_it_waits(watch, tx)
        await record(tx, told[runs[0].id], watch.clock.now())
    async with asyncio.timeout(10):
        await looking
    assert await watch.house.differences() == []
