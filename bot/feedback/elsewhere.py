"""Who else fails alike: what the jobs of others' pull requests said."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from msgspec import Struct

from bot.domain.feedback.bases import is_revert
from bot.domain.feedback.others import Alike, Shared, by_first_word, fingerprints_of, shared_with
from bot.domain.feedback.report import Failure, Job, Run
from bot.store.database import Executor, to_moment

_AT_ONCE = 5_000

Failed = tuple[Job, Run, Failure | None]

IS_OWN_HEAD = (
    "(SELECT 1 FROM pull_request_head AS head WHERE head.repository_id = ? AND head.head_sha = {sha}"
    " AND head.number = ?)"
)
_ALIKE = (
    "SELECT DISTINCT fingerprint, fingerprints, run_id, failed_at FROM job_failure"
    " WHERE repository_id = ? AND fingerprint IN ({}) AND failed_at >= ? AND failed_at <= ? AND head_sha <> ?"
)
_PULLS_OF_RUNS = (
    "SELECT link.run_id, link.number, link.head_sha, pull.author_id, pull.title, pull.head_ref,"
    " COALESCE(link.base_ref, pull.base_ref) AS base_ref FROM workflow_run AS run"
    " JOIN run_pull_request AS link ON link.run_id = run.run_id AND link.repository_id = ?"
    " LEFT JOIN pull_request AS pull ON pull.repository_id = link.repository_id AND pull.number = link.number"
    f" WHERE run.run_id IN ({{0}}) AND link.run_id IN ({{0}}) AND NOT EXISTS {IS_OWN_HEAD.format(sha='run.head_sha')}"
)


class Whose(Struct, frozen=True, kw_only=True):
    """Whose failures others' are held against, of which time; nobody else's count if the author is not known.

    `head_ref` is the pull request's branch in the repository itself, if it has one.
    """

    repository_id: int
    head_sha: str
    number: int | None
    author_id: int | None
    head_ref: str | None
    since: datetime
    until: datetime


async def find_elsewhere(reader: Executor, whose: Whose, failed: Sequence[Failed], now: datetime) -> dict[int, Shared]:
    """Return who else fails alike, by job, without those of which nothing can be compared."""
    comparable = [(job, run, failure) for job, run, failure in failed if failure and not failure.is_generic]
    if not comparable or whose.author_id is None:
        return {}
    wanted = frozenset[str]().union(*(fingerprints_of(failure) for *_, failure in comparable))
    rows = await _alike(reader, whose, sorted(wanted))
    pulls = await _pulls_of_others(reader, whose, sorted({row["run_id"] for row in rows}))
    by_first = by_first_word(_told(rows, pulls))
    return {job.job_id: shared_with(by_first, failure, failed_at(job, run, now)) for job, run, failure in comparable}


def failed_at(job: Job, run: Run, now: datetime) -> datetime:
    """Return when a job failed, as far as is known."""
    return job.completed_at or run.ended_at or now


async def _alike(reader: Executor, whose: Whose, fingerprints: Sequence[str]) -> list[dict[str, Any]]:
    """Return the failed jobs whose first fingerprint is one of these."""
    rows: list[dict[str, Any]] = []
    for start in range(0, len(fingerprints), _AT_ONCE):
        chunk = fingerprints[start : start + _AT_ONCE]
        span = (whose.since, whose.until, whose.head_sha)
        rows += await reader.fetch(_ALIKE.format(places(chunk)), whose.repository_id, *chunk, *span)
    return rows


def said(row: Mapping[str, Any]) -> frozenset[str]:
    """Return the fingerprints of all that a job said, as far as a row of job_failure tells."""
    return _said(row.get("fingerprint"), row.get("fingerprints"))


def _said(first: str | None, fingerprints: str | None) -> frozenset[str]:
    if fingerprints is not None:
        return frozenset(json.loads(fingerprints))
    return frozenset() if first is None else frozenset({first})


def _told(rows: Iterable[Mapping[str, Any]], pulls: Mapping[int, Mapping[int, int]]) -> Iterable[Alike]:
    """Return what was said in others' pull requests."""
    read = cache(_said)
    for row in rows:
        at, of_run = to_moment(row["failed_at"]), pulls.get(row["run_id"])
        if of_run and at is not None:
            every = read(row["fingerprint"], row["fingerprints"]) | {row["fingerprint"]}
            yield Alike(at, row["fingerprint"], every, of_run)


async def _pulls_of_others(reader: Executor, whose: Whose, run_ids: Sequence[int]) -> dict[int, dict[int, int]]:
    """Return the pull requests of others, each with its author, that runs belong to.

    Drafts are among them, and those that go into any branch but the pull request's own.
    """
    pulls: dict[int, dict[int, int]] = defaultdict(dict)
    repository = whose.repository_id
    for start in range(0, len(run_ids), _AT_ONCE):
        chunk = run_ids[start : start + _AT_ONCE]
        sql = _PULLS_OF_RUNS.format(places(chunk))
        rows = await reader.fetch(sql, repository, *chunk, *chunk, repository, whose.number)
        # A branch may be that of several pull requests.
        own = {row["run_id"] for row in rows if row["number"] == whose.number}
        # What GitHub itself lists counts; only for a run that lists nothing, as those of forks do, the commit tells.
        listed = {row["run_id"] for row in rows if row["head_sha"] is not None}
        for row in rows:
            is_its = row["run_id"] not in own and (row["head_sha"] is not None or row["run_id"] not in listed)
            if is_its and _counts(row, whose):
                pulls[row["run_id"]][row["number"]] = row["author_id"]
    return pulls


def _counts(row: Mapping[str, Any], whose: Whose) -> bool:
    is_others = row["author_id"] not in {None, whose.author_id}
    # What goes into the pull request's own branch has its failures from there.
    is_stacked = whose.head_ref is not None and row["base_ref"] == whose.head_ref
    return is_others and not is_stacked and not is_revert(row["title"], row["head_ref"])


def places(values: Sequence[Any]) -> str:
    """Return as many places for parameters as there are values."""
    return ", ".join("?" * len(values))
