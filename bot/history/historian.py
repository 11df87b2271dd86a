"""When and by whom history is worked on: one process at a time an installation, as its hourly budget goes.

What a person waits for has a line of its own, which no backfill holds up.
"""

import asyncio
import logging
from enum import StrEnum

from bot.github.errors import GitHubError, InstallationGone, InstallationSuspended
from bot.history.shift import Shift, sync_soon
from bot.history.tools import Tools

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 1.0
# After trouble with GitHub an installation is left alone for so long, doubling.
FIRST_PAUSE, LONGEST_PAUSE = 15.0, 900.0


class Line(StrEnum):
    """Who waits together."""

    ANSWERS = "answers"
    HISTORY = "history"


_ASKED = "SELECT 1 FROM run_wanted AS due WHERE due.installation_id = installation.installation_id AND due.due_at <= ?"
_LISTED = _ASKED.replace("run_wanted", "backfill_window")
_DUE = {
    Line.ANSWERS: f"EXISTS ({_ASKED} AND due.urgency = 0)",
    Line.HISTORY: f"(EXISTS ({_LISTED}) OR EXISTS ({_ASKED} AND due.urgency > 0))",
}
Place = tuple[int, Line]


class Historian:
    """Fetches history for every installation that has something due."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._working: dict[Place, asyncio.Task[None]] = {}
        self._rests_until: dict[Place, float] = {}
        self._pauses: dict[Place, float] = {}

    async def run(self) -> None:
        """Look for work again and again, until cancelled; what is under way then is kept whole or not at all."""
        try:
            while True:
                try:
                    await self.start_what_is_due()
                except Exception as error:
                    # A database that is away now comes back.
                    log.warning("history can't be worked on now", exc_info=error)
                await self._tools.clock.sleep(LOOK_AGAIN_SECONDS)
        finally:
            await self.stop()

    async def stop(self) -> None:
        """End what is under way."""
        tasks = list(self._working.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def catch_up(self) -> None:
        """Work until nothing is due any more; what GitHub could not answer is due again later."""
        while await self.start_what_is_due() or self._working:
            await asyncio.gather(*self._working.values())

    async def start_what_is_due(self) -> int:
        """Begin to work where something is due and nobody here works on it; return in how many places that is."""
        now = self._tools.clock.now()
        begun = 0
        for line, condition in _DUE.items():
            sql = f"SELECT installation_id FROM installation WHERE state = 'active' AND {condition}"
            rows = await self._tools.database.reader.fetch(sql, *[now] * condition.count("?"))
            for row in rows:
                begun += self._begin((row["installation_id"], line))
        return begun

    def _begin(self, place: Place) -> bool:
        if place in self._working or self._rests_until.get(place, 0.0) > self._tools.clock.time():
            return False
        task = asyncio.create_task(self._work_or_pause(place), name=f"{place[1]} of {place[0]}")
        self._working[place] = task
        task.add_done_callback(lambda _: self._working.pop(place, None))
        return True

    async def _work_or_pause(self, place: Place) -> None:
        try:
            await self._work_under_lease(place)
        except GitHubError as error:
            self._pause(place, str(error))
        except Exception as error:
            # Whatever it is must not end what is done for others, nor be tried without a rest.
            log.warning("history failed", extra={"installation": place[0]}, exc_info=error)
            self._pause(place, type(error).__name__)

    async def _work_under_lease(self, place: Place) -> None:
        installation_id, line = place
        async with self._tools.leases.trying(f"{line} {installation_id}") as held:
            if not held:
                self._rests_until[place] = self._tools.clock.time() + LOOK_AGAIN_SECONDS
                return
            try:
                await self._work(place)
            except (InstallationGone, InstallationSuspended):
                await sync_soon(self._tools, installation_id)
                raise

    async def _work(self, place: Place) -> None:
        installation_id, line = place
        shift = Shift(self._tools, installation_id)
        step = shift.answer if line is Line.ANSWERS else shift.fetch
        await self._tools.github.heed(installation_id)
        while await step():
            # Whatever the trouble was, it is over.
            self._pauses.pop(place, None)
            await self._tools.github.heed(installation_id)

    def _pause(self, place: Place, reason: str) -> None:
        now = self._tools.clock.time()
        # Trouble after a long peace is another trouble.
        is_new = now > self._rests_until.get(place, 0.0) + LONGEST_PAUSE
        seconds = FIRST_PAUSE if is_new else min(self._pauses.get(place, FIRST_PAUSE / 2) * 2, LONGEST_PAUSE)
        self._pauses[place] = seconds
        self._rests_until[place] = now + seconds
        log.info("history pauses: %s", reason, extra={"installation": place[0], "seconds": seconds})
