"""A load generator that costs far less than what it loads: whole requests are made beforehand and only written.

HTTP/1.1 as far as it is needed here: keep-alive, one request at a time on each connection, and answers that give
their Content-Length (RFC 9112).
"""

import asyncio
import random
import re
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import cast

LONGEST_SECONDS = 120.0
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass
class Load:
    """What came of a number of requests: seconds in all, seconds of each, answers by status, bytes received."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    received: int = 0

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: int) -> float:
        """Return the latency in seconds that `percent` of the requests stay below."""
        return percentile(self.latencies, percent)

    @property
    def median(self) -> float:
        """The median latency in seconds."""
        return statistics.median(self.latencies)


def percentile(values: Iterable[float], percent: int) -> float:
    """Return the value that `percent` of these stay below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


class _Connection(asyncio.Protocol):
    """One request at a time; whoever made it is told when there is room for the next."""

    def __init__(self, load: Load, when_free: Callable[["_Connection"], None]) -> None:
        self._load, self._when_free = load, when_free
        self._held, self._missing = b"", -1
        self._since = 0.0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes, since: float) -> None:
        """Send a request whose latency counts from then on."""
        assert self._transport is not None
        self._since = since
        self._transport.write(request)

    def close(self) -> None:
        assert self._transport is not None
        self.done.set_result(None)
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._load.received += len(data)
        if self._missing < 0:
            data = self._held + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._held = data
                return
            self._read_head(data[:end])
            data, self._held = data[end + 4 :], b""
        self._missing -= len(data)
        if self._missing == 0:
            self._missing = -1
            self._load.latencies.append(time.perf_counter() - self._since)
            self._when_free(self)

    def _read_head(self, head: bytes) -> None:
        status, length = _STATUS.match(head), _LENGTH.search(head)
        if status is None or length is None:
            self._fail(f"an answer that this client can't read: {head[:200]!r}")
            return
        self._load.statuses[int(status[1])] += 1
        self._missing = int(length[1])

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the server closed the connection ({exc})")

    def _fail(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionError(reason))


async def _connect(port: int, count: int, load: Load, when_free: Callable[[_Connection], None]) -> list[_Connection]:
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: _Connection(load, when_free), "127.0.0.1", port) for _ in range(count)]
    return [connection for _, connection in made]


async def send(port: int, requests: Iterable[bytes], connections: int) -> Load:
    """Send all requests, on so many connections at once and in order, each as soon as there is room (closed loop).

    Raises ConnectionError when the server goes away, TimeoutError when it takes too long over all of them.
    """
    load, waiting = Load(), iter(requests)

    def send_next(connection: _Connection) -> None:
        request = next(waiting, None)
        if request is None:
            connection.close()
        else:
            connection.send(request, time.perf_counter())

    opened = await _connect(port, connections, load, send_next)
    began = time.perf_counter()
    for connection in opened:
        send_next(connection)
    async with asyncio.timeout(LONGEST_SECONDS):
        await asyncio.gather(*(each.done for each in opened))
    load.seconds = time.perf_counter() - began
    return load


def for_seconds(seconds: float, requests: Sequence[bytes]) -> Iterator[bytes]:
    """Give these over and over, for so many seconds from the first on."""
    until = time.perf_counter() + seconds
    for request in cycle(requests):
        if time.perf_counter() >= until:
            return
        yield request


@dataclass
class _Pool:
    """Connections that are free, and requests that are due and wait for one."""

    free: deque[_Connection] = field(default_factory=deque)
    waiting: deque[tuple[bytes, float]] = field(default_factory=deque)

    def send(self, request: bytes, due: float) -> None:
        if self.free:
            self.free.popleft().send(request, due)
        else:
            self.waiting.append((request, due))

    def take_back(self, connection: _Connection) -> None:
        if self.waiting:
            connection.send(*self.waiting.popleft())
        else:
            self.free.append(connection)


async def send_paced(port: int, requests: Iterable[bytes], connections: int, rate: float) -> Load:
    """Send requests at moments that don't depend on the answers (open loop), so many a second on the average.

    They come as those of many senders do, at random and independent of each other. Latencies count from the moment at
    which a request was due, whether or not there was a connection free then, or the loop's timer, which counts in whole
    milliseconds, was late. Raises as `send` does.
    """
    load, pool, chance = Load(), _Pool(), random.Random(rate)
    opened = await _connect(port, connections, load, pool.take_back)
    pool.free.extend(opened)
    began = due = time.perf_counter()
    for request in requests:
        due += chance.expovariate(rate)
        if (seconds := due - time.perf_counter()) > 0:
            await asyncio.sleep(seconds)
        pool.send(request, due)
    async with asyncio.timeout(LONGEST_SECONDS):
        while len(pool.free) < len(opened):
            _raise_from(opened)
            await asyncio.sleep(0.001)
    load.seconds = time.perf_counter() - began
    for connection in opened:
        connection.close()
    return load


def _raise_from(connections: Iterable[_Connection]) -> None:
    for each in connections:
        if each.done.done():
            each.done.result()


def get(path: str, token: str | None = None) -> bytes:
    """Return a GET request, whole."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n{authorization}\r\n".encode()


async def fetch(port: int, path: str, token: str | None = None) -> bytes:
    """Return the body of one answer, for looking into it rather than for measuring.

    Raises RuntimeError for any status but 200.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(get(path, token))
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    body = await reader.readexactly(int(length[1]) if length else 0)
    writer.close()
    await writer.wait_closed()
    if not head.startswith(b"HTTP/1.1 200"):
        message = f"{path}: {head[:40]!r} {body[:300]!r}"
        raise RuntimeError(message)
    return body
