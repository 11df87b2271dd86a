"""Facts become rows to be written: pure, in the forms of `bot.recorder.forms`.

Rows come merged and sorted by key, so that each is written once, and two writers take their locks in the same order
(PostgreSQL deadlocks otherwise). Whoever holds the transaction executes what is returned.
"""

import functools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bot.domain import facts
from bot.recorder import forms
from bot.recorder.links import linking_by_head, linking_of_heads
from bot.recorder.merging import merged
from bot.store.conversation import Step
from bot.store.writes import Upsert


@functools.cache
def _values_of(columns: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    return operator.attrgetter(*columns)


@functools.cache
def _but(columns: tuple[str, ...], *others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(column for column in columns if not any(column in each for each in others))


def run_statements(told: Sequence[facts.WorkflowRun], teams: Mapping[int, int]) -> list[Step]:
    """Return what records snapshots of runs; `teams` gives the team id of each repository id."""
    attempts = merged(told, forms.ATTEMPT_KEY, _but(forms.attempt_columns(), forms.ATTEMPT_KEY, forms.RUN_MUTABLE))
    # The highest attempt comes last.
    runs = {attempt.run_id: attempt for attempt in attempts}
    values = _values_of(forms.attempt_columns())
    links = merged(
        (link for run in told for link in run.pull_requests),
        forms.LINK_KEY,
        _but(forms.links().columns, forms.LINK_KEY, forms.LINK_MUTABLE),
    )
    return [
        Upsert(forms.attempts(), [values(attempt) for attempt in attempts]),
        Upsert(forms.runs(), [(*values(run), teams[run.repository_id]) for run in runs.values()]),
        Upsert(forms.workflows(), _workflow_rows(told)),
        Upsert(forms.links(), [_values_of(forms.links().columns)(link) for link in links]),
        linking_by_head(list(runs)),
    ]


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


def job_statements(told: Sequence[facts.WorkflowJob], teams: Mapping[int, int]) -> list[Step]:
    """Return what records snapshots of jobs; `teams` gives the team id of each repository id."""
    values = _values_of(forms.told_job_columns())
    jobs = merged(told, forms.JOB_KEY, _but(forms.told_job_columns(), forms.JOB_KEY, forms.JOB_MUTABLE))
    rows = [(*values(job), teams[job.repository_id], job.created_at or job.started_at or facts.NO_TIME) for job in jobs]
    return [Upsert(forms.jobs(), rows)]


def pull_request_statements(
    told: Sequence[facts.PullRequest], past_heads: Sequence[facts.PullRequestHead] = ()
) -> list[Step]:
    """Return what records snapshots of pull requests and links the runs of their head commits, past ones included."""
    pulls = merged(told, forms.PULL_REQUEST_KEY, ("created_at",))
    heads = sorted({*_heads_of(told), *_heads_of(past_heads)})
    return [
        Upsert(forms.pull_requests(), [_values_of(forms.pull_requests().columns)(pull) for pull in pulls]),
        Upsert(forms.heads(), heads),
        linking_of_heads(heads),
    ]


def _heads_of(told: Iterable[facts.PullRequest | facts.PullRequestHead]) -> Iterator[tuple[int, str, int, int]]:
    for each in told:
        if each.head_repository_id is not None:
            yield each.repository_id, each.head_sha, each.head_repository_id, each.number
