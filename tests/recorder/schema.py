"""What the models promise of the database, and what it really has."""

from typing import NamedTuple

from tortoise import Model
from tortoise.migrations.executor import MigrationTarget

from bot.settings import Dialect
from bot.store import models
from bot.store.connections import APP, WRITER
from bot.store.database import Executor
from bot.store.migrate import _context
from bot.store.replay import Replay

MODELS = [
    each
    for each in vars(models).values()
    if isinstance(each, type)
    and issubclass(each, Model)
    and each.__module__.startswith(models.__name__)
    and not each._meta.abstract
]


class Index(NamedTuple):
    """An index; `name` is None where the database may choose it, which is where a unique key is promised."""

    table: str
    name: str | None
    columns: tuple[str, ...]
    unique: bool
    condition: str | None = None


class Column(NamedTuple):
    table: str
    name: str
    null: bool


def _bare(condition: str) -> str:
    """Return a condition without what PostgreSQL writes into it."""
    for noise in ("(", ")", "::text", "::character varying"):
        condition = condition.replace(noise, "")
    return condition


# Only a migration can say that an index is for some rows.
PARTIAL = {
    Index("delivery", "delivery_waiting", ("available_at", "id"), False, "state = 'waiting'"),
    Index("delivery", "delivery_dead", ("id",), False, "state = 'dead'"),
    Index(
        "workflow_run",
        "workflow_run_unfinished",
        ("updated_at",),
        False,
        "status <> 'completed' OR conclusion = 'action_required'",
    ),
    Index("workflow_job", "workflow_job_unfinished", ("listed_at",), False, "status <> 'completed'"),
    *(
        Index(
            "workflow_run",
            f"workflow_run_by_{name}",
            ("team_id", name, "created_at", "run_id"),
            False,
            _bare(condition),
        )
        for name, condition in (
            ("status", "status <> 'completed'"),
            ("workflow_name", "length(workflow_name) <= 255"),
            ("workflow_path", "COALESCE(workflow_name, '') <> workflow_path"),
        )
    ),
    *(
        Index(
            "workflow_run", f"workflow_run_late_by_{name}", ("team_id", column, "late_job_at"), False, _bare(condition)
        )
        for name, column, condition in (
            ("workflow", "workflow_id", "late_job_at IS NOT NULL"),
            ("event", "event", "late_job_at IS NOT NULL"),
            ("actor", "actor_login", "late_job_at IS NOT NULL"),
            ("path", "workflow_path", "late_job_at IS NOT NULL AND COALESCE(workflow_name, '') <> workflow_path"),
            ("name", "workflow_name", "late_job_at IS NOT NULL AND length(workflow_name) <= 255"),
        )
    ),
    *(
        Index(
            "workflow_run",
            f"workflow_run_with_jobs_by_{name}",
            ("team_id", column, "created_at", "run_id"),
            False,
            _bare(condition),
        )
        for name, column, condition in (
            ("workflow", "workflow_id", "NOT without_jobs"),
            ("event", "event", "NOT without_jobs"),
            ("actor", "actor_login", "NOT without_jobs"),
            ("path", "workflow_path", "NOT without_jobs AND COALESCE(workflow_name, '') <> workflow_path"),
        )
    ),
    *(
        Index(
            "workflow_job",
            f"workflow_job_by_{name}",
            ("team_id", column, "listed_at", "job_id"),
            False,
            _bare(condition),
        )
        for name, column, condition in (
            ("conclusion", "conclusion", "conclusion <> 'success'"),
            ("attempt", "run_attempt", "run_attempt <> 1"),
            ("name", "name", "length(name) <= 255"),
            ("workflow_name", "workflow_name", "length(workflow_name) <= 255"),
            ("labels", "labels", "length(labels) <= 500"),
            ("runner", "runner_name", "status = 'completed' AND length(runner_name) <= 255"),
        )
    ),
    Index(
        "workflow_job",
        "workflow_job_by_status",
        ("team_id", "listed_at", "job_id", "status"),
        False,
        "status <> 'completed'",
    ),
    *(
        Index("workflow_job", f"workflow_job_{name}", ("team_id", "listed_at", "job_id"), False, _bare(condition))
        for name, condition in (
            ("without_workflow", "workflow_name IS NULL"),
            ("by_long_labels", "length(labels) > 500"),
        )
    ),
    Index("pull_request", "pull_request_open", ("repository_id", "base_ref"), False, "state = 'open'"),
    *(
        Index(table, f"{table}_due", ("due_at",), False, "due_at IS NOT NULL")
        for table in ("check_summary", "failure_comment", "job_failure", "action")
    ),
}


def promised_indexes() -> set[Index]:
    """Return every index and unique key that the models and the migrations speak of, but for primary keys."""
    promised = set(PARTIAL)
    for model in MODELS:
        meta = model._meta
        table = meta.db_table
        promised |= {
            Index(table, each.name, tuple(each.fields), False) for each in meta.indexes if not isinstance(each, tuple)
        }
        promised |= {Index(table, None, columns, True) for columns in map(tuple, meta.unique_together)}
        unique = (name for name, field in meta.fields_map.items() if field.unique and not field.pk)
        promised |= {Index(table, None, (name,), True) for name in unique}
    return promised


def promised_columns() -> set[Column]:
    """Return every column of the models."""
    return {
        Column(model._meta.db_table, column, model._meta.fields_map[name].null)
        for model in MODELS
        for name, column in model._meta.fields_db_projection.items()
    }


async def real_indexes(database: Executor) -> set[Index]:
    """Return the indexes of the tables of the models, but for those of primary keys."""
    tables = {model._meta.db_table for model in MODELS}
    found = await (_sqlite_indexes if database.dialect is Dialect.SQLITE else _postgresql_indexes)(database)
    return {each._replace(name=None) if each.unique else each for each in found if each.table in tables}


async def _sqlite_indexes(database: Executor) -> set[Index]:
    rows = await database.fetch(
        'SELECT tables.name AS tab, list.name, list."unique" AS is_unique, made.sql,'
        " (SELECT group_concat(name) FROM (SELECT name FROM pragma_index_info(list.name) ORDER BY seqno)) AS columns"
        " FROM sqlite_schema AS tables JOIN pragma_index_list(tables.name) AS list"
        " LEFT JOIN sqlite_schema AS made ON made.name = list.name WHERE tables.type = 'table' AND list.origin <> 'pk'"
    )
    return {
        Index(row["tab"], row["name"], tuple(row["columns"].split(",")), bool(row["is_unique"]), _condition(row["sql"]))
        for row in rows
    }


async def _postgresql_indexes(database: Executor) -> set[Index]:
    rows = await database.fetch(
        "SELECT tablename AS tab, indexname AS name, indexdef AS sql, indisunique AS is_unique,"
        " ARRAY(SELECT pg_get_indexdef(indexrelid, place, true) FROM generate_series(1, indnatts) AS place) AS columns"
        " FROM pg_indexes JOIN pg_class ON relname = indexname JOIN pg_index ON indexrelid = pg_class.oid"
        " WHERE schemaname = 'public' AND NOT indisprimary AND indisvalid"
    )
    return {
        Index(row["tab"], row["name"], tuple(row["columns"]), row["is_unique"], _condition(row["sql"])) for row in rows
    }


def _condition(sql: str | None) -> str | None:
    return _bare((sql or "").partition(" WHERE ")[2]) or None


async def real_columns(database: Executor) -> set[Column]:
    """Return the columns of the tables of the models."""
    tables = {model._meta.db_table for model in MODELS}
    if database.dialect is Dialect.SQLITE:
        sql = (
            'SELECT tables.name AS tab, info.name, info."notnull" = 0 AND info.pk = 0 AS can_be_null'
            " FROM sqlite_schema AS tables JOIN pragma_table_info(tables.name) AS info WHERE tables.type = 'table'"
        )
    else:
        sql = (
            "SELECT table_name AS tab, column_name AS name, is_nullable = 'YES' AS can_be_null"
            " FROM information_schema.columns WHERE table_schema = 'public'"
        )
    rows = await database.fetch(sql)
    return {Column(row["tab"], row["name"], bool(row["can_be_null"])) for row in rows if row["tab"] in tables}


async def migrate_to(url: str, name: str) -> None:
    """Bring a database to a schema of the past, that of the migration of this name."""
    async with _context(url) as (context, apps):
        await Replay(context.connections.get(WRITER), apps).migrate([MigrationTarget(APP, name)])
