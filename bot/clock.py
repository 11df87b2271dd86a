"""The one source of time, so that a test can let days of outage pass in a second.

Everything that waits or stamps takes a `Clock`; the simulated GitHub shares the service's own.
"""

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta


class Clock:
    """The machine's time."""

    def now(self) -> datetime:
        """Return the current moment, aware, in UTC."""
        return datetime.now(UTC)

    def time(self) -> float:
        """Return the current moment in seconds since the Unix epoch."""
        return self.now().timestamp()

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of this clock's time."""
        await asyncio.sleep(seconds)

    def monotonic(self) -> float:
        """Return seconds that never run backwards, for measuring how long something took."""
        return time.perf_counter()


class ManualClock(Clock):
    """A clock that stands still until it is told to `advance`; its sleepers wake in order of their time."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 5, 9, tzinfo=UTC)
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), next(self._numbers), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move on by `seconds`, stopping at each sleeper that is due so that it runs at its own moment."""
        until = self._now + timedelta(seconds=seconds)
        while self._sleepers and self._sleepers[0][0] <= until:
            due, _, woken = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not woken.done():
                woken.set_result(None)
            await _let_others_run()
        self._now = max(self._now, until)
        await _let_others_run()

    async def leap(self, seconds: float) -> None:
        """Move on by `seconds` at once, as a machine does that was asleep: whoever is due wakes after it."""
        self._now += timedelta(seconds=seconds)
        await self.advance(0)


async def _let_others_run() -> None:
    # A woken task often needs several turns of the loop before it sleeps again.
    for _ in range(20):
        await asyncio.sleep(0)
