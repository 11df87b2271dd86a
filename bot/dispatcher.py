"""Who works for which installation, and when: one process at a time, and after trouble none for a while.

What is due is rows, so whoever has the lease goes on where another stopped.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from msgspec import Struct

from bot.clock import Clock
from bot.github import GitHub
from bot.github.errors import GitHubError, InstallationGone, InstallationSuspended, RateLimited
from bot.store.database import Database
from bot.store.leases import Leases
from bot.store.wanted import want_sync

log = logging.getLogger(__name__)

LONGEST_PAUSE = 900.0


class Assignment(Struct, frozen=True):
    """A kind of work, and the installation that it is done for."""

    what: str
    installation_id: int

    @property
    def lease(self) -> str:
        """The name of the right to do it."""
        return f"{self.what} {self.installation_id}"


class Dispatcher(ABC):
    """Begins each assignment that is due in a task of its own; what is due, and how it is done, a subclass says.

    `name` is what logs call it. `look_again` are the seconds from one look at what is due to the next, `first_pause`
    those for which an assignment rests after trouble; they double as long as the trouble lasts.
    """

    name: ClassVar[str]
    look_again: ClassVar[float]
    first_pause: ClassVar[float]

    def __init__(self, database: Database, github: GitHub, clock: Clock, leases: Leases) -> None:
        self._database = database
        self._github = github
        self._clock = clock
        self._leases = leases
        self._working: dict[Assignment, asyncio.Task[None]] = {}
        self._rests_until: dict[Assignment, float] = {}
        self._pauses: dict[Assignment, float] = {}

    @abstractmethod
    async def find_due(self) -> Iterable[Assignment]:
        """Return what is due now."""

    @abstractmethod
    async def work(self, assignment: Assignment) -> None:
        """Do what is due, and what becomes due by that; raises a GitHubError where GitHub can't be asked now."""

    async def run(self) -> None:
        """Look for work again and again, until cancelled; of what is under way then only writes are waited for."""
        try:
            while True:
                try:
                    await self.start_what_is_due()
                except Exception as error:
                    # A database that is away now comes back.
                    log.warning("%s can't be worked on now", self.name, exc_info=error)
                await self._clock.sleep(self.look_again)
        finally:
            await self.stop()

    async def stop(self) -> None:
        """End what is under way."""
        tasks = list(self._working.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def catch_up(self) -> None:
        """Work until nothing is due any more; what GitHub could not take is due again later."""
        while await self.start_what_is_due() or self._working:
            await asyncio.gather(*self._working.values())

    async def start_what_is_due(self) -> int:
        """Begin what is due and nobody here works on; return how many assignments those are."""
        return sum([self._begin(assignment) for assignment in await self.find_due()])

    def went_well(self, assignment: Assignment) -> None:
        """Note that whatever the trouble was, it is over."""
        self._pauses.pop(assignment, None)

    def _begin(self, assignment: Assignment) -> bool:
        if assignment in self._working or self._rests_until.get(assignment, 0.0) > self._clock.time():
            return False
        name = f"{assignment.what} of {assignment.installation_id}"
        task = self._working[assignment] = asyncio.create_task(self._work_or_pause(assignment), name=name)
        task.add_done_callback(lambda _: self._working.pop(assignment, None))
        return True

    async def _work_or_pause(self, assignment: Assignment) -> None:
        try:
            await self._work_under_lease(assignment)
        except RateLimited as error:
            self._rest(assignment, error.until.timestamp(), str(error))
        except GitHubError as error:
            self._pause(assignment, str(error))
        except Exception as error:
            # Whatever it is must not end what is done for others, nor be tried without a rest.
            log.warning("%s failed", self.name, extra={"installation": assignment.installation_id}, exc_info=error)
            self._pause(assignment, type(error).__name__)

    async def _work_under_lease(self, assignment: Assignment) -> None:
        async with self._leases.trying(assignment.lease) as held:
            if not held:
                self._rests_until[assignment] = self._clock.time() + self.look_again
                return
            await self._github.heed(assignment.installation_id)
            try:
                await self.work(assignment)
            except (InstallationGone, InstallationSuspended):
                await want_sync(self._database, assignment.installation_id)
                raise
            self.went_well(assignment)

    def _pause(self, assignment: Assignment, reason: str) -> None:
        now = self._clock.time()
        # Trouble after a long peace is another trouble.
        is_new = now > self._rests_until.get(assignment, 0.0) + LONGEST_PAUSE
        former = None if is_new else self._pauses.get(assignment)
        seconds = self.first_pause if former is None else min(former * 2, LONGEST_PAUSE)
        self._pauses[assignment] = seconds
        self._rest(assignment, now + seconds, reason)

    def _rest(self, assignment: Assignment, until: float, reason: str) -> None:
        self._rests_until[assignment] = until
        about = {"installation": assignment.installation_id, "seconds": round(until - self._clock.time(), 3)}
        log.info("%s pauses: %s", self.name, reason, extra=about)
