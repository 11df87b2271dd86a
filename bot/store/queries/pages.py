"""Keyset pages: a cursor is the place after the last row shown, so that page 1,000 costs what page 1 does.

`bench/lists` shows that it does.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from bot.errors import ParameterError
from bot.settings import Dialect
from bot.store.conversation import Conversation, Question, Rows
from bot.store.database import current, to_moment
from bot.store.queries.conditions import Condition, Piece

COUNTED_EXACTLY = 1000
_NEWEST_FIRST = "ORDER BY 2 DESC, 1 DESC"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Row = TypeVar("Row")
# How many rows match, and whether that is exact.
Counted = tuple[int, bool]


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


def cursor_after(shown: Rows) -> str:
    """Return the cursor of what comes after these rows, of which the first two columns are the id and the time."""
    identifier, moment = shown[-1][:2]
    return encode_cursor(cast(datetime, to_moment(moment)), identifier)


def add_cursor(condition: Condition, cursor: str | None, moment: str, identifier: str) -> None:
    """Ask for what comes after `cursor` in a list ordered by these two columns, newest first."""
    if cursor is not None:
        condition.add_before(f"{moment}, {identifier}", *decode_cursor(cursor))


def comparable(moment: Any) -> Any:
    """Return a time as it comes from either database as something that compares as the time does."""
    # Texts do; of PostgreSQL's times its infinite past has no offset.
    return moment if isinstance(moment, str) else to_moment(moment)


def cut(rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], bool]:
    """Return the page of one row more than was asked for, and whether another page follows."""
    return rows[:limit], len(rows) > limit


def page(columns: str, tables: str, condition: Condition, cursor: str | None, limit: int) -> Question:
    """Ask for one row more than a page holds, newest first; the first two of `columns` are the id and the time."""
    identifier, moment = columns.split(", ")[:2]
    asked: list[Any] = []
    selects = []
    branches = condition.branches()
    for branch in branches:
        add_cursor(branch, cursor, moment, identifier)
        selects.append(branch.select(columns, tables))
        asked += branch.parameters
        if current().dialect is Dialect.POSTGRESQL and len(branches) > 1:
            # PostgreSQL merges what is in order already; SQLite has each branch give its rows in order by itself.
            selects[-1] = f"SELECT * FROM ({selects[-1]} {_NEWEST_FIRST} LIMIT ?) AS branch"
            asked.append(limit + 1)
    return Question(f"{' UNION ALL '.join(selects)} {_NEWEST_FIRST} LIMIT ?", [*asked, limit + 1])


def matching(tables: str, *conditions: Condition) -> Piece:
    """Return what selects a 1 for each row that matches one of these."""
    branches = [branch for condition in conditions for branch in condition.branches()]
    selects = " UNION ALL ".join(branch.select("1", tables) for branch in branches)
    return selects, [parameter for branch in branches for parameter in branch.parameters]


def count(tables: str, condition: Condition, *, few: bool = False) -> Conversation[Counted]:
    """Find out how many rows match, and whether that is exact: beyond 1,000 nobody counts on.

    Where most likely `few` do, they are counted in one go.
    """
    return (yield from counted(matching(tables, condition), few=few))


def counted(selects: Piece, *, few: bool = False) -> Conversation[Counted]:
    """Find out how many rows something selects, as `count` does."""
    sql, asked = selects
    # Passing over rows costs half of counting them.
    if not few and (yield Question(f"{sql} LIMIT 1 OFFSET ?", [*asked, COUNTED_EXACTLY])):
        return COUNTED_EXACTLY, False
    rows = yield Question(f"SELECT count(*) FROM ({sql} LIMIT ?) AS matching", [*asked, COUNTED_EXACTLY + 1])
    return min(rows[0][0], COUNTED_EXACTLY), rows[0][0] <= COUNTED_EXACTLY
