"""A run whose jobs were never asked for: they are asked for while somebody waits, for a moment and no longer."""

import asyncio

import pytest
from aiohttp import ClientResponse

from bot.clock import ManualClock
from bot.errors import DatabaseUnavailable
from bot.web import keys
from tests.web.conftest import Client, Serve
from tests.web.rooms import API, TOKEN, Rooms
from tests.web.test_backfills import AN_APP

RUN = f"{API}/workflow-runs/7?team=octo"


@pytest.fixture
async def client(serve: Serve) -> Client:
    return await serve(**AN_APP)


async def answered(client: Client, **headers: str) -> ClientResponse:
    """Ask for the run while the clock goes on."""
    assert client.app is not None
    clock = client.app[keys.CLOCK]
    assert isinstance(clock, ManualClock)
    asking = asyncio.ensure_future(client.get(RUN, headers=TOKEN | headers))
    while not asking.done():
        await clock.advance(0.05)
        await asyncio.sleep(0.001)
    return asking.result()


async def pending(client: Client) -> bool:
    """Ask for the run, and return whether its jobs are said to be pending."""
    answer = await answered(client)
    assert answer.status == 200
    told: bool = (await answer.json())["jobsPending"]
    return told


def asked_for_jobs(rooms: Rooms) -> int:
    return rooms.asked.count(("jobs", 7))


async def test_a_run_with_its_jobs_is_answered_at_once(client: Client, rooms: Rooms) -> None:
    assert await pending(client) is False
    assert rooms.asked == [("octo", (7, None))]


async def test_jobs_that_come_soon_are_in_the_answer(client: Client, rooms: Rooms) -> None:
    rooms.pending = 4
    assert await pending(client) is False
    assert (asked_for_jobs(rooms), len(rooms.asked)) == (1, 5)


async def test_jobs_that_do_not_come_soon_are_told_to_be_pending(client: Client, rooms: Rooms) -> None:
    rooms.pending = 1000
    assert await pending(client) is True
    assert asked_for_jobs(rooms) == 1
    assert 5 <= len(rooms.asked) <= 10


async def test_nobody_waits_for_jobs_that_nobody_can_ask_for(serve: Serve, rooms: Rooms) -> None:
    rooms.pending = 1000
    assert await pending(await serve()) is False
    assert rooms.asked == [("octo", (7, None))]
    rooms.jobs_may_come = False
    assert await pending(await serve(**AN_APP)) is False
    assert asked_for_jobs(rooms) == 1


async def test_a_database_that_takes_no_request_for_jobs_still_tells_the_rest(client: Client, rooms: Rooms) -> None:
    rooms.pending = 1000
    rooms.ask_failure = DatabaseUnavailable("busy")
    assert await pending(client) is True


async def test_what_the_client_holds_is_held_against_the_answer_that_was_waited_for(
    client: Client, rooms: Rooms
) -> None:
    rooms.pending = 1000
    incomplete = (await answered(client)).headers["ETag"]
    assert (await answered(client, **{"If-None-Match": incomplete})).status == 304
    rooms.pending = 3
    answer = await answered(client, **{"If-None-Match": incomplete})
    assert (answer.status, (await answer.json())["jobsPending"]) == (200, False)
