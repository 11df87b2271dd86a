"""Finding the few rules that a line may satisfy among hundreds, without trying a pattern on each.

Looking for one short text in another is the quickest thing that Python does. Every rule has hints, one of which its
lines hold; hints that share three letters are looked for only where those letters are.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

_SHARED = 3


class Hinted(Protocol):
    """What has hints in lower case, one of which is in every line that it fits."""

    @property
    def hints(self) -> tuple[str, ...]: ...


T = TypeVar("T", bound=Hinted)


class Index(Generic[T]):
    """Entries by what their hints share."""

    def __init__(self, entries: Sequence[T]) -> None:
        self._entries = entries
        by_hint: dict[str, list[int]] = {}
        for place, entry in enumerate(entries):
            for hint in entry.hints:
                by_hint.setdefault(hint, []).append(place)
        self._groups = [(letters, [(hint, by_hint[hint]) for hint in hints]) for letters, hints in _grouped(by_hint)]

    def find(self, lowered: str) -> list[T]:
        """Return the entries with a hint in a line in lower case, in their order."""
        places = {
            place
            for letters, hints in self._groups
            if letters in lowered
            for hint, places in hints
            if hint in lowered
            for place in places
        }
        return [self._entries[place] for place in sorted(places)]


def _grouped(hints: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Group hints by letters that they share, as few groups as a greedy choice finds."""
    left = {hint: {hint[at : at + _SHARED] for at in range(len(hint) - _SHARED + 1)} or {hint} for hint in hints}
    times = Counter(letters for each in left.values() for letters in each)
    groups = []
    while left:
        chosen = max(times, key=times.__getitem__)
        members = [hint for hint, letters in left.items() if chosen in letters]
        for hint in members:
            times.subtract(left.pop(hint))
        groups.append((chosen, members))
    return groups
