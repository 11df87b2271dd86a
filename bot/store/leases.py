"""Rights that one process at a time may have, kept in the database: whoever dies loses them after a while.

The times in a lease are the holder's own; clocks of machines that share a database may differ by a few seconds, which
LASTS is long enough for.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import re
import secrets
import socket
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.clock import Clock
from bot.errors import UNANSWERED, RunledgerError
from bot.store.database import Database, to_moment

log = logging.getLogger(__name__)

LASTS = timedelta(seconds=15)
RENEWED_EVERY = 5.0
# How often somebody looks who waits for another process to give a right back.
LOOK_AGAIN = 0.2
# Longer than one request to GitHub may take, because a hold is for one request and is not renewed.
WRITE_LASTS = timedelta(seconds=120)

_TAKE = (
    "INSERT INTO lease (name, holder, until) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
    " SET holder = excluded.holder, until = excluded.until"
    " WHERE lease.holder IS NULL OR lease.holder = excluded.holder OR lease.until <= ? RETURNING left_at"
)
_INHERIT = "UPDATE lease SET holder = ?, until = ? WHERE name = ? AND holder = ? RETURNING left_at"
_RENEW = "UPDATE lease SET until = ? WHERE name = ? AND holder = ?"
_LEAVE = "UPDATE lease SET holder = NULL, left_at = ? WHERE name = ? AND holder = ?"
_ASK_FOR_SILENCE = (
    "INSERT INTO lease (name, until, silent_until) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
    " SET silent_until = excluded.silent_until"
    " WHERE lease.silent_until IS NULL OR lease.silent_until < excluded.silent_until"
)
_HOLDER = re.compile(r"(?P<place>.+)-(?P<pid>[0-9]{1,9})-[0-9a-f]{6}")


def new_holder() -> str:
    """Return a name for this process that no other has, or had before a restart."""
    return f"{_place() or socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def _place() -> str | None:
    """Return who it is that numbers the processes here, or None where the system does not tell.

    A host's name would not do: containers may share one, and each has a process 1. So it is the boot of the kernel
    and the namespace (https://man7.org/linux/man-pages/man7/pid_namespaces.7.html).
    """
    try:
        counts = Path("/proc/sys/kernel/random/boot_id").read_text() + str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None
    return f"{socket.gethostname()}-{hashlib.sha256(counts.encode()).hexdigest()[:12]}"


def is_dead(holder: str) -> bool:
    """Tell whether `holder` is a process that was numbered here and is no more; False where that is not certain.

    When its number has gone to another process it seems to be alive, and its leases end in their own time.
    """
    named = _HOLDER.fullmatch(holder)
    if named is None or named["place"] != _place():
        return False
    try:
        os.kill(int(named["pid"]), 0)
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    return False


class LeaseLost(RunledgerError):
    """The right went to another process, because this one stood still for too long."""


class Leases:
    """The leases that one process takes, each in one of its tasks; `holder` names the process and no other."""

    def __init__(self, database: Database, clock: Clock, holder: str) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder
        self._taken: set[str] = set()

    @asynccontextmanager
    async def trying(self, name: str) -> AsyncIterator[bool]:
        """Give True and keep the right until the context is left, or give False where somebody else has it.

        From a process that died on this machine it is taken at once.
        """
        held, _ = await self._take(name, LASTS, from_the_dead=True)
        if not held:
            yield False
            return
        lost, holder = asyncio.Event(), asyncio.current_task()
        renewing = asyncio.create_task(self._renew(name, lost, holder))
        try:
            try:
                yield True
            finally:
                renewing.cancel()
                await asyncio.gather(renewing, return_exceptions=True)
        except asyncio.CancelledError:
            if not lost.is_set():
                raise
            if holder is not None:
                # Nobody else wants this task to end.
                holder.uncancel()
            message = f"another process does it by now: {name}"
            raise LeaseLost(message) from None
        finally:
            await self._leave(name)

    async def is_held(self, name: str) -> bool:
        """Tell whether the right is this process's by the database's word, which it may have lost unknowingly."""
        sql = "SELECT until FROM lease WHERE name = ? AND holder = ?"
        return bool(await self._database.fetch(sql, name, self._holder))

    @asynccontextmanager
    async def waiting(self, name: str, lasts: timedelta) -> AsyncIterator[datetime | None]:
        """Wait for the right, and have it at most `lasts`; gives when its last holder left it, or None.

        Nobody inherits it: what its holder began, such as a request that writes, may be under way after its death. That
        is why it is not given back either by a task that ends with a request unanswered.
        """
        while True:
            held, left_at = await self._take(name, lasts)
            if held:
                break
            await self._clock.sleep(LOOK_AGAIN)
        is_over = True
        try:
            yield left_at
        except asyncio.CancelledError as error:
            is_over = UNANSWERED not in error.args
            raise
        finally:
            if is_over:
                await self._leave(name)
            else:
                self._taken.discard(name)

    async def ask_for_silence(self, name: str, until: datetime) -> None:
        """Let everybody who asks about a right, whoever has it, know that nothing is to be done until then."""
        await self._database.execute(_ASK_FOR_SILENCE, name, self._clock.now(), until)

    async def silent_until(self, name: str) -> datetime | None:
        """Return until when nothing is to be done, which may be over, or None."""
        rows = await self._database.reader.fetch("SELECT silent_until FROM lease WHERE name = ?", name)
        return to_moment(rows[0]["silent_until"]) if rows else None

    async def _take(self, name: str, lasts: timedelta, *, from_the_dead: bool = False) -> tuple[bool, datetime | None]:
        # The database tells processes apart, and this one takes again what it failed to give back; its tasks it can't.
        if name in self._taken:
            return False, None
        self._taken.add(name)
        rows = []
        try:
            now = self._clock.now()
            rows = await self._database.fetch(_TAKE, name, self._holder, now + lasts, now)
            if not rows and from_the_dead:
                rows = await self._inherit(name, now + lasts)
        except asyncio.CancelledError:
            # The database may have done it by then.
            await self._leave(name)
            raise
        finally:
            if not rows:
                self._taken.discard(name)
        return bool(rows), to_moment(rows[0]["left_at"]) if rows else None

    async def _inherit(self, name: str, until: datetime) -> list[dict[str, Any]]:
        for row in await self._database.reader.fetch("SELECT holder FROM lease WHERE name = ?", name):
            if row["holder"] is not None and is_dead(row["holder"]):
                # Of several heirs one still finds the dead one there.
                return await self._database.fetch(_INHERIT, self._holder, until, name, row["holder"])
        return []

    async def _renew(self, name: str, lost: asyncio.Event, holder: "asyncio.Task[Any] | None") -> None:
        while True:
            await self._clock.sleep(RENEWED_EVERY)
            try:
                if await self._database.execute(_RENEW, self._clock.now() + LASTS, name, self._holder):
                    continue
            except Exception as error:
                log.warning("a lease could not be renewed", extra={"lease": name}, exc_info=error)
                continue
            log.warning("a lease was lost to another process", extra={"lease": name})
            lost.set()
            if holder is not None:
                holder.cancel()
            return

    async def _leave(self, name: str) -> None:
        """Give the right back, also where the task is told to end meanwhile."""
        leaving = asyncio.create_task(self._give_back(name))
        try:
            await asyncio.shield(leaving)
        except asyncio.CancelledError:
            await asyncio.wait([leaving])
            raise

    async def _give_back(self, name: str) -> None:
        # What can't be given back now ends by itself.
        try:
            with contextlib.suppress(Exception):
                await self._database.execute(_LEAVE, self._clock.now(), name, self._holder)
        finally:
            self._taken.discard(name)


class WriteLeases:
    """The right to write to GitHub for an installation, and its silences, among all processes on one database."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def hold(self, installation_id: int) -> AsyncIterator[float | None]:
        """Wait for the right; gives the epoch second at which its last holder left it."""
        async with (
            self._locks[installation_id],
            self._leases.waiting(_writing(installation_id), WRITE_LASTS) as left_at,
        ):
            yield None if left_at is None else left_at.timestamp()

    async def ask_for_silence(self, installation_id: int, until: float) -> None:
        """Let every process know that GitHub wants to hear nothing for the installation until that epoch second."""
        await self._leases.ask_for_silence(_writing(installation_id), datetime.fromtimestamp(until, UTC))

    async def silent_until(self, installation_id: int) -> float | None:
        """Return the epoch second until which GitHub wants to hear nothing, as any process was told, or None."""
        until = await self._leases.silent_until(_writing(installation_id))
        return None if until is None else until.timestamp()


def _writing(installation_id: int) -> str:
    return f"write {installation_id}"
