"""Times in which nothing of GitHub answers, and no delivery of it reaches anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from bot.clock import Clock


class Outages:
    """Periods of the shared clock; a delivery made in one is in the log as failed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._periods: list[tuple[datetime, datetime]] = []

    def add(self, lasting: timedelta, *, since: datetime | None = None) -> None:
        """Let an outage begin now, or at `since`."""
        begin = since or self._clock.now()
        self._periods.append((begin, begin + lasting))

    def clear(self) -> None:
        """End all outages, also those to come."""
        self._periods.clear()

    @property
    def now(self) -> bool:
        """Whether there is one at this moment."""
        moment = self._clock.now()
        return any(begin <= moment < end for begin, end in self._periods)
