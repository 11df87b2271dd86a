"""Failed jobs as rows: which are still to be looked into, what was found out, and whom that concerns."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from bot.domain.feedback.remarks import Annotation
from bot.domain.feedback.report import Failure, Source
from bot.domain.feedback.said import FailedAt, Said, failed_at
from bot.store.database import Executor, Transaction

HEADS, BASES, AWAITED, AGAIN = 0, 1, 2, 3
"""How urgent a look is: at failures of pull requests, at those of the branches they go to, and at what has been kept.

That is of a log that is awaited, as long as it may merely be late, or of one that is not thought to come.
"""
_CHUNK = 200
_NEWS = timedelta(days=14)
"""What failed longer ago is not looked at anew: what fails now on its base or elsewhere tells nothing of it."""

_COLUMNS = ("job_id", "repository_id", "run_id", "run_attempt", "head_sha", "failed_at")
_TOLD = (
    "source",
    "kind",
    "step",
    "test",
    "exit_code",
    "anchor",
    "lines",
    "further",
    "fingerprint",
    "is_generic",
    "fingerprints",
)
# SQLite joins in the order in which a CROSS JOIN is written: what is due is little, and has an index.
_DUE = (
    "SELECT failure.job_id, failure.repository_id, failure.head_sha, failure.tries, failure.annotations,"
    " failure.source, failure.urgency, repository.full_name, job.name, job.steps, job.conclusion, run.workflow_id,"
    " run.workflow_path, run.head_branch, run.head_repository_id FROM job_failure AS failure"
    " CROSS JOIN repository LEFT JOIN workflow_job AS job ON job.job_id = failure.job_id"
    " LEFT JOIN workflow_run AS run ON run.run_id = failure.run_id"
    " WHERE failure.due_at <= ? AND repository.repository_id = failure.repository_id"
    " AND repository.installation_id = ? AND repository.hidden_at IS NULL"
    " ORDER BY failure.urgency, failure.due_at, failure.job_id LIMIT ?"
)
_KEEP = (
    f"UPDATE job_failure SET {', '.join(f'{column} = ?' for column in _TOLD)}, annotations = ?, due_at = ?,"
    " tries = tries + ?, urgency = ? WHERE job_id = ? AND (source IS NULL OR (due_at IS NOT NULL AND tries = ?))"
)
_POSTPONE = (
    "UPDATE job_failure SET due_at = ?, tries = tries + 1, annotations = ?, urgency = ?"
    " WHERE job_id = ? AND due_at IS NOT NULL AND tries = ?"
)
_LOOK_AGAIN = (
    "UPDATE check_summary SET due_at = CASE WHEN due_at < ? THEN due_at ELSE ? END, urgency = 0,"
    " revision = revision + 1 WHERE repository_id = ? AND head_sha = ?"
)
# Commits of open pull requests to that branch, and those that a merge queue tested for them, on which the same
# workflow has failed not long ago.
_WAITING_FOR = (
    "SELECT DISTINCT failure.head_sha FROM pull_request AS pull"
    " LEFT JOIN failure_comment AS comment"
    " ON comment.repository_id = pull.repository_id AND comment.number = pull.number"
    " CROSS JOIN job_failure AS failure CROSS JOIN workflow_run AS run"
    " WHERE pull.repository_id = ? AND pull.base_ref = ? AND pull.state = 'open'"
    " AND failure.repository_id = pull.repository_id AND failure.head_sha IN (pull.head_sha, comment.queue_sha)"
    " AND failure.failed_at >= ? AND run.run_id = failure.run_id AND COALESCE(run.workflow_id, 0) = ?"
)
# Heads of open pull requests on which one of these failures came first, among the newest such failures.
_MOST_ALIKE = 200
_FAILING_ALIKE = (
    "SELECT DISTINCT failure.head_sha FROM (SELECT head_sha, repository_id FROM job_failure WHERE repository_id = ?"
    " AND fingerprint IN ({}) AND failed_at >= ? ORDER BY failed_at DESC LIMIT 2000) AS failure"
    " CROSS JOIN pull_request_head AS head CROSS JOIN pull_request AS pull"
    " WHERE head.repository_id = failure.repository_id AND head.head_sha = failure.head_sha"
    " AND pull.repository_id = head.repository_id AND pull.number = head.number"
    f" AND pull.state = 'open' AND pull.head_sha = failure.head_sha LIMIT {_MOST_ALIKE}"
)


class Unexamined(Struct, frozen=True):
    """A failed job that is to be looked into; the fields are the columns."""

    job_id: int
    repository_id: int
    run_id: int
    run_attempt: int
    head_sha: str
    failed_at: datetime


class DueFailure(Struct):
    """A failed job that it is time to look into, after so many `tries`; `annotations` is None until they are known.

    `noted` is what they tell, as soon as that is worked out. `is_kept` tells that GitHub had no log of it, which is
    kept and stands until there is one; `is_awaited` that this excuses nothing yet.
    """

    job_id: int
    repository_id: int
    full_name: str
    head_sha: str
    at: FailedAt
    tries: int
    urgency: int
    annotations: tuple[Annotation, ...] | None
    workflow_id: int | None
    branch: str | None
    """The branch of the repository itself on which it failed; None for a fork's."""
    is_cancelled: bool = False
    is_kept: bool = False
    noted: Said | None = None

    @property
    def is_awaited(self) -> bool:
        return self.urgency == AWAITED


async def want_failures(tx: Transaction, jobs: Sequence[Unexamined], now: datetime, urgency: int = HEADS) -> int:
    """Have it looked into why jobs failed, at once, and return how many of them nobody had asked for before."""
    rows = sorted(jobs, key=lambda job: job.job_id)
    made = 0
    for start in range(0, len(rows), _CHUNK):
        part = {row.job_id: row for row in rows[start : start + _CHUNK]}
        values = [(*(getattr(row, column) for column in _COLUMNS), urgency, now) for row in part.values()]
        places = ", ".join([f"({', '.join('?' * (len(_COLUMNS) + 2))})"] * len(values))
        inserted = await tx.fetch(
            f"INSERT INTO job_failure ({', '.join(_COLUMNS)}, urgency, due_at) VALUES {places}"
            " ON CONFLICT (job_id) DO NOTHING RETURNING job_id",
            *(value for row in values for value in row),
        )
        made += len(inserted)
    return made


async def asked_about(executor: Executor, job_ids: Iterable[int]) -> set[int]:
    """Return those of these jobs that are, or have been, looked into."""
    rows = await _fetch_by_id(executor, "SELECT job_id FROM job_failure WHERE job_id IN ({})", job_ids)
    return {row["job_id"] for row in rows}


async def due_failures(executor: Executor, installation_id: int, now: datetime, at_most: int) -> list[DueFailure]:
    """Return the failed jobs of an installation that are due, the most urgent first."""
    return [_due(row) for row in await executor.fetch(_DUE, now, installation_id, at_most)]


def _due(row: dict[str, Any]) -> DueFailure:
    at = failed_at(row["workflow_path"] or "", row["name"] or "", row["steps"])
    is_own = row["head_repository_id"] in {None, row["repository_id"]}
    return DueFailure(
        job_id=row["job_id"],
        repository_id=row["repository_id"],
        full_name=row["full_name"],
        head_sha=row["head_sha"],
        at=at,
        tries=row["tries"],
        urgency=row["urgency"],
        annotations=None if row["annotations"] is None else _annotations(row["annotations"]),
        workflow_id=row["workflow_id"],
        branch=row["head_branch"] if is_own else None,
        is_cancelled=row["conclusion"] == "cancelled",
        is_kept=row["source"] is not None,
    )


async def keep_failure(
    tx: Transaction, due: DueFailure, failure: Failure, now: datetime, again_at: datetime | None = None
) -> bool:
    """Keep why a job failed, and let the commits be looked at again that this may tell something about.

    That is its own; those of other open pull requests that fail alike, 200 at most; and, where it failed on the branch
    that open pull requests go to, the commits of these on which the same workflow has failed; both in the last 14 days.
    It is looked into once more `again_at`, if at all: until then a log is awaited. Returns False, changing
    nothing, where it is known already.
    """
    told = {name: getattr(failure, name) for name in _TOLD}
    told |= {name: json.dumps(told[name]) for name in ("lines", "further", "fingerprints") if told[name] is not None}
    told["source"] = failure.source.value
    later = (again_at, 0, AGAIN) if again_at is None else (again_at, 1, AWAITED)
    if not await tx.execute(_KEEP, *told.values(), _as_text(due.annotations or ()), *later, due.job_id, due.tries):
        return False
    commits = {due.head_sha, *await _commits_waiting_for(tx, due, now), *await _commits_alike(tx, due, failure, now)}
    rows = [(now, now, due.repository_id, head_sha) for head_sha in sorted(commits)]
    await tx.execute_many(_LOOK_AGAIN, rows)
    return True


async def _commits_waiting_for(tx: Transaction, due: DueFailure, now: datetime) -> set[str]:
    if due.branch is None:
        return set()
    rows = await tx.fetch(_WAITING_FOR, due.repository_id, due.branch, now - _NEWS, due.workflow_id or 0)
    return {row["head_sha"] for row in rows}


async def _commits_alike(tx: Transaction, due: DueFailure, failure: Failure, now: datetime) -> set[str]:
    if failure.is_generic:
        return set()
    said = sorted({failure.fingerprint, *(failure.fingerprints or ())})
    sql = _FAILING_ALIKE.format(", ".join("?" * len(said)))
    rows = await tx.fetch(sql, due.repository_id, *said, now - _NEWS)
    return {row["head_sha"] for row in rows}


async def postpone_failure(executor: Executor, due: DueFailure, until: datetime | None) -> None:
    """Look into a failed job again later, and count the try; annotations that are known need not be asked for again.

    What has been kept of it stands; where it is, that may be the end (None).
    """
    await executor.execute(_POSTPONE, *_later(due, until, due.urgency))


async def stop_awaiting(tx: Transaction, due: DueFailure, now: datetime, until: datetime | None) -> None:
    """Let it stand that there is no log, and its commit be looked at for that; look for one again later, if at all."""
    if await tx.execute(_POSTPONE, *_later(due, until, AGAIN)):
        await tx.execute(_LOOK_AGAIN, now, now, due.repository_id, due.head_sha)


def _later(due: DueFailure, until: datetime | None, urgency: int) -> tuple[Any, ...]:
    annotations = None if due.annotations is None else _as_text(due.annotations)
    return until, annotations, urgency, due.job_id, due.tries


async def failures_of(executor: Executor, job_ids: Iterable[int]) -> dict[int, Failure]:
    """Return why these jobs failed, by their ids, as far as it is known."""
    columns = f"job_id, urgency, due_at, {', '.join(_TOLD)}"
    sql = f"SELECT {columns} FROM job_failure WHERE source IS NOT NULL AND job_id IN ({{}})"
    return {row["job_id"]: _failure(row) for row in await _fetch_by_id(executor, sql, job_ids)}


async def annotations_of(executor: Executor, job_ids: Iterable[int]) -> dict[int, tuple[Annotation, ...]]:
    """Return the annotations of these jobs, by their ids, of those that have been looked into."""
    sql = (
        "SELECT job_id, annotations FROM job_failure"
        " WHERE source IS NOT NULL AND annotations IS NOT NULL AND job_id IN ({})"
    )
    rows = await _fetch_by_id(executor, sql, job_ids)
    return {row["job_id"]: _annotations(row["annotations"]) for row in rows}


async def _fetch_by_id(executor: Executor, sql: str, job_ids: Iterable[int]) -> list[dict[str, Any]]:
    ids = sorted(set(job_ids))
    rows: list[dict[str, Any]] = []
    for start in range(0, len(ids), _CHUNK):
        part = ids[start : start + _CHUNK]
        rows += await executor.fetch(sql.format(", ".join("?" * len(part))), *part)
    return rows


def _failure(row: dict[str, Any]) -> Failure:
    return Failure(
        source=Source(row["source"]),
        kind=row["kind"],
        step=row["step"],
        test=row["test"],
        exit_code=row["exit_code"],
        anchor=row["anchor"],
        lines=tuple(json.loads(row["lines"])),
        further=tuple(json.loads(row["further"])),
        fingerprint=row["fingerprint"],
        is_generic=bool(row["is_generic"]),
        fingerprints=None if row["fingerprints"] is None else tuple(json.loads(row["fingerprints"])),
        awaits_log=row["due_at"] is not None and row["urgency"] == AWAITED,
    )


def _as_text(annotations: Sequence[Annotation]) -> str:
    return msgspec.json.encode(annotations).decode()


def _annotations(text: str) -> tuple[Annotation, ...]:
    return msgspec.json.decode(text, type=tuple[Annotation, ...])
