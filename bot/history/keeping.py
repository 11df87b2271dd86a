"""Keeping what looks at runs have found: whoever waits for a commit shares the next one.

The jobs of a run are so few that their commit costs more than they do, and the quicker GitHub answers, the more answers
wait. There is no timer; `bench/backfill` shows what it is worth.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from cachetools import LRUCache
from msgspec import Struct, field

from bot.clock import Clock
from bot.domain import facts
from bot.domain.wanting import next_look
from bot.errors import DatabaseUnavailable
from bot.history.looking import Found
from bot.history.progress import counting
from bot.history.requests import marks_for
from bot.history.wanted import dropping, letting_go, postponing
from bot.recorder import Marks, commits_of_runs, ending_unlisted_jobs, marking_gone, record, repository_as_known
from bot.store.conversation import Among, Conversation
from bot.store.database import Database, Transaction, is_unavailable

log = logging.getLogger(__name__)

_IS_OPEN = (
    "EXISTS (SELECT 1 FROM workflow_job AS job WHERE job.run_id = workflow_run.run_id AND job.status <> 'completed')"
)
_NOTE_LISTED = (
    f"UPDATE workflow_run SET jobs_attempt = ? WHERE jobs_attempt < ? AND run_id {{among}} RETURNING run_id, {_IS_OPEN}"
)
_OPEN = f"SELECT run_id FROM workflow_run WHERE run_id {{among}} AND {_IS_OPEN}"


class _Group(Struct, eq=False):
    """What shares a commit; afterwards `waiting` is what it did not hold, and `refusal` why the database did not."""

    waiting: list[Found] = field(default_factory=list)
    refusal: Exception | None = None


class Keeper:
    """Commits what is found for one installation; what can't be kept together is kept apart, and harms nothing else."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._group = _Group()
        self._turn = asyncio.Lock()
        self._marks: LRUCache[int | None, Marks] = LRUCache(maxsize=100)

    async def keep(self, found: Found) -> None:
        """Return once what was found is committed.

        Raises whatever keeps just that from being so, and DatabaseUnavailable.
        """
        group = self._group
        group.waiting.append(found)
        try:
            await self._keep_with(group, found)
        except asyncio.CancelledError:
            # Whoever is told to end keeps nothing more, nor does anybody for it.
            if group is self._group:
                group.waiting.remove(found)
            raise

    async def _keep_with(self, group: _Group, found: Found) -> None:
        async with self._turn:
            if group is self._group:
                await _admit(group)
                self._group = _Group()
                await self._keep_together(group)
            if group.refusal is not None:
                message = f"the database can't be used now ({type(group.refusal).__name__})"
                raise DatabaseUnavailable(message) from group.refusal
            if found in group.waiting:
                await self._commit([found])

    async def _keep_together(self, group: _Group) -> None:
        if len(group.waiting) == 1:
            return
        try:
            await self._commit(group.waiting)
        except Exception as error:
            if is_unavailable(error):
                # Nobody of the group is to wait as long for the same once more.
                group.refusal = error
                return
            log.info("what was found is kept apart", extra={"runs": len(group.waiting)}, exc_info=error)
        else:
            group.waiting.clear()

    async def _commit(self, group: Sequence[Found]) -> None:
        now = self._clock.now()
        await self._database.transact(lambda tx: self._keep(tx, group, now))

    async def _keep(self, tx: Transaction, group: Sequence[Found], now: datetime) -> None:
        for backfill_id, found in groupby(sorted(group, key=_whose), key=_whose):
            await self._keep_of_one(tx, backfill_id or None, list(found), now)

    async def _keep_of_one(
        self, tx: Transaction, backfill_id: int | None, group: Sequence[Found], now: datetime
    ) -> None:
        marks = await self._marks_for(tx, backfill_id)
        await record(tx, list(_told(group)), now, marks=marks, then=lambda: _ending(group, now))

    async def _marks_for(self, tx: Transaction, backfill_id: int | None) -> Marks:
        # What a backfill is for never changes.
        marks = self._marks.get(backfill_id)
        if marks is None:
            marks = self._marks[backfill_id] = await marks_for(tx, backfill_id)
        return marks


async def _admit(group: _Group) -> None:
    # Whoever has something by now already shares the commit, which costs as much for one as for many.
    size = 0
    while size < len(group.waiting):
        size = len(group.waiting)
        await asyncio.sleep(0)


def _whose(found: Found) -> int:
    return found.wanted.backfill_id or 0


def _told(group: Sequence[Found]) -> Iterator[facts.Facts]:
    yield from {each.repository.repository_id: repository_as_known(each.repository) for each in group}.values()
    for each in group:
        yield from each.told
        yield from each.jobs


def _ending(group: Sequence[Found], now: datetime) -> Conversation[None]:
    """Note what is to be asked of the runs yet, if anything is, and how far that brings the backfills that wait."""
    finished = [each for each in group if each.finished]
    listed = {each.wanted.run_id: each.listed for each in finished if each.listed}
    waiting = yield from dropping(each.wanted for each in finished)
    noted = yield from _noting(listed)
    # By now all checks are seen that were begun by whoever held one of these runs before.
    yield commits_of_runs(sorted(noted), now)
    for run_id in (yield from _open_still(listed, noted)):
        yield from ending_unlisted_jobs(run_id, listed[run_id], now)
    for each in group:
        if each.gone:
            yield from marking_gone(each.wanted.run_id, now)
        if not each.finished:
            yield postponing(each.wanted, now + next_look(each.wanted.tries))
            waiting |= yield from letting_go(each.wanted)
    yield from counting(waiting, {each.wanted.run_id: len(each.jobs) for each in group}, now)


def _noting(listed: Mapping[int, int]) -> Conversation[dict[int, bool]]:
    """Note up to which attempt GitHub has listed all jobs of runs.

    Returns those runs of which it was not known, and of each whether jobs are recorded that have not ended.
    """
    noted: dict[int, bool] = {}
    # One run after another, in the order in which every writer takes its locks.
    for attempt, run_ids in groupby(sorted(listed), key=listed.__getitem__):
        for run_id, is_open in (yield Among(_NOTE_LISTED, list(run_ids), (attempt, attempt))):
            noted[run_id] = bool(is_open)
    return noted


def _open_still(listed: Iterable[int], noted: Mapping[int, bool]) -> Conversation[list[int]]:
    """Find those of the runs of which jobs are recorded that have not ended."""
    again = yield Among(_OPEN, sorted(set(listed) - noted.keys()))
    return sorted({run_id for run_id, is_open in noted.items() if is_open}.union(run_id for (run_id,) in again))
