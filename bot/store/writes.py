"""Writes of many rows, each in the words of the database that takes it.

SQLite is handed a row at a time, because many rows in one statement make it keep a journal for that statement, which
costs more than it saves. PostgreSQL takes all rows at once, as arrays: their length leaves the text as it is, so that
it is planned once. `bench/backfill` shows what it is worth.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from operator import eq
from sqlite3 import Cursor
from typing import Any, NamedTuple

from tortoise import Model
from tortoise.fields import DatetimeField

from bot.store.arrays import columns_as_arrays, rows_from

Row = Sequence[Any]


class Statement(NamedTuple):
    """One piece of SQL and the rows of parameters to run it with, one after another."""

    sql: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Pattern:
    """SQL that does something for one row of values, or at once for many, where `{column}` is a value of the row.

    `columns` gives each one's type on PostgreSQL. Where the rows come from stands as `{from_each}`, in a DELETE as
    `{using_each}`, or as `{and_each}` after another table; SQLite is handed them one by one, and needs to be told
    nothing there.
    """

    sql: str
    columns: Mapping[str, str]

    @cached_property
    def from_values(self) -> str:
        """The SQL for one row."""
        values = {name: f"?{number}" for number, name in enumerate(self.columns, 1)}
        return self.sql.format(from_each="", using_each="", and_each="", **values)

    @cached_property
    def from_arrays(self) -> str:
        """The SQL for any number of rows, with an array of values for each column."""
        each = rows_from(self.columns)
        values = {name: f"each.{name}" for name in self.columns}
        return self.sql.format(from_each=f" FROM {each}", using_each=f" USING {each}", and_each=f", {each}", **values)


class ForEach(NamedTuple):
    """A pattern, and the rows that it is for."""

    pattern: Pattern
    rows: Sequence[Row]

    @property
    def from_arrays(self) -> str:
        """The SQL for all of its rows."""
        return self.pattern.from_arrays

    @property
    def arrays(self) -> list[str | list[Any]]:
        """What goes with the pattern's `from_arrays`."""
        return columns_as_arrays(self.pattern.columns.values(), self.rows)


@dataclass(eq=False)
class Form:
    """How rows of `columns` get into a model's table where `key` is unique.

    `merged` gives what each column becomes where the row is there already, in terms of `excluded` and of the table: one
    of the two values. `condition` tells whether anything is done then at all. Without `merged` such a row stays as it
    is.
    """

    model: type[Model]
    key: tuple[str, ...]
    columns: tuple[str, ...]
    merged: Mapping[str, str]
    condition: str = ""
    _indexed: tuple[str, ...] | None = field(default=None, init=False)
    _sparing: dict[tuple[bool, ...], str] = field(default_factory=dict, init=False)

    @property
    def table(self) -> str:
        """The table's name."""
        return self.model._meta.db_table

    @cached_property
    def moments(self) -> tuple[int, ...]:
        """The places in a row at which times stand."""
        fields = self.model._meta.fields_map
        return tuple(place for place, name in enumerate(self.columns) if isinstance(fields[name], DatetimeField))

    @cached_property
    def from_values(self) -> str:
        """The SQL for one row."""
        return self._from_values(self.merged)

    @cached_property
    def from_arrays(self) -> str:
        """The SQL for any number of rows, with an array of values for each column."""
        return f"{self._head} SELECT each.* FROM {rows_from(self.types)}{self._tail(self.merged)}"

    @cached_property
    def types(self) -> Mapping[str, str]:
        """Each column's type on PostgreSQL."""
        return {name: self._type(name) for name in self.columns}

    @cached_property
    def _head(self) -> str:
        return f"INSERT INTO {self.table} ({', '.join(self.columns)})"

    @cached_property
    def _from_values_of_new(self) -> str:
        return f"{self._head} VALUES ({', '.join('?' * len(self.columns))})"

    def _from_values(self, merged: Mapping[str, str]) -> str:
        return f"{self._from_values_of_new}{self._tail(merged)}"

    def _tail(self, merged: Mapping[str, str]) -> str:
        if not self.merged:
            return " ON CONFLICT DO NOTHING"
        values = ", ".join(f"{name} = {value}" for name, value in merged.items())
        condition = f" WHERE {self.condition}" if self.condition else ""
        return f" ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {values}{condition}"

    def _type(self, column: str) -> str:
        declared = str(self.model._meta.fields_map[column].get_for_dialect("postgres", "SQL_TYPE"))
        # A cast to a length would cut off what is too long, where an insert refuses it.
        return "TEXT" if declared.startswith("VARCHAR") else declared

    def write(self, cursor: Cursor, rows: Sequence[Row]) -> None:
        """Write rows on SQLite, times as texts; the transaction must hold the write lock.

        SQLite writes an index anew whenever a column of it is set, even to what it is. So where a row is there already,
        only those indexed columns are set in which the two differ: whichever is taken of two that are equal. Where it
        is not, nothing is said of what to do if it were, or a trigger on changes would be minded (`job_labels`).
        """
        indexed = self._find_indexed(cursor)
        if not indexed:
            cursor.executemany(self.from_values, rows)
            return
        for sql, alike in self._grouped(rows, indexed, self._known(cursor, rows, indexed)).items():
            cursor.executemany(sql, alike)

    def _find_indexed(self, cursor: Cursor) -> tuple[str, ...]:
        if self._indexed is None:
            told = "SELECT sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
            words = set(re.findall(r"\w+", " ".join(sql for (sql,) in cursor.execute(told, (self.table,)))))
            found = tuple(name for name in self.columns if name in words and name in self.merged)
            self._indexed = found if len(self.key) == 1 else ()
        return self._indexed

    def _known(self, cursor: Cursor, rows: Sequence[Row], indexed: Sequence[str]) -> dict[Any, Row]:
        names = ", ".join((*self.key, *indexed))
        looked = f"SELECT {names} FROM {self.table} WHERE {self.key[0]} IN (SELECT value FROM json_each(?))"
        place = self.columns.index(self.key[0])
        return {key: rest for key, *rest in cursor.execute(looked, (json.dumps([row[place] for row in rows]),))}

    def _grouped(self, rows: Sequence[Row], indexed: Sequence[str], known: Mapping[Any, Row]) -> dict[str, list[Row]]:
        key, places = self.columns.index(self.key[0]), [self.columns.index(name) for name in indexed]
        groups: dict[str, list[Row]] = {}
        for row in rows:
            stored = known.get(row[key])
            if stored is None:
                sql = self._from_values_of_new
            else:
                sql = self._from_values_sparing(tuple(map(eq, [row[place] for place in places], stored)))
            groups.setdefault(sql, []).append(row)
        return groups

    def _from_values_sparing(self, equal: tuple[bool, ...]) -> str:
        sql = self._sparing.get(equal)
        if sql is None:
            spared = set(compress(self._indexed or (), equal))
            rest = {name: value for name, value in self.merged.items() if name not in spared}
            sql = self._from_values(rest or self.merged)
            self._sparing[equal] = sql
        return sql


class Upsert(NamedTuple):
    """Rows to be written in a form; no two of them have the same key, and they are sorted by it."""

    form: Form
    rows: Sequence[Row]

    @property
    def from_arrays(self) -> str:
        """The SQL for all of its rows."""
        return self.form.from_arrays

    @property
    def arrays(self) -> list[str | list[Any]]:
        """What goes with the form's `from_arrays`."""
        return columns_as_arrays(self.form.types.values(), self.rows)


Write = Statement | ForEach | Upsert
