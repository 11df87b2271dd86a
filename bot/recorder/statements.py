"""Facts become rows to be written: pure, in the forms of `bot.recorder.forms`.

Rows come merged and sorted by key, so that each is written once, and two writers take their locks in the same order
(PostgreSQL deadlocks otherwise). Whoever holds the transaction executes what is returned.
"""

import functools
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bot.domain import facts
from bot.domain.ordering import NO_VERSION
from bot.recorder import forms
from bot.recorder.merging import merged
from bot.store.writes import ForEach, Pattern, Upsert, Write

_LINK = "INSERT INTO run_pull_request (run_id, repository_id, number, run_created_at, version)"
# A fork's run lists no pull requests; its head commit, in its head repository, tells them. A re-run tells no repository
# where the fork is deleted by then, so that every attempt is asked, and not only the newest.
LINKS_OF_ATTEMPT = Pattern(
    f"{_LINK} SELECT {{run_id}}, head.repository_id, head.number, {{created_at}}, {{version}}"
    " FROM pull_request_head AS head{and_each} WHERE head.repository_id = {repository_id}"
    " AND head.head_sha = {head_sha} AND head.head_repository_id = {head_repository_id} ON CONFLICT DO NOTHING",
    {
        "run_id": "BIGINT",
        "repository_id": "BIGINT",
        "head_sha": "TEXT",
        "head_repository_id": "BIGINT",
        "created_at": "TIMESTAMPTZ",
        "version": "BYTEA",
    },
)
# Of an attempt whose snapshot leaves out one of the two, an earlier one may have told it. What is known of it is asked
# for by questions of their own: PostgreSQL may join tables of which it knows no rows yet by reading all of one.
_KNOWN = (
    "(SELECT attempt.{} FROM workflow_run_attempt AS attempt"
    " WHERE attempt.run_id = {{run_id}} AND attempt.run_attempt = {{run_attempt}})"
)
LINKS_OF_KNOWN_ATTEMPT = Pattern(
    f"{_LINK} SELECT {{run_id}}, head.repository_id, head.number, {_KNOWN.format('created_at')}, {{version}}"
    f" FROM pull_request_head AS head{{and_each}} WHERE head.repository_id = {_KNOWN.format('repository_id')}"
    f" AND head.head_sha = {_KNOWN.format('head_sha')}"
    f" AND head.head_repository_id = {_KNOWN.format('head_repository_id')} ON CONFLICT DO NOTHING",
    {"run_id": "BIGINT", "run_attempt": "INTEGER", "version": "BYTEA"},
)
# All attempts of a run are of one commit, for which only runs have an index.
LINKS_OF_HEAD = Pattern(
    f"{_LINK} SELECT run.run_id, run.repository_id, {{number}}, run.created_at, {{version}}"
    " FROM workflow_run AS run{and_each} WHERE run.repository_id = {repository_id} AND run.head_sha = {head_sha}"
    " AND EXISTS (SELECT 1 FROM workflow_run_attempt AS attempt WHERE attempt.run_id = run.run_id"
    " AND attempt.head_sha = {head_sha} AND attempt.head_repository_id = {head_repository_id}) ON CONFLICT DO NOTHING",
    {
        "number": "INTEGER",
        "version": "BYTEA",
        "repository_id": "BIGINT",
        "head_sha": "TEXT",
        "head_repository_id": "BIGINT",
    },
)


@functools.cache
def _values_of(columns: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    return operator.attrgetter(*columns)


@functools.cache
def _but(columns: tuple[str, ...], *others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(column for column in columns if not any(column in each for each in others))


def merged_attempts(told: Sequence[facts.WorkflowRun]) -> list[facts.WorkflowRun]:
    """Return one snapshot for each attempt, sorted by run and attempt."""
    return merged(told, forms.ATTEMPT_KEY, _but(forms.attempt_columns(), forms.ATTEMPT_KEY, forms.RUN_MUTABLE))


def run_statements(
    attempts: Sequence[facts.WorkflowRun], teams: Mapping[int, int], without_jobs: Collection[int] = ()
) -> list[Write]:
    """Return what records attempts and their runs, of which some are to be marked as having no jobs.

    `teams` gives the team id of each repository id.
    """
    values = _values_of(forms.attempt_columns())
    runs = [(*values(run), teams[run.repository_id], run.run_id in without_jobs) for run in _newest(attempts)]
    return [Upsert(forms.attempts(), [values(attempt) for attempt in attempts]), Upsert(forms.runs(), runs)]


def related_statements(told: Sequence[facts.WorkflowRun], attempts: Sequence[facts.WorkflowRun]) -> list[Write]:
    """Return what records the workflows of runs, and which pull requests they belong to."""
    links = merged(
        (link for run in told for link in run.pull_requests),
        forms.LINK_KEY,
        _but(forms.links().columns, forms.LINK_KEY, forms.LINK_MUTABLE),
    )
    return [
        Upsert(forms.workflows(), _workflow_rows(told)),
        Upsert(forms.links(), [_values_of(forms.links().columns)(link) for link in links]),
        *_links_by_head(attempts),
    ]


def _newest(attempts: Sequence[facts.WorkflowRun]) -> Iterable[facts.WorkflowRun]:
    # The highest attempt comes last.
    return {attempt.run_id: attempt for attempt in attempts}.values()


def _links_by_head(attempts: Iterable[facts.WorkflowRun]) -> list[Write]:
    *columns, _ = LINKS_OF_ATTEMPT.columns
    values = _values_of(tuple(columns))
    whole, others = [], []
    for attempt in attempts:
        if attempt.head_sha is not None and attempt.head_repository_id is not None:
            whole.append((*values(attempt), NO_VERSION))
        else:
            others.append((attempt.run_id, attempt.run_attempt, NO_VERSION))
    return [ForEach(LINKS_OF_ATTEMPT, whole), ForEach(LINKS_OF_KNOWN_ATTEMPT, others)]


def _workflow_rows(runs: Iterable[facts.WorkflowRun]) -> list[tuple[Any, ...]]:
    newest: dict[int, tuple[bytes, facts.WorkflowRun]] = {}
    for run in runs:
        if run.workflow_id is None:
            continue
        version = facts.workflow_version(run)
        if run.workflow_id not in newest or version > newest[run.workflow_id][0]:
            newest[run.workflow_id] = (version, run)
    rows = [
        {
            "workflow_id": workflow_id,
            "repository_id": run.repository_id,
            "name": run.workflow_name,
            "path": run.workflow_path,
            "version": version,
        }
        for workflow_id, (version, run) in sorted(newest.items())
    ]
    return [tuple(row[column] for column in forms.workflows().columns) for row in rows]


def job_statements(told: Sequence[facts.WorkflowJob], teams: Mapping[int, int]) -> list[Write]:
    """Return what records snapshots of jobs; `teams` gives the team id of each repository id."""
    values = _values_of(forms.told_job_columns())
    jobs = merged(told, forms.JOB_KEY, _but(forms.told_job_columns(), forms.JOB_KEY, forms.JOB_MUTABLE))
    rows = [(*values(job), teams[job.repository_id], job.listed_at) for job in jobs]
    return [Upsert(forms.jobs(), rows)]


def pull_request_statements(
    told: Sequence[facts.PullRequest], past_heads: Sequence[facts.PullRequestHead] = ()
) -> list[Write]:
    """Return what records snapshots of pull requests and links the runs of their head commits, past ones included."""
    pulls = merged(told, forms.PULL_REQUEST_KEY, ("created_at",))
    heads = sorted({*_heads_of(told), *_heads_of(past_heads)})
    return [
        Upsert(forms.pull_requests(), [_values_of(forms.pull_requests().columns)(pull) for pull in pulls]),
        Upsert(forms.heads(), heads),
        ForEach(
            LINKS_OF_HEAD,
            [(number, NO_VERSION, repository, sha, head) for repository, sha, head, number in heads],
        ),
    ]


def _heads_of(told: Iterable[facts.PullRequest | facts.PullRequestHead]) -> Iterator[tuple[int, str, int, int]]:
    for each in told:
        if each.head_repository_id is not None:
            yield each.repository_id, each.head_sha, each.head_repository_id, each.number
