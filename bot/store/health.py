"""Whether the database takes writes, and whether a worker is alive."""

from datetime import datetime, timedelta

from bot.store.database import current, database_errors, to_moment

# A worker says every ten seconds that it is alive; several beats may be late on a busy machine.
FRESH = timedelta(seconds=60)
_BEAT = "INSERT INTO heartbeat (name, at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at"


async def check_writable() -> None:
    """Write to the database and take it back again.

    Raises DatabaseUnavailable when it can't be written to.
    """
    with database_errors():
        async with current().transaction() as tx:
            await tx.execute("DELETE FROM heartbeat WHERE id = ?", 0)


async def beat(name: str, now: datetime) -> None:
    """Say that the worker called `name` is alive."""
    await current().execute(_BEAT, name, now)


async def stop_beating(name: str) -> None:
    """Say that the worker called `name` has stopped on purpose."""
    await current().execute("DELETE FROM heartbeat WHERE name = ?", name)


async def newest_heartbeat() -> datetime | None:
    """Return when any worker last said that it is alive."""
    with database_errors():
        rows = await current().reader.fetch("SELECT max(at) AS at FROM heartbeat")
    return to_moment(rows[0]["at"])
