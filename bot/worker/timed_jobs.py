"""What is done again and again, by one worker at a time: the one table of it, and who does it when."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot import feedback, history, inbox, recorder
from bot.access import sessions, states
from bot.access.people import People
from bot.clock import Clock
from bot.errors import RunledgerError
from bot.history import Tools
from bot.settings import Settings
from bot.store import housekeeping, registration
from bot.store.database import Database, current
from bot.store.leases import Leases

log = logging.getLogger(__name__)

TRY_AGAIN = timedelta(minutes=5)
# For whoever looks into what somebody did.
ENDED_SESSIONS_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Occasion:
    """When a job is done and with what; `github` is None where the settings name no App."""

    now: datetime
    settings: Settings
    github: Tools | None
    people: People | None = None


@dataclass(frozen=True, slots=True)
class TimedJob:
    """Something to do again and again: `run` returns how much it changed, `at_start` says not to wait after a start."""

    name: str
    every: timedelta
    run: Callable[[Occasion], Awaitable[int]]
    at_start: bool = False


async def _prune_inbox(occasion: Occasion) -> int:
    return await inbox.prune(occasion.now)


async def _prune_history(occasion: Occasion) -> int:
    return await history.prune_history(occasion.now)


async def _prune_feedback(occasion: Occasion) -> int:
    return await feedback.prune_feedback(occasion.now)


async def _expire_actions(occasion: Occasion) -> int:
    return await feedback.expire_actions(occasion.now)


async def _mark_runs(occasion: Occasion) -> int:
    return await recorder.mark_runs(occasion.now) + await recorder.label_jobs(occasion.now)


async def _purge_deleted(occasion: Occasion) -> int:
    return await housekeeping.purge_deleted_installations(occasion.now)


async def _apply_retention(occasion: Occasion) -> int:
    return await housekeeping.apply_retention(occasion.now, occasion.settings.retention_days)


def _asking(work: Callable[[Tools], Awaitable[int]]) -> Callable[[Occasion], Awaitable[int]]:
    async def run(occasion: Occasion) -> int:
        return 0 if occasion.github is None else await work(occasion.github)

    return run


def _about_people(work: Callable[[People], Awaitable[int]]) -> Callable[[Occasion], Awaitable[int]]:
    async def run(occasion: Occasion) -> int:
        # Without a client secret nobody can have signed in.
        if occasion.people is None or occasion.settings.github_client_secret is None:
            return 0
        return await work(occasion.people)

    return run


async def _seal_anew(occasion: Occasion) -> int:
    return await registration.seal_anew(current(), occasion.settings)


async def _forget_sessions(occasion: Occasion) -> int:
    return await sessions.forget_sessions(occasion.now - ENDED_SESSIONS_KEPT)


async def _forget_states(occasion: Occasion) -> int:
    return await states.forget_states(occasion.now)


async def _sync_installations(tools: Tools) -> int:
    due = await history.due_installations(tools.clock.now())
    for installation_id in due:
        await history.sync_installation(tools, installation_id)
    return len(due)


TIMED_JOBS = (
    TimedJob("prune-inbox", timedelta(hours=1), _prune_inbox),
    TimedJob("prune-history", timedelta(hours=1), _prune_history),
    TimedJob("prune-feedback", timedelta(hours=6), _prune_feedback),
    TimedJob("expire-actions", timedelta(minutes=10), _expire_actions),
    TimedJob("purge-deleted-installations", timedelta(hours=6), _purge_deleted),
    TimedJob("apply-retention", timedelta(hours=6), _apply_retention),
    TimedJob("mark-runs", timedelta(hours=1), _mark_runs, at_start=True),
    TimedJob("find-installations", timedelta(hours=1), _asking(history.find_installations), at_start=True),
    TimedJob("sync-installations", timedelta(seconds=10), _asking(_sync_installations)),
    TimedJob("recover-deliveries", timedelta(minutes=5), _asking(history.recover_deliveries), at_start=True),
    TimedJob("sweep", timedelta(minutes=5), _asking(history.sweep)),
    TimedJob("look-back-an-hour", timedelta(hours=1), _asking(history.look_back_an_hour)),
    TimedJob("look-back-a-month", timedelta(days=1), _asking(history.look_back_a_month)),
    TimedJob("look-again-for-people", timedelta(hours=1), _about_people(People.look_again)),
    TimedJob("forget-grants", timedelta(hours=1), _about_people(People.forget_grants)),
    TimedJob("seal-anew", timedelta(days=1), _seal_anew),
    TimedJob("forget-sessions", timedelta(days=1), _forget_sessions),
    TimedJob("forget-states", timedelta(days=1), _forget_states),
)


class TimedJobs:
    """Runs the jobs that are due, each in a task of its own, so that a long one holds up no other."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: Settings,
        leases: Leases,
        github: Tools | None,
        people: People | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._leases = leases
        self._github = github
        self._people = people
        self._running: dict[str, asyncio.Task[bool]] = {}

    async def be_due_at_start(self) -> None:
        """Let what must not wait after a start be due now."""
        now = self._clock.now()
        names = [(now, job.name, now) for job in TIMED_JOBS if job.at_start]
        async with self._database.transaction() as tx:
            await tx.execute_many("UPDATE timed_job SET due_at = ? WHERE name = ? AND due_at > ?", names)

    async def start_due(self) -> None:
        """Start what is due, and not under way, in this process or another."""
        for job in TIMED_JOBS:
            if job.name not in self._running:
                task = asyncio.create_task(self._run(job), name=job.name)
                self._running[job.name] = task
                task.add_done_callback(self._ended)

    async def run_due(self) -> list[str]:
        """Run what is due to its end; return the names of what was done."""
        await self.start_due()
        running = dict(self._running)
        ran = await asyncio.gather(*running.values())
        return [name for name, done in zip(running, ran, strict=True) if done]

    async def stop(self) -> None:
        """End what is under way; each job bears being cut short, and is begun again."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: "asyncio.Task[bool]") -> None:
        self._running.pop(task.get_name(), None)

    async def _run(self, job: TimedJob) -> bool:
        try:
            if not await self._is_due(job):
                return False
            async with self._leases.trying(f"job {job.name}") as held:
                return held and await self._run_if_due(job)
        except RunledgerError as error:
            # GitHub or the database can't be asked now: the next time will do.
            log.warning("a timed job could not be done: %s", error, extra={"job": job.name})
        except Exception as error:
            log.warning("a timed job failed", extra={"job": job.name}, exc_info=error)
        return False

    async def _run_if_due(self, job: TimedJob) -> bool:
        now = self._clock.now()
        # It is done when it is through: one that fails, or whose worker dies, must not wait for a day.
        again = now + min(job.every, TRY_AGAIN)
        if not await self._take(job, now, again):
            return False
        changed = await job.run(Occasion(now, self._settings, self._github, self._people))
        put_off = "UPDATE timed_job SET due_at = ? WHERE name = ? AND due_at = ?"
        await self._database.execute(put_off, now + job.every, job.name, again)
        level = logging.INFO if changed else logging.DEBUG
        log.log(level, "timed job done", extra={"job": job.name, "changed": changed})
        return True

    async def _is_due(self, job: TimedJob) -> bool:
        sql = "SELECT 1 AS later FROM timed_job WHERE name = ? AND due_at > ?"
        return not await self._database.reader.fetch(sql, job.name, self._clock.now())

    async def _take(self, job: TimedJob, now: datetime, again: datetime) -> bool:
        async with self._database.transaction() as tx:
            first = "INSERT INTO timed_job (name, due_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"
            await tx.execute(first, job.name, now)
            move = "UPDATE timed_job SET due_at = ? WHERE name = ? AND due_at <= ?"
            return bool(await tx.execute(move, again, job.name, now))
