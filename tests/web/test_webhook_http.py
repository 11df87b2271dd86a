"""The webhook over real sockets: what is taken, what is refused, and that a refusal harms nobody else."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot import metrics
from bot.errors import DatabaseUnavailable, TooMuchWaiting
from bot.web import keys
from bot.web.body import MIB
from bot.web.signature import find_digest, verifies
from bot.web.webhook import Receiver
from tests.web.conftest import Client, Serve, Served
from tests.web.rooms import NOW, WEBHOOK, Rooms, delivery_headers, make_app, signature

BODY = b'{"action":"completed"}'
LARGEST = 25 * MIB
CHUNK = b"x" * 65_536


class Routed(TestServer):
    """Lets the router have all requests, and cancels a handler whose client has left, or lets it go on."""

    def __init__(self, app: web.Application, handler_cancellation: bool = False) -> None:
        super().__init__(app)
        self.handler_cancellation = handler_cancellation

    async def _make_runner(self, **options: Any) -> web.AppRunner:
        return web.AppRunner(self.app, **(options | {"handler_cancellation": self.handler_cancellation}))


@pytest.fixture(params=[Served, Routed], ids=["in the lane", "by the router"])
def serve(rooms: Rooms, aiohttp_client: Any, request: pytest.FixtureRequest) -> Serve:
    """Start the service either way: what is taken and what is refused must not depend on it."""

    async def start(**options: Any) -> Client:
        client: Client = await aiohttp_client(request.param(make_app(rooms, **options)))
        return client

    return start


def counted(result: str, event: str = "workflow_run") -> float:
    return metrics.REGISTRY.get_sample_value("runledger_deliveries_total", {"event": event, "result": result}) or 0.0


def bytes_in_flight() -> float | None:
    return metrics.REGISTRY.get_sample_value("runledger_webhook_bytes_in_flight")


async def zeros(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, len(CHUNK)):
        yield bytes(min(len(CHUNK), size - start))


async def talk(client: Client, *parts: bytes) -> bytes:
    """Send bytes as they are, over a socket of their own, and return the answer's."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        length = int(
            next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1]
        )
        return head + await reader.readexactly(length)
    finally:
        writer.close()


def raw_head(length: int, *lines: bytes, signed: bytes = b"") -> bytes:
    fixed = [
        b"POST /api/github/webhooks HTTP/1.1",
        b"Host: localhost",
        b"Content-Type: application/json",
        b"X-GitHub-Event: push",
        b"X-GitHub-Delivery: 1",
        b"Content-Length: %d" % length,
        *([b"X-Hub-Signature-256: " + signed] if signed else []),
    ]
    return b"\r\n".join([*fixed, *lines, b"", b""])


async def test_a_signed_delivery_is_kept_as_it_came_and_answered_202(client: Client, rooms: Rooms) -> None:
    before = counted("accepted")
    answer = await client.post(WEBHOOK, data=BODY, headers=delivery_headers(BODY))
    assert (answer.status, await answer.json()) == (202, {"status": "accepted"})
    (kept,) = rooms.kept.values()
    assert (kept.event, kept.body, kept.received_at) == ("workflow_run", BODY, NOW)
    assert type(kept.body) is bytes
    assert counted("accepted") == before + 1


async def test_the_same_guid_again_is_a_duplicate(client: Client, rooms: Rooms) -> None:
    for status in ("accepted", "duplicate"):
        answer = await client.post(WEBHOOK, data=BODY, headers=delivery_headers(BODY))
        assert (answer.status, await answer.json()) == (202, {"status": status})
    assert len(rooms.kept) == 1


async def test_the_answer_waits_for_the_inbox(client: Client, rooms: Rooms) -> None:
    rooms.hold.clear()
    post = asyncio.create_task(client.post(WEBHOOK, data=BODY, headers=delivery_headers(BODY)))
    await asyncio.sleep(0.05)
    assert not post.done()
    assert bytes_in_flight() == len(BODY)
    rooms.hold.set()
    assert (await post).status == 202
    assert bytes_in_flight() == 0


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (401, {"X_Hub_Signature_256": None}),
        (401, {"X_Hub_Signature_256": ""}),
        (401, {"X_Hub_Signature_256": signature(BODY, "another secret")}),
        (401, {"X_Hub_Signature_256": signature(b"another body")}),
        (401, {"X_Hub_Signature_256": signature(BODY)[:-1]}),
        (401, {"X_Hub_Signature_256": signature(BODY).removeprefix("sha256=")}),
        (401, {"X_Hub_Signature_256": signature(BODY) + ", " + signature(BODY)}),
        (401, {"X_Hub_Signature_256": "sha256=" + "é" * 64}),
        (401, {"X_Hub_Signature_256": "sha256=" + "\uff10" * 64}),
        (401, {"X_Hub_Signature_256": None, "X_Hub_Signature": "sha1=" + "0" * 40}),
        (401, {"X_Hub_Signature_256": None, "X_GitHub_Event": None, "X_GitHub_Delivery": None}),
        (401, {"X_Hub_Signature_256": "sha256=" + "0" * 64, "X_GitHub_Event": None}),
        (400, {"X_GitHub_Event": None}),
        (400, {"X_GitHub_Delivery": None}),
        (400, {"X_GitHub_Delivery": ""}),
        (400, {"X_GitHub_Delivery": "1" * 101}),
        (400, {"X_GitHub_Event": "a" * 65}),
        (400, {"X_GitHub_Event": "a b"}),
        (400, {"X_GitHub_Delivery": "é"}),
        (415, {"Content_Type": None}),
        (415, {"Content_Type": "application/x-www-form-urlencoded"}),
        (415, {"Content_Type": "application/jsonp"}),
        (415, {"Content_Encoding": "gzip"}),
        (415, {"Content_Encoding": "br"}),
    ],
)
async def test_refusals_store_nothing(
    client: Client, rooms: Rooms, status: int, changes: dict[str, str | None]
) -> None:
    answer = await client.post(
        WEBHOOK, data=BODY, headers=delivery_headers(BODY, **changes), skip_auto_headers=["Content-Type"]
    )
    assert answer.status == status
    assert answer.content_type == "application/problem+json"
    assert rooms.kept == {}
    assert bytes_in_flight() == 0
    again = await client.post(WEBHOOK, data=BODY, headers=delivery_headers(BODY))
    assert again.status == 202


async def test_every_failed_signature_gets_the_same_answer(client: Client) -> None:
    answers = set()
    for value in (None, "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 40):
        answer = await client.post(WEBHOOK, data=BODY, headers=delivery_headers(BODY, X_Hub_Signature_256=value))
        answers.add((answer.status, await answer.read()))
    assert len(answers) == 1


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"]
)
async def test_the_media_type_may_be_written_differently(client: Client, content_type: str) -> None:
    answer = await client.post(WEBHOOK, data=BODY, headers=delivery_headers(BODY, Content_Type=content_type))
    assert answer.status == 202


async def test_identity_is_no_compression(client: Client) -> None:
    answer = await client.post(WEBHOOK, data=BODY, headers=delivery_headers(BODY, Content_Encoding="identity"))
    assert answer.status == 202


async def test_missing_headers_are_named_together(client: Client) -> None:
    headers = delivery_headers(BODY, X_GitHub_Event=None, X_GitHub_Delivery=None)
    answer = await client.post(WEBHOOK, data=BODY, headers=headers)
    named = [fault["parameter"] for fault in (await answer.json())["errors"]]
    assert (answer.status, named) == (400, ["X-GitHub-Event", "X-GitHub-Delivery"])


async def test_the_previous_secret_is_accepted_too(serve: Serve) -> None:
    client = await serve(webhook_secret="new", webhook_secret_previous="old")
    for number, (secret, status) in enumerate([("new", 202), ("old", 202), ("", 401), ("other", 401)]):
        headers = delivery_headers(BODY, X_Hub_Signature_256=signature(BODY, secret), X_GitHub_Delivery=str(number))
        assert (await client.post(WEBHOOK, data=BODY, headers=headers)).status == status


@pytest.mark.parametrize("settings", [{"webhook_secret": ""}, {"webhook_secret": None}])
async def test_an_empty_secret_verifies_nothing(serve: Serve, settings: dict[str, str | None]) -> None:
    client = await serve(**settings)
    headers = delivery_headers(BODY, X_Hub_Signature_256=signature(BODY, ""))
    assert (await client.post(WEBHOOK, data=BODY, headers=headers)).status == 401
    assert not verifies(BODY, bytes.fromhex(signature(BODY, "").removeprefix("sha256=")), [b""])


def test_a_signature_is_read_only_when_there_is_one() -> None:
    assert find_digest([signature(BODY)]) is not None
    assert find_digest([]) is None
    assert find_digest([signature(BODY), signature(BODY)]) is None
    assert find_digest([signature(BODY).upper()]) is None


@pytest.mark.parametrize("value", [b"sha256=" + b"\xff" * 64, b"sha256=" + "\u0660".encode() * 64, b"\x80"])
async def test_a_signature_of_raw_bytes_is_a_401(client: Client, value: bytes) -> None:
    answer = await talk(client, raw_head(2, signed=value) + b"{}")
    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_a_body_that_is_exactly_as_large_as_allowed_is_taken(client: Client, rooms: Rooms) -> None:
    headers = delivery_headers(b"", X_Hub_Signature_256=signature(bytes(LARGEST)), Content_Length=str(LARGEST))
    tracemalloc.start()
    try:
        answer = await client.post(WEBHOOK, data=zeros(LARGEST), headers=headers)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status == 202
    assert len(next(iter(rooms.kept.values())).body) == LARGEST
    assert peak < LARGEST * 1.3


async def test_one_byte_more_is_refused_before_it_is_read(client: Client) -> None:
    answer = await talk(client, raw_head(LARGEST + 1, signed=signature(b"").encode()))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer


async def test_one_byte_more_in_chunks_is_refused_with_memory_flat(client: Client, rooms: Rooms) -> None:
    headers = delivery_headers(b"", X_Hub_Signature_256=signature(bytes(LARGEST + 1)))
    tracemalloc.start()
    try:
        answer = await client.post(WEBHOOK, data=zeros(LARGEST + 1), headers=headers)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (answer.status, rooms.kept, bytes_in_flight()) == (413, {}, 0)
    assert peak < LARGEST * 1.3


async def test_a_gzip_bomb_is_refused_without_being_opened(client: Client) -> None:
    bomb = gzip.compress(bytes(20 * MIB))
    tracemalloc.start()
    try:
        answer = await client.post(WEBHOOK, data=bomb, headers=delivery_headers(bomb, Content_Encoding="gzip"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status == 415
    assert peak < 2 * MIB


async def test_a_stalled_body_is_given_up(serve: Serve, rooms: Rooms) -> None:
    client = await serve(receiver=Receiver(body_seconds=0.1))
    answer = await talk(client, raw_head(1000, signed=signature(b"").encode()) + b"{")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert (rooms.kept, bytes_in_flight()) == ({}, 0)


@pytest.mark.parametrize("server", [Served, Routed, partial(Routed, handler_cancellation=True)])
async def test_a_client_that_leaves_in_the_middle_harms_nobody(
    aiohttp_client: Any, rooms: Rooms, server: Callable[[web.Application], TestServer]
) -> None:
    client: Client = await aiohttp_client(server(make_app(rooms)))
    before = counted("disconnected", "other")
    _, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(raw_head(1000, signed=signature(b"").encode()) + b"{")
    await writer.drain()
    await asyncio.sleep(0.05)
    assert bytes_in_flight() == 1
    writer.close()
    await asyncio.sleep(0.05)
    assert (rooms.kept, bytes_in_flight(), counted("disconnected", "other")) == ({}, 0, before + 1)
    assert (await client.post(WEBHOOK, data=BODY, headers=delivery_headers(BODY))).status == 202


async def test_broken_chunks_are_a_400(client: Client, rooms: Rooms) -> None:
    head = raw_head(0, signed=signature(b"").encode()).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    answer = await talk(client, head, b"2\r\n{}\r\nnot a size\r\n")
    # This one is aiohttp's own answer: what is no HTTP never becomes a request.
    assert answer.split()[1] == b"400"
    assert rooms.kept == {}


async def test_bodies_beyond_the_memory_set_aside_are_put_off(serve: Serve, rooms: Rooms) -> None:
    client = await serve(receiver=Receiver(in_flight_limit=len(BODY) + 5))
    rooms.hold.clear()
    first = asyncio.create_task(client.post(WEBHOOK, data=BODY, headers=delivery_headers(BODY)))
    await asyncio.sleep(0.05)
    second = await client.post(WEBHOOK, data=BODY, headers=delivery_headers(BODY, X_GitHub_Delivery="2"))
    assert (second.status, second.headers["Retry-After"]) == (503, "1")
    rooms.hold.set()
    assert (await first).status == 202
    third = await client.post(WEBHOOK, data=BODY, headers=delivery_headers(BODY, X_GitHub_Delivery="2"))
    assert third.status == 202


@pytest.mark.parametrize(
    ("failure", "status", "result"),
    [
        (DatabaseUnavailable("gone"), 503, "unavailable"),
        (TooMuchWaiting("full"), 503, "unavailable"),
        (RuntimeError("a bug, with a secret"), 500, "failed"),
    ],
)
async def test_what_was_not_stored_is_never_a_2xx(
    client: Client, rooms: Rooms, failure: Exception, status: int, result: str
) -> None:
    rooms.failure, before = failure, counted(result)
    answer = await client.post(WEBHOOK, data=BODY, headers=delivery_headers(BODY))
    text = await answer.text()
    assert answer.status == status
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert str(failure) not in text
    assert json.loads(text)["status"] == status
    assert counted(result) == before + 1


async def test_strangers_can_not_add_label_values(client: Client) -> None:
    await client.post(WEBHOOK, data=BODY, headers=delivery_headers(BODY, X_GitHub_Event="made_up_by_someone"))
    assert counted("accepted", "made_up_by_someone") == 0
    assert counted("accepted", "other") > 0


async def test_a_process_without_inbox_takes_nothing(aiohttp_client: Any, rooms: Rooms) -> None:
    app = make_app(rooms)
    app[keys.INBOX] = None
    client: Client = await aiohttp_client(app)
    answer = await client.post(WEBHOOK, data=BODY, headers=delivery_headers(BODY))
    assert answer.status == 503
