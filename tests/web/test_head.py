"""The short reading of a head: what it takes reads as aiohttp's parser reads it, and what GitHub sends it takes."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser, HttpVersion11
from hypothesis import given
from hypothesis import strategies as st

from bot.web.head import MOST_BYTES, HeadReader, find_head

PLAIN = {
    "Host": "localhost",
    "Accept": "*/*",
    "Content-Type": "application/json",
    "User-Agent": "GitHub-Hookshot/5a3c9f1",
    "X-GitHub-Delivery": "66e5d170-d693-11f1-8001-0242ac120002",
    "X-GitHub-Event": "workflow_run",
    "X-Hub-Signature-256": "sha256=" + "0" * 64,
    "Content-Length": "2",
}
NAMES = (
    *PLAIN,
    "host",
    "CONTENT-LENGTH",
    "Connection",
    "Transfer-Encoding",
    "Expect",
    "Upgrade",
    "Proxy-Connection",
    "X-Other",
    "",
    "a b",
)
VALUES = (
    "2",
    "0",
    "x",
    "chunked",
    "keep-alive",
    "Keep-Alive",
    "close",
    "upgrade",
    "100-continue",
    "",
    "+2",
    "2, 2",
    "\xe9",
)
GLUE = (": ", ":", ":  ", ":\t", " : ", "", "\r\n: ")
ENDS = ("\r\n", "\n", "\r", " \r\n", "\t\r\n", "\0\r\n", "\r\n ")
FIRST = ("POST /hook HTTP/1.1", "GET / HTTP/1.1", "POST /hook HTTP/1.0", "POST  /hook HTTP/1.1", "POST hook HTTP/1.1")


def head(fields: dict[str, str], first: str = FIRST[0]) -> bytes:
    return "\r\n".join([first, *(f"{name}: {value}" for name, value in fields.items()), "", ""]).encode()


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def parsed(loop: asyncio.AbstractEventLoop, data: bytes) -> tuple[Any, Any, bool]:
    """Return the one message that aiohttp's parser finds, its body, and whether all of that is there."""
    parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, auto_decompress=False)
    messages, _, _ = parser.feed_data(data)
    ((message, content),) = messages
    return message, content.read_nowait(), content.is_eof()


usual = st.builds("{}: {}\r\n".format, st.sampled_from(("Connection", "X-Other")), st.sampled_from(VALUES))
unusual = st.tuples(*(st.sampled_from(each) for each in (NAMES, GLUE, VALUES, ENDS))).map("".join)
# All are whole heads but for little, since most others are refused by both for the first thing that is wrong.
heads = st.builds(
    lambda first, fields, more, at: "\r\n".join([first, *fields[:at], ""]) + more + "\r\n".join([*fields[at:], "", ""]),
    st.sampled_from(FIRST[:1] * 5 + FIRST),
    st.permutations([f"{name}: {value}" for name, value in PLAIN.items()]),
    st.one_of(st.just(""), usual, unusual),
    st.integers(0, len(PLAIN)),
)


@given(text=heads)
def test_what_is_taken_reads_as_aiohttp_reads_it(loop: asyncio.AbstractEventLoop, text: str) -> None:
    data = text.encode()
    found = find_head(data)
    if found is None:
        return
    body = b"ab"[: found.length]
    message, content, is_whole = parsed(loop, found.raw + body)
    assert data.startswith(found.raw)
    assert (message.method, message.path.encode(), message.version) == ("POST", found.path, HttpVersion11)
    assert [(name.lower(), value) for name, value in message.headers.items()] == list(found.fields.items())
    assert (content, is_whole) == (body, True)
    assert not any((message.should_close, message.upgrade, message.chunked, message.compression))


@given(known=heads, text=heads, wanted=st.frozensets(st.sampled_from(NAMES).map(str.lower)))
def test_what_is_familiar_reads_like_any_other(known: str, text: str, wanted: frozenset[str]) -> None:
    reader = HeadReader(wanted)
    first = reader.find(known.encode())
    if first is None:
        return
    reader.remember(first)
    again = reader.find(known.encode())
    assert again is not None
    assert again.is_familiar
    for data, read in ((known.encode(), again), (text.encode(), reader.find(text.encode()))):
        plain = find_head(data)
        if plain is None or read is None:
            assert plain is read
        else:
            assert (read.raw, read.path, read.length) == (plain.raw, plain.path, plain.length)
            assert {name: plain.fields[name] for name in wanted & plain.fields.keys()}.items() <= read.fields.items()
            assert read.fields.items() <= plain.fields.items()


@pytest.mark.parametrize("change", [{"Connection": "close"}, {"Content-Length": "+2"}, {"X-Other": "a" * MOST_BYTES}])
def test_what_is_unusual_is_not_familiar(change: dict[str, str]) -> None:
    reader, like = HeadReader(frozenset()), dict.fromkeys(change, "keep-alive") | {"Content-Length": "2"}
    first = reader.find(head(PLAIN | like))
    assert first is not None
    reader.remember(first)
    assert reader.find(head(PLAIN | like | change)) is None


@pytest.mark.parametrize("more", [{}, {"Connection": "Keep-Alive"}, {"X-Forwarded-For": "192.0.2.1"}])
@pytest.mark.parametrize("change", [str, str.lower, str.upper])
def test_a_plain_head_is_taken_however_its_names_are_written(more: dict[str, str], change: Any) -> None:
    fields = PLAIN | more
    found = find_head(head({change(name): value for name, value in fields.items()}) + b"{}POST")
    assert found is not None
    assert found.fields == {name.lower(): value for name, value in fields.items()}
    assert (found.path, found.length) == (b"/hook", 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"Transfer-Encoding": "chunked"},
        {"Expect": "100-continue"},
        {"Connection": "close"},
        {"Upgrade": "h2c"},
        {"Content-Encoding": "gzip"},
        {"content-length": "3"},
        {"Content-Length": "-2"},
        {"Content-Length": "2" * 10},
        {"X": "é"},
        {"X": "a\0"},
        {"X": "a" * MOST_BYTES},
        {f"X-{number}": "" for number in range(100)},
    ],
)
def test_what_is_unusual_is_left_to_aiohttp(changes: dict[str, str]) -> None:
    assert find_head(head(PLAIN | changes)) is None


@pytest.mark.parametrize("missing", ["Host", "Content-Length"])
def test_what_lacks_what_http_asks_for_is_left_to_aiohttp(missing: str) -> None:
    assert find_head(head({name: value for name, value in PLAIN.items() if name != missing})) is None


def test_a_head_that_is_not_whole_is_none_wherever_it_ends() -> None:
    whole = head(PLAIN)
    assert all(find_head(whole[:end]) is None for end in range(len(whole)))


def test_what_nearly_is_a_head_is_told_in_a_moment() -> None:
    # Were a space tried both as part of a value and apart from it, this would take longer than anybody waits.
    assert find_head(b"POST / HTTP/1.1\r\n" + b"a: b\r\n" * 1300 + b"\0") is None
