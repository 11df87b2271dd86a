"""Pages of many repositories at once, where nothing else narrows them, without passing over the rows of all others.

Mostly a page is full after some of the team's newest rows. Where it is not, each repository is asked for its newest
row, and only those are looked into whose newest belongs to the page. `bench/lists` shows what it is worth.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from bot.settings import Dialect
from bot.store.conversation import Conversation, Question, Rows
from bot.store.database import current, to_moment
from bot.store.queries.conditions import Condition, Piece
from bot.store.queries.pages import add_cursor, comparable

# So many of a team's rows are looked through in less time than it takes to ask each of a hundred repositories.
LOOKED_THROUGH = 500
_EACH = {
    Dialect.SQLITE: "json_each(?) AS each",
    Dialect.POSTGRESQL: "unnest(CAST(? AS BIGINT[])) AS each(value)",
}


class Listed(NamedTuple):
    """A table whose rows are listed: its name and alias, and the columns by which they are in order."""

    table: str
    alias: str
    identifier: str
    moment: str

    @property
    def newest_first(self) -> str:
        return f"ORDER BY {self.alias}.{self.moment} DESC, {self.alias}.{self.identifier} DESC"

    def of_each(self, columns: str, condition: Condition) -> str:
        """Return what selects columns of those rows of one of the repositories that fit."""
        narrowed = condition.sql
        if current().dialect is Dialect.SQLITE:
            # Beside times, SQLite takes the index of all of the team's rows for the better one.
            narrowed = narrowed.replace(f"{self.alias}.team_id = ?", f"+{self.alias}.team_id = ?")
        of_each = f"{self.alias}.repository_id = each.value AND {narrowed}"
        return f"SELECT {columns} FROM {self.table} AS {self.alias} WHERE {of_each}"


RUNS = Listed("workflow_run", "run", "run_id", "created_at")
JOBS = Listed("workflow_job", "job", "job_id", "listed_at")


def page_of_many(
    listed: Listed,
    condition: Condition,
    cursor: str | None,
    limit: int,
    page: Callable[[Condition], Question],
    by_id: Callable[[Sequence[int]], Question],
) -> Conversation[Rows]:
    """Find out one row more than a page holds, newest first.

    `page` asks for it by looking through what fits a condition, and `by_id` for rows in any order.
    """
    reached = yield from _reached(listed, condition, cursor)
    nearby = condition.copy()
    if reached is not None:
        nearby.add_since(f"{listed.alias}.{listed.moment}", reached)
    rows = yield page(nearby)
    if reached is None or len(rows) > limit:
        return rows
    places = yield from _newest(listed, condition, cursor, limit + 1)
    if not places:
        return []
    found = yield by_id([identifier for _, identifier in places])
    if len(found) < len(places):
        # Some were deleted meanwhile, and what is left would look like the last page.
        return (yield page(condition))
    return sorted(found, key=lambda row: (comparable(row[1]), row[0]), reverse=True)


def matching_in_many(listed: Listed, condition: Condition) -> Piece:
    """Return what selects a 1 for each row that fits, one repository after another."""
    bounded, repositories = condition.in_each()
    of_each = listed.of_each("1", bounded)
    if current().dialect is Dialect.POSTGRESQL:
        # It might join them otherwise, but for the OFFSET.
        return (
            f"SELECT 1 FROM {_each()} CROSS JOIN LATERAL ({of_each} OFFSET 0) AS found",
            [_list(repositories), *bounded.parameters],
        )
    of_each = of_each.replace(" FROM ", f" FROM {_each()} CROSS JOIN ", 1)
    return of_each, [_list(repositories), *bounded.parameters]


def _each() -> str:
    return _EACH[current().dialect]


def _list(values: Sequence[int]) -> Any:
    return list(values) if current().dialect is Dialect.POSTGRESQL else json.dumps(values)


def _reached(listed: Listed, condition: Condition, cursor: str | None) -> Conversation[datetime | None]:
    """Find out how far back some of the team's newest rows reach; None where there are not as many."""
    bounds = condition.bounds()
    add_cursor(bounds, cursor, f"{listed.alias}.{listed.moment}", f"{listed.alias}.{listed.identifier}")
    rows = yield Question(
        f"SELECT {listed.alias}.{listed.moment} FROM {listed.table} AS {listed.alias} WHERE {bounds.sql}"
        f" {listed.newest_first} LIMIT 1 OFFSET ?",
        [*bounds.parameters, LOOKED_THROUGH],
    )
    return to_moment(rows[0][0]) if rows else None


def _newest(listed: Listed, condition: Condition, cursor: str | None, most: int) -> Conversation[list[tuple[Any, int]]]:
    """Find out the places of the newest rows of all repositories."""
    bounded, repositories = condition.in_each()
    add_cursor(bounded, cursor, f"{listed.alias}.{listed.moment}", f"{listed.alias}.{listed.identifier}")
    newest = f"{listed.of_each(f'{listed.alias}.{listed.moment}', bounded)} {listed.newest_first} LIMIT 1"
    rows = yield Question(
        f"SELECT each.value, ({newest}) AS newest FROM {_each()}", [*bounded.parameters, _list(repositories)]
    )
    latest = sorted(((comparable(moment), each) for each, moment in rows if moment is not None), reverse=True)
    if len(latest) > most:
        # No row of the page is older than this one.
        oldest = latest[most - 1][0]
        bounded.add_since(f"{listed.alias}.{listed.moment}", cast(datetime, to_moment(oldest)))
        latest = [each for each in latest if each[0] >= oldest]
    found = yield _places(listed, bounded, [each for _, each in latest], most)
    return sorted(((comparable(moment), identifier) for moment, identifier in found), reverse=True)[:most]


def _places(listed: Listed, bounded: Condition, repositories: Sequence[int], most: int) -> Question:
    """Ask for the places of the newest rows of each repository."""
    place = f"found.{listed.moment}, found.{listed.identifier}"
    parameters = [_list(repositories), *bounded.parameters, most]
    if current().dialect is Dialect.POSTGRESQL:
        of_each = listed.of_each(f"{listed.alias}.{listed.moment}, {listed.alias}.{listed.identifier}", bounded)
        newest = f"{of_each} {listed.newest_first} LIMIT ?"
        return Question(f"SELECT {place} FROM {_each()} CROSS JOIN LATERAL ({newest}) AS found", parameters)
    newest = f"{listed.of_each(f'{listed.alias}.{listed.identifier}', bounded)} {listed.newest_first} LIMIT ?"
    among_newest = f"found.{listed.identifier} IN ({newest})"
    return Question(
        f"SELECT {place} FROM {_each()} CROSS JOIN {listed.table} AS found WHERE {among_newest}", parameters
    )
