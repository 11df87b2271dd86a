"""The ordering rule as SQL, which is the only place where it meets the tables.

An upsert takes a snapshot's mutable columns only if its version is the greater one, nulls included; columns that never
change are filled from whichever snapshot has them.
"""

import functools
from collections.abc import Iterable, Sequence

from tortoise import Model

from bot.store import models
from bot.store.database import columns_of
from bot.store.writes import Form

RUN_MUTABLE = ("status", "conclusion", "updated_at", "repository_id", "version")
JOB_MUTABLE = (
    "status",
    "conclusion",
    "started_at",
    "completed_at",
    "runner_id",
    "runner_name",
    "runner_group_id",
    "runner_group_name",
    "labels",
    "steps",
    "repository_id",
    "version",
)
LINK_MUTABLE = ("head_sha", "base_ref", "version")
RUN_KEY, ATTEMPT_KEY, JOB_KEY = ("run_id",), ("run_id", "run_attempt"), ("job_id",)
PULL_REQUEST_KEY, LINK_KEY = ("repository_id", "number"), ("run_id", "repository_id", "number")
# What a row has beside what the snapshot tells. A run that is there already keeps its mark.
NOT_TOLD_OF_RUNS = ("team_id", "without_jobs")
_NOT_TOLD_OF_JOBS = ("team_id", "listed_at")
# Jobs that GitHub told no time at all for come last in a list; the text means the same moment to both databases.
NO_TIME = "'1970-01-01 00:00:00+00:00'"


def _taken(table: str, column: str, is_newer: str) -> str:
    return f"CASE WHEN {is_newer} THEN excluded.{column} ELSE {table}.{column} END"


def _filled(table: str, column: str, is_newer: str) -> str:
    newer, stored = f"excluded.{column}", f"{table}.{column}"
    return f"CASE WHEN {is_newer} THEN COALESCE({newer}, {stored}) ELSE COALESCE({stored}, {newer}) END"


def _is_newer_or_fills(table: str, filled: Iterable[str]) -> str:
    gaps = (f" OR ({table}.{column} IS NULL AND excluded.{column} IS NOT NULL)" for column in filled)
    return f"excluded.version > {table}.version{''.join(gaps)}"


def _form(
    model: type[Model],
    key: tuple[str, ...],
    columns: tuple[str, ...],
    mutable: Sequence[str],
    derived: dict[str, str] | None = None,
) -> Form:
    table, derived = model._meta.db_table, derived or {}
    is_newer = f"excluded.version > {table}.version"
    filled = [column for column in columns if column not in {*key, *mutable, *derived}]
    rules = {column: _taken(table, column, is_newer) for column in mutable}
    rules |= {column: _filled(table, column, is_newer) for column in filled} | derived
    return Form(model, key, columns, rules, _is_newer_or_fills(table, filled))


@functools.cache
def attempt_columns() -> tuple[str, ...]:
    """Return the columns that a run and its attempts have in common."""
    return tuple(columns_of(models.WorkflowRunAttempt, "id"))


@functools.cache
def attempts() -> Form:
    """Return how attempts are recorded."""
    return _form(models.WorkflowRunAttempt, ATTEMPT_KEY, attempt_columns(), RUN_MUTABLE)


@functools.cache
def runs() -> Form:
    """Return how runs are recorded: a later attempt replaces an earlier one, the same one is merged as attempts are.

    As a later attempt's row would hold nothing else yet, the run's row is always a copy of its highest attempt's.
    """
    table, columns = "workflow_run", (*attempt_columns(), *NOT_TOLD_OF_RUNS)
    is_later, is_same = (f"excluded.run_attempt {sign} workflow_run.run_attempt" for sign in (">", "="))
    is_newer = "(excluded.run_attempt, excluded.version) > (workflow_run.run_attempt, workflow_run.version)"
    taken = (*RUN_MUTABLE, "run_attempt", "team_id")
    filled = [column for column in attempt_columns() if column not in {*RUN_KEY, *taken}]
    rules = {column: _taken(table, column, is_newer) for column in taken} | {
        column: f"CASE WHEN {is_later} THEN excluded.{column} ELSE {_filled(table, column, is_newer)} END"
        for column in filled
    }
    condition = f"{is_later} OR ({is_same} AND ({_is_newer_or_fills(table, filled)}))"
    return Form(models.WorkflowRun, RUN_KEY, columns, rules, condition)


@functools.cache
def told_job_columns() -> tuple[str, ...]:
    """Return the columns that a job's snapshot tells."""
    return tuple(columns_of(models.WorkflowJob, "id", *_NOT_TOLD_OF_JOBS))


@functools.cache
def jobs() -> Form:
    """Return how jobs are recorded; after what is told come `team_id` and `listed_at`."""
    table = "workflow_job"
    is_newer = f"excluded.version > {table}.version"
    created, started = _filled(table, "created_at", is_newer), _taken(table, "started_at", is_newer)
    derived = {
        "team_id": _taken(table, "team_id", is_newer),
        "listed_at": f"COALESCE({created}, {started}, {NO_TIME})",
    }
    return _form(models.WorkflowJob, JOB_KEY, (*told_job_columns(), *_NOT_TOLD_OF_JOBS), JOB_MUTABLE, derived)


@functools.cache
def workflows() -> Form:
    """Return how workflows are recorded."""
    columns = tuple(columns_of(models.Workflow, "id"))
    return _form(models.Workflow, ("workflow_id",), columns, columns[1:])


@functools.cache
def pull_requests() -> Form:
    """Return how pull requests are recorded."""
    columns = tuple(columns_of(models.PullRequest, "id"))
    mutable = [column for column in columns if column not in {*PULL_REQUEST_KEY, "created_at"}]
    return _form(models.PullRequest, PULL_REQUEST_KEY, columns, mutable)


@functools.cache
def heads() -> Form:
    """Return how the heads of pull requests are recorded."""
    columns = ("repository_id", "head_sha", "head_repository_id", "number")
    return Form(models.PullRequestHead, columns, columns, {})


@functools.cache
def links() -> Form:
    """Return how it is recorded that GitHub lists a pull request with a run."""
    columns = tuple(columns_of(models.RunPullRequest, "id"))
    return _form(models.RunPullRequest, LINK_KEY, columns, LINK_MUTABLE)
