"""Rows of lists as JSON, written once for as long as they stand.

A list that is asked for again mostly shows rows that it has shown before, also where something was committed since. So
a page is found as places alone. Of rows that were shown before only the state is asked for, a few values from which
everything shown follows; others, and those that stand otherwise by now, are read whole (`bench/lists`, and
`bench/together` while deliveries come in). That is for SQLite, where a list is answered as of one moment and a question
costs next to nothing; PostgreSQL is asked for a page of whole rows.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Raw, Struct

from bot.store.conversation import Conversation, Question

V = TypeVar("V", bound=Struct)

# About how many bytes it takes to remember a state.
_STATE_BYTES = 600
MOST_SEEN_ONCE = 10_000


class Columns(NamedTuple):
    """What is asked of rows of `tables`, by their key: the columns of their state and, as SQL, those that are shown."""

    tables: str
    key: str
    state: tuple[str, ...]
    shown: str

    def state_of(self, keys: Sequence[int]) -> Question:
        """Ask for the key and the state of rows."""
        return self._of(keys, self.state)

    def whole(self, keys: Sequence[int]) -> Question:
        """Ask for all of them: the key, the state, and what is shown."""
        return self._of(keys, (*self.state, self.shown))

    def _of(self, keys: Sequence[int], columns: Sequence[str]) -> Question:
        among = f"{self.key} IN ({', '.join('?' * len(keys))})"
        return Question(f"SELECT {', '.join((self.key, *columns))} FROM {self.tables} WHERE {among}", keys)


def gaps(table: str, columns: Iterable[str]) -> str:
    """Return what counts the columns that are NULL: one that is filled in later comes without a new version."""
    return " + ".join(f"CASE WHEN {table}.{column} IS NULL THEN 1 ELSE 0 END" for column in columns)


def read_back(page: V) -> V:
    """Return a page of which the rows are JSON with views in their place."""
    return msgspec.json.decode(msgspec.json.encode(page), type=type(page))


class Written:
    """What was last written of each row, by its key; of about `most` bytes, those not asked for longest go first.

    A row is kept when it is written for the second time: to keep all that is asked for once costs a tenth of a list.
    Two threads may ask at once; what they can do to each other is to forget some rows sooner.
    """

    def __init__(self, most: int) -> None:
        # In two halves: to put each row that is found in front of all others would take longer than to find it.
        self._half = most // 2
        self._size = 0
        self._recent: dict[int, tuple[Any, Raw]] = {}
        self._older: dict[int, tuple[Any, Raw]] = {}
        self._once: set[int] = set()

    def views_of(
        self,
        keys: Sequence[int],
        columns: Columns,
        view: Callable[[Sequence[Any]], V],
        beside: Callable[[int], Any] = lambda _: None,
    ) -> Conversation[list[V | Raw]]:
        """Find out the views of rows by their keys, in this order, or their JSON.

        `view` makes a view of the columns that are shown. What it shows must follow from the row's state and from what
        stands `beside` it. All questions of a list have to be answered as of one moment, or a row might not fit the
        list any more; then no row is missing either.
        """
        found: dict[int, V | Raw | None] = dict.fromkeys(keys)
        known = [key for key in keys if key in self._recent or key in self._older]
        if known:
            for state in (yield columns.state_of(known)):
                found[state[0]] = self._find(state[0], (state, beside(state[0])))
        others = [key for key, each in found.items() if each is None]
        if others:
            width = 1 + len(columns.state)
            for row in (yield columns.whole(others)):
                key, made = row[0], view(row[width:])
                found[key] = made if self._is_first(key) else self._write(key, (row[:width], beside(key)), made)
        return [each for each in found.values() if each is not None]

    def _is_first(self, key: int) -> bool:
        if key in self._once:
            return False
        if len(self._once) >= MOST_SEEN_ONCE:
            self._once.clear()
        self._once.add(key)
        return True

    def _write(self, key: int, state: Any, view: Struct) -> Raw:
        json = Raw(msgspec.json.encode(view))
        self._keep(key, (state, json))
        return json

    def _find(self, key: int, state: Any) -> Raw | None:
        kept = self._recent.get(key)
        if kept is None:
            kept = self._older.get(key)
            if kept is not None and kept[0] == state:
                self._keep(key, kept)
        return kept[1] if kept is not None and kept[0] == state else None

    def _keep(self, key: int, kept: tuple[Any, Raw]) -> None:
        self._recent[key] = kept
        self._size += len(bytes(kept[1])) + _STATE_BYTES
        if self._size > self._half:
            self._older, self._recent, self._size = self._recent, {}, 0
