"""Facts become SQL: pure, and the only place where the ordering rule meets the tables.

An upsert takes a snapshot's mutable columns only if its version is the greater one, nulls included; columns that never
change are filled from whichever snapshot has them. Rows come sorted by key, so that two writers take their locks in the
same order (PostgreSQL deadlocks otherwise). Whoever holds the transaction executes what is returned.
"""

import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tortoise import Model

from bot.domain import facts
from bot.domain.ordering import NO_VERSION
from bot.store import models
from bot.store.database import columns_of

Row = Sequence[Any]

RUN_MUTABLE = ("status", "conclusion", "updated_at")
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
)
# What a job's row has beside what its snapshot tells.
_NOT_TOLD_OF_JOBS = ("team_id", "listed_at")
# Jobs that GitHub told no time at all for come last in a list; the text means the same moment to both databases.
NO_TIME = "'1970-01-01 00:00:00+00:00'"


class Statement(NamedTuple):
    """One piece of SQL and the rows of parameters to run it with."""

    sql: str
    rows: Sequence[Row]


def _merged(table: str, column: str, mutable: bool) -> str:
    newer, stored = f"excluded.{column}", f"{table}.{column}"
    if mutable:
        return f"CASE WHEN excluded.version > {table}.version THEN {newer} ELSE {stored} END"
    return (
        f"CASE WHEN excluded.version > {table}.version"
        f" THEN COALESCE({newer}, {stored}) ELSE COALESCE({stored}, {newer}) END"
    )


def _insert(model: type[Model], columns: Iterable[str]) -> str:
    names = list(columns)
    return f"INSERT INTO {model._meta.db_table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def _upsert(
    model: type[Model], key: Sequence[str], columns: Sequence[str], mutable: Sequence[str], derived: dict[str, str]
) -> str:
    table = model._meta.db_table
    kept = [column for column in columns if column not in key and column not in derived]
    filled = [column for column in kept if column not in mutable]
    merged = {column: _merged(table, column, column in mutable) for column in kept} | derived
    brings_more = [f"({table}.{column} IS NULL AND excluded.{column} IS NOT NULL)" for column in filled]
    return (
        f"{_insert(model, columns)} ON CONFLICT ({', '.join(key)}) DO UPDATE SET "
        + ", ".join(f"{column} = {value}" for column, value in merged.items())
        + f" WHERE excluded.version > {table}.version"
        + "".join(f" OR {condition}" for condition in brings_more)
    )


@functools.cache
def _attempt_columns() -> tuple[str, ...]:
    return tuple(columns_of(models.WorkflowRunAttempt, "id"))


@functools.cache
def _attempt_upsert() -> str:
    mutable = (*RUN_MUTABLE, "repository_id", "version")
    return _upsert(models.WorkflowRunAttempt, ("run_id", "run_attempt"), _attempt_columns(), mutable, {})


@functools.cache
def _run_from_attempts() -> str:
    columns = _attempt_columns()
    names = ", ".join(columns)
    taken = ", ".join(f"{column} = excluded.{column}" for column in (*columns, "team_id") if column != "run_id")
    # Another writer may have committed a newer attempt after this statement looked.
    return (
        f"INSERT INTO workflow_run ({names}, team_id) SELECT {names}, CAST(? AS INTEGER) FROM workflow_run_attempt"
        " WHERE run_id = ? ORDER BY run_attempt DESC LIMIT 1"
        f" ON CONFLICT (run_id) DO UPDATE SET {taken} WHERE excluded.run_attempt > workflow_run.run_attempt"
        " OR (excluded.run_attempt = workflow_run.run_attempt AND excluded.version >= workflow_run.version)"
    )


@functools.cache
def _job_columns() -> tuple[str, ...]:
    told = columns_of(models.WorkflowJob, "id", *_NOT_TOLD_OF_JOBS)
    return (*told, *_NOT_TOLD_OF_JOBS)


@functools.cache
def _job_upsert() -> str:
    created, started = _merged("workflow_job", "created_at", False), _merged("workflow_job", "started_at", True)
    return _upsert(
        models.WorkflowJob,
        ("job_id",),
        _job_columns(),
        (*JOB_MUTABLE, "repository_id", "team_id", "version"),
        {"listed_at": f"COALESCE({created}, {started}, {NO_TIME})"},
    )


@functools.cache
def _workflow_upsert() -> str:
    columns = columns_of(models.Workflow, "id")
    return _upsert(models.Workflow, ("workflow_id",), columns, columns, {})


@functools.cache
def _pull_request_columns() -> tuple[str, ...]:
    return tuple(columns_of(models.PullRequest, "id"))


@functools.cache
def _pull_request_upsert() -> str:
    columns = _pull_request_columns()
    mutable = [column for column in columns if column != "created_at"]
    return _upsert(models.PullRequest, ("repository_id", "number"), columns, mutable, {})


@functools.cache
def _link_columns() -> tuple[str, ...]:
    return tuple(columns_of(models.RunPullRequest, "id"))


@functools.cache
def _link_upsert() -> str:
    columns = _link_columns()
    key = ("run_id", "repository_id", "number")
    return _upsert(models.RunPullRequest, key, columns, ("head_sha", "base_ref", "version"), {})


_LINK = "INSERT INTO run_pull_request (run_id, repository_id, number, run_created_at, version)"
# A fork's run lists no pull requests; its head commit, in its head repository, tells them.
LINKS_OF_RUN = (
    f"{_LINK} SELECT run.run_id, head.repository_id, head.number, run.created_at, ?"
    " FROM workflow_run AS run JOIN pull_request_head AS head ON head.repository_id = run.repository_id"
    " AND head.head_sha = run.head_sha AND head.head_repository_id = run.head_repository_id"
    " WHERE run.run_id = ? ON CONFLICT DO NOTHING"
)
LINKS_OF_HEAD = (
    f"{_LINK} SELECT run_id, repository_id, CAST(? AS INTEGER), created_at, ? FROM workflow_run"
    " WHERE repository_id = ? AND head_sha = ? AND head_repository_id = ? ON CONFLICT DO NOTHING"
)


@functools.cache
def _head_insert() -> str:
    columns = ("repository_id", "head_sha", "head_repository_id", "number")
    return f"{_insert(models.PullRequestHead, columns)} ON CONFLICT DO NOTHING"


@functools.cache
def _values_of(columns: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    return operator.attrgetter(*columns)


def run_statements(runs: Sequence[facts.WorkflowRun], teams: Mapping[int, int]) -> list[Statement]:
    """Return what records snapshots of runs; `teams` gives the team id of each repository id."""
    ordered = sorted(runs, key=lambda run: (run.run_id, run.run_attempt))
    repositories = {run.run_id: run.repository_id for run in ordered}
    links = sorted((link for run in runs for link in run.pull_requests), key=lambda link: (link.run_id, link.number))
    return [
        Statement(_attempt_upsert(), [*map(_values_of(_attempt_columns()), ordered)]),
        Statement(_run_from_attempts(), [(teams[repository], run) for run, repository in repositories.items()]),
        Statement(_workflow_upsert(), _workflow_rows(runs)),
        Statement(_link_upsert(), [*map(_values_of(_link_columns()), links)]),
        Statement(LINKS_OF_RUN, [(NO_VERSION, run_id) for run_id in repositories]),
    ]


def _workflow_rows(runs: Iterable[facts.WorkflowRun]) -> list[Row]:
    newest: dict[int, tuple[bytes, facts.WorkflowRun]] = {}
    for run in runs:
        if run.workflow_id is None:
            continue
        version = facts.workflow_version(run)
        if run.workflow_id not in newest or version > newest[run.workflow_id][0]:
            newest[run.workflow_id] = (version, run)
    rows = [
        {
            "workflow_id": workflow_id,
            "repository_id": run.repository_id,
            "name": run.workflow_name,
            "path": run.workflow_path,
            "version": version,
        }
        for workflow_id, (version, run) in sorted(newest.items())
    ]
    columns = columns_of(models.Workflow, "id")
    return [tuple(row[column] for column in columns) for row in rows]


def job_statements(jobs: Sequence[facts.WorkflowJob], teams: Mapping[int, int]) -> list[Statement]:
    """Return what records snapshots of jobs; `teams` gives the team id of each repository id."""
    told = _values_of(_job_columns()[: -len(_NOT_TOLD_OF_JOBS)])
    rows = [
        (*told(job), teams[job.repository_id], job.created_at or job.started_at or facts.NO_TIME)
        for job in sorted(jobs, key=lambda job: job.job_id)
    ]
    return [Statement(_job_upsert(), rows)]


def pull_request_statements(
    pull_requests: Sequence[facts.PullRequest], past_heads: Sequence[facts.PullRequestHead] = ()
) -> list[Statement]:
    """Return what records snapshots of pull requests and links the runs of their head commits, past ones included."""
    ordered = sorted(pull_requests, key=lambda each: (each.repository_id, each.number, each.version))
    heads = sorted(
        {
            (each.repository_id, each.head_sha, each.head_repository_id, each.number)
            for each in ordered
            if each.head_repository_id is not None
        }
        | {(each.repository_id, each.head_sha, each.head_repository_id, each.number) for each in past_heads}
    )
    return [
        Statement(_pull_request_upsert(), [*map(_values_of(_pull_request_columns()), ordered)]),
        Statement(_head_insert(), list(heads)),
        Statement(
            LINKS_OF_HEAD,
            [(number, NO_VERSION, repository, sha, head) for repository, sha, head, number in heads],
        ),
    ]
