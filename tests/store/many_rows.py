"""Many runs and jobs of one team on PostgreSQL, of which a filter's RARE value fits few, and what it knows of them."""

from collections.abc import Mapping
from typing import Any

from tortoise import Model

from bot.store import models
from bot.store.database import Database, columns_of

ROWS, FITTING = 20_000, 10
RARE_REPOSITORY = 10
# What a list is narrowed by: to what few rows have, and to what none has.
RARE: Mapping[str, tuple[Any, Any]] = {
    "repo_full_name": ("octo-org/rare", "octo-org/none"),
    "installation_id": (72, 73),
    "workflow_id": (7, 8),
    "workflow": ("Rare", "None"),
    "branch": ("rare", "none"),
    "event": ("schedule", "none"),
    "status": ("queued", "waiting"),
    "conclusion": ("failure", "stale"),
    "actor": ("rare", "none"),
    "head_sha": ("f" * 40, "e" * 40),
    "run_id": (1007, 1),
    "attempt": (2, 3),
    "name": ("rare", "none"),
    "runner_name": ("Rare", "None"),
    "label": ("rare", "none"),
}


def _differing(rare: str, others: str) -> str:
    return f"CASE WHEN n % {ROWS // FITTING} = 7 THEN {rare} ELSE {others} END"


def _moment(column: str) -> str:
    return f"{column} - n * interval '1 minute'"


_BOTH = {
    "repository_id": _differing(str(RARE_REPOSITORY), "repository_id"),
    "run_id": "1000 + n",
    "workflow_name": _differing("'Rare'", "'Workflow ' || n % 60"),
    "head_branch": _differing("'rare'", "'topic-' || n % 400"),
    "head_sha": _differing("repeat('f', 40)", "lpad(n::text, 40, '0')"),
    "status": _differing("'queued'", "'completed'"),
    "conclusion": _differing("'failure'", "'success'"),
    "created_at": _moment("created_at"),
}
_RUNS = {
    **_BOTH,
    "workflow_id": _differing("7", "100 + n % 60"),
    "workflow_path": _differing("'rare.yml'", "n % 60 || '.yml'"),
    "actor_login": _differing("'rare'", "'mona-' || n % 50"),
    "event": _differing("'schedule'", "event"),
}
_JOBS = {
    **_BOTH,
    "job_id": "1000 + n",
    "listed_at": _moment("listed_at"),
    "run_attempt": _differing("2", "1"),
    "name": _differing("'rare'", "'build ' || n % 30"),
    "runner_name": _differing("'Rare'", "'Runner ' || n % 90"),
    "labels": _differing("""'["rare"]'""", "labels"),
}


async def add_many_rows(database: Database) -> None:
    """Add runs and jobs that are like the one of each there is but for what lists are narrowed by; then ANALYZE."""
    await _add(database, models.WorkflowRun, _RUNS)
    await _add(database, models.WorkflowJob, _JOBS)
    # So that index-only scans need not look at rows, as it is where autovacuum has come by.
    await database.execute("VACUUM ANALYZE workflow_run, workflow_job")


async def _add(database: Database, model: type[Model], differing: Mapping[str, str]) -> None:
    table, columns = model._meta.db_table, columns_of(model, "id")
    values = ", ".join(differing.get(column, column) for column in columns)
    await database.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table}, generate_series(1, {ROWS}) AS n"
    )
