"""How a body is kept: compressed, because fewer bytes through the database's log cost less than the compressing."""

import asyncio
import threading

import zstandard

from bot.errors import MalformedPayload

LEVEL = 1
# Compressing or reading more than this would hold up the loop for longer than a turn should take.
LARGE = 256 * 1024


class _Tools(threading.local):
    """A compressor and a decompressor for each thread: making them costs as much as using them, sharing is not safe."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_tools = _Tools()


def pack(body: bytes) -> bytes:
    """Return `body` compressed (RFC 8878), at once."""
    return _tools.compressor.compress(body)


async def compress(body: bytes) -> bytes:
    """Return `body` compressed, a large one in a thread."""
    return await asyncio.to_thread(pack, body) if len(body) > LARGE else pack(body)


def decompress(kept: bytes) -> bytes:
    """Return the body that `compress` was given.

    Raises MalformedPayload when `kept` is damaged.
    """
    try:
        return _tools.decompressor.decompress(kept)
    except zstandard.ZstdError:
        message = "the body is damaged: what is kept of it can't be unpacked"
        raise MalformedPayload(message) from None


def size_of(kept: bytes) -> int:
    """Return how large the body is that `compress` was given, which a frame says at its beginning; 0 for a damaged one.

    https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.1
    """
    try:
        return max(0, zstandard.frame_content_size(kept))
    except zstandard.ZstdError:
        return 0
