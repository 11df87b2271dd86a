"""Copies of a PostgreSQL database, for one test after the other: to make one takes ten times as long as to empty it.

A copy is emptied after a test and given to the next, unless the test has left anything else in it than rows.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg

from tests.postgres_server import PostgresServer

# Whatever changes the schema leaves a row with its own transaction in one of these, or takes one away.
_CATALOGS = (
    "pg_class",
    "pg_attribute",
    "pg_attrdef",
    "pg_constraint",
    "pg_index",
    "pg_namespace",
    "pg_proc",
    "pg_rewrite",
    "pg_trigger",
    "pg_type",
)
_SCHEMA = " UNION ALL ".join(f"SELECT '{each}', count(*), sum(xmin::text::bigint) FROM {each}" for each in _CATALOGS)
_SETTINGS = (
    "SELECT 1 FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase"
    " WHERE datname = current_database()"
)
_END_OTHERS = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_BEGIN_SEQUENCES = "SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"


class Copies:
    """Copies of the database named `template`; what a test finds in one is what is in the template."""

    def __init__(self, server: PostgresServer, template: str) -> None:
        self._server = server
        self._template = template
        self._unused: list[str] = []
        self._schema: list[tuple[object, ...]] = []
        self._filled: dict[str, list[tuple[object, ...]]] = {}

    @contextmanager
    def one(self) -> Iterator[str]:
        """Yield the URL of a copy; at the end whatever is still connected to it is cut off."""
        name = self._unused.pop() if self._unused else self._server.create(self._template)
        try:
            yield self._server.url(name)
        finally:
            if self._server.wait(self._is_as_it_was(name)):
                self._unused.append(name)
            else:
                self._server.drop(name)

    async def learn(self) -> None:
        """Look at the template, to which nobody may be connected when it is copied."""
        async with self._session(self._template) as session:
            self._schema = await _rows(session, _SCHEMA)
            for table in await _filled(session):
                self._filled[table] = await _rows(session, f'SELECT * FROM "{table}"')

    async def _is_as_it_was(self, name: str) -> bool:
        """Empty a copy again, and tell whether it is one that another test can have."""
        with contextlib.suppress(asyncpg.PostgresError, OSError):
            async with self._session(name) as session:
                await session.execute(_END_OTHERS)
                if await session.fetch(_SETTINGS) or await _rows(session, _SCHEMA) != self._schema:
                    return False
                await _delete(session, set(await _filled(session)) - self._filled.keys())
                for table, rows in self._filled.items():
                    if await _rows(session, f'SELECT * FROM "{table}"') != rows:
                        return False
                return True
        return False

    @asynccontextmanager
    async def _session(self, name: str) -> AsyncIterator[asyncpg.Connection]:
        session = await asyncpg.connect(self._server.url(name))
        try:
            yield session
        finally:
            await session.close()


async def _rows(session: asyncpg.Connection, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await session.fetch(sql)]


async def _filled(session: asyncpg.Connection) -> list[str]:
    tables = [table for (table,) in await _rows(session, _TABLES)]
    holds_any = (f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM \"{table}\")" for table in tables)
    return [str(table) for (table,) in await _rows(session, " UNION ALL ".join(holds_any))]


async def _delete(session: asyncpg.Connection, tables: set[str]) -> None:
    async with session.transaction():
        # In whatever order: what refers to what does not matter in the end.
        await session.execute("SET LOCAL session_replication_role = replica")
        for table in tables:
            await session.execute(f'DELETE FROM "{table}"')
        await session.execute(_BEGIN_SEQUENCES)
