"""Brings a database to the newest schema, also when several processes start at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.context import TortoiseContext
from tortoise.exceptions import OperationalError
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.executor import MigrationExecutor

from bot.errors import DatabaseUnavailable
from bot.settings import Dialect, dialect_of
from bot.store.database import WRITER, configuration, database_errors

# Any number does, as long as everybody who migrates takes the same.
ADVISORY_LOCK = 7_215_466
TRIES_ON_SQLITE = 5


@asynccontextmanager
async def _context(url: str) -> AsyncIterator[tuple[TortoiseContext, dict[str, dict[str, object]]]]:
    config = configuration(url)
    context = TortoiseContext()
    with context:
        try:
            await context.init(config=config, init_connections=False)
            # Whatever goes wrong later, Tortoise takes for a database without any migration.
            await context.connections.get(WRITER).create_connection(with_db=True)
            yield context, config["apps"]
        finally:
            await context.close_connections()


async def migrate(url: str) -> list[str]:
    """Apply what is missing and return the names of the migrations applied.

    Raises DatabaseUnavailable when the database can't be reached.
    """
    with database_errors():
        async with _context(url) as (context, apps):
            client = context.connections.get(WRITER)
            if dialect_of(url) is Dialect.POSTGRESQL:
                return await _migrate_under_lock(client, apps)
            return await _migrate_sqlite(client, apps)


async def _migrate(client: BaseDBAsyncClient, apps: dict[str, dict[str, object]]) -> list[str]:
    executor = MigrationExecutor(client, apps)
    plan = await executor.plan(None)
    if plan:
        await executor.migrate(None)
    return [step.migration.name for step in plan]


async def _migrate_under_lock(client: BaseDBAsyncClient, apps: dict[str, dict[str, object]]) -> list[str]:
    async with client.acquire_connection() as guard:
        await guard.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK)
        try:
            return await _migrate(client, apps)
        finally:
            await guard.execute("SELECT pg_advisory_unlock($1)", ADVISORY_LOCK)


async def _migrate_sqlite(client: BaseDBAsyncClient, apps: dict[str, dict[str, object]]) -> list[str]:
    for _ in range(TRIES_ON_SQLITE):
        try:
            return await _migrate(client, apps)
        except OperationalError as error:
            # Another process created the tables between our look at the plan and our turn to write.
            if "already exists" not in str(error):
                raise
    message = "the database is being migrated by another process"
    raise DatabaseUnavailable(message)


async def pending_migrations(url: str) -> list[str]:
    """Return the names of the migrations that the database still lacks."""
    with database_errors():
        async with _context(url) as (context, apps):
            plan = await MigrationExecutor(context.connections.get(WRITER), apps).plan(None)
            return [step.migration.name for step in plan]


async def drift() -> list[str]:
    """Return what the models say that no migration does yet: empty when they agree."""
    with TemporaryDirectory() as folder:
        return await _drift(f"sqlite://{folder}/empty.sqlite3")


async def _drift(url: str) -> list[str]:
    async with _context(url) as (context, apps):
        assert context.apps is not None, "init fills the registry"  # noqa: S101
        writers = await MigrationAutodetector(context.apps, apps).changes()
        return [operation.describe() for writer in writers for operation in writer.operations]
