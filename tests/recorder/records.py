"""What stands in the tables, read back and compared with the oracle's truth."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tortoise import Model
from tortoise.fields import BinaryField, BooleanField, DatetimeField

from bot.domain.facts import NO_TIME
from bot.domain.lateness import EARLY_BEFORE, LATE_AFTER
from bot.store import models
from bot.store.database import Executor, columns_of, to_moment
from tests.oracle import Truth

Row = dict[str, Any]
State = dict[str, list[Row]]

# What the recorder writes of runs, with what each row is found by.
RUN_TABLES: dict[type[Model], tuple[str, ...]] = {
    models.WorkflowRun: ("run_id",),
    models.WorkflowRunAttempt: ("run_id", "run_attempt"),
    models.WorkflowJob: ("job_id",),
    models.RunPullRequest: ("run_id", "repository_id", "number"),
    models.Workflow: ("workflow_id",),
    models.PullRequest: ("repository_id", "number"),
    models.PullRequestHead: ("repository_id", "head_sha", "head_repository_id", "number"),
}
DIRECTORY_TABLES = ("repository_name", "repository_sight", "repository", "installation", "account_login", "team")
ALL_TABLES = (*(model._meta.db_table for model in RUN_TABLES), *DIRECTORY_TABLES)
# Surrogates: numbers that the database gives out in the order in which rows come.
SURROGATES = ("id", "team_id")
# What history notes about a run, and what follows from its jobs; no snapshot tells it.
NOT_TOLD = ("jobs_attempt", "gone_at", "late_job_at", "without_jobs")


def selection(model: type[Model]) -> str:
    """Return the SQL that reads all of a table but the surrogates, by key."""
    columns = ", ".join(columns_of(model, *SURROGATES, *NOT_TOLD))
    return f"SELECT {columns} FROM {model._meta.db_table} ORDER BY {', '.join(RUN_TABLES[model])}"


def normal(model: type[Model], row: Mapping[str, Any]) -> Row:
    """Return a row alike from both databases."""
    return {column: _normal(model, column, value) for column, value in row.items()}


def _normal(model: type[Model], column: str, value: Any) -> Any:
    field = model._meta.fields_map[column]
    if value is None:
        return None
    if isinstance(field, DatetimeField):
        return to_moment(value)
    if isinstance(field, BooleanField):
        return bool(value)
    return bytes(value) if isinstance(field, BinaryField) else value


async def state_of(database: Executor) -> State:
    """Read the record of runs back; the writer is asked, which sees what it has written."""
    return {
        model._meta.db_table: [normal(model, row) for row in await database.fetch(selection(model))]
        for model in RUN_TABLES
    }


async def clear(database: Executor) -> None:
    """Empty the tables, as they were before anything came."""
    for table in ALL_TABLES:
        await database.execute(f"DELETE FROM {table}")


async def assert_runs_are_marked(database: Executor) -> None:
    """Hold that each run with jobs out of time tells when the last is listed, or later, and with any that it has some.

    A run that is recorded as it begins is not looked at for jobs from before.
    """
    listed: dict[int, list[datetime]] = {}
    for row in await database.fetch("SELECT run_id, listed_at FROM workflow_job"):
        listed.setdefault(row["run_id"], []).append(to_moment(row["listed_at"]) or NO_TIME)
    for row in await database.fetch("SELECT run_id, created_at, late_job_at, without_jobs FROM workflow_run"):
        run_id, created, marked = row["run_id"], to_moment(row["created_at"]), to_moment(row["late_job_at"])
        assert created is not None
        for moment in listed.get(run_id, []):
            is_on_time = created - EARLY_BEFORE <= moment <= created + LATE_AFTER
            assert is_on_time or (marked is not None and moment <= marked), (run_id, created, moment, marked)
        assert not row["without_jobs"] or run_id not in listed, run_id


def told(state: State) -> State:
    """Leave out the versions: the same state is known from different snapshots."""
    return {
        table: [{column: value for column, value in row.items() if column != "version"} for row in rows]
        for table, rows in state.items()
    }


def assert_truth(state: State, truth: Truth) -> None:
    """Hold every field of the record against the oracle's truth."""
    attempts = {(row["run_id"], row["run_attempt"]): row for row in state["workflow_run_attempt"]}
    assert attempts.keys() == truth.attempts.keys()
    for key, body in truth.attempts.items():
        _assert_holds(attempts[key], run_columns(body))
    runs = {row["run_id"]: row for row in state["workflow_run"]}
    assert runs.keys() == truth.newest.keys()
    for run_id, newest in truth.newest.items():
        assert runs[run_id] == attempts[run_id, newest]
    jobs = {row["job_id"]: row for row in state["workflow_job"]}
    assert jobs.keys() == truth.jobs.keys()
    for job_id, body in truth.jobs.items():
        _assert_holds(jobs[job_id], job_columns(body))
    assert [(link["run_id"], link["number"]) for link in state["run_pull_request"]] == _pairs(truth)
    for link in state["run_pull_request"]:
        run = runs[link["run_id"]]
        expected = {"repository_id": run["repository_id"], "head_sha": run["head_sha"], "base_ref": "main"}
        _assert_holds(link, {**expected, "run_created_at": run["created_at"]})
    assert {row["workflow_id"] for row in state["workflow"]} == {run["workflow_id"] for run in runs.values()}


def _pairs(truth: Truth) -> list[tuple[int, int]]:
    return sorted((run_id, number) for run_id, numbers in truth.pull_requests.items() for number in numbers)


def _assert_holds(row: Row, expected: Row) -> None:
    assert {column: row[column] for column in expected} == expected


def run_columns(body: Mapping[str, Any]) -> Row:
    """Return the columns that GitHub's run goes to."""
    same = ("run_attempt", "run_number", "workflow_id", "display_title", "event", "status", "conclusion")
    return {
        **{column: body[column] for column in (*same, "head_branch", "head_sha", "html_url")},
        **_times(body, ("created_at", "updated_at", "run_started_at")),
        "run_id": body["id"],
        "workflow_name": body["name"],
        "workflow_path": body["path"],
        "actor_id": body["actor"]["id"],
        "actor_login": body["actor"]["login"],
        "triggering_actor_login": body["triggering_actor"]["login"],
        "head_repository_id": body["head_repository"]["id"],
        "head_repo_full_name": body["head_repository"]["full_name"],
    }


def job_columns(body: Mapping[str, Any]) -> Row:
    """Return the columns that GitHub's job goes to."""
    same = ("run_id", "run_attempt", "name", "workflow_name", "status", "conclusion", "head_sha", "head_branch")
    return {
        **{column: body[column] for column in (*same, "html_url", "runner_name", "runner_group_name")},
        **_times(body, ("created_at", "started_at", "completed_at")),
        "job_id": body["id"],
        "labels": json.dumps(body["labels"], separators=(",", ":")),
        "steps": json.dumps([_step(step) for step in body["steps"]], separators=(",", ":")),
        "listed_at": _moment(body["created_at"]),
    }


def _step(step: Mapping[str, Any]) -> Row:
    same = {key: step[key] for key in ("number", "name", "status", "conclusion")}
    return {**same, "startedAt": step["started_at"], "completedAt": step["completed_at"]}


def _times(body: Mapping[str, Any], names: Iterable[str]) -> Row:
    return {name: _moment(body[name]) for name in names}


def _moment(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)
