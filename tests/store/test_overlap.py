"""Two versions on one database: while a deployment goes on, and after it was taken back, the old one works on."""

import importlib
import pkgutil
from datetime import UTC, datetime
from typing import Any

import pytest
from tortoise import fields
from tortoise.fields import Field
from tortoise.migrations import operations

from bot.app import prepare_database
from bot.settings import Dialect, load_settings
from bot.store import connected, migrations
from bot.store.connections import APP
from bot.store.database import Database
from bot.store.migrate import migrate, pending_migrations
from tests.recorder.schema import migrate_to, real_columns

NAMES = sorted(module.name for module in pkgutil.iter_modules(migrations.__path__))
MODULES = {name: importlib.import_module(f"{migrations.__name__}.{name}") for name in NAMES}
_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
# These leave whatever was there as it was; code may only fill a column that the same migration adds.
ADDITIVE = (
    operations.CreateModel,
    operations.AddField,
    operations.AddIndex,
    operations.AlterModelOptions,
    operations.RunSQL,
)
# What the code of these adds, the database itself keeps up, whichever version writes.
ADDED_BY_CODE = {"0010_job_labels"}


def problems(module: Any) -> list[str]:
    """Return what a migration does that a version from before could not bear."""
    found = []
    adds_a_field = any(isinstance(operation, operations.AddField) for operation in module.Migration.operations)
    for operation in module.Migration.operations:
        is_to_fill = isinstance(operation, operations.RunPython) and adds_a_field
        if not isinstance(operation, ADDITIVE) and not is_to_fill:
            found.append(operation.describe())
        if isinstance(operation, operations.AddField):
            field = operation.field
            if not (isinstance(field, Field) and (field.null or field.has_db_default())):
                found.append(f"{operation.describe()}, which must be given")
        if isinstance(operation, operations.RunSQL):
            found += [sql for sql in _statements(operation) if not sql.startswith(("CREATE INDEX", "DROP INDEX"))]
    return found


def _statements(operation: operations.RunSQL) -> list[str]:
    # An index is taken away for another one: without it a version from before is slower, and no worse.
    return [operation.sql] if isinstance(operation.sql, str) else list(operation.sql)


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_migration_only_adds(name: str) -> None:
    by_code = [operations.RunPython(operations.RunPython.noop).describe()]
    assert problems(MODULES[name]) == (by_code if name in ADDED_BY_CODE else [])


def test_the_check_sees_what_takes_away_and_what_must_be_given() -> None:
    class Bad:
        class Migration:
            operations = (
                operations.RemoveField(model_name="Team", name="slug"),
                operations.AddField(model_name="Team", name="mood", field=fields.IntField()),
                operations.AddField(model_name="Team", name="hue", field=fields.IntField(db_default=1)),
                operations.RunSQL("DROP TABLE team"),
            )

    class Worse:
        class Migration:
            operations = (operations.RunPython(operations.RunPython.noop),)

    assert len(problems(Bad)) == 3
    assert len(problems(Worse)) == 1


async def _defaults(database: Database) -> set[tuple[str, str]]:
    """Return the columns that have a default or may be empty."""
    if database.dialect is Dialect.SQLITE:
        sql = (
            "SELECT tables.name AS t, columns.name AS c FROM sqlite_master AS tables,"
            " pragma_table_info(tables.name) AS columns"
            " WHERE tables.type = 'table' AND (columns.\"notnull\" = 0 OR columns.dflt_value IS NOT NULL)"
        )
    else:
        sql = (
            "SELECT table_name AS t, column_name AS c FROM information_schema.columns"
            " WHERE table_schema = 'public' AND (is_nullable = 'YES' OR column_default IS NOT NULL)"
        )
    return {(row["t"], row["c"]) for row in await database.fetch(sql)}


async def test_what_the_version_before_writes_can_still_be_written(database_url: str) -> None:
    await migrate_to(database_url, NAMES[-2])
    assert await pending_migrations(database_url) == NAMES[-1:]
    async with connected(database_url) as database:
        before = {(column.table, column.name) for column in await real_columns(database)}
    await migrate(database_url)
    async with connected(database_url) as database:
        after = {(column.table, column.name) for column in await real_columns(database)}
        assert before <= after
        tables = {table for table, _ in before}
        added = {(table, column) for table, column in after - before if table in tables}
        assert added <= await _defaults(database)


async def test_a_token_is_still_made_and_found_as_the_version_before_did(migrated_url: str) -> None:
    columns = "name, hash, hint, created_at, expires_at, revoked_at, last_used_at, team_id"
    async with connected(migrated_url) as database:
        await database.execute("INSERT INTO team (id, slug, name, created_at) VALUES (1, 'acme', 'Acme', ?)", _NOON)
        await database.execute(
            f"INSERT INTO api_token ({columns}) VALUES (?, ?, ?, ?, NULL, NULL, NULL, 1)", "old", "h", "rl_", _NOON
        )
        (row,) = await database.fetch(f"SELECT {columns}, user_id FROM api_token WHERE hash = 'h'")
    assert row["user_id"] is None


async def test_a_version_that_was_taken_back_starts_on_the_newer_schema(migrated_url: str) -> None:
    async with connected(migrated_url) as database:
        await database.execute(
            "INSERT INTO tortoise_migrations (id, app, name, applied_at) VALUES (9999, ?, '9999_later', ?)", APP, _NOON
        )
        await database.execute("ALTER TABLE team ADD COLUMN mood INT")
    assert await pending_migrations(migrated_url) == []
    await prepare_database(load_settings(database_url=migrated_url), migrating=False)
    # The release phase runs again too.
    assert await migrate(migrated_url) == []
