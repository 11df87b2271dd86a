"""The short way of a delivery: when it is taken, that nobody can tell it from the other, and that it ends in order."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from bot.errors import DatabaseUnavailable
from bot.web import connection, keys, protocol
from bot.web.lane import Lane
from bot.web.problems import Problem
from bot.web.protocol import Runner
from bot.web.request_ids import HEADER
from bot.web.routes import HANDLER_ARGS
from tests.web.lines import Line, get, open_line
from tests.web.lines import post as a_post
from tests.web.rooms import SECRET, WEBHOOK, Rooms, make_app

BODY = b'{"action":"completed"}'
OWN = {HEADER.lower(), "date"}
LONG = 30


class Wire(asyncio.Transport):
    """A connection that leads nowhere."""

    def is_closing(self) -> bool:
        return False


class Place:
    """The service, who has been routed there, and the lines to it."""

    def __init__(self, rooms: Rooms, shutdown_timeout: float = LONG, **settings: Any) -> None:
        self.routed: Counter[str] = Counter()
        self.app = make_app(rooms, **settings)
        self.app.on_response_prepare.append(self._note)
        self.runner = Runner(self.app, handler_args=HANDLER_ARGS, shutdown_timeout=shutdown_timeout)
        self.lines: list[Line] = []

    async def _note(self, request: web.Request, _: web.StreamResponse) -> None:
        self.routed[request.path] += 1

    async def line(self) -> Line:
        self.lines.append(await open_line(*self.runner.addresses[0][:2]))
        return self.lines[-1]


@asynccontextmanager
async def opened(rooms: Rooms, **settings: Any) -> AsyncIterator[Place]:
    place = Place(rooms, **settings)
    await place.runner.setup()
    await web.TCPSite(place.runner, "127.0.0.1", 0).start()
    try:
        async with asyncio.timeout(LONG / 2):
            yield place
            await place.runner.cleanup()
    finally:
        for line in place.lines:
            line.writer.close()
        await place.runner.cleanup()


@pytest.fixture
async def place(rooms: Rooms) -> AsyncIterator[Place]:
    async with opened(rooms) as place:
        yield place


def post(number: int, *lines: str, body: bytes = BODY, version: str = "1.1", **changes: str | None) -> bytes:
    return a_post(body, *lines, version=version, X_GitHub_Delivery=f"guid-{number}", **changes)


async def test_deliveries_pass_one_after_another_without_being_routed(place: Place, rooms: Rooms) -> None:
    line = await place.line()
    for number in (1, 2, 1):
        status, _, body = await line.ask(post(number))
        assert status == "HTTP/1.1 202 Accepted"
    assert body == b'{"status":"duplicate"}'
    assert [each.body for each in rooms.kept.values()] == [BODY, BODY]
    assert not place.routed


@pytest.mark.parametrize("settings", [{}, {"public_url": "https://runledger.example"}])
async def test_nobody_can_tell_by_the_answer_which_way_was_taken(rooms: Rooms, settings: dict[str, str]) -> None:
    async with opened(rooms, **settings) as place:
        short, long = await place.line(), await place.line()
        await long.ask(get("/healthz"))
        answers = [await line.ask(post(number)) for number, line in enumerate((short, long))]
        assert place.routed[WEBHOOK] == 1
    (first, first_headers, first_body), (second, second_headers, second_body) = answers
    assert (first, first_body) == (second, second_body)
    assert first_headers.keys() == second_headers.keys()
    differing = {name for name, value in first_headers.items() if second_headers[name] != value}
    assert HEADER.lower() in differing <= OWN


async def test_a_request_of_another_kind_is_routed_and_so_are_all_after_it(place: Place) -> None:
    line = await place.line()
    for said, status in ((post(1), "202"), (get("/healthz"), "200"), (post(2), "202"), (get("/healthz"), "200")):
        assert (await line.ask(said))[0].split()[1] == status
    assert place.routed == {WEBHOOK: 1, "/healthz": 2}


async def test_what_is_sent_all_at_once_is_answered_in_order(place: Place, rooms: Rooms) -> None:
    line = await place.line()
    await line.say(b"".join(post(number) for number in range(50)) + get("/healthz") + post(50))
    answers = [await line.hear() for _ in range(52)]
    assert [status.split()[1] for status, _, _ in answers] == ["202"] * 50 + ["200", "202"]
    assert list(rooms.kept) == [f"guid-{number}" for number in range(51)]


@pytest.mark.parametrize("cuts", [(600,), (600, 601, 9_000)])
async def test_a_body_may_come_in_parts(place: Place, rooms: Rooms, cuts: tuple[int, ...]) -> None:
    line, whole = await place.line(), post(1, body=b"[" + b"1," * 9000 + b"1]")
    for begin, end in zip((0, *cuts), (*cuts, len(whole)), strict=True):
        await line.say(whole[begin:end])
        await asyncio.sleep(0.01)
    assert (await line.hear())[0] == "HTTP/1.1 202 Accepted"
    assert [len(each.body) for each in rooms.kept.values()] == [18_003]
    assert not place.routed


async def test_what_comes_behind_a_part_waits_its_turn(place: Place, rooms: Rooms) -> None:
    line, first, second = await place.line(), post(1, body=b"[" + b"1," * 9000 + b"1]"), post(2)
    for part in (first[:600], first[600:] + second[:300], second[300:]):
        await line.say(part)
        await asyncio.sleep(0.01)
    assert [(await line.hear())[0] for _ in range(2)] == ["HTTP/1.1 202 Accepted"] * 2
    assert list(rooms.kept) == ["guid-1", "guid-2"]


async def test_a_head_in_parts_is_left_to_aiohttp(place: Place, rooms: Rooms) -> None:
    line, whole = await place.line(), post(1)
    await line.say(whole[:40])
    await asyncio.sleep(0.01)
    assert (await line.ask(whole[40:]))[0] == "HTTP/1.1 202 Accepted"
    assert place.routed == {WEBHOOK: 1}


async def test_a_line_on_which_nothing_has_come_is_closed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.05)
    line = await place.line()
    assert await line.reader.read() == b""


@pytest.mark.parametrize("said", [get("/healthz")[:-2], post(1)[:40]])
async def test_a_head_that_never_ends_is_not_waited_for(
    place: Place, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(protocol, "FIRST_HEAD_SECONDS", 0.05)
    line = await place.line()
    await line.say(said)
    assert await line.reader.read() == b""
    assert not place.routed


async def test_a_line_stays_when_its_first_request_was_answered(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "FIRST_HEAD_SECONDS", 0.05)
    line = await place.line()
    assert (await line.ask(get("/healthz")))[0] == "HTTP/1.1 200 OK"
    await asyncio.sleep(0.15)
    assert (await line.ask(get("/healthz")))[0] == "HTTP/1.1 200 OK"


async def test_a_line_that_nobody_uses_any_more_is_closed(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "KEEP_ALIVE_SECONDS", 0.1)
    async with opened(rooms) as place:
        line = await place.line()
        assert (await line.ask(get("/healthz")))[0] == "HTTP/1.1 200 OK"
        assert await line.reader.read() == b""


async def test_a_line_that_idles_is_left_to_aiohttp(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.05)
    line = await place.line()
    # It may have begun to idle just before, and so is looked at twice.
    await line.ask(post(1))
    assert not place.routed
    await asyncio.sleep(0.15)
    assert (await line.ask(post(2)))[0] == "HTTP/1.1 202 Accepted"
    assert place.routed == {WEBHOOK: 1}


async def test_who_takes_over_a_line_is_told_that_its_answers_are_not_read(place: Place) -> None:
    told: list[str] = []

    class Successor(asyncio.Protocol):
        def pause_writing(self) -> None:
            told.append("full")

    for is_full in (False, True):
        left = connection.Connection(Lane(place.app), set(), lambda *_: Successor())
        left.connection_made(Wire())
        if is_full:
            left.pause_writing()
        request = get("/healthz")
        left.get_buffer(-1)[: len(request)] = request
        left.buffer_updated(len(request))
    assert told == ["full"]


async def test_a_refusal_is_told_by_the_route_and_the_line_stays_open(place: Place, rooms: Rooms) -> None:
    line = await place.line()
    await line.ask(post(1))
    status, headers, _ = await line.ask(post(2, X_Hub_Signature_256="sha256=" + "0" * 64))
    assert (status.split()[1], headers["content-type"]) == ("401", "application/problem+json")
    assert (await line.ask(post(3)))[0].split()[1] == "202"
    assert list(rooms.kept) == ["guid-1", "guid-3"]


async def test_what_was_refused_is_let_go_at_once(place: Place) -> None:
    line = await place.line()
    gc.disable()
    try:
        await line.ask(post(1, body=bytes(100_000), X_Hub_Signature_256="sha256=" + "0" * 64))
        assert (await line.ask(get("/healthz")))[0].split()[1] == "200"
        assert not [each for each in gc.get_objects() if isinstance(each, Problem)]
    finally:
        gc.enable()


async def test_what_could_not_be_stored_is_not_tried_again(place: Place, rooms: Rooms) -> None:
    line, asked = await place.line(), 0

    async def refuse() -> None:
        nonlocal asked
        asked += 1
        raise DatabaseUnavailable("gone")

    rooms._answer = refuse  # type: ignore[method-assign]
    status, headers, _ = await line.ask(post(1))
    assert (status.split()[1], headers["retry-after"], asked) == ("503", "5", 1)


@pytest.mark.parametrize(
    ("said", "status", "closes"),
    [
        (post(1, "Connection: close"), "HTTP/1.1 202 Accepted", True),
        (post(1, version="1.0"), "HTTP/1.0 202 Accepted", True),
        (post(1, "Connection: Upgrade", "Upgrade: h2c"), "HTTP/1.1 202 Accepted", False),
    ],
)
async def test_what_is_unusual_about_a_connection_is_left_to_aiohttp(
    place: Place, said: bytes, status: str, closes: bool
) -> None:
    line = await place.line()
    assert (await line.ask(said))[0] == status
    assert place.routed == {WEBHOOK: 1}
    if closes:
        assert await line.reader.read() == b""


@pytest.mark.parametrize("expected", [b"something else", b"100-continue, more", b"\xe9"])
@pytest.mark.parametrize("path", ["/healthz", "/nowhere"])
async def test_what_nobody_knows_how_to_meet_is_passed_over(place: Place, expected: bytes, path: str) -> None:
    line, whole = await place.line(), get(path)
    status = (await line.ask(whole[:-2] + b"Expect: " + expected + b"\r\n\r\n"))[0]
    assert status == (await (await place.line()).ask(whole))[0]
    assert status in {"HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found"}


async def test_who_expects_to_be_told_to_continue_is_told(place: Place) -> None:
    line, whole = await place.line(), post(1, "Expect: 100-continue")
    await line.say(whole.removesuffix(BODY))
    assert await line.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (await line.ask(BODY))[0] == "HTTP/1.1 202 Accepted"


async def test_a_stop_waits_for_the_delivery_in_hand_and_for_nobody_else(place: Place, rooms: Rooms) -> None:
    busy, idle, silent = await place.line(), await place.line(), await place.line()
    await idle.ask(post(1))
    rooms.hold.clear()
    await busy.say(post(2))
    await asyncio.sleep(0.02)
    stopping = asyncio.create_task(place.runner.cleanup())
    await asyncio.sleep(0.02)
    assert not stopping.done()
    rooms.hold.set()
    assert (await busy.hear())[0] == "HTTP/1.1 202 Accepted"
    async with asyncio.timeout(LONG / 8):
        await stopping
    assert [await line.reader.read() for line in (busy, idle, silent)] == [b""] * 3


async def test_a_stop_does_not_wait_for_ever(rooms: Rooms) -> None:
    rooms.hold.clear()
    async with opened(rooms, shutdown_timeout=0.05) as place:
        line = await place.line()
        await line.say(post(1))
        await asyncio.sleep(0.02)
        await place.runner.cleanup()
        assert await line.reader.read() == b""
    rooms.hold.set()


async def test_who_can_not_be_answered_is_not_left_waiting(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object) -> bytes:
        raise RuntimeError("gone")

    line = await place.line()
    monkeypatch.setattr(Lane, "answer", break_down)
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    await line.say(post(1))
    assert await line.reader.read() == b""
    assert place.app[keys.RECEIVER].memory.held == 0
    assert [str(each["exception"]) for each in told] == ["gone"]


async def test_who_leaves_before_the_answer_has_delivered_all_the_same(
    place: Place, rooms: Rooms, caplog: pytest.LogCaptureFixture
) -> None:
    line = await place.line()
    rooms.hold.clear()
    await line.say(post(1))
    await asyncio.sleep(0.02)
    line.writer.transport.abort()
    await asyncio.sleep(0.02)
    rooms.hold.set()
    assert (await (await place.line()).ask(post(2)))[0] == "HTTP/1.1 202 Accepted"
    assert list(rooms.kept) == ["guid-1", "guid-2"]
    assert not caplog.records


async def test_a_proxys_name_for_the_request_is_kept(place: Place) -> None:
    line = await place.line()
    _, headers, _ = await line.ask(post(1, f"{HEADER}: 4f8a2c1e-0000"))
    assert headers[HEADER.lower()] == "4f8a2c1e-0000"
    names = [(await line.ask(post(number, f"{HEADER}: a b")))[1][HEADER.lower()] for number in (2, 3)]
    assert len({*names, "a b"}) == 3
    assert SECRET not in str(names)
