"""Holds what the service has recorded against what the simulated GitHub knows, field by field."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from bot.demo.scenario.feedback import check_runs_of, comments_of, feedback_differences
from bot.demo.scenario.stage import Stage
from bot.domain.wanting import FAILED, JOBS_SPAN
from bot.errors import NotFound
from bot.store import queries, views
from bot.store.database import current

# The API's field for each of GitHub's.
RUN_FIELDS = {
    "id": "run_id",
    "run_attempt": "run_attempt",
    "run_number": "run_number",
    "repository_id": "repository_id",
    "repository": "repo_full_name",
    "workflow_id": "workflow_id",
    "name": "workflow_name",
    "path": "workflow_path",
    "display_title": "display_title",
    "event": "event",
    "status": "status",
    "conclusion": "conclusion",
    "head_branch": "head_branch",
    "head_sha": "head_sha",
    "head_repository": "head_repo_full_name",
    "html_url": "html_url",
    "created_at": "created_at",
    "updated_at": "updated_at",
    "run_started_at": "run_started_at",
    "actor": "actor_login",
    "actor_id": "actor_id",
    "triggering_actor": "triggering_actor_login",
}
STEP_FIELDS = {name: name for name in ("number", "name", "status", "conclusion", "started_at", "completed_at")}
JOB_FIELDS = {
    "id": "job_id",
    "name": "name",
    "status": "status",
    "conclusion": "conclusion",
    "started_at": "started_at",
    "completed_at": "completed_at",
    "run_id": "run_id",
    "run_attempt": "run_attempt",
    "workflow_name": "workflow_name",
    "head_sha": "head_sha",
    "head_branch": "head_branch",
    "html_url": "html_url",
    "created_at": "created_at",
    "runner_name": "runner_name",
    "runner_group_name": "runner_group_name",
    "labels": "labels",
}


class Agreement(Struct, kw_only=True):
    """How much there is on both sides, and each difference as a sentence."""

    deliveries: int
    dead_deliveries: int
    runs: int
    attempts: int
    jobs: int
    backfilled_runs: int
    check_runs: int
    comments: int
    github: dict[str, int]
    differences: list[str]

    @property
    def holds(self) -> bool:
        """Whether both sides say the same and nothing was lost or left over."""
        return not self.differences


async def compare(stage: Stage) -> Agreement:
    """Compare every run, attempt, job, step and link, and what was told; call it when the stage has settled."""
    counted = stage.github.counts(stage.installation)
    stored = await _count()
    found = [*stage.differences, *[difference async for difference in differences(stage)]]
    found += await feedback_differences(stage)
    if stored["dead_deliveries"]:
        found.append(f"{stored['dead_deliveries']} deliveries are dead")
    return Agreement(
        **stored,
        backfilled_runs=stage.backfilled_runs,
        check_runs=len(check_runs_of(stage)),
        comments=len(comments_of(stage)),
        github=counted,
        differences=found,
    )


async def differences(stage: Stage) -> AsyncIterator[str]:
    """Yield, as sentences, where the record strays from what the simulated GitHub knows, and what it has too much."""
    truth = stage.github.truth(stage.installation)
    installed = stage.installation.created_at

    def jobs_are_fetched(run: Mapping[str, Any]) -> bool:
        created = datetime.fromisoformat(run["created_at"])
        return created >= installed - JOBS_SPAN or run["conclusion"] in FAILED

    async for difference in differences_from(truth, stage.team, jobs_are_fetched):
        yield difference
    for name, sql in (
        ("runs", "SELECT run_id AS id FROM workflow_run"),
        ("jobs", "SELECT job_id AS id FROM workflow_job"),
    ):
        known = {record["id"] for record in truth[name]}
        for row in await current().reader.fetch(sql):
            if row["id"] not in known:
                yield f"{name[:-1]} {row['id']} is recorded, and GitHub has none such"


async def _count() -> dict[str, int]:
    rows = await current().reader.fetch(
        "SELECT (SELECT count(*) FROM delivery) AS deliveries,"
        " (SELECT count(*) FROM delivery WHERE state = 'dead') AS dead_deliveries,"
        " (SELECT count(*) FROM workflow_run) AS runs, (SELECT count(*) FROM workflow_run_attempt) AS attempts,"
        " (SELECT count(*) FROM workflow_job) AS jobs"
    )
    return dict(rows[0])


async def differences_from(
    truth: Mapping[str, Any], team: str, jobs_are_fetched: Callable[[Mapping[str, Any]], bool] = lambda _: True
) -> AsyncIterator[str]:
    """Yield, as sentences, where a team's record strays from `truth`, which is `SimulatedGitHub.truth`'s.

    Jobs may be missing of those runs of which `jobs_are_fetched` says that nobody asks for them.
    """
    attempts, jobs = _grouped(truth["attempts"], "id"), _grouped(truth["jobs"], "run_id")
    scope = await queries.get_scope(team)
    for run in truth["runs"]:
        try:
            details = await queries.get_run_details(scope, run["id"])
        except NotFound:
            yield f"run {run['id']} is not recorded"
            continue
        recorded_jobs = await _jobs_of(scope, run["id"])
        for sentence in (
            *_compared(f"run {run['id']}", run, details.run, RUN_FIELDS),
            *_compared_runs(run["id"], attempts[run["id"]], details.attempts),
            *_compared_jobs(jobs.get(run["id"], []) if recorded_jobs or jobs_are_fetched(run) else [], recorded_jobs),
        ):
            yield sentence


def _grouped(records: Iterable[Mapping[str, Any]], key: str) -> dict[int, list[Mapping[str, Any]]]:
    groups: dict[int, list[Mapping[str, Any]]] = {}
    for record in records:
        groups.setdefault(record[key], []).append(record)
    return groups


async def _jobs_of(scope: queries.Scope, run_id: int) -> dict[int, views.Job]:
    found: dict[int, views.Job] = {}
    cursor: str | None = None
    while True:
        query = queries.JobsQuery(team=scope.slug, run_id=run_id, limit=100, cursor=cursor)
        page = await queries.list_jobs(scope, query)
        found |= {job.job_id: job for job in page.jobs}
        if (cursor := page.next_cursor) is None:
            return found


def _compared_runs(run_id: int, told: Iterable[Mapping[str, Any]], recorded: Iterable[views.Run]) -> Iterable[str]:
    by_number = {attempt.run_attempt: attempt for attempt in recorded}
    for attempt in told:
        name = f"attempt {attempt['run_attempt']} of run {run_id}"
        if (stored := by_number.get(attempt["run_attempt"])) is None:
            yield f"{name} is not recorded"
            continue
        yield from _compared(name, attempt, stored, RUN_FIELDS)
        links = [link.number for link in stored.pull_requests]
        if links != attempt["pull_requests"]:
            yield f"{name} belongs to pull requests {links}, GitHub says {attempt['pull_requests']}"


def _compared_jobs(told: Iterable[Mapping[str, Any]], recorded: Mapping[int, views.Job]) -> Iterable[str]:
    for job in told:
        name = f"job {job['id']}"
        if (stored := recorded.get(job["id"])) is None:
            yield f"{name} is not recorded"
            continue
        yield from _compared(name, job, stored, JOB_FIELDS)
        if len(job["steps"]) != len(stored.steps):
            yield f"{name} has {len(stored.steps)} steps, GitHub says {len(job['steps'])}"
        for number, (step, stored_step) in enumerate(zip(job["steps"], stored.steps, strict=False), 1):
            yield from _compared(f"step {number} of {name}", step, stored_step, STEP_FIELDS)


def _compared(name: str, told: Mapping[str, Any], recorded: Struct, fields: Mapping[str, str]) -> Iterable[str]:
    for theirs, ours in fields.items():
        if (value := _plain(getattr(recorded, ours))) != told[theirs]:
            yield f"{theirs} of {name} is recorded as {value!r}, GitHub says {told[theirs]!r}"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value
