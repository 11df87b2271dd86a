"""Rows of lists as JSON, written once for as long as they stand.

A list that is asked for again mostly shows rows that it has shown before, also where something was committed since. So
lists ask the database for the state of each row, a few values from which everything shown follows, and only where that
is another one for the row itself (`bench/lists`, and `bench/together` while deliveries come in).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from bot.store.conversation import Conversation, Question

State = Sequence[Any]
V = TypeVar("V", bound=Struct)

# About how many bytes it takes to remember a state.
_STATE_BYTES = 600


def gaps(table: str, columns: Iterable[str]) -> str:
    """Return what counts the columns that are NULL: one that is filled in later comes without a new version."""
    return " + ".join(f"CASE WHEN {table}.{column} IS NULL THEN 1 ELSE 0 END" for column in columns)


def read_back(page: V) -> V:
    """Return a page of which the rows are JSON with views in their place."""
    return msgspec.json.decode(msgspec.json.encode(page), type=type(page))


class Written:
    """What was last written of each thing, by its id; of about `most` bytes, those not asked for longest go first."""

    def __init__(self, most: int) -> None:
        # In two halves: to put each row that is found in front of all others would take longer than to find it.
        self._half = most // 2
        self._size = 0
        self._recent: dict[int, tuple[State, Raw]] = {}
        self._older: dict[int, tuple[State, Raw]] = {}

    def json_of(
        self, states: Mapping[int, State], sql: str, view: Callable[[Sequence[Any]], Struct]
    ) -> Conversation[list[Raw]]:
        """Find out the JSON of things in these states, in their order; one that was deleted meanwhile is left out.

        `sql` asks for those whose id is among what follows it, the id first, and `view` makes views of its rows. What
        a view shows must follow from the state.
        """
        found = {identifier: self._find(identifier, state) for identifier, state in states.items()}
        others = [identifier for identifier, json in found.items() if json is None]
        if others:
            for row in (yield Question(f"{sql} ({', '.join('?' * len(others))})", others)):
                json = found[row[0]] = Raw(msgspec.json.encode(view(row)))
                self._keep(row[0], (states[row[0]], json))
        return [json for json in found.values() if json is not None]

    def _find(self, identifier: int, state: State) -> Raw | None:
        kept = self._recent.get(identifier)
        if kept is None:
            kept = self._older.get(identifier)
            if kept is not None and kept[0] == state:
                self._keep(identifier, kept)
        return kept[1] if kept is not None and kept[0] == state else None

    def _keep(self, identifier: int, kept: tuple[State, Raw]) -> None:
        self._recent[identifier] = kept
        self._size += len(bytes(kept[1])) + _STATE_BYTES
        if self._size > self._half:
            self._older, self._recent, self._size = self._recent, {}, 0
