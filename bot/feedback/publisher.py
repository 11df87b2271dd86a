"""When and by whom feedback is worked on: one process at a time an installation, so that nothing is said twice."""

import asyncio
import logging

from bot.feedback.shift import Memory, Shift, lease_of
from bot.feedback.tools import Tools
from bot.github.errors import GitHubError, InstallationGone, InstallationSuspended, RateLimited

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 0.5
# After trouble with GitHub an installation is left alone for so long, doubling.
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 900.0

_TABLES = ("check_summary", "failure_comment", "job_failure", "action")
_DUE = " UNION ".join(
    f"SELECT repository.installation_id FROM {table} AS due"
    " JOIN repository ON repository.repository_id = due.repository_id"
    " JOIN installation ON installation.installation_id = repository.installation_id"
    " WHERE due.due_at <= ? AND installation.state = 'active' AND repository.hidden_at IS NULL"
    for table in _TABLES
)


class Publisher:
    """Tells every installation what is due to be told."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._memory = Memory(tools)
        self._working: dict[int, asyncio.Task[None]] = {}
        self._rests_until: dict[int, float] = {}
        self._pauses: dict[int, float] = {}

    async def run(self) -> None:
        """Look for work again and again, until cancelled; a request that is under way then is not waited for."""
        try:
            while True:
                try:
                    await self.start_what_is_due()
                except Exception as error:
                    # A database that is away now comes back.
                    log.warning("feedback can't be worked on now", exc_info=error)
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
        """Work until nothing is due any more; what GitHub could not take is due again later."""
        while await self.start_what_is_due() or self._working:
            await asyncio.gather(*self._working.values())

    async def start_what_is_due(self) -> int:
        """Begin to work where something is due and nobody here works on it; return for how many installations."""
        now = self._tools.clock.now()
        rows = await self._tools.database.reader.fetch(_DUE, *[now] * len(_TABLES))
        return sum(self._begin(row["installation_id"]) for row in rows)

    def _begin(self, installation_id: int) -> bool:
        if installation_id in self._working or self._rests_until.get(installation_id, 0.0) > self._tools.clock.time():
            return False
        task = asyncio.create_task(self._work_or_pause(installation_id), name=f"feedback of {installation_id}")
        self._working[installation_id] = task
        task.add_done_callback(lambda _: self._working.pop(installation_id, None))
        return True

    async def _work_or_pause(self, installation_id: int) -> None:
        try:
            await self._work_under_lease(installation_id)
            self._pauses.pop(installation_id, None)
        except RateLimited as error:
            log.info("feedback waits: %s", error, extra={"installation": installation_id})
            self._rests_until[installation_id] = error.until.timestamp()
        except GitHubError as error:
            self._pause(installation_id, str(error))
        except Exception as error:
            # Whatever it is must not end what is done for others, nor be tried without a rest.
            log.warning("feedback failed", extra={"installation": installation_id}, exc_info=error)
            self._pause(installation_id, type(error).__name__)

    async def _work_under_lease(self, installation_id: int) -> None:
        async with self._tools.leases.trying(lease_of(installation_id)) as held:
            if not held:
                self._rests_until[installation_id] = self._tools.clock.time() + LOOK_AGAIN_SECONDS
                return
            await self._tools.github.heed(installation_id)
            try:
                await Shift(self._tools, installation_id, self._memory).work()
            except (InstallationGone, InstallationSuspended):
                sql = "UPDATE installation SET sync_due_at = NULL WHERE installation_id = ?"
                await self._tools.database.execute(sql, installation_id)
                raise

    def _pause(self, installation_id: int, reason: str) -> None:
        seconds = min(self._pauses.get(installation_id, FIRST_PAUSE / 2) * 2, LONGEST_PAUSE)
        self._pauses[installation_id] = seconds
        self._rests_until[installation_id] = self._tools.clock.time() + seconds
        log.info("feedback pauses: %s", reason, extra={"installation": installation_id, "seconds": seconds})
