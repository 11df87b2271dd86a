"""What is written down for PostgreSQL comes to the same there as what asyncpg would have sent."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from random import Random
from typing import Any

import pytest

from bot.store import connected
from bot.store.answering import numbered
from bot.store.arrays import columns_as_arrays, rows_from
from bot.store.engines import postgresql

BITS = {"INT": 32, "INTEGER": 32, "BIGINT": 64}
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
AWAY, MEAN = timezone(timedelta(hours=-9, minutes=-30)), timezone(timedelta(hours=1, minutes=3, seconds=20))
TEXTS = ["", "NULL", "null", "{}", "{a,b}", 'say "no"', "back\\slash", " spaces ", "comma, semicolon; ?", "Ünïcode 🚀"]


class Urgency(IntEnum):
    """A number with a name."""

    HIGH = 3


def numbers(bits: int, random: Random) -> list[int]:
    most = 2 ** (bits - 1)
    return [-most, most - 1, 0, -1, True, Urgency.HIGH, *(random.randrange(-most, most) for _ in range(200))]


def moments(random: Random) -> list[datetime]:
    some = [FIRST + timedelta(microseconds=random.randrange(3 * 10**17)) for _ in range(200)]
    near = [FIRST + timedelta(microseconds=1), LAST - timedelta(microseconds=1)]
    plain = datetime(2026, 11, 2, 8, tzinfo=UTC)
    others = [plain.replace(microsecond=50), plain.astimezone(AWAY), plain.astimezone(MEAN), plain.replace(tzinfo=None)]
    return [FIRST, LAST, *near, plain, *others, *some]


def columns() -> Iterator[tuple[str, list[Any]]]:
    random = Random(7)
    for kind, bits in BITS.items():
        yield kind, numbers(bits, random)
    yield "TIMESTAMPTZ", moments(random)
    yield "BOOL", [True, False]
    yield "TEXT", TEXTS
    yield "BYTEA", [b"", b"\x00\xff", b"{}"]


async def shown(postgres_url: str, types: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Return these rows as PostgreSQL has understood them."""
    arrays = columns_as_arrays(types.values(), rows)
    async with connected(postgres_url) as database:
        found = await postgresql.fetch(database.client, numbered(f"SELECT each.* FROM {rows_from(types)}"), arrays)
    return [tuple(row) for row in found]


@pytest.mark.postgres
@pytest.mark.parametrize(("kind", "values"), [*columns()])
async def test_a_column_comes_to_the_same(postgres_url: str, kind: str, values: Sequence[Any]) -> None:
    sent = [None, *values, None]
    arrays = columns_as_arrays([kind], [(value,) for value in sent])
    theirs = f"unnest(CAST(? AS {kind}[])) WITH ORDINALITY AS other(theirs, place)"
    ours = f"SELECT ours, row_number() OVER () AS place FROM {rows_from({'ours': kind})}"
    same = f"SELECT ours IS NOT DISTINCT FROM theirs, ours FROM ({ours}) AS mine JOIN {theirs} USING (place)"
    async with connected(postgres_url) as database:
        rows = await postgresql.fetch(database.client, numbered(f"{same} ORDER BY place"), [*arrays, sent])
    assert [bool(is_same) for is_same, _ in rows] == [True] * len(sent)
    if kind != "TIMESTAMPTZ":
        assert [value for _, value in rows] == sent


@pytest.mark.postgres
async def test_texts_stay_apart_whatever_is_in_them(postgres_url: str) -> None:
    marks = [chr(number) for number in range(1, 40)]
    columns = {"number": "INT", "first": "TEXT", "second": "TEXT"}
    for texts in (["", *marks], ["".join(marks), None], [""], [None], ["", ""], [None, ""], [TEXTS[-1] * 9, "\x1f"]):
        rows = [(number, text, text) for number, text in enumerate(texts)]
        assert await shown(postgres_url, columns, rows) == rows


def test_rows_become_columns() -> None:
    rows = [(1, "a", None), (Urgency.HIGH, None, True)]
    assert columns_as_arrays(["INT", "BYTEA", "BOOL"], rows) == ["{1,3}", ["a", None], "{NULL,t}"]


def test_texts_become_one_with_marks_that_none_of_them_has() -> None:
    assert columns_as_arrays(["TEXT", "INT"], [("a", 1), (None, 2)]) == ["\x1f", "\x1e", "a\x1f\x1e", "{1,2}"]
    assert columns_as_arrays(["TEXT"], [("\x1f",), ("b",), (None,)]) == ["\1", "\2", "\x1f\1b\1\2"]
    assert columns_as_arrays(["TEXT", "TEXT"], [("\x1e\1\2", None)]) == ["\3", "\4", "\x1e\1\2", "\4"]


def test_where_no_mark_is_left_nothing_is_sent() -> None:
    characters = "".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x110000)]))
    assert columns_as_arrays(["TEXT"], [(characters[:-2],)])[:2] == ["\U0010fffe", "\U0010ffff"]
    with pytest.raises(ValueError, match="not enough values"):
        columns_as_arrays(["TEXT"], [(characters[:-1],)])


def test_rows_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        columns_as_arrays(["INT", "INT"], [(1, 2), (1,)])
    with pytest.raises(ValueError, match="zip"):
        columns_as_arrays(["INT"], [(1, 2)])
