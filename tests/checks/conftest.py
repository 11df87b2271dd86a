"""A simulated GitHub that listens on loopback, with one App, one installation, and a service its webhook leads to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.checks.answers import WEBHOOK_PATH
from bot.checks.findings import Finding
from bot.checks.github import Told, ask_github
from bot.clock import ManualClock
from bot.demo.github import SimulatedGitHub
from bot.settings import Settings
from tests.demo.conformance import AnswersHeld
from tests.demo.stage import Receiver, Stage, set_stage

T = TypeVar("T")


@dataclass
class Practice:
    """Where `doctor` is called to; `settings` may be told otherwise."""

    stage: Stage
    clock: ManualClock
    receiver: Receiver
    address: str
    public_url: str

    @property
    def github(self) -> SimulatedGitHub:
        return self.stage.github

    def settings(self, **changes: Any) -> Settings:
        told: dict[str, Any] = {
            "app_id": self.github.app.id,
            "private_key": self.github.private_key_pem,
            "github_api_url": self.address,
            "public_url": self.public_url,
            "webhook_secret": self.github.webhook_secret,
        }
        return Settings(_env_file=None, **told | changes)

    async def ask(self, **changes: Any) -> Told:
        return await ask_github(self.settings(**changes), self.clock)


@pytest.fixture
async def practice(aiohttp_server: Any) -> AsyncIterator[Practice]:
    clock, receiver = ManualClock(), Receiver()
    service = web.Application()
    service.router.add_post(WEBHOOK_PATH, receiver.take)
    server: TestServer = await aiohttp_server(service)
    public_url = str(server.make_url("")).rstrip("/")
    github = SimulatedGitHub(clock, seed=7, webhook_url=public_url + WEBHOOK_PATH)
    github.rest.on_answer = held = AnswersHeld()
    async with github, github.serve() as address:
        stage = set_stage(github)
        await github.settle()
        yield Practice(stage, clock, receiver, address, public_url)
    assert held.faults == []
    assert github.rest.ledger.violations == []


def faults(findings: list[Finding]) -> list[str]:
    """Return what is wrong."""
    return [each.sentence for each in findings if not each.good]


async def patiently(clock: ManualClock, work: Awaitable[T]) -> T:
    """Await `work`; let time pass whenever somebody besides the one who counts the seconds sleeps."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait({task}, timeout=0.001)
        due = sorted(at for at, _, woken in clock._sleepers if not woken.done())
        if len(due) > 1:
            await clock.advance((due[0] - clock.now()).total_seconds())
    return task.result()
