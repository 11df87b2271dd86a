"""A house whose GitHub posts its webhooks, into a real inbox or nowhere."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from bot import events
from bot.demo.github import Fail, ScriptedFaults
from bot.demo.github.webhooks.deliveries import Delivery
from bot.history.deliveries import recover_deliveries
from bot.history.requests import Kind
from bot.inbox import Inbox, NewDelivery
from bot.store import models
from bot.store.database import Database
from tests.demo.stage import finish_run
from tests.history.house import House, housed

BETWEEN_CYCLES = 300


@dataclass
class Post:
    """The house's letter box: what is posted goes into the inbox, but for what it loses after its 202 all the same.

    `faults` are what GitHub meets on the way. `posted` is everything that came, again and again where it did.
    """

    house: House
    inbox: Inbox
    faults: ScriptedFaults = field(default_factory=ScriptedFaults)
    loses: Callable[[Delivery], bool] = lambda _: False
    posted: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        guid, event = (request.headers[f"X-GitHub-{name}"] for name in ("Delivery", "Event"))
        again = guid in self.posted
        self.posted.append(guid)
        if again or not self.loses(self.house.github.webhooks.log.get(guid)):
            now = self.house.clock.now()
            await self.inbox.append(NewDelivery(guid, event, await request.read(), now))
        return web.json_response({"status": "accepted"}, status=202)

    # What happens at GitHub

    async def work(self, runs: int = 1) -> list[Delivery]:
        """Open pull requests with a run each, from beginning to end; return what GitHub made of it, sent or not."""
        stage, before = self.house.stage, self.house.github.webhooks.log.counts["made"]
        for number in range(runs):
            pull = stage.open(f"topic-{before}-{number}")
            finish_run(stage, self.house.github.actions.start_run_for(pull, stage.workflow))
        await self.house.github.settle()
        return [one for one in self.house.github.deliveries if one.number > before]

    async def lose(self, runs: int = 1) -> list[str]:
        """Let work happen of which nothing arrives; return the GUIDs of what we act on."""
        self.faults.add(Fail(), times=None)
        made = await self.work(runs)
        self.faults.clear()
        return acted_on(made)

    # What the service does

    async def cycle(self, *, step: float = 1) -> int:
        """Recover once, and let GitHub hand over what it was asked for."""
        asked = await self.house.while_time_passes(recover_deliveries(self.house.tools), step=step)
        await self.house.github.settle()
        return asked

    async def cycles(self, number: int, *, step: float = 1) -> list[int]:
        """Recover again and again, five minutes apart; return how many redeliveries each time asked for."""
        asked = []
        for _ in range(number):
            asked.append(await self.cycle(step=step))
            await self.house.clock.advance(BETWEEN_CYCLES)
        return asked

    # What stands in the database

    async def arrived(self) -> set[str]:
        return {row["guid"] for row in await self.house.database.fetch("SELECT guid FROM delivery")}

    async def missed(self) -> dict[str, models.MissedDelivery]:
        """Return what is still missing."""
        rows, arrived = models.MissedDelivery.filter(settled_at=None), await self.arrived()
        return {row.guid: row for row in await rows.using_db(self.house.database.client) if row.guid not in arrived}

    async def settled(self) -> set[str]:
        """Return what was left to a backfill, or given up."""
        rows = await models.MissedDelivery.exclude(settled_at=None).using_db(self.house.database.client)
        return {row.guid for row in rows}

    async def scan(self) -> models.DeliveryScan:
        return await models.DeliveryScan.all().using_db(self.house.database.client).get()

    async def listed_to(self) -> datetime:
        """Return when the last listing that came to its end had begun, less the overlap."""
        moment = (await self.scan()).listed_to
        assert moment is not None
        return moment

    async def began_at(self) -> datetime:
        """Return when the listing began that has not come to its end."""
        moment = (await self.scan()).began_at
        assert moment is not None
        return moment

    async def asked_for(self, kind: Kind) -> list[tuple[Any, Any, Any]]:
        """Return the backfills of a kind: of which installation, since when, until when."""
        rows = await models.Backfill.filter(kind=kind).order_by("id").using_db(self.house.database.client)
        return [(row.installation_id, row.since, row.until) for row in rows]

    def lists(self) -> int:
        """Return how many pages of deliveries were asked for, in vain or not."""
        return len(list(self.house.github.rest.ledger.of("apps/list-webhook-deliveries")))

    def redeliveries(self) -> int:
        return len(list(self.house.github.rest.ledger.of("apps/redeliver-webhook-delivery")))


def acted_on(deliveries: Sequence[Delivery]) -> list[str]:
    return [one.guid for one in deliveries if events.acts_on(one.event, one.action)]


@asynccontextmanager
async def posting(database: Database) -> AsyncIterator[Post]:
    """Give a house whose GitHub has so far delivered nothing."""
    async with housed(database) as house, Inbox(database, house.clock, events.ACTED_ON) as inbox:
        post = Post(house, inbox)
        app = web.Application()
        app.router.add_post("/hook", post.take)
        async with TestServer(app) as server:
            house.github.webhooks.url, house.github.webhooks.faults = str(server.make_url("/hook")), post.faults
            yield post
