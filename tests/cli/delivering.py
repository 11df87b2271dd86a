"""Fills a database as the service does: through the inbox and a worker."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from bot import events
from bot.clock import Clock
from bot.inbox import Inbox, NewDelivery
from bot.settings import Settings
from bot.store import connected
from bot.store.database import Database
from bot.worker import Worker
from tests import builders as make

Result = TypeVar("Result")


def on(url: str, work: Callable[[Database], Awaitable[Result]]) -> Result:
    """Do `work` with the database at `url` open."""

    async def opened() -> Result:
        async with connected(url) as database:
            return await work(database)

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(opened())


def deliver(url: str, deliveries: Iterable[tuple[str, bytes]], *, handled: bool = True) -> list[str]:
    """Store deliveries of event and body, let them be handled, and return their GUIDs."""
    guids = []

    async def work(database: Database) -> None:
        clock = Clock()
        async with Inbox(database, clock, events.ACTED_ON) as inbox:
            for event, body in deliveries:
                guids.append(make.guid())
                await inbox.append(NewDelivery(guids[-1], event, body, clock.now()))
        if handled:
            await Worker(database, clock, Settings(_env_file=None)).handle_all()

    on(url, work)
    return guids


def run_event(full_name: str = "octo-org/hello", installation: int = 71, **changes: int) -> tuple[str, bytes]:
    """Return a run of a repository whose ids follow from the installation."""
    home = make.repository(full_name, id=installation * 10, owner_id=installation * 10 + 5)
    body = make.run(**({"id": installation * 100} | changes))
    return "workflow_run", make.event("completed", repo=home, installation=installation, workflow_run=body)


NULL_JOB = ("workflow_job", make.event("queued")[:-1] + b', "workflow_job": null}')
