"""Transactions on Tortoise's PostgreSQL client that always give their connection back to the pool.

Tortoise's own keeps it where the begin fails, as it does when the server goes away, until the pool is empty.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base_postgres.client import translate_exceptions
from tortoise.exceptions import DBConnectionError

_BY_INDEX = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # What can only be read through is made to seem so dear that PostgreSQL would compile it.
    "jit": "off",
}
_PLANNED_ONCE = {"plan_cache_mode": "force_generic_plan"}


class UnchangedConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that nobody leaves anything behind in: settings and locks end with the transaction they are made in.

    So it need not be asked to forget, which asyncpg does by a round trip more whenever a connection is given back.
    `bench/backfill` shows what it is worth.
    """

    def get_reset_query(self) -> str:
        return ""


async def plan_by_key(connection: asyncpg.Connection) -> None:
    """Let a new connection plan each statement once, and find by their keys what it reads and changes.

    A plan is kept until the next ANALYZE: one that was made while a table was small would read all of it each time, by
    then however large. `bench/backfill` and `bench/ingest_postgres` show what it is worth.
    """
    await _set(connection, _BY_INDEX | _PLANNED_ONCE)


async def read_by_index(connection: asyncpg.Connection) -> None:
    """Let a new connection find by indexes what it reads, also where a statement is planned for whatever parameters.

    PostgreSQL does so for one that was asked a few times, and knows no longer how few rows fit: the jobs of a rare
    event were joined by reading all runs and all jobs.
    """
    await _set(connection, _BY_INDEX)


async def _set(connection: asyncpg.Connection, settings: Mapping[str, str]) -> None:
    await connection.execute("; ".join(f"SET {name} = {value}" for name, value in settings.items()))


@translate_exceptions
async def fetch(client: BaseDBAsyncClient, sql: str, parameters: Sequence[Any]) -> Sequence[Sequence[Any]]:
    """Return the rows of any statement, also of one that writes."""
    async with client.acquire_connection() as connection:
        return cast(Sequence[Sequence[Any]], await connection.fetch(sql, *parameters))


@asynccontextmanager
async def begun(client: AsyncpgDBClient) -> AsyncIterator[TransactionWrapper]:
    """Hold a transaction open while inside; a connection that broke is dropped and the next one is new.

    Raises DBConnectionError where the pool was never opened.
    """
    if client._pool is None:
        message = "the connection pool is closed"
        raise DBConnectionError(message)
    async with client._pool.acquire() as connection:
        transaction = TransactionWrapper(client)
        # The pool hands out a proxy, which is all that a connection is.
        transaction._connection = cast(asyncpg.Connection, connection)
        async with connection.transaction():
            yield transaction


def is_working(client: AsyncpgDBClient) -> bool:
    """Tell whether a statement is under way, or a transaction open."""
    pool = client._pool
    # A connection that is still being made is not idle either, though the pool does not count it as one yet.
    return pool is not None and pool._queue.qsize() < pool.get_max_size()
