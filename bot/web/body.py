"""A request's raw body, read within bounds of size, time and of what all of them may hold in memory together."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from aiohttp import web
from multidict import CIMultiDictProxy

from bot import metrics
from bot.errors import TooMuchWaiting

MIB = 1024 * 1024


class BodyTooLarge(Exception):
    """The body is, or says it is, larger than allowed."""


class BodyTooSlow(Exception):
    """The body had not arrived when its time was over."""


class BodyBroken(Exception):
    """The client went away, or sent what HTTP can't be read from."""


def is_plain(headers: CIMultiDictProxy[str], media_type: str) -> bool:
    """Tell whether a body is said to be of this media type, and not compressed."""
    types = headers.getall("Content-Type", [])
    encodings = headers.getall("Content-Encoding", [])
    is_of_type = len(types) == 1 and types[0].partition(";")[0].strip().lower() == media_type
    return is_of_type and all(encoding.strip().lower() == "identity" for encoding in encodings)


def is_plain_json(headers: CIMultiDictProxy[str]) -> bool:
    """Tell whether a body is said to be JSON, and not compressed."""
    return is_plain(headers, "application/json")


class BodyMemory:
    """The bytes of request bodies that are held at this moment, and their limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    @contextmanager
    def reservation(self) -> Iterator["Reservation"]:
        """Give room to one body, and take it back when the block ends, however it ends."""
        reservation = Reservation(self)
        try:
            yield reservation
        finally:
            reservation.release()


class Reservation:
    """The room that one body takes; it grows as bytes arrive, so that a client can't reserve by a header alone."""

    def __init__(self, memory: BodyMemory) -> None:
        self._memory = memory
        self._size = 0

    def grow(self, size: int) -> None:
        """Take `size` bytes more. Raises TooMuchWaiting when they don't fit."""
        if self._memory.held + size > self._memory.limit:
            message = "too many bytes of webhook bodies are held in memory"
            raise TooMuchWaiting(message)
        self._change(size)

    def release(self) -> None:
        self._change(-self._size)

    def _change(self, size: int) -> None:
        self._size += size
        self._memory.held += size
        metrics.BYTES_IN_FLIGHT.inc(size)


async def read_body(request: web.Request, reservation: Reservation, *, limit: int, seconds: float) -> bytes:
    """Return the body as it came over the wire, at most `limit` bytes.

    Raises BodyTooLarge, BodyTooSlow, BodyBroken or TooMuchWaiting.
    """
    if (request.content_length or 0) > limit:
        raise BodyTooLarge
    try:
        if request.content.is_eof():
            # All of it is here already, as a body of ordinary size is: there is nothing to wait for.
            return await _collect(request, reservation, limit)
        async with asyncio.timeout(seconds):
            return await _collect(request, reservation, limit)
    except TimeoutError:
        raise BodyTooSlow from None
    except (web.RequestPayloadError, ConnectionError) as error:
        raise BodyBroken from error


async def _collect(request: web.Request, reservation: Reservation, limit: int) -> bytes:
    # CPython's BytesIO gives its buffer away without a copy, so that the peak is the body once, not twice.
    body = BytesIO()
    async for chunk in request.content.iter_any():
        if body.tell() + len(chunk) > limit:
            raise BodyTooLarge
        reservation.grow(len(chunk))
        body.write(chunk)
    return body.getvalue()
