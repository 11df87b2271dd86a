"""Fixtures of the simulated GitHub's tests."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.clock import ManualClock
from bot.demo.github import SimulatedGitHub
from tests.demo.stage import Receiver, Stage, set_stage


@pytest.fixture
def stage() -> Stage:
    return set_stage(SimulatedGitHub(ManualClock(), seed=7))


@pytest.fixture
async def receiver(aiohttp_server: Any) -> Receiver:
    received = Receiver()
    app = web.Application()
    app.router.add_post("/hook", received.take)
    server: TestServer = await aiohttp_server(app)
    received.url = str(server.make_url("/hook"))
    return received
