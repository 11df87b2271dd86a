"""How a body is kept: compressed, because fewer bytes through the database's log cost less than the compressing."""

import asyncio

import zstandard

LEVEL = 1
# Compressing more than this would hold up the loop for longer than a turn should take.
LARGE = 256 * 1024


def _compress(body: bytes) -> bytes:
    # A compressor is not safe to share between threads.
    return zstandard.ZstdCompressor(level=LEVEL).compress(body)


async def compress(body: bytes) -> bytes:
    """Return `body` compressed (RFC 8878)."""
    return await asyncio.to_thread(_compress, body) if len(body) > LARGE else _compress(body)


def decompress(kept: bytes) -> bytes:
    """Return the body that `compress` was given."""
    return zstandard.ZstdDecompressor().decompress(kept)
