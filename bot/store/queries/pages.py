"""Keyset pages: a cursor is the place after the last row shown, so that page 1,000 costs what page 1 does."""

import base64
import binascii
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from bot.errors import ParameterError
from bot.store.database import current
from bot.store.queries.scope import Condition

COUNTED_EXACTLY = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Row = TypeVar("Row")


def encode_cursor(moment: datetime, identifier: int) -> str:
    """Return an opaque text that stands for a place in a list ordered by time and id."""
    text = f"{(moment - _EPOCH) // _MICROSECOND}.{identifier}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[datetime, int]:
    """Return the place that `encode_cursor` was given.

    Raises ParameterError for anything else.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
        micros, _, identifier = text.partition(".")
        moment, number = timedelta(microseconds=int(micros)), int(identifier)
        if not 0 <= number < 2**63:
            raise ValueError
        place = _EPOCH + moment, number
        if encode_cursor(*place) != cursor:
            raise ValueError
    except (ValueError, OverflowError, binascii.Error):
        problem = "is not a cursor that this list has given out"
        raise ParameterError("cursor", problem) from None
    return place


def add_cursor(condition: Condition, cursor: str | None, moment: str, identifier: str) -> None:
    """Ask for what comes after `cursor` in a list ordered by these two columns, newest first."""
    if cursor is not None:
        condition.add(f"({moment}, {identifier}) < (?, ?)", *decode_cursor(cursor))


def cut(rows: list[Row], limit: int) -> tuple[list[Row], bool]:
    """Return the page of one row more than was asked for, and whether another page follows."""
    return rows[:limit], len(rows) > limit


async def count(tables: str, condition: Condition) -> tuple[int, bool]:
    """Return how many rows match, and whether that is exact: beyond 1,000 nobody counts on."""
    rows: list[dict[str, Any]] = await current().reader.fetch(
        f"SELECT count(*) AS total FROM (SELECT 1 FROM {tables} WHERE {condition.sql} LIMIT ?) AS matching",
        *condition.parameters,
        COUNTED_EXACTLY + 1,
    )
    total = rows[0]["total"]
    return min(total, COUNTED_EXACTLY), total <= COUNTED_EXACTLY
