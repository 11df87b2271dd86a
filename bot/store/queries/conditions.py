"""The WHERE of a list's query, put so that one index leads to its rows, in the list's own order, on both databases.

`bench/lists` shows what it is worth, filter by filter.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import IntEnum
from operator import attrgetter
from typing import Any, NamedTuple

from bot.settings import Dialect
from bot.store.database import current

# From here on SQLite is given a list as one parameter.
MOST_PARAMETERS = 1000
_FIRST_EQUALITY = re.compile(r"^([\w.]+ = \?)")

Piece = tuple[str, Sequence[Any]]
# Runs of a workflow that is called so, of which the index holds names that can be asked for.
CALLED = "run.workflow_name = ? AND length(run.workflow_name) <= 255"
# Runs of a path; those of a workflow without a name, which is called by its path, are found by that.
OF_PATH = "run.workflow_path = ? AND COALESCE(run.workflow_name, '') <> run.workflow_path"


class Lead(IntEnum):
    """Which filter's index a list is read by: that of the first of these that is given.

    Databases guess it from how few rows they think there are, and so may sort, or pass over most of a table. Before a
    filter come those that mostly leave fewer rows, or whose index holds what comes after.
    """

    COMMIT = 1
    RUN = 2
    UNFINISHED = 3
    ATTEMPT = 4
    RUNNER = 5
    ACTOR = 6
    WORKFLOW = 7
    WORKFLOW_ID = 8
    REPOSITORY = 9
    BRANCH = 10
    CONCLUSION = 11
    EVENT = 12
    NAME = 13
    LABEL = 14
    UNNAMED = 15
    NOTHING = 16


class Register(NamedTuple):
    """A table that leads to rows of another one, which it holds the places of.

    `names` gives what columns of the other one are called in it, so that what is asked of them is asked of its index.
    """

    table: str
    link: str
    names: Mapping[str, str]

    def select(self, columns: str, tables: str, condition: str) -> str:
        """Return what selects columns of the rows that it leads to."""
        for name, here in self.names.items():
            columns, condition = columns.replace(name, here), condition.replace(name, here)
        # SQLite joins by CROSS JOIN in the order written.
        return f"SELECT {columns} FROM {self.table} CROSS JOIN {tables} WHERE {condition} AND {self.link}"


class Fit(NamedTuple):
    """A way to fit a filter; where it leads, its rows may be led to by a register."""

    piece: Piece
    register: Register | None = None


class _Filter(NamedTuple):
    """`following` is how the filter is put where another one leads, or in a sentence with all others."""

    lead: Lead
    ways: Sequence[Fit]
    following: Piece


class _Many(NamedTuple):
    """Repositories too many to lead to each, and how they are asked for where a row is looked at anyway."""

    repositories: Sequence[int]
    piece: Piece


class _Span(NamedTuple):
    """From when until when rows are asked for, and after which place of a list; the first two are inclusive."""

    since: Piece | None = None
    until: Piece | None = None
    before: Piece | None = None

    def pieces(self) -> list[Piece]:
        """Return what says so with one bound on either side: SQLite's index takes the first, be it the wider one."""
        lower = [] if self.since is None else [self.since]
        upper = [each for each in (self.until, self.before) if each is not None]
        # Of a place and a time, the earlier one says what the other does.
        return [*lower, *([min(upper, key=_moment)] if upper else [])]


def _moment(bound: Piece) -> tuple[datetime, int]:
    # Where they are of the same moment, the place is the narrower bound.
    return bound[1][0], -len(bound[1])


class Condition:
    """The WHERE of a query as it grows: pieces of SQL with `?`, and their parameters in the same order."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._span = _Span()
        self._filters: list[_Filter] = []
        self._many: _Many | None = None
        self._register: Register | None = None

    def copy(self) -> "Condition":
        """Return another one that says the same, to go on with."""
        other = self.bounds()
        other._filters, other._many, other._register = [*self._filters], self._many, self._register
        return other

    def bounds(self) -> "Condition":
        """Return another one that says what no filter does: whose rows, and from when."""
        other = Condition()
        other._pieces, other._span = [*self._pieces], self._span
        return other

    def add(self, sql: str, *parameters: Any) -> None:
        """Ask for this as well."""
        self._pieces.append((sql, parameters))

    def add_since(self, column: str, moment: datetime) -> None:
        """Ask for rows of this time or later; whatever else asks so is of the same column."""
        if self._span.since is None or moment > self._span.since[1][0]:
            self._span = self._span._replace(since=(f"{column} >= ?", (moment,)))

    def add_until(self, column: str, moment: datetime) -> None:
        """Ask for rows of this time or earlier; whatever else asks so is of the same column."""
        if self._span.until is None or moment < self._span.until[1][0]:
            self._span = self._span._replace(until=(f"{column} <= ?", (moment,)))

    def add_before(self, columns: str, moment: datetime, identifier: int) -> None:
        """Ask for rows that come before this place by time and id, the first of which is the column of other times."""
        self._span = self._span._replace(before=(f"({columns}) < (?, ?)", (moment, identifier)))

    def narrow(self, lead: Lead, *pieces: Piece) -> None:
        """Ask for one of these, of which no two may hold for the same row."""
        self._filters.append(_Filter(lead, [Fit(piece) for piece in pieces], _any_of(pieces)))

    def narrow_by(self, lead: Lead, *ways: Fit, following: Piece) -> None:
        """Ask for what fits one of these ways, of which no two may lead to the same row; `following` says the same."""
        self._filters.append(_Filter(lead, ways, following))

    def narrow_equal(self, lead: Lead, column: str, value: Any) -> None:
        """Ask that `column` is `value`, unless that is None."""
        if value is not None:
            self.narrow(lead, (f"{column} = ?", (value,)))

    def narrow_to_many(self, column: str, repositories: Sequence[int]) -> None:
        """Ask for rows of these repositories, which are many."""
        # Added to nothing, it is looked at in the index of the team's rows instead of leading to another one.
        self._many = _Many(repositories, among(f"{column} + 0", repositories))

    @property
    def is_of_many_alone(self) -> bool:
        """Whether many repositories are asked for, and nothing else that an index leads to."""
        return self._many is not None and self.lead is Lead.NOTHING

    def in_each(self) -> "tuple[Condition, Sequence[int]]":
        """Return what is asked for but for repositories, and these."""
        other = self.copy()
        other._many = None
        return other, () if self._many is None else self._many.repositories

    def following(self) -> Piece:
        """Return all of it as something that is looked at where another condition leads."""
        return _following((self.sql, self.parameters))

    @property
    def lead(self) -> Lead:
        """The filter that leads."""
        return min((each.lead for each in self._filters), default=Lead.NOTHING)

    def led(self, sql: str, *parameters: Any) -> "Condition":
        """Return a condition that asks for this and, of all that this one does, for the filter that leads alone."""
        led = Condition()
        led.add(sql, *parameters)
        led._filters = [each for each in self._filters if each.lead is self.lead and each.lead is not Lead.NOTHING][:1]
        return led

    def branches(self) -> "list[Condition]":
        """Return conditions that together say what this one does, each row fitting one at most.

        There is one for each way to fit the filter that leads, because an index leads to each but to no OR of them.
        """
        if not self._filters:
            return [self.copy()]
        leading, *others = sorted(self._filters, key=attrgetter("lead"))
        branches = []
        for piece, register in leading.ways:
            branch = Condition()
            first = piece if leading.lead is Lead.NOTHING else _leading(piece)
            branch._span = self._span
            branch._pieces = [*self._pieces, first, *(_following(each.following) for each in others)]
            branch._many, branch._register = self._many, register
            branches.append(branch)
        return branches

    def select(self, columns: str, tables: str) -> str:
        """Return what selects columns of the rows of these tables that fit; for one of `branches`."""
        if self._register is not None:
            return self._register.select(columns, tables, self.sql)
        return f"SELECT {columns} FROM {tables} WHERE {self.sql}"

    def add_equal(self, column: str, value: Any) -> None:
        """Ask that `column` is `value`, unless that is None."""
        if value is not None:
            self.add(f"{column} = ?", value)

    def add_among(self, column: str, values: Sequence[Any], *, excluded: bool = False) -> None:
        """Ask that `column` is one of `values`, or none of them; there may be any number of them."""
        self._pieces.append(among(column, values, excluded=excluded))

    @property
    def sql(self) -> str:
        return " AND ".join(sql for sql, _ in self._all()) or "TRUE"

    @property
    def parameters(self) -> list[Any]:
        return [each for _, parameters in self._all() for each in parameters]

    def _all(self) -> list[Piece]:
        many = [] if self._many is None else [self._many.piece]
        return [*self._pieces, *self._span.pieces(), *many, *(each.following for each in self._filters)]


def among(column: str, values: Sequence[Any], *, excluded: bool = False) -> Piece:
    """Return what says that `column` is one of `values`, or none of them; there may be any number of them.

    PostgreSQL takes 32,767 parameters and SQLite 32,766, all of a statement's together, but a list as one of them.
    """
    if not values:
        # PostgreSQL knows no empty list.
        return ("TRUE" if excluded else "FALSE"), ()
    if current().dialect is Dialect.POSTGRESQL:
        return f"{column} {'<> ALL' if excluded else '= ANY'} (?)", [list(values)]
    word = "NOT IN" if excluded else "IN"
    if len(values) <= MOST_PARAMETERS:
        return f"{column} {word} ({', '.join('?' * len(values))})", values
    return f"{column} {word} (SELECT value FROM json_each(?))", [json.dumps(list(values))]


def _any_of(pieces: Sequence[Piece]) -> Piece:
    sql = " OR ".join(f"({sql})" for sql, _ in pieces)
    return f"({sql})", [each for _, parameters in pieces for each in parameters]


def _leading(piece: Piece) -> Piece:
    """Return a filter whose index is to be used, whatever else could be."""
    sql, parameters = piece
    if current().dialect is Dialect.POSTGRESQL:
        return piece
    # Beside a cursor and times, SQLite takes the index of all of the team's rows for as good as any other.
    return _FIRST_EQUALITY.sub(r"likelihood(\1, 0.000001)", sql), parameters


def _following(piece: Piece) -> Piece:
    """Return a filter that is looked at where another one leads."""
    sql, parameters = piece
    # https://sqlite.org/lang_corefunc.html#likelihood: who expects next to nothing gives no thought to the order.
    return (f"({sql})" if current().dialect is Dialect.POSTGRESQL else f"likelihood(+({sql}), 1.0)"), parameters


def narrow_by_status(condition: Condition, table: str, status: str | None) -> None:
    """Ask for rows of this status, unless that is None."""
    if status == "completed":
        condition.narrow_equal(Lead.NOTHING, f"{table}.status", status)
    elif status is not None:
        # Few rows are unfinished. They have an index of their own, which has to be named by its condition.
        condition.narrow(Lead.UNFINISHED, (f"{table}.status = ? AND {table}.status <> 'completed'", (status,)))
