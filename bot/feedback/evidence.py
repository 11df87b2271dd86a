"""What the record tells about failures from elsewhere: how the base stands, and who else fails alike.

However many jobs have failed, each question is one statement, which an index answers.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from bot.domain.feedback.bases import (
    BASE_EVENTS,
    FAILED,
    MOST_BASE_RUNS,
    VERDICTS,
    BaseJob,
    BaseRun,
    Standing,
    base_for,
    comparison,
    plain,
    standing_of,
    tolerates,
    worth_a_look,
)
from bot.domain.feedback.report import Base, Evidence, Failure
from bot.feedback.elsewhere import IS_OWN_HEAD, Failed, Whose, find_elsewhere, places, said
from bot.feedback.failures import Unexamined
from bot.store.database import Executor, to_moment

SPAN = timedelta(days=14)
"""So long others' failures and flakes are evidence."""
MOST_CANDIDATES = 1_000
"""So many of a workflow's newest runs on a branch of that name are gone through, those of forks among them."""
OLDEST_BASE = timedelta(days=30)
"""What ran on the base longer ago tells nothing of how it stands."""
_WORKFLOWS_AT_ONCE = 50
_EVER, _NEVER = datetime(2000, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words))


# A fork's branch may be called main, and a commit is no evidence for itself, nor for what it was before. A run that is
# being run again has finished before.
_COUNTS_AS_BASE = (
    "run.repository_id = ? AND run.head_repository_id = ? AND run.head_sha <> ?"
    f" AND run.event IN ({_quoted(BASE_EVENTS)})"
    f" AND NOT EXISTS {IS_OWN_HEAD.format(sha='run.head_sha')}"
    " AND EXISTS (SELECT 1 FROM workflow_run_attempt AS attempt WHERE attempt.run_id = run.run_id"
    f" AND attempt.status = 'completed' AND attempt.conclusion IN ({_quoted(VERDICTS)}))"
)
_RUN_COLUMNS = "run_id, workflow_id, head_sha, created_at, conclusion, run_attempt"
_SHOWN = f"{', '.join(f'run.{column}' for column in _RUN_COLUMNS.split(', '))}, {{is_own}} AS is_own"
# Without the inner limits, a branch name that only forks use would have all its runs looked at; and SQLite, which knows
# nothing of how many rows there are, would take the index that has the order, and with it the whole repository.
_TAKEN = f"(SELECT {_RUN_COLUMNS}, repository_id, head_repository_id, event FROM workflow_run WHERE {{}}"
_ON_BRANCH = (
    f"SELECT * FROM (SELECT {_SHOWN.format(is_own=0)} FROM"
    f" {_TAKEN.format('workflow_id = ? AND head_branch = ? AND created_at < ? AND created_at >= ?')}"
    f" ORDER BY created_at DESC LIMIT {MOST_CANDIDATES}) AS run WHERE {_COUNTS_AS_BASE}"
    f" ORDER BY run.created_at DESC, run.run_id DESC LIMIT {MOST_BASE_RUNS}) AS newest"
)
_ON_OWN_BASE = (
    f"SELECT * FROM (SELECT {_SHOWN.format(is_own=1)} FROM {_TAKEN.format('head_sha = ?')}"
    f" LIMIT {MOST_CANDIDATES}) AS run WHERE run.workflow_id IN ({{}}) AND run.created_at < ? AND run.created_at >= ?"
    f" AND {_COUNTS_AS_BASE}"
    f" ORDER BY run.created_at DESC, run.run_id DESC LIMIT {MOST_CANDIDATES}) AS own"
)
_JOBS = (
    "SELECT job_id, run_id, run_attempt, name, conclusion, completed_at FROM workflow_job"
    f" WHERE run_id IN ({{}}) AND conclusion IN ({_quoted(VERDICTS)})"
)
_FAILURES = "SELECT job_id, source, fingerprint, fingerprints FROM job_failure WHERE run_id IN ({})"
_UNEXAMINED = (
    "SELECT job.job_id, job.repository_id, job.run_id, COALESCE(job.run_attempt, 1) AS run_attempt,"
    " COALESCE(job.head_sha, run.head_sha) AS head_sha, COALESCE(job.completed_at, run.updated_at) AS failed_at"
    " FROM workflow_job AS job JOIN workflow_run AS run ON run.run_id = job.run_id WHERE job.job_id IN ({})"
    " AND NOT EXISTS (SELECT 1 FROM job_failure WHERE job_failure.job_id = job.job_id) ORDER BY job.job_id"
)
_FLAKES = (
    "SELECT run.workflow_id, run.run_id, job.name FROM workflow_run AS run JOIN workflow_job AS job"
    " ON job.run_id = run.run_id WHERE run.repository_id = ? AND run.created_at >= ? AND run.run_attempt > 1"
    " AND run.workflow_id IN ({}) GROUP BY run.workflow_id, run.run_id, job.name"
    f" HAVING MIN(CASE WHEN job.conclusion IN ({_quoted(FAILED)}) THEN COALESCE(job.run_attempt, 1) END)"
    " < MAX(CASE WHEN job.conclusion = 'success' THEN COALESCE(job.run_attempt, 1) END)"
)
_KNOWN = (
    "SELECT (SELECT author_id FROM pull_request AS pull WHERE pull.repository_id = ? AND pull.number = ?) AS author_id,"
    " (SELECT base_ref FROM pull_request AS pull WHERE pull.repository_id = ? AND pull.number = ?) AS base_ref,"
    " (SELECT closed_at FROM pull_request AS pull WHERE pull.repository_id = ? AND pull.number = ? AND pull.merged)"
    f" AS merged_at, (SELECT min(run.created_at) FROM {_TAKEN.format('head_sha = ?')} LIMIT {MOST_CANDIDATES}) AS run"
    " WHERE run.repository_id = ?) AS began_at"
)


class Subject(Struct, frozen=True, kw_only=True):
    """What is to blame or to excuse: a commit, of a pull request, of a merge queue's for one, or without one.

    Where no author is given it is that of the pull request; nobody else's count if that is not known either. Without
    `base_ref` there is no base, and others count that go where the pull request goes.
    """

    repository_id: int
    head_sha: str
    number: int | None = None
    author_id: int | None = None
    base_ref: str | None = None
    base_sha: str | None = None


class _Known(Struct, frozen=True):
    """What the record adds to a subject.

    What ran on the base from `until` on may have its failures from it; what ran before `since` is out of date.
    """

    author_id: int | None
    base_ref: str | None
    since: datetime
    until: datetime


async def find_evidence(
    reader: Executor, subject: Subject, failed: Sequence[Failed], now: datetime
) -> dict[int, Evidence]:
    """Return what is known about the failed jobs of a commit from elsewhere, by job id."""
    known = await _known(reader, subject, now)
    runs, candidates = await _bases(reader, subject, known, failed)
    elsewhere = await find_elsewhere(reader, _whose(subject, known, now), failed)
    compared = {key: comparison(jobs) for key, jobs in candidates.items()}

    @cache
    def standing(workflow_id: int, name: str) -> Standing | None:
        return standing_of(runs.get(workflow_id, []), name)

    def base(workflow_id: int | None, name: str, failure: Failure | None) -> Base | None:
        found = None if workflow_id is None else standing(workflow_id, name)
        if workflow_id is None or found is None:
            return None
        told = base_for(subject.base_ref or "", found, name, failure, compared)
        return msgspec.structs.replace(told, tolerates=tolerates(runs.get(workflow_id, ()), name))

    return {
        job.job_id: Evidence(
            base=base(run.workflow_id, job.name, failure),
            others=elsewhere.others.get(failure.fingerprint, ()) if failure else (),
            shared_by=elsewhere.shared_by.get(job.job_id, 0),
        )
        for job, run, failure in failed
    }


def _whose(subject: Subject, known: _Known, now: datetime) -> Whose:
    return Whose(
        repository_id=subject.repository_id,
        head_sha=subject.head_sha,
        number=subject.number,
        author_id=known.author_id,
        base_ref=known.base_ref,
        since=now - SPAN,
    )


async def _known(reader: Executor, subject: Subject, now: datetime | None) -> _Known:
    place = (subject.repository_id, subject.number)
    (row,) = await reader.fetch(_KNOWN, *place, *place, *place, subject.head_sha, subject.repository_id)
    author_id = row["author_id"] if subject.author_id is None else subject.author_id
    # Once it is merged, what runs on the base holds it; a commit that needs no merging is there from the beginning.
    until = to_moment(row["began_at"] if subject.number is None else row["merged_at"])
    since = _EVER if now is None else now - OLDEST_BASE
    return _Known(author_id, subject.base_ref or row["base_ref"], since, until or _NEVER)


async def unexamined_base_jobs(
    reader: Executor, subject: Subject, failed: Sequence[Failed], now: datetime | None = None
) -> list[Unexamined]:
    """Return the failed jobs of the base that have to be looked into before it is known whether it fails alike.

    Without `now`, runs count however long ago they were.
    """
    known = await _known(reader, subject, now)
    comparable = [each for each in failed if each[2] is None or each[2].is_comparable]
    _, candidates = await _bases(reader, subject, known, comparable)
    wanted = sorted(each.job_id for jobs in candidates.values() for each in jobs if not each.is_examined)
    if not wanted:
        return []
    rows = await reader.fetch(_UNEXAMINED.format(places(wanted)), *wanted)
    return [Unexamined(**{**row, "failed_at": to_moment(row["failed_at"])}) for row in rows]


async def base_runs(
    reader: Executor, subject: Subject, workflows: Collection[int], now: datetime | None = None
) -> dict[int, list[BaseRun]]:
    """Return the last finished runs of each workflow that count as the base's, the newest first.

    They ran on the base branch of the repository itself, for its own sake (see BASE_EVENTS); beside them come those on
    the commit that the pull request is based on, on whichever branch. Without `now`, they may be of any age.
    """
    known = await _known(reader, subject, now)
    rows = await _base_rows(reader, subject, known, workflows)
    jobs = await _job_rows(reader, [row["run_id"] for row in rows])
    return _grouped(rows, jobs)


async def _bases(
    reader: Executor, subject: Subject, known: _Known, failed: Sequence[Failed]
) -> tuple[dict[int, list[BaseRun]], dict[tuple[int, str], list[BaseJob]]]:
    """Return the base's runs by workflow, and by run and job those of its failed jobs with which to compare."""
    names: dict[int, set[str]] = defaultdict(set)
    for job, run, _ in failed:
        if run.workflow_id is not None:
            names[run.workflow_id].add(job.name)
    rows = await _base_rows(reader, subject, known, names)
    jobs = await _job_rows(reader, [row["run_id"] for row in rows])
    runs = _grouped(rows, jobs)
    failing = _failing(runs, names)
    failures = await _failure_rows(reader, sorted(failing))
    candidates = {
        (run_id, job): worthy
        for run_id, wanted in failing.items()
        for job, worthy in worth_a_look(_base_jobs(jobs.get(run_id, []), failures), wanted).items()
    }
    return runs, candidates


def _failing(runs: Mapping[int, Sequence[BaseRun]], names: Mapping[int, set[str]]) -> dict[int, set[str]]:
    """Return the base's runs with which jobs of these names are compared and in which such jobs failed."""
    failing: dict[int, set[str]] = defaultdict(set)
    for workflow_id, told in runs.items():
        for name in names[workflow_id]:
            standing = standing_of(told, name)
            for run in standing.speaking if standing else ():
                if run.failed(name):
                    failing[run.run_id].add(name)
    return failing


async def _base_rows(
    reader: Executor, subject: Subject, known: _Known, workflows: Collection[int]
) -> list[dict[str, Any]]:
    if subject.base_ref is None:
        return []
    repository = subject.repository_id
    counts = (repository, repository, subject.head_sha, repository, subject.number)
    span = (known.until, known.since)
    rows: list[dict[str, Any]] = []
    ordered = sorted(workflows)
    for start in range(0, len(ordered), _WORKFLOWS_AT_ONCE):
        chunk = ordered[start : start + _WORKFLOWS_AT_ONCE]
        selects = [_ON_BRANCH] * len(chunk)
        parameters: list[Any] = [each for id in chunk for each in (id, subject.base_ref, *span, *counts)]
        if subject.base_sha is not None:
            selects.append(_ON_OWN_BASE.format(places(chunk)))
            parameters += [subject.base_sha, *chunk, *span, *counts]
        rows += await reader.fetch(" UNION ALL ".join(selects), *parameters)
    return rows


async def _job_rows(reader: Executor, run_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    jobs: dict[int, list[dict[str, Any]]] = defaultdict(list)
    if run_ids:
        wanted = sorted(set(run_ids))
        for row in await reader.fetch(_JOBS.format(places(wanted)), *wanted):
            jobs[row["run_id"]].append(row)
    return jobs


async def _failure_rows(reader: Executor, run_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    if not run_ids:
        return {}
    rows = await reader.fetch(_FAILURES.format(places(run_ids)), *run_ids)
    return {row["job_id"]: row for row in rows}


def _grouped(
    rows: Iterable[Mapping[str, Any]], jobs: Mapping[int, Sequence[Mapping[str, Any]]]
) -> dict[int, list[BaseRun]]:
    runs: dict[int, list[BaseRun]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (to_moment(row["created_at"]), row["run_id"]), reverse=True):
        told: dict[str, bool] = {}
        names = frozenset(job["name"] for job in jobs.get(row["run_id"], ()))
        failing = frozenset(job["name"] for job in jobs.get(row["run_id"], ()) if job["conclusion"] in FAILED)
        for job in jobs.get(row["run_id"], ()):
            name = plain(job["name"])
            told[name] = told.get(name, False) or job["conclusion"] in FAILED
        passed = row["conclusion"] == "success" and row["run_attempt"] == 1
        run = BaseRun(row["run_id"], row["head_sha"], bool(row["is_own"]), passed, told, failing, names - failing)
        runs[row["workflow_id"]].append(run)
    return runs


def _base_jobs(jobs: Iterable[Mapping[str, Any]], failures: Mapping[int, Mapping[str, Any]]) -> list[BaseJob]:
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
    )


async def count_flakes(
    reader: Executor, repository_id: int, jobs: Collection[tuple[int, str]], since: datetime
) -> dict[tuple[int, str], int]:
    """Return in how many runs since then each job failed in one attempt and passed in a later one.

    Jobs are given by the id of their workflow and their name, and told by the same with the name as given; legs of a
    matrix that flake in one run count once. Runs count by when they were created.
    """
    if not jobs:
        return {}
    workflows = sorted({workflow for workflow, _ in jobs})
    rows = await reader.fetch(_FLAKES.format(places(workflows)), repository_id, since, *workflows)
    flaked: dict[tuple[int, str], set[int]] = defaultdict(set)
    for row in rows:
        flaked[row["workflow_id"], plain(row["name"])].add(row["run_id"])
    return {(workflow, name): len(flaked[workflow, plain(name)]) for workflow, name in jobs}
