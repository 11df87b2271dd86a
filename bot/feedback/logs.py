"""The end of a job's log, read as it comes in: however long it is, little of it is held in memory."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from bot import metrics
from bot.clock import Clock
from bot.github import Client, jobs
from bot.github.errors import GitHubUnavailable

MOST_KEPT = 10 * 1024 * 1024
LARGE = 1024 * 1024
"""Logs of more bytes wait for one of the places of large ones, of which a process has a few."""
_LARGE_AT_ONCE = 8
_LONGEST_SECONDS = 60.0
_large: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


@dataclass(slots=True)
class LogEnd:
    """The last bytes of what is added to it, at most `most`; `size` counts all of them."""

    most: int = MOST_KEPT
    size: int = 0
    held: int = 0
    _chunks: deque[bytes] = field(default_factory=deque)

    def add(self, chunk: bytes) -> None:
        self._chunks.append(chunk)
        self.size += len(chunk)
        self.held += len(chunk)
        while self.held - len(self._chunks[0]) >= self.most:
            self.held -= len(self._chunks.popleft())

    def take(self) -> bytes:
        """Return the bytes, from the beginning of a line, and hold them no longer."""
        end = b"".join(self._chunks)
        self._chunks.clear()
        self.held = 0
        if self.size <= self.most:
            return end
        first = max(0, len(end) - self.most)
        newline = end.find(b"\n", first)
        return end[newline + 1 if newline >= 0 else first :]


@asynccontextmanager
async def log_end(client: Client, repository: str, job_id: int, clock: Clock) -> AsyncIterator[LogEnd]:
    """Read a job's log, of any size, and give its end; of large ones a process holds few at once, until they are left.

    Raises NotFound where there is none, or none yet, and GitHubUnavailable when it breaks off or takes too long.
    """
    end, began = LogEnd(), clock.monotonic()
    async with AsyncExitStack() as places:
        async with jobs.open_log(client, repository, job_id) as log:
            is_large = False
            async for chunk in log:
                end.add(chunk)
                if end.held > LARGE and not is_large:
                    is_large = True
                    await places.enter_async_context(_places())
                if clock.monotonic() - began > _LONGEST_SECONDS:
                    message = f"the log of job {job_id} comes in too slowly"
                    raise GitHubUnavailable(message, maybe_taken=False)
        metrics.observe_log(end.size, clock.monotonic() - began)
        yield end


def _places() -> asyncio.Semaphore:
    return _large.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_LARGE_AT_ONCE))
