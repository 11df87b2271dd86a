"""A request's raw body, read within bounds of size, time and of what all of them may hold in memory together."""

import asyncio
from io import BytesIO
from weakref import WeakSet

from aiohttp import StreamReader, web
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
    is_of_type = len(types) == 1 and is_media_type(types[0], media_type)
    return is_of_type and all(encoding.strip().lower() == "identity" for encoding in encodings)


def is_media_type(said: str, media_type: str) -> bool:
    """Tell whether a Content-Type says `media_type`, whatever its parameters."""
    return said.partition(";")[0].strip().lower() == media_type


def is_plain_json(headers: CIMultiDictProxy[str]) -> bool:
    """Tell whether a body is said to be JSON, and not compressed."""
    return is_plain(headers, "application/json")


class BodyMemory:
    """The bytes of request bodies that are held at this moment, and their limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        _memories.add(self)

    def reservation(self) -> "Reservation":
        """Return room for one body, which is given back when its block ends, however it ends."""
        return Reservation(self)


_memories: WeakSet[BodyMemory] = WeakSet()
# Added up when somebody looks, because a gauge that is moved with each body costs a lock each time.
metrics.BYTES_IN_FLIGHT.set_function(lambda: sum(memory.held for memory in _memories))


class Reservation:
    """The room that one body takes; it grows as bytes arrive, so that a client can't reserve by a header alone."""

    __slots__ = ("_memory", "_size")

    def __init__(self, memory: BodyMemory) -> None:
        self._memory = memory
        self._size = 0

    def __enter__(self) -> "Reservation":
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def give_back(self) -> None:
        """Give back all that was taken."""
        self._memory.held -= self._size
        self._size = 0

    def grow(self, size: int) -> None:
        """Take `size` bytes more. Raises TooMuchWaiting when they don't fit."""
        if self._memory.held + size > self._memory.limit:
            message = "too many bytes of webhook bodies are held in memory"
            raise TooMuchWaiting(message)
        self._size += size
        self._memory.held += size


async def read_body(
    content: StreamReader, declared: int | None, reservation: Reservation, *, limit: int, seconds: float
) -> bytes:
    """Return a request's body as it came over the wire, at most `limit` bytes; `declared` is its Content-Length.

    Raises BodyTooLarge, BodyTooSlow, BodyBroken or TooMuchWaiting.
    """
    if (declared or 0) > limit:
        raise BodyTooLarge
    try:
        if content.is_eof():
            return _take(content, reservation, limit)
        async with asyncio.timeout(seconds):
            return await _collect(content, reservation, limit)
    except TimeoutError:
        raise BodyTooSlow from None
    except (web.RequestPayloadError, ConnectionError) as error:
        raise BodyBroken from error


def _take(content: StreamReader, reservation: Reservation, limit: int) -> bytes:
    # All of it is here already, as a body of ordinary size is: there is nothing to wait for, and nothing to copy.
    if content.total_bytes > limit:
        raise BodyTooLarge
    reservation.grow(content.total_bytes)
    return content.read_nowait()


async def _collect(content: StreamReader, reservation: Reservation, limit: int) -> bytes:
    # CPython's BytesIO gives its buffer away without a copy, so that the peak is the body once, not twice.
    body = BytesIO()
    async for chunk in content.iter_any():
        if body.tell() + len(chunk) > limit:
            raise BodyTooLarge
        reservation.grow(len(chunk))
        body.write(chunk)
    return body.getvalue()
