"""A real server on loopback around the in-memory rooms."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from tests.web.rooms import Rooms, make_app

Client = TestClient[Any, Any]
Serve = Callable[..., Awaitable[Client]]


@pytest.fixture
async def rooms(monkeypatch: pytest.MonkeyPatch) -> Rooms:
    rooms = Rooms()
    rooms.move_in(monkeypatch)
    return rooms


@pytest.fixture
def serve(rooms: Rooms, aiohttp_client: Any) -> Serve:
    """Start the service with the given settings, and give a client of it."""

    async def start(**options: Any) -> Client:
        client: Client = await aiohttp_client(make_app(rooms, **options))
        return client

    return start


@pytest.fixture
async def client(serve: Serve) -> Client:
    return await serve()
