"""Columns of values as arrays of PostgreSQL: texts in one piece, numbers, switches and times written down.

Of each value in an array asyncpg asks whether it is an array itself, which takes longer than to write it down and to
have PostgreSQL read it. Bytes, which would have to be quoted, are left to asyncpg. `bench/backfill` shows what it is
worth.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any

import msgspec

# As asyncpg sends, and gives back, the first and the last moment that Python knows.
_ENDS_OF_TIME = {"0001-01-01T00:00:00Z": "-infinity", "9999-12-31T23:59:59.999999Z": "infinity"}
# A text with nothing in it comes apart into no texts, where at least one is always sent.
_IN_ONE_PIECE = """COALESCE(NULLIF(string_to_array(CAST(? AS TEXT), told.mark, told.nothing), '{}'), '{""}')"""
# Those that ASCII has for it, and all that a text may have: neither zero nor half of a pair.
_USUAL_MARKS = ("\x1f", "\x1e")
_CHARACTERS = (range(1, 0xD800), range(0xE000, 0x110000))
_MARKS = "(SELECT CAST(? AS TEXT) AS mark, CAST(? AS TEXT) AS nothing) AS told, "


def _number(value: int) -> str:
    # A member of an enumeration is written as the number that it is.
    return f"{value:d}"


def _switch(value: object) -> str:
    return "t" if value else "f"


def _moment(value: datetime) -> str:
    written: str = msgspec.to_builtins(value if value.tzinfo is UTC else value.astimezone(UTC))
    return _ENDS_OF_TIME.get(written, written)


_WRITTEN_DOWN: Mapping[str, Callable[[Any], str]] = {
    "INT": _number,
    "INTEGER": _number,
    "BIGINT": _number,
    "BOOL": _switch,
    "TIMESTAMPTZ": _moment,
}


def rows_from(types: Mapping[str, str]) -> str:
    """Return what stands in a FROM for rows of columns of these types, by the name of `each`, with `?` for parameters.

    An array of the parameters is what `columns_as_arrays` makes of the rows.
    """
    marks = _MARKS if "TEXT" in types.values() else ""
    return f"{marks}unnest({', '.join(map(_array_of, types.values()))}) AS each({', '.join(types)})"


def _array_of(kind: str) -> str:
    if kind == "TEXT":
        return _IN_ONE_PIECE
    return f"CAST({'CAST(? AS TEXT)' if kind in _WRITTEN_DOWN else '?'} AS {kind}[])"


def columns_as_arrays(types: Iterable[str], rows: Iterable[Sequence[Any]]) -> list[str | list[Any]]:
    """Return the parameters that go with `rows_from`: what stands in each column of these rows, one at least.

    Raises ValueError where they are of different lengths.
    """
    columns = [*zip(types, zip(*rows, strict=True), strict=True)]
    texts = [values for kind, values in columns if kind == "TEXT"]
    marks = _marks_for(chain.from_iterable(texts)) if texts else []
    return [*marks, *(_array(kind, values, *marks) for kind, values in columns)]


def _marks_for(texts: Iterable[str | None]) -> Sequence[str]:
    """Return two characters that are in none of these texts: one to stand between them, and one for NULL.

    Raises ValueError where all that there are have been used.
    """
    told = "".join(filter(None, texts))
    if not any(mark in told for mark in _USUAL_MARKS):
        return _USUAL_MARKS
    # Nobody writes these but to see what comes of it.
    used = set(told)
    mark, nothing = islice((each for each in map(chr, chain(*_CHARACTERS)) if each not in used), 2)
    return mark, nothing


def _array(kind: str, values: Iterable[Any], mark: str = "", nothing: str = "") -> str | list[Any]:
    if kind == "TEXT":
        return mark.join([nothing if value is None else value for value in values])
    write = _WRITTEN_DOWN.get(kind)
    if write is None:
        return list(values)
    # https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    return f"{{{','.join(['NULL' if value is None else write(value) for value in values])}}}"
