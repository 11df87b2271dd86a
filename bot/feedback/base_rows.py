"""The runs of the base that failures are compared with, and what their jobs said, as the record has them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from bot.domain.feedback.bases import BASE_EVENTS, FAILED, MOST_BASE_RUNS, VERDICTS, BaseJob, BaseRun, plain
from bot.feedback.elsewhere import IS_OWN_HEAD, places, said
from bot.store.database import Executor, to_moment

MOST_CANDIDATES = 1_000
"""So many of a workflow's newest runs on a branch of that name are gone through, those of forks among them."""
MOST_LATER_RUNS = 100
"""So many of the base's runs after a failure are held against it: the first, so that none is ever left out again."""
WORKFLOWS_AT_ONCE = 50


def quoted(words: Iterable[str]) -> str:
    """Return words of our own as a list in SQL."""
    return ", ".join(f"'{word}'" for word in sorted(words))


# A run that is being run again has finished before.
_HAS_FINISHED = (
    "FROM workflow_run_attempt AS attempt WHERE attempt.run_id = run.run_id"
    f" AND attempt.status = 'completed' AND attempt.conclusion IN ({quoted(VERDICTS)})"
)
# A fork's branch may be called main, and a commit is no evidence for itself, nor for what it was before.
_COUNTS_AS_BASE = (
    "run.repository_id = ? AND run.head_repository_id = ? AND run.head_sha <> ?"
    f" AND run.event IN ({quoted(BASE_EVENTS)})"
    f" AND NOT EXISTS {IS_OWN_HEAD.format(sha='run.head_sha')}"
    f" AND EXISTS (SELECT 1 {_HAS_FINISHED})"
)
_RUN_COLUMNS = "run_id, workflow_id, head_sha, created_at, conclusion, run_attempt"
_SHOWN = (
    f"{', '.join(f'run.{column}' for column in _RUN_COLUMNS.split(', '))}, {{is_own}} AS is_own,"
    f" (SELECT MIN(attempt.updated_at) {_HAS_FINISHED}) AS finished_at"
)
# Without the inner limits, a branch name that only forks use would have all its runs looked at; and SQLite, which knows
# nothing of how many rows there are, would take the index that has the order, and with it the whole repository.
TAKEN = f"(SELECT {_RUN_COLUMNS}, repository_id, head_repository_id, event FROM workflow_run WHERE {{}}"
_ON_BRANCH = (
    f"SELECT * FROM (SELECT {_SHOWN.format(is_own=0)} FROM"
    f" {TAKEN.format('workflow_id = ? AND head_branch = ? AND created_at < ? AND created_at >= ?')}"
    f" ORDER BY created_at DESC LIMIT {MOST_CANDIDATES}) AS run WHERE {_COUNTS_AS_BASE}"
    f" ORDER BY run.created_at DESC, run.run_id DESC LIMIT {MOST_BASE_RUNS}) AS newest"
)
_ON_BRANCH_LATER = _ON_BRANCH.replace(" DESC", " ASC").replace(f"LIMIT {MOST_BASE_RUNS})", f"LIMIT {MOST_LATER_RUNS})")
_ON_OWN_BASE = (
    f"SELECT * FROM (SELECT {_SHOWN.format(is_own=1)} FROM {TAKEN.format('head_sha = ?')}"
    f" LIMIT {MOST_CANDIDATES}) AS run WHERE run.workflow_id IN ({{}}) AND run.created_at < ? AND run.created_at >= ?"
    f" AND {_COUNTS_AS_BASE}"
    f" ORDER BY run.created_at DESC, run.run_id DESC LIMIT {MOST_CANDIDATES}) AS own"
)
_JOBS = (
    "SELECT job_id, run_id, run_attempt, name, conclusion, completed_at FROM workflow_job"
    f" WHERE run_id IN ({{}}) AND conclusion IN ({quoted(VERDICTS)})"
)
_FAILURES = "SELECT job_id, source, fingerprint, fingerprints, is_generic FROM job_failure WHERE run_id IN ({})"


class Subject(Struct, frozen=True, kw_only=True):
    """What is to blame or to excuse: a commit, of a pull request, of a merge queue's for one, or without one.

    Where no author is given it is that of the pull request; nobody else's count if that is not known either. Without
    `base_ref` there is no base.
    """

    repository_id: int
    head_sha: str
    number: int | None = None
    author_id: int | None = None
    base_ref: str | None = None
    base_sha: str | None = None


class Known(Struct, frozen=True):
    """What the record adds to a subject.

    What ran on the base from `until` on may have its failures from it, or is no news any more; what ran before `since`
    is out of date. Of what was begun before `failed_at` the newest counts, of what was begun then the first. `head_ref`
    is the pull request's branch, if that is one of the repository itself.
    """

    author_id: int | None
    since: datetime
    failed_at: datetime
    until: datetime
    head_ref: str | None = None


async def base_rows(
    reader: Executor, subject: Subject, known: Known, workflows: Collection[int]
) -> list[dict[str, Any]]:
    """Return the finished runs of these workflows that count as the base's: see BASE_EVENTS."""
    if subject.base_ref is None:
        return []
    repository = subject.repository_id
    counts = (repository, repository, subject.head_sha, repository, subject.number)
    before, later = (known.failed_at, known.since), (known.until, known.failed_at)
    rows: list[dict[str, Any]] = []
    ordered = sorted(workflows)
    for start in range(0, len(ordered), WORKFLOWS_AT_ONCE):
        chunk = ordered[start : start + WORKFLOWS_AT_ONCE]
        selects, parameters = [_ON_BRANCH, _ON_BRANCH_LATER] * len(chunk), list[Any]()
        for workflow_id in chunk:
            for span in (before, later):
                parameters += [workflow_id, subject.base_ref, *span, *counts]
        if subject.base_sha is not None:
            selects.append(_ON_OWN_BASE.format(places(chunk)))
            parameters += [subject.base_sha, *chunk, known.until, known.since, *counts]
        rows += await reader.fetch(" UNION ALL ".join(selects), *parameters)
    return rows


async def job_rows(reader: Executor, runs: Sequence[Mapping[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """Return the jobs of runs as they stand now, by run."""
    by_id = {run["run_id"]: run for run in runs}
    jobs: dict[int, list[dict[str, Any]]] = defaultdict(list)
    if by_id:
        wanted = sorted(by_id)
        for row in await reader.fetch(_JOBS.format(places(wanted)), *wanted):
            jobs[row["run_id"]].append(row)
    return {run_id: _as_they_stand(by_id[run_id], every) for run_id, every in jobs.items()}


def _as_they_stand(run: Mapping[str, Any], jobs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return of each job the newest attempt that has it, and those of which it is a copy.

    What failed before a run passed was run again, even if that was not told.
    """
    newest: dict[str, int] = {}
    for job in jobs:
        newest[job["name"]] = max(newest.get(job["name"], 0), _attempt(job))
    standing = [
        job
        for job in jobs
        if _attempt(job) == newest[job["name"]]
        and not (job["conclusion"] in FAILED and run["conclusion"] == "success" and _attempt(job) < run["run_attempt"])
    ]
    copied = {_as_copied(job) for job in standing if job["completed_at"] is not None}
    kept = {job["job_id"] for job in standing}
    return [job for job in jobs if job["job_id"] in kept or _as_copied(job) in copied]


def _attempt(job: Mapping[str, Any]) -> int:
    return job["run_attempt"] or 1


def _as_copied(job: Mapping[str, Any]) -> tuple[object, ...]:
    return job["name"], job["completed_at"], job["conclusion"]


async def failure_rows(reader: Executor, run_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return what the failed jobs of runs said, by job."""
    if not run_ids:
        return {}
    rows = await reader.fetch(_FAILURES.format(places(run_ids)), *run_ids)
    return {row["job_id"]: row for row in rows}


def grouped(
    rows: Iterable[Mapping[str, Any]], jobs: Mapping[int, Sequence[Mapping[str, Any]]]
) -> dict[int, list[BaseRun]]:
    """Return the base's runs by workflow, the newest first, with what became of their jobs."""
    runs: dict[int, list[BaseRun]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (to_moment(row["created_at"]), row["run_id"]), reverse=True):
        told: dict[str, bool] = {}
        names = frozenset(job["name"] for job in jobs.get(row["run_id"], ()))
        failing = frozenset(job["name"] for job in jobs.get(row["run_id"], ()) if job["conclusion"] in FAILED)
        for job in jobs.get(row["run_id"], ()):
            name = plain(job["name"])
            told[name] = told.get(name, False) or job["conclusion"] in FAILED
        run = BaseRun(
            run_id=row["run_id"],
            head_sha=row["head_sha"],
            is_own=bool(row["is_own"]),
            has_passed=row["conclusion"] == "success",
            jobs=told,
            failing=failing,
            passing=names - failing,
            finished_at=to_moment(row["finished_at"]),
        )
        runs[row["workflow_id"]].append(run)
    return runs


def base_jobs(jobs: Iterable[Mapping[str, Any]], failures: Mapping[int, Mapping[str, Any]]) -> list[BaseJob]:
    """Return the failed jobs of a run; of copies that later attempts carry along only the first."""
    first: dict[tuple[str, Any], Mapping[str, Any]] = {}
    for job in sorted(jobs, key=lambda job: job["job_id"]):
        if job["conclusion"] in FAILED:
            first.setdefault((job["name"], job["completed_at"] or job["job_id"]), job)
    return [_base_job(job, failures.get(job["job_id"], {})) for job in first.values()]


def _base_job(job: Mapping[str, Any], failure: Mapping[str, Any]) -> BaseJob:
    return BaseJob(
        job_id=job["job_id"],
        run_id=job["run_id"],
        attempt=job["run_attempt"] or 1,
        name=job["name"],
        is_examined=failure.get("source") is not None,
        fingerprints=said(failure),
        is_whole=failure.get("fingerprints") is not None and not failure["is_generic"],
    )
