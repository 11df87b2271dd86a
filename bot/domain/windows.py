"""Cutting the past into windows that GitHub can list whole.

A filtered list of runs ends at 1,000 results
(https://docs.github.com/en/rest/actions/workflow-runs#list-workflow-runs-for-a-repository), so that a window that holds
more must be cut; one that holds few wastes most of a request. Windows are inclusive on both ends and in whole seconds,
as GitHub's `created:A..B` is; one second can't hold 1,000 runs, since GitHub queues no more than 500 in ten.
"""

from datetime import datetime, timedelta
from itertools import pairwise

from msgspec import Struct

CAP = 1000
PER_PAGE = 100
SECOND = timedelta(seconds=1)
# Full enough that few pages are nearly empty, with room for a guess that was too low.
AIM = 850


class Window(Struct, frozen=True):
    """The seconds from `since` to `until`, both included."""

    since: datetime
    until: datetime

    @property
    def seconds(self) -> int:
        """How many seconds it spans, at least one."""
        return int((self.until - self.since).total_seconds()) + 1

    def __str__(self) -> str:
        return f"{_text(self.since)}..{_text(self.until)}"


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def whole_seconds(since: datetime, until: datetime) -> Window:
    """Return the window that takes all of `since` to `until` in."""
    return Window(since.replace(microsecond=0), max(since, until).replace(microsecond=0))


def pages_of(total: int) -> int:
    """Return how many requests list `total` runs; an empty window takes one, too."""
    return max(1, -(-min(total, CAP) // PER_PAGE))


def cut(window: Window, total: int) -> list[Window]:
    """Return `window` as windows, newest first, each expected to hold what can be listed whole.

    `total` is how many runs GitHub says there are; a window at the cap is at least halved.
    """
    if total < CAP or window.seconds == 1:
        return [window]
    parts = min(window.seconds, max(2, -(-total // AIM)))
    bounds = [window.since + timedelta(seconds=window.seconds * part // parts) for part in range(parts + 1)]
    return [Window(begin, end - SECOND) for begin, end in pairwise(bounds)][::-1]
