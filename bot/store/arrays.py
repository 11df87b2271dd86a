"""Columns of values as arrays of PostgreSQL, those of numbers, switches and times written down as text.

Of each value in an array asyncpg asks whether it is an array itself, which takes longer than to write it down and to
have PostgreSQL read it. Texts and bytes, which would have to be quoted, are left to asyncpg. `bench/backfill` shows
what it is worth.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

# As asyncpg sends, and gives back, the first and the last moment that Python knows.
_ENDS_OF_TIME = {"0001-01-01T00:00:00Z": "-infinity", "9999-12-31T23:59:59.999999Z": "infinity"}


def _number(value: int) -> str:
    # A member of an enumeration is written as the number that it is.
    return f"{value:d}"


def _switch(value: object) -> str:
    return "t" if value else "f"


def _moment(value: datetime) -> str:
    written: str = msgspec.to_builtins(value if value.tzinfo is UTC else value.astimezone(UTC))
    return _ENDS_OF_TIME.get(written, written)


_WRITTEN_DOWN: Mapping[str, Callable[[Any], str]] = {
    "SMALLINT": _number,
    "INT": _number,
    "INTEGER": _number,
    "BIGINT": _number,
    "BOOL": _switch,
    "TIMESTAMPTZ": _moment,
}


def placeholders(types: Iterable[str]) -> str:
    """Return the SQL that takes an array of each type, with `?` for its parameter."""
    return ", ".join(f"CAST({'CAST(? AS TEXT)' if each in _WRITTEN_DOWN else '?'} AS {each}[])" for each in types)


def columns_as_arrays(types: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str | list[Any]]:
    """Return the parameters that go with `placeholders`: what stands in each column of these rows."""
    return [_array(kind, values) for kind, values in zip(types, zip(*rows, strict=True), strict=True)]


def _array(kind: str, values: Iterable[Any]) -> str | list[Any]:
    # https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    write = _WRITTEN_DOWN.get(kind)
    if write is None:
        return list(values)
    return f"{{{','.join(['NULL' if value is None else write(value) for value in values])}}}"
