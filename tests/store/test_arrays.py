"""What is written down for PostgreSQL comes to the same there as what asyncpg would have sent."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from random import Random
from typing import Any

import pytest

from bot.store import connected
from bot.store.answering import numbered
from bot.store.arrays import columns_as_arrays, placeholders
from bot.store.engines import postgresql

BITS = {"SMALLINT": 16, "INT": 32, "INTEGER": 32, "BIGINT": 64}
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


@pytest.mark.postgres
@pytest.mark.parametrize(("kind", "values"), [*columns()])
async def test_a_column_comes_to_the_same(postgres_url: str, kind: str, values: Sequence[Any]) -> None:
    sent = [None, *values, None]
    (array,) = columns_as_arrays([kind], [(value,) for value in sent])
    same = f"SELECT ours IS NOT DISTINCT FROM theirs, ours FROM unnest({placeholders([kind])}, CAST(? AS {kind}[]))"
    async with connected(postgres_url) as database:
        rows = await postgresql.fetch(database.client, numbered(f"{same} AS each(ours, theirs)"), [array, sent])
    assert [bool(is_same) for is_same, _ in rows] == [True] * len(sent)
    if kind != "TIMESTAMPTZ":
        assert [value for _, value in rows] == sent


def test_rows_become_columns() -> None:
    rows = [(1, "a", None), (Urgency.HIGH, None, True)]
    assert columns_as_arrays(["INT", "TEXT", "BOOL"], rows) == ["{1,3}", ["a", None], "{NULL,t}"]


def test_rows_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        columns_as_arrays(["INT", "INT"], [(1, 2), (1,)])
    with pytest.raises(ValueError, match="zip"):
        columns_as_arrays(["INT"], [(1, 2)])
