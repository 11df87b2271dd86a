"""A real server on loopback around the in-memory rooms, run as `app.py` runs it."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.web.protocol import Runner
from bot.web.routes import HANDLER_ARGS
from tests.web.rooms import Rooms, make_app
from tests.web.town import Town, founded

Client = TestClient[Any, Any]
Serve = Callable[..., Awaitable[Client]]


class Served(TestServer):
    """Serves connections as the service does, deliveries in their lane."""

    async def _make_runner(self, **options: Any) -> web.AppRunner:
        return Runner(self.app, handler_args=HANDLER_ARGS, shutdown_timeout=5)


@pytest.fixture
async def rooms(monkeypatch: pytest.MonkeyPatch) -> Rooms:
    rooms = Rooms()
    rooms.move_in(monkeypatch)
    return rooms


@pytest.fixture
def serve(rooms: Rooms, aiohttp_client: Any) -> Serve:
    """Start the service with the given settings, and give a client of it."""

    async def start(**options: Any) -> Client:
        client: Client = await aiohttp_client(Served(make_app(rooms, **options)))
        return client

    return start


@pytest.fixture
async def client(serve: Serve) -> Client:
    return await serve()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """Found a town for all tests of a file; at its GitHub carl is signed in."""
    path = tmp_path_factory.mktemp("town") / "runledger.sqlite3"
    shutil.copy(sqlite_template, path)
    async with founded(f"sqlite://{path}") as opened:
        opened.github.rest.signed_in = opened.account("carl")
        yield opened
