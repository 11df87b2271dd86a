"""Another session on the same PostgreSQL, for looking on and for getting in the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg


class Session:
    """A connection of its own to one database; `server_wide` ones are to the database `postgres`."""

    def __init__(self, connection: asyncpg.Connection, name: str) -> None:
        self.connection = connection
        self._name = name

    async def end_all_others(self) -> None:
        """End every other connection to the database, and return once they are gone."""
        sql = (
            "SELECT pg_terminate_backend(pid, 15000) FROM pg_stat_activity"
            " WHERE datname = $1 AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        await self.connection.execute(sql, self._name)

    async def until_somebody_waits(self) -> None:
        """Return once another session waits for a lock."""
        async with asyncio.timeout(10):
            while not await self.connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)

    async def until_handled(self, number: int) -> None:
        """Return once that many deliveries are handled."""
        async with asyncio.timeout(15):
            while await self.connection.fetchval("SELECT count(*) FROM delivery WHERE state = 'handled'") != number:
                await asyncio.sleep(0.02)

    async def alter_database(self, words: str) -> None:
        await self.connection.execute(f'ALTER DATABASE "{self._name}" {words}')


@asynccontextmanager
async def other_session(url: str, *, server_wide: bool = False) -> AsyncIterator[Session]:
    """Open a session beside those of the service."""
    name = urlsplit(url).path.removeprefix("/")
    connection = await asyncpg.connect(url.removesuffix(name) + "postgres" if server_wide else url)
    try:
        yield Session(connection, name)
    finally:
        await connection.close()
