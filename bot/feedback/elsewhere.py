"""Who else fails alike: what the jobs of others' pull requests said, and whether their base had said it before."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from msgspec import Struct

from bot.domain.feedback.bases import BASE_EVENTS, is_revert, others_of
from bot.domain.feedback.classes import LIKELY_FLAKY
from bot.domain.feedback.report import Failure, Job, Run
from bot.store.database import Executor

MOST_OF_BASE = 2_000
"""Where more of the base's jobs have failed, nobody knows which failures are only others'."""
_RUNS_AT_ONCE = 5_000

Failed = tuple[Job, Run, Failure | None]

_EVENTS = ", ".join(f"'{event}'" for event in sorted(BASE_EVENTS))
IS_OWN_HEAD = (
    "(SELECT 1 FROM pull_request_head AS head WHERE head.repository_id = ? AND head.head_sha = {sha}"
    " AND head.number = ?)"
)
_ALIKE = (
    "SELECT DISTINCT fingerprint, fingerprints, run_id FROM job_failure"
    " WHERE repository_id = ? AND fingerprint IN ({}) AND failed_at >= ? AND head_sha <> ?"
)
_PULLS_OF_RUNS = (
    "SELECT link.run_id, link.number, link.head_sha, link.base_ref AS listed_base_ref, pull.author_id, pull.title,"
    " pull.head_ref, pull.base_ref, pull.draft FROM workflow_run AS run"
    " JOIN run_pull_request AS link ON link.run_id = run.run_id AND link.repository_id = ?"
    " LEFT JOIN pull_request AS pull ON pull.repository_id = link.repository_id AND pull.number = link.number"
    f" WHERE run.run_id IN ({{0}}) AND link.run_id IN ({{0}}) AND NOT EXISTS {IS_OWN_HEAD.format(sha='run.head_sha')}"
)
# SQLite joins in the order in which a CROSS JOIN is written: the runs of a branch have an index.
_OF_BASE = (
    "SELECT DISTINCT failure.fingerprint, failure.fingerprints FROM workflow_run AS run"
    " CROSS JOIN job_failure AS failure WHERE run.workflow_id IN ({}) AND run.head_branch = ? AND run.created_at >= ?"
    f" AND run.repository_id = ? AND run.head_repository_id = ? AND run.event IN ({_EVENTS})"
    f" AND failure.run_id = run.run_id AND failure.source IS NOT NULL LIMIT {MOST_OF_BASE}"
)


class Whose(Struct, frozen=True, kw_only=True):
    """Whose failures others' are held against, and since when; nobody else's count if author or base is not known."""

    repository_id: int
    head_sha: str
    number: int | None
    author_id: int | None
    base_ref: str | None
    since: datetime


class Elsewhere(Struct, frozen=True):
    """Which pull requests of others said the same first, and by how many at least each thing was said that a job said.

    `others` is by fingerprint. `shared_by` is by job, without those where not all is known that they said, and those
    that said what the base has said as well.
    """

    others: Mapping[str, tuple[int, ...]]
    shared_by: Mapping[int, int]


async def find_elsewhere(reader: Executor, whose: Whose, failed: Sequence[Failed]) -> Elsewhere:
    """Return who else fails alike."""
    comparable = {job.job_id: (run, failure) for job, run, failure in failed if failure and not failure.is_generic}
    if not comparable or whose.author_id is None or whose.base_ref is None:
        return Elsewhere({}, {})
    wanted = sorted({failure.fingerprint for *_, failure in failed if failure and not failure.is_generic})
    rows = await reader.fetch(_ALIKE.format(places(wanted)), whose.repository_id, *wanted, whose.since, whose.head_sha)
    pulls = await _pulls_of_others(reader, whose, sorted({row["run_id"] for row in rows}))
    first, all_said = _authors(rows, pulls)
    shared = {
        job_id: min(len(others_of(all_said.get(each, {}))) for each in failure.fingerprints)
        for job_id, (_, failure) in comparable.items()
        if failure.fingerprints
    }
    of_base = await _said_by_base(
        reader, whose, {comparable[job_id][0].workflow_id for job_id, times in shared.items() if times >= LIKELY_FLAKY}
    )
    return Elsewhere(
        {each: others_of(authors) for each, authors in first.items()},
        {
            job_id: times
            for job_id, times in shared.items()
            if of_base is not None and of_base.isdisjoint(comparable[job_id][1].fingerprints or ())
        },
    )


def said(row: Mapping[str, Any]) -> frozenset[str]:
    """Return the fingerprints of all that a job said, as far as a row of job_failure tells."""
    return _said(row.get("fingerprint"), row.get("fingerprints"))


def _said(first: str | None, fingerprints: str | None) -> frozenset[str]:
    if fingerprints is not None:
        return frozenset(json.loads(fingerprints))
    return frozenset() if first is None else frozenset({first})


Authors = dict[str, dict[int, int]]


def _authors(rows: Iterable[Mapping[str, Any]], pulls: Mapping[int, Mapping[int, int]]) -> tuple[Authors, Authors]:
    """Return which pull requests, with their authors, said each thing first, and which said it at all."""
    read = cache(_said)
    first: Authors = defaultdict(dict)
    at_all: Authors = defaultdict(dict)
    for row in rows:
        authors = pulls.get(row["run_id"])
        if not authors:
            continue
        first[row["fingerprint"]].update(authors)
        for each in read(row["fingerprint"], row["fingerprints"]):
            at_all[each].update(authors)
    return first, at_all


async def _said_by_base(reader: Executor, whose: Whose, workflows: Collection[int | None]) -> frozenset[str] | None:
    """Return what jobs of the base branch have said, None if that is too much to know.

    What others had from there is their base's fault, and no flake.
    """
    wanted = sorted(workflow for workflow in workflows if workflow is not None)
    if not wanted:
        return frozenset()
    place = (whose.base_ref, whose.since, whose.repository_id, whose.repository_id)
    rows = await reader.fetch(_OF_BASE.format(places(wanted)), *wanted, *place)
    return None if len(rows) >= MOST_OF_BASE else frozenset().union(*map(said, rows))


async def _pulls_of_others(reader: Executor, whose: Whose, run_ids: Sequence[int]) -> dict[int, dict[int, int]]:
    """Return the pull requests of others, each with its author, that runs belong to.

    One that goes into another branch, or went there when it ran, may have its failures from there: from the very
    commits that are to be excused, if it stands on them.
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
    goes_there = row["base_ref"] == whose.base_ref and row["listed_base_ref"] in {None, whose.base_ref}
    is_others = row["author_id"] not in {None, whose.author_id}
    return is_others and goes_there and not row["draft"] and not is_revert(row["title"], row["head_ref"])


def places(values: Sequence[Any]) -> str:
    """Return as many places for parameters as there are values."""
    return ", ".join("?" * len(values))
