"""How often of late GitHub refused something. What is refused again and again is given up; what only fails is not.

It is kept in memory: a process that begins anew counts anew, and asks a few times more.
"""

import math
from datetime import datetime, timedelta
from enum import Enum

from cachetools import TTLCache

# What fails or is refused again and again is tried ever more rarely, and what is refused is given up after so many.
FIRST_DELAY, LONGEST_DELAY = timedelta(minutes=5), timedelta(hours=6)
MOST_REFUSALS = 5
# Longer than any count is worth something.
_KEPT_SECONDS = 86_400


class Refused(Enum):
    """What was: all lists of a repository, all looks at its runs, both of these, one list, or one run."""

    LISTS = "lists"
    LOOKS = "looks"
    REPOSITORY = "repository"
    LIST = "list"
    RUN = "run"


What = tuple[Refused, int]


def delay(tries: int) -> timedelta:
    """Return how long to wait after that many tries."""
    return min(FIRST_DELAY * (1 << min(tries, 10)), LONGEST_DELAY)


class Refusals:
    """A count for each thing, by what it is and the id of the repository, list or run."""

    def __init__(self) -> None:
        # There are no more than requests to GitHub within a day.
        self._times: TTLCache[What, tuple[int, datetime]] = TTLCache(math.inf, _KEPT_SECONDS)

    def count(self, what: What, now: datetime) -> int:
        """Return how often it was before; several at once count once, and long past ones not at all."""
        times, until = self._times.get(what, (0, now))
        if now < until:
            return times - 1
        if now > until + 2 * LONGEST_DELAY:
            times = 0
        self._times[what] = times + 1, now + delay(times)
        return times

    def forget(self, *what: What) -> None:
        """Count anew what was answered, or is not asked for any more."""
        for each in what:
            self._times.pop(each, None)
