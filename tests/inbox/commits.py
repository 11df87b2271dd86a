"""How many transactions a database has really committed, by its own books."""

import struct
from pathlib import Path

from bot.settings import Dialect
from bot.store.database import Database

# https://sqlite.org/fileformat2.html#the_write_ahead_log: a header, then frames of a header and a page each.
_WAL_HEADER, _FRAME_HEADER = 32, 24


async def count_commits(database: Database, url: str) -> int:
    """Return a number that grows by one with each transaction that has written something."""
    if database.dialect is Dialect.SQLITE:
        return _commit_frames(Path(url.removeprefix("sqlite://") + "-wal"))
    # Only a transaction that writes is given one of these numbers; asking for the next snapshot takes none.
    rows = await database.fetch("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next")
    number: int = rows[0]["next"]
    return number


def _commit_frames(log: Path) -> int:
    content = log.read_bytes() if log.exists() else b""
    if not content:
        return 0
    page_size = struct.unpack_from(">I", content, 8)[0]
    offsets = range(_WAL_HEADER, len(content), _FRAME_HEADER + page_size)
    # The frame that ends a transaction tells how large the database is after it; the others say 0.
    return sum(struct.unpack_from(">I", content, offset + 4)[0] > 0 for offset in offsets)
