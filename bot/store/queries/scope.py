"""Which part of the record a question is about: one team's, and of that maybe only some repositories."""

import json
import re
from collections.abc import Sequence
from enum import IntEnum
from operator import itemgetter
from typing import Any

from msgspec import Struct

from bot.domain.texts import is_storable
from bot.errors import NotFound
from bot.settings import Dialect
from bot.store.conversation import Conversation, Question
from bot.store.database import current, database_errors

# Python refuses to read a number of some thousand digits.
_LONGEST_ID = 100
# From here on SQLite is given a list as one parameter.
MOST_PARAMETERS = 1000
_FIRST_EQUALITY = re.compile(r"^([\w.]+ = \?)")
# Of so many repositories the rows are merged, each one's in their order; of more, the team's rows are looked through.
MOST_MERGED = 8


class Scope(Struct, frozen=True):
    """A team, the repositories that may be seen of it, and those that may be changed; None stands for all of them."""

    team_id: int
    slug: str
    repositories: frozenset[int] | None = None
    administered: frozenset[int] | None = None

    def to_change(self) -> "Scope":
        """Return the part of this scope that may be changed: the rest is to it as what is not there."""
        if self.administered is None:
            return self
        both = self.administered if self.repositories is None else self.administered & self.repositories
        return Scope(self.team_id, self.slug, both, both)


async def find_scope(team: str | int) -> Scope | None:
    """Return the scope of a whole team by its slug or id, or None where there is no such team."""
    text = str(team)
    if not is_storable(text):
        return None
    # One question for all, so that nobody learns from their number which slugs there are.
    with database_errors():
        rows = await current().glance("SELECT id, slug FROM team WHERE slug = ? OR id = ?", text.lower(), _id_in(text))
    # Only a slug that is nobody's is read as an id, so that a team called "42" can be asked for.
    found = next((row for row in rows if row["slug"] == text.lower()), rows[0] if rows else None)
    return None if found is None else Scope(found["id"], found["slug"])


def _id_in(text: str) -> int:
    """Return the id that a text is, or 0, which no team has."""
    is_id = text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID and int(text) < 2**31
    return int(text) if is_id else 0


async def get_scope(team: "str | int | Scope") -> Scope:
    """Return the scope of `team`.

    Raises NotFound where there is no such team.
    """
    if isinstance(team, Scope):
        return team
    scope = await find_scope(team)
    if scope is None:
        message = "there is no such team"
        raise NotFound(message)
    return scope


Piece = tuple[str, Sequence[Any]]
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
    NOTHING = 15


class Condition:
    """The WHERE of a query as it grows: pieces of SQL with `?`, and their parameters in the same order."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._filters: list[tuple[Lead, list[Piece]]] = []

    def copy(self) -> "Condition":
        """Return another one that says the same, to go on with."""
        other = Condition()
        other._pieces, other._filters = [*self._pieces], [*self._filters]
        return other

    def add(self, sql: str, *parameters: Any) -> None:
        """Ask for this as well."""
        self._pieces.append((sql, parameters))

    def narrow(self, lead: Lead, *pieces: Piece) -> None:
        """Ask for one of these, of which no two may hold for the same row."""
        self._filters.append((lead, list(pieces)))

    def narrow_equal(self, lead: Lead, column: str, value: Any) -> None:
        """Ask that `column` is `value`, unless that is None."""
        if value is not None:
            self.narrow(lead, (f"{column} = ?", (value,)))

    def following(self) -> Piece:
        """Return all of it as something that is looked at where another condition leads."""
        return _following([(self.sql, self.parameters)])

    @property
    def lead(self) -> Lead:
        """The filter that leads."""
        return min((lead for lead, _ in self._filters), default=Lead.NOTHING)

    def led(self, sql: str, *parameters: Any) -> "Condition":
        """Return a condition that asks for this and, of all that this one does, for the filter that leads alone."""
        led = Condition()
        led.add(sql, *parameters)
        led._filters = [each for each in self._filters if each[0] is self.lead and each[0] is not Lead.NOTHING][:1]
        return led

    def branches(self) -> "list[Condition]":
        """Return conditions that together say what this one does, each row fitting one at most.

        There is one for each way to fit the filter that leads, because an index leads to each but to no OR of them.
        """
        if not self._filters:
            return [self.copy()]
        leading, *others = sorted(self._filters, key=itemgetter(0))
        branches = []
        for way in leading[1]:
            branch = Condition()
            first = way if leading[0] is Lead.NOTHING else _leading(way)
            branch._pieces = [*self._pieces, first, *(_following(pieces) for _, pieces in others)]
            branches.append(branch)
        return branches

    def add_equal(self, column: str, value: Any) -> None:
        """Ask that `column` is `value`, unless that is None."""
        if value is not None:
            self.add(f"{column} = ?", value)

    def add_among(self, column: str, values: Sequence[Any], *, excluded: bool = False) -> None:
        """Ask that `column` is one of `values`, or none of them; there may be any number of them.

        PostgreSQL takes 32,767 parameters and SQLite 32,766, all of a statement's together, but a list as one of them.
        """
        if not values:
            # PostgreSQL knows no empty list.
            self.add("TRUE" if excluded else "FALSE")
            return
        if current().dialect is Dialect.POSTGRESQL:
            self.add(f"{column} {'<> ALL' if excluded else '= ANY'} (?)", list(values))
            return
        among = "NOT IN" if excluded else "IN"
        if len(values) <= MOST_PARAMETERS:
            self.add(f"{column} {among} ({', '.join('?' * len(values))})", *values)
        else:
            self.add(f"{column} {among} (SELECT value FROM json_each(?))", json.dumps(list(values)))

    @property
    def sql(self) -> str:
        return " AND ".join(sql for sql, _ in self._all()) or "TRUE"

    @property
    def parameters(self) -> list[Any]:
        return [each for _, parameters in self._all() for each in parameters]

    def _all(self) -> list[Piece]:
        return [*self._pieces, *(_any_of(pieces) for _, pieces in self._filters)]


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


def _following(pieces: Sequence[Piece]) -> Piece:
    """Return a filter that is looked at where another one leads."""
    sql, parameters = _any_of(pieces)
    # https://sqlite.org/lang_corefunc.html#likelihood: who expects next to nothing gives no thought to the order.
    return sql if current().dialect is Dialect.POSTGRESQL else f"likelihood(+{sql}, 1.0)", parameters


def narrow_by_status(condition: Condition, table: str, status: str | None) -> None:
    """Ask for rows of this status, unless that is None."""
    if status == "completed":
        condition.narrow_equal(Lead.NOTHING, f"{table}.status", status)
    elif status is not None:
        # Few rows are unfinished. They have an index of their own, which has to be named by its condition.
        condition.narrow(Lead.UNFINISHED, (f"{table}.status = ? AND {table}.status <> 'completed'", (status,)))


async def repositories_named(scope: Scope, full_name: str | None, installation_id: int | None = None) -> list[int]:
    """Return the ids of the scope's visible repositories that have, or had, this name and are of this installation."""
    return await current().reader.converse(named_repositories(scope, full_name, installation_id))


def named_repositories(
    scope: Scope, full_name: str | None, installation_id: int | None = None
) -> Conversation[list[int]]:
    """Find out what `repositories_named` returns."""
    condition = Condition()
    condition.add("repository.team_id = ? AND repository.hidden_at IS NULL", scope.team_id)
    condition.add_equal("repository.installation_id", installation_id)
    if full_name is not None:
        condition.add(
            "repository.repository_id IN (SELECT repository_id FROM repository_name WHERE name = ?)", full_name.lower()
        )
    sql = f"SELECT repository_id, full_name FROM repository WHERE {condition.sql}"
    rows = yield Question(sql, condition.parameters)
    # A name that was given up and taken again means the one who has it now.
    named_so_now = [row for row in rows if full_name and row[1].lower() == full_name.lower()]
    found = [repository_id for repository_id, _ in named_so_now or rows]
    return [each for each in found if scope.repositories is None or each in scope.repositories]


async def scopes_that_name(full_name: str) -> list[Scope]:
    """Return the whole teams that see a repository which has this name, or, where none has, had it once."""
    rows = await current().reader.fetch(
        "SELECT team.id, team.slug, repository.full_name FROM repository_name AS name"
        " JOIN repository ON repository.repository_id = name.repository_id AND repository.hidden_at IS NULL"
        " JOIN team ON team.id = repository.team_id WHERE name.name = ? ORDER BY team.slug",
        full_name.lower(),
    )
    named_so_now = [row for row in rows if row["full_name"].lower() == full_name.lower()]
    slugs = {row["id"]: row["slug"] for row in named_so_now or rows}
    return [Scope(team_id, slug) for team_id, slug in slugs.items()]


def add_visible(
    condition: Condition, scope: Scope, table: str, full_name: str | None, installation_id: int | None
) -> Conversation[bool]:
    """Ask that a row of `table` is of a visible repository of the scope; return False where there can be none."""
    condition.add(f"{table}.team_id = ?", scope.team_id)
    if full_name is None and installation_id is None and scope.repositories is None:
        sql = "SELECT repository_id FROM repository WHERE team_id = ? AND hidden_at IS NOT NULL"
        hidden = yield Question(sql, (scope.team_id,))
        if hidden:
            condition.add_among(f"{table}.repository_id", [row[0] for row in hidden], excluded=True)
        return True
    repositories = yield from named_repositories(scope, full_name, installation_id)
    if len(repositories) <= MOST_MERGED:
        condition.narrow(Lead.REPOSITORY, *((f"{table}.repository_id = ?", (each,)) for each in repositories))
    else:
        # Added to nothing, it is looked at in the index of the team's rows instead of leading to another one.
        condition.add_among(f"{table}.repository_id + 0", repositories)
    return bool(repositories)
