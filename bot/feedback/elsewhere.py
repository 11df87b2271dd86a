"""Who else fails alike: what the jobs of others' pull requests said."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from msgspec import Struct

from bot.domain.feedback.bases import is_revert
from bot.domain.feedback.report import Failure, Job, Run
from bot.store.database import Executor

_RUNS_AT_ONCE = 5_000

Failed = tuple[Job, Run, Failure | None]

IS_OWN_HEAD = (
    "(SELECT 1 FROM pull_request_head AS head WHERE head.repository_id = ? AND head.head_sha = {sha}"
    " AND head.number = ?)"
)
_ALIKE = (
    "SELECT DISTINCT fingerprint, fingerprints, run_id FROM job_failure"
    " WHERE repository_id = ? AND fingerprint IN ({}) AND failed_at >= ? AND failed_at <= ? AND head_sha <> ?"
)
_PULLS_OF_RUNS = (
    "SELECT link.run_id, link.number, link.head_sha, pull.author_id, pull.title, pull.head_ref FROM workflow_run AS run"
    " JOIN run_pull_request AS link ON link.run_id = run.run_id AND link.repository_id = ?"
    " LEFT JOIN pull_request AS pull ON pull.repository_id = link.repository_id AND pull.number = link.number"
    f" WHERE run.run_id IN ({{0}}) AND link.run_id IN ({{0}}) AND NOT EXISTS {IS_OWN_HEAD.format(sha='run.head_sha')}"
)


class Whose(Struct, frozen=True, kw_only=True):
    """Whose failures others' are held against, of which time; nobody else's count if the author is not known."""

    repository_id: int
    head_sha: str
    number: int | None
    author_id: int | None
    since: datetime
    until: datetime


class Elsewhere(Struct, frozen=True):
    """Which pull requests of others said the same, and by how many authors at least each thing was that a job said.

    `others` is by fingerprint, and has the author of each. `shared_by` is by job, without those where not all is known
    that they said.
    """

    others: Mapping[str, Mapping[int, int]]
    shared_by: Mapping[int, int]


async def find_elsewhere(reader: Executor, whose: Whose, failed: Sequence[Failed]) -> Elsewhere:
    """Return who else fails alike."""
    comparable = {job.job_id: failure for job, _, failure in failed if failure and not failure.is_generic}
    if not comparable or whose.author_id is None:
        return Elsewhere({}, {})
    wanted = sorted({failure.fingerprint for *_, failure in failed if failure and not failure.is_generic})
    span = (whose.since, whose.until, whose.head_sha)
    rows = await reader.fetch(_ALIKE.format(places(wanted)), whose.repository_id, *wanted, *span)
    pulls = await _pulls_of_others(reader, whose, sorted({row["run_id"] for row in rows}))
    others = _authors(rows, pulls)
    shared = {
        job_id: min(len(set(others.get(each, {}).values())) for each in failure.fingerprints)
        for job_id, failure in comparable.items()
        if failure.fingerprints
    }
    return Elsewhere(others, shared)


def said(row: Mapping[str, Any]) -> frozenset[str]:
    """Return the fingerprints of all that a job said, as far as a row of job_failure tells."""
    return _said(row.get("fingerprint"), row.get("fingerprints"))


def _said(first: str | None, fingerprints: str | None) -> frozenset[str]:
    if fingerprints is not None:
        return frozenset(json.loads(fingerprints))
    return frozenset() if first is None else frozenset({first})


Authors = dict[str, dict[int, int]]


def _authors(rows: Iterable[Mapping[str, Any]], pulls: Mapping[int, Mapping[int, int]]) -> Authors:
    """Return which pull requests, with their authors, said each thing."""
    read = cache(_said)
    at_all: Authors = defaultdict(dict)
    for row in rows:
        authors = pulls.get(row["run_id"])
        if not authors:
            continue
        for each in read(row["fingerprint"], row["fingerprints"]) | {row["fingerprint"]}:
            at_all[each].update(authors)
    return at_all


async def _pulls_of_others(reader: Executor, whose: Whose, run_ids: Sequence[int]) -> dict[int, dict[int, int]]:
    """Return the pull requests of others, each with its author, that runs belong to.

    Drafts are among them, and those that go into any branch.
    """
    pulls: dict[int, dict[int, int]] = defaultdict(dict)
    repository = whose.repository_id
    for start in range(0, len(run_ids), _RUNS_AT_ONCE):
        chunk = run_ids[start : start + _RUNS_AT_ONCE]
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
    return is_others and not is_revert(row["title"], row["head_ref"])


def places(values: Sequence[Any]) -> str:
    """Return as many places for parameters as there are values."""
    return ", ".join("?" * len(values))
