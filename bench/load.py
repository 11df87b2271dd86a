"""A load generator that costs far less than what it loads: whole requests are made beforehand and only written.

HTTP/1.1 as far as it is needed here: keep-alive, one request at a time on each connection, and answers that give
their Content-Length (RFC 9112).
"""

import asyncio
import re
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]

    @property
    def median(self) -> float:
        """The median latency in seconds."""
        return statistics.median(self.latencies)


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the last one is answered."""

    def __init__(self, requests: Iterator[bytes], load: Load) -> None:
        self._requests, self._load = requests, load
        self._held, self._missing = b"", -1
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def _next(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None)
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

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
            self._load.latencies.append(time.perf_counter() - self._sent_at)
            self._next()

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


async def send(port: int, requests: Sequence[bytes], connections: int) -> Load:
    """Send all requests, on so many connections at once and in order, each as soon as there is room (closed loop).

    Raises ConnectionError when the server goes away, TimeoutError when it takes too long over all of them.
    """
    load, waiting = Load(), iter(requests)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    opened = [
        (await loop.create_connection(lambda: _Connection(waiting, load), "127.0.0.1", port))[1]
        for _ in range(min(connections, len(requests)))
    ]
    async with asyncio.timeout(LONGEST_SECONDS):
        await asyncio.gather(*(each.done for each in opened))
    load.seconds = time.perf_counter() - began
    return load


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
