"""What the record tells about failures from elsewhere: how the base stands, and who else fails alike.

However many jobs have failed, each question is one statement, which an index answers.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec
from msgspec import Struct

from bot.domain.feedback.bases import (
    BASE_EVENTS,
    FAILED,
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
from bot.domain.feedback.others import SPAN, Shared
from bot.domain.feedback.report import Base, Evidence, Failure, Job, Run
from bot.feedback.base_rows import (
    MOST_CANDIDATES,
    TAKEN,
    WORKFLOWS_AT_ONCE,
    Known,
    Subject,
    base_jobs,
    base_rows,
    failure_rows,
    grouped,
    job_rows,
    quoted,
)
from bot.feedback.elsewhere import Failed, Whose, failed_at, find_elsewhere, places
from bot.feedback.failures import Unexamined
from bot.store.database import Executor, to_moment

OLDEST_BASE = timedelta(days=30)
"""What ran on the base so long before a failure tells nothing of how it stood."""
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


_UNEXAMINED = (
    "SELECT job.job_id, job.repository_id, job.run_id, COALESCE(job.run_attempt, 1) AS run_attempt,"
    " COALESCE(job.head_sha, run.head_sha) AS head_sha, COALESCE(job.completed_at, run.updated_at) AS failed_at"
    " FROM workflow_job AS job JOIN workflow_run AS run ON run.run_id = job.run_id WHERE job.job_id IN ({})"
    " AND NOT EXISTS (SELECT 1 FROM job_failure WHERE job_failure.job_id = job.job_id) ORDER BY job.job_id"
)
_EVER_RAN = (
    "SELECT * FROM (SELECT workflow_id FROM workflow_run WHERE workflow_id = ? AND head_branch = ?"
    f" AND repository_id = ? AND head_repository_id = ? AND event IN ({quoted(BASE_EVENTS)}) LIMIT 1) AS one"
)
_FLAKES = (
    "SELECT run.workflow_id, run.run_id, job.name FROM workflow_run AS run JOIN workflow_job AS job"
    " ON job.run_id = run.run_id WHERE run.repository_id = ? AND run.created_at >= ? AND run.run_attempt > 1"
    " AND run.workflow_id IN ({}) GROUP BY run.workflow_id, run.run_id, job.name"
    f" HAVING MIN(CASE WHEN job.conclusion IN ({quoted(FAILED)}) THEN COALESCE(job.run_attempt, 1) END)"
    " < MAX(CASE WHEN job.conclusion = 'success' THEN COALESCE(job.run_attempt, 1) END)"
)
_KNOWN = (
    "SELECT (SELECT author_id FROM pull_request AS pull WHERE pull.repository_id = ? AND pull.number = ?) AS author_id,"
    " (SELECT closed_at FROM pull_request AS pull WHERE pull.repository_id = ? AND pull.number = ? AND pull.merged)"
    " AS merged_at, (SELECT head_ref FROM pull_request AS pull WHERE pull.repository_id = ? AND pull.number = ?"
    " AND pull.head_repository_id = pull.repository_id) AS head_ref,"
    f" (SELECT min(run.created_at) FROM {TAKEN.format('head_sha = ?')} LIMIT {MOST_CANDIDATES}) AS run"
    " WHERE run.repository_id = ?) AS began_at"
)


class _Span(Struct, frozen=True):
    """When the first and the last of some jobs failed: evidence counts from then, whatever has happened since."""

    first: datetime
    last: datetime


def _span(failed: Sequence[Failed], now: datetime) -> _Span:
    ends = [failed_at(job, run, now) for job, run, _ in failed]
    return _Span(min(ends, default=now), max(ends, default=now))


async def find_evidence(
    reader: Executor, subject: Subject, failed: Sequence[Failed], now: datetime
) -> dict[int, Evidence]:
    """Return what is known about the failed jobs of a commit from elsewhere, by job id."""
    span = _span(failed, now)
    known = await _known(reader, subject, span)
    runs, candidates = await _bases(reader, subject, known, failed, now)
    elsewhere = await find_elsewhere(reader, _whose(subject, known, span), failed, now)
    compared = {key: comparison(jobs) for key, jobs in candidates.items()}
    silent = await _silent(reader, subject, {run.workflow_id for _, run, _ in failed} - {None, *runs})

    @cache
    def standing(workflow_id: int, name: str, at: datetime) -> Standing | None:
        return standing_of(runs.get(workflow_id, []), name, at)

    def base(job: Job, run: Run, failure: Failure | None) -> Base | None:
        if run.workflow_id is None:
            return None
        found = standing(run.workflow_id, job.name, failed_at(job, run, now))
        if found is None:
            return None
        told = base_for(subject.base_ref or "", found, job.name, failure, compared)
        return msgspec.structs.replace(told, tolerates=tolerates(runs.get(run.workflow_id, ()), job.name))

    def evidence(job: Job, run: Run, failure: Failure | None) -> Evidence:
        found = base(job, run, failure)
        shared = elsewhere.get(job.job_id, Shared())
        return Evidence(
            base=found,
            others=shared.others,
            authors=shared.authors,
            shared_by=shared.shared_by,
            is_base_silent=found is None and (run.workflow_id in silent or run.workflow_id in runs),
        )

    return {job.job_id: evidence(job, run, failure) for job, run, failure in failed}


async def _silent(reader: Executor, subject: Subject, workflows: Collection[int | None]) -> set[int]:
    """Return the workflows that have run on the base at any time, of those without a run that counts."""
    wanted = sorted(each for each in workflows if each is not None)
    if not wanted or subject.base_ref is None:
        return set()
    place = (subject.base_ref, subject.repository_id, subject.repository_id)
    found: set[int] = set()
    for start in range(0, len(wanted), WORKFLOWS_AT_ONCE):
        chunk = wanted[start : start + WORKFLOWS_AT_ONCE]
        sql = " UNION ALL ".join([_EVER_RAN] * len(chunk))
        rows = await reader.fetch(sql, *(each for workflow in chunk for each in (workflow, *place)))
        found |= {row["workflow_id"] for row in rows}
    return found


def _whose(subject: Subject, known: Known, span: _Span) -> Whose:
    return Whose(
        repository_id=subject.repository_id,
        head_sha=subject.head_sha,
        number=subject.number,
        author_id=known.author_id,
        head_ref=known.head_ref,
        since=span.first - SPAN,
        # Others may have it from there as well, once it is merged.
        until=known.until,
    )


async def _known(reader: Executor, subject: Subject, span: _Span) -> Known:
    place = (subject.repository_id, subject.number)
    (row,) = await reader.fetch(_KNOWN, *place, *place, *place, subject.head_sha, subject.repository_id)
    author_id = row["author_id"] if subject.author_id is None else subject.author_id
    # Once it is merged, what runs on the base holds it; a commit that needs no merging is there from the beginning.
    until = to_moment(row["began_at"] if subject.number is None else row["merged_at"])
    until = min(until or _NEVER, span.last + SPAN)
    return Known(author_id, span.first - OLDEST_BASE, min(span.first, until), until, row["head_ref"])


async def unexamined_base_jobs(
    reader: Executor, subject: Subject, failed: Sequence[Failed], now: datetime
) -> list[Unexamined]:
    """Return the failed jobs of the base that have to be looked into before it is known whether it fails alike."""
    known = await _known(reader, subject, _span(failed, now))
    comparable = [each for each in failed if each[2] is None or each[2].is_comparable]
    _, candidates = await _bases(reader, subject, known, comparable, now)
    wanted = sorted(each.job_id for jobs in candidates.values() for each in jobs if not each.is_examined)
    if not wanted:
        return []
    rows = await reader.fetch(_UNEXAMINED.format(places(wanted)), *wanted)
    return [Unexamined(**{**row, "failed_at": to_moment(row["failed_at"])}) for row in rows]


async def _bases(
    reader: Executor, subject: Subject, known: Known, failed: Sequence[Failed], now: datetime
) -> tuple[dict[int, list[BaseRun]], dict[tuple[int, str], list[BaseJob]]]:
    """Return the base's runs by workflow, and by run and job those of its failed jobs with which to compare."""
    names: dict[int, set[tuple[str, datetime]]] = defaultdict(set)
    for job, run, _ in failed:
        if run.workflow_id is not None:
            names[run.workflow_id].add((job.name, failed_at(job, run, now)))
    rows = await base_rows(reader, subject, known, names)
    jobs = await job_rows(reader, rows)
    runs = grouped(rows, jobs)
    failing = _failing(runs, names)
    failures = await failure_rows(reader, sorted(failing))
    candidates = {
        (run_id, job): worthy
        for run_id, wanted in failing.items()
        for job, worthy in worth_a_look(base_jobs(jobs.get(run_id, []), failures), wanted).items()
    }
    return runs, candidates


def _failing(
    runs: Mapping[int, Sequence[BaseRun]], names: Mapping[int, set[tuple[str, datetime]]]
) -> dict[int, set[str]]:
    """Return the base's runs with which jobs of these names are compared and in which such jobs failed."""
    failing: dict[int, set[str]] = defaultdict(set)
    for workflow_id, told in runs.items():
        for name, at in names[workflow_id]:
            standing = standing_of(told, name, at)
            for run in standing.speaking if standing else ():
                if run.failed(name):
                    failing[run.run_id].add(name)
    return failing


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
