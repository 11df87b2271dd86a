"""Brings a database to the newest schema, also when several processes start at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from tempfile import TemporaryDirectory

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.context import TortoiseContext
from tortoise.exceptions import OperationalError
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.transactions import in_transaction

from bot.clock import Clock
from bot.settings import Dialect, dialect_of
from bot.store.connections import WRITER, configuration
from bot.store.database import COLLISIONS, database_errors
from bot.store.engines.sqlite import is_locked
from bot.store.replay import Replay

Apps = dict[str, dict[str, object]]

# Any number does, as long as everybody who migrates takes the same.
ADVISORY_LOCK = 7_215_466
# Each try waits for the lock as long as the connection's `busy_timeout` says, 8 s unless it was given.
TRIES_ON_SQLITE, AGAIN_SECONDS = 100, 0.5
# Each try that is in vain takes a second, after which PostgreSQL looks for deadlocks.
TRIES_ON_POSTGRESQL = 30
# The large tables, in the order in which recorders come to them.
HELD = ("workflow_run", "workflow_job")


@asynccontextmanager
async def _context(url: str) -> AsyncIterator[tuple[TortoiseContext, Apps]]:
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
    """Apply what is missing and return the names of the migrations applied: all of them at once, or none.

    Whoever migrates at the same time is waited for. Raises DatabaseUnavailable when the database can't be reached, or
    on SQLite when somebody else writes to it for very long.
    """
    with database_errors():
        async with _context(url) as (context, apps):
            # Waiting for a lock is for those who need it.
            if not await _plan(context.connections.get(WRITER), apps):
                return []
            if dialect_of(url) is Dialect.SQLITE:
                return await _migrate_sqlite(apps)
            return await _migrate_postgresql(apps)


async def _migrate_postgresql(apps: Apps) -> list[str]:
    for _ in range(TRIES_ON_POSTGRESQL - 1):
        with suppress(*COLLISIONS):
            return await _migrate_postgresql_once(apps)
        await Clock().sleep(AGAIN_SECONDS)
    return await _migrate_postgresql_once(apps)


async def _migrate_postgresql_once(apps: Apps) -> list[str]:
    async with in_transaction(WRITER) as tx:
        await tx.execute_query("SELECT pg_advisory_xact_lock($1)", [ADVISORY_LOCK])
        # Whoever reads or records jobs and runs may come to wait for the migration and be waited for. Here that costs
        # another try, later on all that was filled by then.
        for table in HELD:
            if (await tx.execute_query("SELECT to_regclass($1) IS NOT NULL AS is_there", [table]))[1][0]["is_there"]:
                await tx.execute_query(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        return await _migrate(tx, apps)


async def _migrate_sqlite(apps: Apps) -> list[str]:
    for _ in range(TRIES_ON_SQLITE - 1):
        try:
            return await _migrate_sqlite_once(apps)
        except OperationalError as error:
            # Whoever migrates a large database is longer at it than anybody else waits for the lock.
            if not is_locked(error):
                raise
            await Clock().sleep(AGAIN_SECONDS)
    return await _migrate_sqlite_once(apps)


async def _migrate_sqlite_once(apps: Apps) -> list[str]:
    # It begins by taking the write lock.
    async with in_transaction(WRITER) as tx:
        return await _migrate(tx, apps)


async def _migrate(tx: BaseDBAsyncClient, apps: Apps) -> list[str]:
    """Apply what is missing in a transaction that nobody else migrates beside."""
    applied = []

    def note(event: str, _app: str, name: str) -> None:
        if event == "apply_done":
            applied.append(name)

    executor = Replay(tx, apps)
    # PostgreSQL takes nothing more in a transaction in which a table was looked into that is not there.
    await executor.recorder.ensure_schema(executor._schema_editor(atomic=False))
    # Tortoise notes a migration as applied after the migration's own transaction, which is a savepoint here.
    await executor.migrate(None, progress=note)
    return applied


async def _plan(client: BaseDBAsyncClient, apps: Apps) -> list[str]:
    return [step.migration.name for step in await Replay(client, apps).plan(None)]


async def pending_migrations(url: str) -> list[str]:
    """Return the names of the migrations that the database still lacks."""
    with database_errors():
        async with _context(url) as (context, apps):
            return await _plan(context.connections.get(WRITER), apps)


async def drift() -> list[str]:
    """Return what the models say that no migration does yet: empty when they agree."""
    with TemporaryDirectory() as folder:
        return await _drift(f"sqlite://{folder}/empty.sqlite3")


async def _drift(url: str) -> list[str]:
    async with _context(url) as (context, apps):
        assert context.apps is not None, "init fills the registry"  # noqa: S101
        writers = await MigrationAutodetector(context.apps, apps).changes()
        return [operation.describe() for writer in writers for operation in writer.operations]
