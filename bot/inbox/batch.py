"""What one commit makes durable: what new deliveries tell, those that a worker is to handle, which dead ones revive.

On SQLite all of it is one turn of the connection's thread, its commit included; on PostgreSQL
nearly always one statement. `bench/ingest` and `bench/ingest_postgres` show what that is worth.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from bot.domain.news import News
from bot.inbox import journal
from bot.inbox.bodies import pack
from bot.inbox.journal import Entry, Told
from bot.inbox.rows import Row, inserted, known, revived
from bot.settings import Dialect
from bot.store.conversation import Conversation
from bot.store.database import Database, Transaction

Outcome = Literal["accepted", "duplicate"]
Settle = Callable[[Outcome | Exception], None]
"""Is told, once, that a delivery is durable, or why nothing of it was stored."""


class NewDelivery(Struct, frozen=True):
    """A verified delivery, not yet looked into."""

    guid: str
    event: str
    body: bytes
    received_at: datetime


class Waiting(Struct):
    """A delivery whose sender waits: `kept` where a worker is to handle it, else `news` where it tells anything."""

    delivery: NewDelivery
    settle: Settle
    is_told: bool
    news: News | None = None
    kept: bytes | None = None

    def told(self) -> Told:
        """Return what the journal is to hold of it."""
        return Told(self.delivery.guid, self.delivery.event, self.delivery.received_at, self.news)

    def row(self) -> Row:
        """Return its row, where it is a worker's."""
        told = self.delivery
        return Row(told.guid, told.event, "waiting", self.kept, told.received_at)


class Batch:
    """Deliveries that share a commit; `held` are the GUIDs of what `holder` has in the journal and is to record.

    Once committed, `new` are those that it has made durable, by their GUID, and `entry` what is to be recorded of them.
    """

    def __init__(self, waiting: Sequence[Waiting], now: datetime, held: Container[str], holder: str) -> None:
        self._waiting = waiting
        self._now = now
        self._holder = holder
        self._first: dict[str, Waiting] = {}
        for each in waiting:
            if each.delivery.guid not in held:
                self._first.setdefault(each.delivery.guid, each)
        self.new: dict[str, Waiting] = {}
        self.entry: Entry | None = None

    def outcome_of(self, waiting: Waiting) -> Outcome:
        """Return what to answer; the first of several with one GUID is the new one."""
        return "accepted" if self.new.get(waiting.delivery.guid) is waiting else "duplicate"

    def leaves_work(self) -> bool:
        """Tell whether something may wait for a worker now."""
        return any(each.kept is not None or self.outcome_of(each) == "duplicate" for each in self._waiting)

    async def commit(self, database: Database) -> None:
        """Make it all durable."""
        if not self._first:
            return
        kept = any(each.kept is not None for each in self._first.values())
        if database.dialect is Dialect.POSTGRESQL and not kept:
            await self._enter(database)
        else:
            await database.transact(self._take)

    async def _enter(self, database: Database) -> None:
        # Of what is known already the journal holds too much then, of which nothing is recorded.
        told = [each.told() for each in self._first.values()]
        identifier, states = await journal.write_and_look(database, told, self._now, self._holder)
        self.new = {guid: each for guid, each in self._first.items() if guid not in states}
        self.entry = Entry(identifier, [each for each in told if each.guid in self.new])
        if "dead" in states.values():
            await database.write([revived(self._again(states), self._now)])

    async def _take(self, tx: Transaction) -> None:
        await tx.finish(self._taking(tx.dialect))

    def _taking(self, dialect: Dialect) -> Conversation[None]:
        states = yield from known(self._first)
        fresh = {guid: each for guid, each in self._first.items() if guid not in states}
        kept = yield from inserted(dialect, [each.row() for each in fresh.values() if each.kept is not None])
        self.new = {guid: each for guid, each in fresh.items() if each.kept is None or guid in kept}
        told = [each.told() for each in self.new.values() if each.kept is None]
        self.entry = Entry((yield from journal.written(told, self._now, self._holder)), told) if told else None
        yield revived(self._again(states), self._now)

    def _again(self, states: Mapping[str, str]) -> dict[str, bytes]:
        """Return the bodies of the dead that were delivered again; of several with one GUID it is the last."""
        return {
            each.delivery.guid: pack(each.delivery.body)
            for each in self._waiting
            if each.is_told and states.get(each.delivery.guid) == "dead"
        }
