"""Jobs: lists, and those of one attempt of a run."""

from typing import Any

import msgspec

from bot.domain.durations import seconds_between
from bot.settings import Dialect
from bot.store.database import current, database_errors, to_moment
from bot.store.queries.filters import JobsQuery
from bot.store.queries.pages import add_cursor, count, cut, encode_cursor
from bot.store.queries.scope import Condition, Scope, add_visible
from bot.store.views import Job, JobPage, Step

_JOBS = "workflow_job AS job"
_COLUMNS = ", ".join(
    f"job.{column}"
    for column in (
        "job_id",
        "run_id",
        "run_attempt",
        "name",
        "workflow_name",
        "status",
        "conclusion",
        "head_sha",
        "head_branch",
        "html_url",
        "created_at",
        "started_at",
        "completed_at",
        "runner_name",
        "runner_group_name",
        "labels",
        "steps",
        "listed_at",
    )
)
_NOT_BEGUN = frozenset({"queued", "waiting", "pending", "requested"})
_LABELLED = {
    Dialect.SQLITE: "EXISTS (SELECT 1 FROM json_each(job.labels) AS label WHERE label.value = ?)",
    Dialect.POSTGRESQL: "jsonb_exists(CAST(job.labels AS jsonb), ?)",
}
_read_labels = msgspec.json.Decoder(list[str])
_read_steps = msgspec.json.Decoder(list[Step])


def _job(row: dict[str, Any]) -> Job:
    created, started, completed = (to_moment(row[column]) for column in ("created_at", "started_at", "completed_at"))
    return Job(
        job_id=row["job_id"],
        run_id=row["run_id"],
        run_attempt=row["run_attempt"],
        name=row["name"],
        workflow_name=row["workflow_name"],
        status=row["status"],
        conclusion=row["conclusion"],
        head_sha=row["head_sha"],
        head_branch=row["head_branch"],
        html_url=row["html_url"],
        created_at=created,
        started_at=started,
        completed_at=completed,
        # GitHub gives a job that still waits a start, which is no more than when it was queued.
        queued_seconds=None if row["status"] in _NOT_BEGUN else seconds_between(created, started),
        duration=seconds_between(started, completed),
        runner_name=row["runner_name"],
        runner_group_name=row["runner_group_name"],
        labels=_read_labels.decode(row["labels"]),
        steps=_read_steps.decode(row["steps"]),
    )


def _add_job_filter(condition: Condition, query: JobsQuery, dialect: Dialect) -> None:
    condition.add_equal("job.run_id", query.run_id)
    if query.attempt is not None:
        # A job without an attempt comes from a GitHub that had no re-runs yet.
        condition.add("COALESCE(job.run_attempt, 1) = ?", query.attempt)
    condition.add_equal("job.name", query.name)
    condition.add_equal("job.runner_name", query.runner_name)
    if query.label is not None:
        condition.add(_LABELLED[dialect], query.label)
    condition.add_equal("job.head_branch", query.branch)
    condition.add_equal("job.head_sha", query.head_sha)
    condition.add_equal("job.status", query.status)
    condition.add_equal("job.conclusion", query.conclusion)
    if query.since is not None:
        condition.add("job.listed_at >= ?", query.since)
    if query.until is not None:
        condition.add("job.listed_at <= ?", query.until)
    _add_filter_by_run(condition, query)


_OF_RUN = "EXISTS (SELECT 1 FROM workflow_run AS run WHERE run.run_id = job.run_id AND {})"


def _add_filter_by_run(condition: Condition, query: JobsQuery) -> None:
    run = Condition()
    run.add_equal("run.workflow_id", query.workflow_id)
    run.add_equal("run.event", query.event)
    run.add_equal("run.actor_login", query.actor)
    if run.parameters:
        condition.add(_OF_RUN.format(run.sql), *run.parameters)
    if query.workflow is not None:
        # A job tells its workflow's name itself, also when nobody has heard of its run.
        named = _OF_RUN.format("(run.workflow_name = ? OR run.workflow_path = ?)")
        condition.add(f"(job.workflow_name = ? OR {named})", *[query.workflow] * 3)


async def list_jobs(scope: Scope, query: JobsQuery) -> JobPage:
    """Return a page of jobs, newest first.

    Raises ParameterError for a cursor that no list has given out.
    """
    with database_errors():
        reader = current().reader
        condition = Condition()
        _add_job_filter(condition, query, reader.dialect)
        if not await add_visible(condition, scope, "job", query.repo_full_name, query.installation_id):
            return JobPage([], 0, True, None)
        total, exact = await count(_JOBS, condition)
        add_cursor(condition, query.cursor, "job.listed_at", "job.job_id")
        rows = await reader.fetch(
            f"SELECT {_COLUMNS} FROM {_JOBS} WHERE {condition.sql}"
            " ORDER BY job.listed_at DESC, job.job_id DESC LIMIT ?",
            *condition.parameters,
            query.limit + 1,
        )
        shown, more = cut(rows, query.limit)
        following = encode_cursor(to_moment(shown[-1]["listed_at"]), shown[-1]["job_id"]) if more else None  # type: ignore[arg-type]
        return JobPage([_job(row) for row in shown], total, exact, following)


async def jobs_of_attempt(run_id: int, attempt: int) -> list[Job]:
    """Return the jobs of one attempt, in the order in which GitHub created them."""
    rows = await current().reader.fetch(
        f"SELECT {_COLUMNS} FROM {_JOBS} WHERE job.run_id = ? AND COALESCE(job.run_attempt, 1) = ? ORDER BY job.job_id",
        run_id,
        attempt,
    )
    return [_job(row) for row in rows]
