"""One worker: deliveries, heartbeat, timed jobs, history and feedback, side by side. Any number of workers may run."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from bot import feedback
from bot.access.people import People
from bot.clock import Clock
from bot.history import Historian, Tools
from bot.settings import Settings
from bot.store import health
from bot.store.database import Database
from bot.store.leases import Leases, new_holder
from bot.worker.deliveries import BATCH, Deliveries
from bot.worker.timed_jobs import TimedJobs

log = logging.getLogger(__name__)

# How long to wait before looking again, when nobody in this process says that something has arrived.
IDLE_SECONDS = 0.25
HEARTBEAT_SECONDS = 10.0
TIMED_JOBS_SECONDS = 5.0


class Worker:
    """Does what is waiting or due; with `github` also what GitHub has to be asked for, with `telling` told.

    With `people` it asks what those see who made tokens, and ends what they granted once nobody wants it.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: Settings,
        arrived: asyncio.Event | None = None,
        github: Tools | None = None,
        telling: feedback.Tools | None = None,
        people: People | None = None,
    ) -> None:
        self.name = new_holder()
        self._clock = clock
        self._deliveries = Deliveries(database, clock)
        leases = github.leases if github else Leases(database, clock, self.name)
        self._jobs = TimedJobs(database, clock, settings, leases, github, people)
        self._historian = Historian(github) if github else None
        self._publisher = feedback.Publisher(telling) if telling else None
        self._arrived = arrived or asyncio.Event()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`; the batch that is being handled then is finished first."""
        lasting = {"history": self._historian, "feedback": self._publisher}
        background = [asyncio.create_task(each.run(), name=name) for name, each in lasting.items() if each is not None]
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._handle_deliveries())
                tasks.create_task(self._repeat(HEARTBEAT_SECONDS, self._beat))
                tasks.create_task(self._run_jobs())
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await self._jobs.stop()
        with contextlib.suppress(Exception):
            await health.stop_beating(self.name)

    def stop(self) -> None:
        """Ask the worker to end."""
        self._stopping.set()
        self._arrived.set()

    async def handle_all(self) -> int:
        """Handle whatever deliveries wait and are due; return how many that were."""
        return await self._deliveries.handle_all()

    async def handle_batch(self, limit: int = BATCH) -> int:
        """Handle up to `limit` deliveries; see `Deliveries.handle_batch`."""
        return await self._deliveries.handle_batch(limit)

    async def run_timed_jobs(self) -> list[str]:
        """Run the timed jobs that are due and that no other worker has taken; return their names."""
        return await self._jobs.run_due()

    async def _handle_deliveries(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._arrived.clear()
            try:
                handled = await self.handle_batch()
                failures = 0
            except Exception as error:
                # A database that is away now comes back; what it holds is waiting still.
                failures += 1
                log.warning("deliveries can't be handled now", exc_info=error)
                await self._pause(pause_after(failures))
                continue
            if not handled:
                await self._pause(IDLE_SECONDS)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._arrived.wait(), seconds)

    async def _run_jobs(self) -> None:
        with contextlib.suppress(Exception):
            await self._jobs.be_due_at_start()
        await self._repeat(TIMED_JOBS_SECONDS, self._jobs.start_due)

    async def _repeat(self, seconds: float, action: Callable[[], Awaitable[object]]) -> None:
        while not self._stopping.is_set():
            try:
                await action()
            except Exception as error:
                log.warning("what is repeated has failed", exc_info=error)
            await self._rest(seconds)

    async def _rest(self, seconds: float) -> None:
        """Wait on the clock, or until the worker is asked to end."""
        waits = {asyncio.create_task(self._clock.sleep(seconds)), asyncio.create_task(self._stopping.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def _beat(self) -> None:
        await health.beat(self.name, self._clock.now())


def pause_after(failures: int) -> float:
    """Return the seconds to wait after that many failures in a row, however many they have become."""
    return min(30.0, 0.5 * 2.0 ** min(failures, 10))


@contextlib.asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[Worker]:
    """Run `worker` beside what happens inside, and let it finish what it has begun."""
    task = asyncio.create_task(worker.run(), name="worker")
    try:
        yield worker
    finally:
        worker.stop()
        await task
