"""Answers that are known to hold still, because nothing at all has been committed since they were found out.

Dashboards ask the same over and over; `bench/lists` shows what it is worth ("asked again").
"""

from collections.abc import Hashable
from typing import Any

from cachetools import LRUCache


class Remembered:
    """Answers by question, all of one revision of the database; the sizes that they are kept with add up to `most`."""

    def __init__(self, most: int) -> None:
        self._answers: LRUCache[Hashable, tuple[Any, int]] = LRUCache(most, getsizeof=lambda kept: kept[1])
        self._revision: int | None = None

    def find(self, question: Hashable, revision: int | None) -> Any | None:
        """Return what was kept at this very revision, or None; a revision of None is one that nobody knows."""
        if revision is None or revision != self._revision:
            return None
        kept = self._answers.get(question)
        return None if kept is None else kept[0]

    def keep(self, question: Hashable, answer: Any, size: int, revision: int) -> None:
        """Keep an answer that was found out at this revision, and none of any other."""
        if revision != self._revision:
            self._answers.clear()
            self._revision = revision
        if size <= self._answers.maxsize:
            self._answers[question] = answer, size
