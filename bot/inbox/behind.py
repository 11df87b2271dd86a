"""Write-behind: what stands in the journal is recorded soon after, that of several commits together.

A job that is queued, begins and ends meanwhile is written once, and the pages of the database are written once for
hundreds of deliveries. `bench/ingest` shows what it is worth. Whoever takes an entry deletes it in the transaction that
records it, so each is recorded once, by whichever process.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from bot.clock import Clock
from bot.errors import MalformedPayload
from bot.inbox import journal
from bot.inbox.handler import Handler
from bot.inbox.journal import LEFT_BEHIND_SECONDS, Entry, Told
from bot.inbox.rows import Row, inserted
from bot.recorder import DirectoryNews
from bot.settings import Dialect
from bot.store.conversation import Conversation, lock_timeout
from bot.store.database import Database, Locked, Transaction
from bot.store.leases import new_holder

log = logging.getLogger(__name__)

# What comes after a pause is recorded at once, and from then on this often.
EVERY_SECONDS = 0.25
TOGETHER = 2048
# So much is kept in memory while the database is slow; of more the journal alone knows, until a worker looks.
MOST_HELD = 8192
# Whoever moves a repository's whole record holds locks on it for long: what can't be recorded soon is a worker's.
LOCK_TIMEOUT = "600ms"


class _HeldByOthers(Exception):
    """Rows that are to be written are locked for longer than one waits for it."""


class _Recording:
    """Entries being recorded; afterwards `recorded` is what was new in them, or `left` how many a worker is to take."""

    def __init__(self, handler: Handler, entries: Sequence[Entry], now: datetime) -> None:
        self._handler = handler
        self._entries = entries
        self._now = now
        self.recorded: list[Told] = []
        self.left = 0

    async def take(self, tx: Transaction) -> None:
        """Record them as the whole of a transaction."""
        try:
            await self._take(tx)
        except Locked as error:
            # To try again at once would only let everybody else wait.
            raise _HeldByOthers from error

    async def _take(self, tx: Transaction) -> None:
        try:
            await tx.finish(self._taking(tx.dialect))
        except DirectoryNews:
            await self._handler.prepare(tx, self.recorded, self._now)
            await tx.finish(self._handler.recording(tx.dialect, self.recorded, self._now, prepared=True))

    def _taking(self, dialect: Dialect) -> Conversation[None]:
        yield from lock_timeout(dialect, LOCK_TIMEOUT)
        told = _by_guid((yield from journal.taken(self._entries)))
        new = yield from inserted(dialect, [self._row(each) for each in told.values()])
        self.recorded = [each for guid, each in told.items() if guid in new and each.news is not None]
        yield from self._handler.recording(dialect, self.recorded, self._now)

    def _row(self, told: Told, *, waits: bool = False) -> Row:
        """Return the row of a delivery that is recorded here, or waits for a worker if it tells anything."""
        if told.news is None:
            return Row(told.guid, told.event, "ignored", None, told.received_at)
        if told.news.ignored:
            return Row(told.guid, told.event, "ignored", None, told.received_at, handled_at=self._now)
        if waits:
            return Row(told.guid, told.event, "waiting", journal.encode([told]), told.received_at)
        return Row(told.guid, told.event, "handled", None, told.received_at, 1, self._now)

    async def leave(self, tx: Transaction) -> None:
        """Leave them to a worker as the whole of a transaction, all but those that somebody else is recording."""
        try:
            await tx.finish(self._leaving(tx.dialect))
        except Locked as error:
            raise _HeldByOthers from error

    def _leaving(self, dialect: Dialect) -> Conversation[None]:
        yield from lock_timeout(dialect, LOCK_TIMEOUT)
        told = _by_guid((yield from journal.taken_of_the_free(dialect, self._entries)))
        yield from inserted(dialect, [self._row(each, waits=True) for each in told.values()])
        self.left = len(told)


def _by_guid(told: Sequence[Told]) -> dict[str, Told]:
    return {each.guid: each for each in reversed(told)}


async def record(database: Database, handler: Handler, entries: Sequence[Entry], now: datetime) -> int | None:
    """Record entries of the journal, or return how many deliveries are left to a worker, who tries each alone.

    What somebody else is about to record is neither. Raises whatever says that the database can't be used now; the
    entries are in the journal still.
    """
    recording = _Recording(handler, entries, now)
    try:
        await database.transact(recording.take)
    except Exception as error:
        if await database.is_away_by(error):
            raise
        log.info("entries are left to a worker", extra={"entries": len(entries)}, exc_info=error)
        with contextlib.suppress(_HeldByOthers):
            await database.transact(recording.leave)
        return recording.left
    handler.report(recording.recorded)
    return None


async def record_left_behind(database: Database, handler: Handler, now: datetime) -> int:
    """Record some of what no process records any more; return how many deliveries that were."""
    found = await journal.find_left_behind(database.reader, now - timedelta(seconds=LEFT_BEHIND_SECONDS))
    entries = []
    for identifier, kept in found:
        try:
            entries.append(Entry(identifier, journal.decode(kept)))
        except MalformedPayload as error:
            log.error("an entry of the journal can't be read", extra={"entry": identifier, "reason": str(error)})
            await database.write([journal.called_unreadable(identifier, str(error))])
    left = await record(database, handler, entries, now) if entries else 0
    return sum(len(entry.told) for entry in entries) if left is None else left


class Behind:
    """Holds what is in the journal and records it soon; `left` is called when something is left to a worker."""

    def __init__(self, database: Database, clock: Clock, handler: Handler, left: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._handler = handler
        self._left = left
        self.holder = new_holder()
        self._entries: list[Entry] = []
        self._gathered = 0
        self._wanted, self._enough = asyncio.Event(), asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self.held: set[str] = set()
        """The GUIDs of all that is held."""

    async def __aenter__(self) -> "Behind":
        self._task = asyncio.create_task(self._keep_recording(), name="journal")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._wanted.set()
        self._enough.set()
        if self._task is not None:
            await self._task

    def hold(self, entry: Entry) -> None:
        """Take over an entry that is committed."""
        if len(self.held) >= MOST_HELD:
            return
        self._entries.append(entry)
        self.held.update(told.guid for told in entry.told)
        self._wanted.set()
        self._gathered += len(entry.told)
        if self._gathered >= TOGETHER:
            self._enough.set()

    async def _keep_recording(self) -> None:
        loop = asyncio.get_running_loop()
        while self._entries or not self._closing:
            await self._wanted.wait()
            began = loop.time()
            # Not what comes meanwhile: that would be recorded in ever smaller groups.
            entries, self._entries, self._gathered = self._entries, [], 0
            if not self._closing:
                self._wanted.clear()
                self._enough.clear()
            for together in _groups(entries):
                await self._record(together)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), EVERY_SECONDS - (loop.time() - began))

    async def _record(self, entries: Sequence[Entry]) -> None:
        try:
            if await record(self._database, self._handler, entries, self._clock.now()):
                self._left()
        except Exception as error:
            # They stand in the journal, where a worker finds them.
            log.warning("what is in the journal can't be recorded now", exc_info=error)
        self.held.difference_update(told.guid for entry in entries for told in entry.told)


def _groups(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    group: list[Entry] = []
    deliveries = 0
    for entry in entries:
        group.append(entry)
        deliveries += len(entry.told)
        if deliveries >= TOGETHER:
            yield group
            group, deliveries = [], 0
    if group:
        yield group
