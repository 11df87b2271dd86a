"""History goes on beside the deliveries: it begins and ends with the worker, and leaves nothing half done."""

import asyncio
import gc
from typing import Any

import pytest

from bot.demo.github import let_pass
from bot.demo.github.rest.faults import Slow
from bot.demo.github.state.actions import WorkflowRun
from bot.history import ask_for_backfill, look_back_an_hour
from bot.store import connected, queries
from bot.store.database import current
from bot.worker import Worker, running
from tests.history.house import settings_for
from tests.history.service import LIST, Service, serving
from tests.history.watch import Watch, watching
from tests.inbox.sessions import other_session

STOP_SECONDS = 10


def tasks_named(part: str) -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if part in task.get_name()]


async def rows_of(url: str, sql: str) -> list[dict[str, Any]]:
    """Ask the database while the service is down."""
    async with connected(url) as database:
        return await database.fetch(sql)


HELD = "SELECT name FROM lease WHERE holder IS NOT NULL"
TO_BE_LISTED = "SELECT what, page, tries FROM backfill_window ORDER BY id"


async def unheard_of(service: Service) -> WorkflowRun:
    """Let a run go on whose end nobody tells."""
    run = service.start()
    await service.settle()
    service.lose()
    service.finish(run)
    service.deliver()
    return run


async def test_the_service_finds_by_itself_what_it_was_not_told(migrated_url: str) -> None:
    async with serving(migrated_url) as service:
        run = await unheard_of(service)
        # Pruning, which has the word in its name, too, may be under way.
        assert tasks_named("history").count("history") == 1
        assert await service.state(run) == ("queued", None)
        await service.until_whole()
        assert await service.state(run) == ("completed", "success")
    assert tasks_named("history") == []
    assert await rows_of(migrated_url, HELD) == []


async def until_asked(service: Service, operation: str) -> None:
    """Let time pass until GitHub has been asked once more, and keeps us waiting."""
    before = service.asked(operation)
    service.github.rest.scripted_faults.add(Slow(10**6), operation=operation, times=None)
    # Its database may be slower than a clock that is moved by hand.
    assert await let_pass(
        service.github,
        service.clock,
        700,
        step=5,
        busy=lambda: current().is_working,
        until=lambda: service.asked(operation) > before,
    )


async def test_it_stops_at_once_while_github_keeps_it_waiting_and_goes_on_the_next_time(migrated_url: str) -> None:
    async with serving(migrated_url) as service:
        service.lose()
        service.finish(service.start())
        await ask_for_backfill(await queries.get_scope("acme"), "acme/rocket", None, None, service.clock.now())
        await until_asked(service, LIST)
        async with asyncio.timeout(STOP_SECONDS):
            await service.stop()
        assert await rows_of(migrated_url, HELD) == []
        assert await rows_of(migrated_url, TO_BE_LISTED) == [{"what": "runs", "page": 1, "tries": 0}]
        service.github.rest.scripted_faults.clear()
        await service.begin_again()
        await service.until_whole()


async def test_stopping_ends_timed_jobs_that_github_keeps_waiting(migrated_url: str) -> None:
    async with serving(migrated_url) as service:
        await until_asked(service, "apps/list-webhook-deliveries")
        async with asyncio.timeout(STOP_SECONDS):
            await service.stop()
        assert await rows_of(migrated_url, HELD) == []


async def until_logged(message: str, caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(10):
        while message not in caplog.messages:
            await asyncio.sleep(0.01)


async def pass_some(watch: Watch, seconds: int) -> None:
    """Let seconds pass that take some of the machine's time, too."""
    for _ in range(seconds):
        await watch.clock.advance(1)
        await asyncio.sleep(0.01)


async def test_it_outlives_a_postgresql_that_is_away(migrated_postgres: str, caplog: pytest.LogCaptureFixture) -> None:
    async with (
        other_session(migrated_postgres, server_wide=True) as operator,
        connected(migrated_postgres) as database,
        watching(database) as watch,
    ):
        watch.lose()
        run = watch.start()
        watch.finish(run)
        settings = settings_for(watch.github, watch.github.world.addresses.api)
        async with running(Worker(database, watch.clock, settings, github=watch.house.tools)):
            await operator.alter_database("ALLOW_CONNECTIONS false")
            await operator.end_all_others()
            await pass_some(watch, 30)
            await operator.alter_database("ALLOW_CONNECTIONS true")
            async with asyncio.timeout(30):
                while await watch.house.differences():
                    await let_pass(watch.github, watch.clock, 60, step=5)
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_it_outlives_a_connection_that_ends_while_it_waits_for_a_lease(
    migrated_postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        other_session(migrated_postgres) as other,
        connected(migrated_postgres) as database,
        watching(database) as watch,
    ):
        watch.lose()
        watch.finish(watch.start())
        await look_back_an_hour(watch.house.tools)
        async with other.connection.transaction():
            await other.connection.execute("LOCK TABLE lease IN ACCESS EXCLUSIVE MODE")
            assert await watch.house.historian.start_what_is_due() == 1
            await other.until_somebody_waits()
            await other.end_all_others()
            await until_logged("history failed", caplog)
        # By then the pools know which connections are gone.
        await asyncio.sleep(0.1)
        await watch.watch(minutes=10)
        assert await watch.house.differences() == []
    gc.collect()
    assert "never retrieved" not in caplog.text
