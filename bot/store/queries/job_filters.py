"""What a list of jobs is narrowed by, each in words that an index answers.

The indexes of jobs are few, because most of what is written is jobs. What only a run tells (its event, its actor, its
workflow's id and path) is asked of the runs' indexes, and jobs follow from runs where that is the shorter way.
`bench/lists` shows what each filter takes alone.
"""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from bot.domain.facts.base import json_text
from bot.domain.lateness import on_time_since, on_time_until
from bot.settings import Dialect
from bot.store.conversation import Conversation, Question
from bot.store.database import current
from bot.store.queries.conditions import CALLED, OF_PATH, Condition, Fit, Lead, Piece, Register, narrow_by_status
from bot.store.queries.filters import JobsQuery
from bot.store.queries.pages import matching
from bot.store.queries.scope import Scope

_LABELLED = {
    Dialect.SQLITE: "EXISTS (SELECT 1 FROM json_each(job.labels) AS label WHERE label.value = ?)",
    Dialect.POSTGRESQL: "jsonb_exists(CAST(job.labels AS jsonb), ?)",
}
# The sets of several labels that came first, some for each team; an index leads to their jobs.
_SETS = "SELECT labels FROM workflow_job_label_set WHERE team_id = ?"
# Jobs with several labels otherwise, or a long one, are in a table with a row for each label; the database keeps both.
_LABELS = Register(
    "workflow_job_label AS label",
    "job.job_id = label.job_id",
    {"job.listed_at": "label.listed_at", "job.job_id": "label.job_id"},
)
# PostgreSQL might gather all runs for an EXISTS here.
_OF_RUN = "(SELECT run.run_id FROM workflow_run AS run WHERE run.run_id = job.run_id AND {} LIMIT 1) IS NOT NULL"
_ANY_OF_PATH = f"SELECT 1 FROM workflow_run AS run WHERE run.team_id = ? AND {OF_PATH} LIMIT 1"
_CALLED = "job.workflow_name = ? AND length(job.workflow_name) <= 255"
_UNNAMED = "job.workflow_name IS NULL"
_CALLED_BY_RUN = f"{_UNNAMED} AND {_OF_RUN.format('run.workflow_name = ?')}"
_ARE_UNNAMED = f"SELECT 1 FROM workflow_job AS job WHERE job.team_id = ? AND {_UNNAMED} LIMIT 1 OFFSET ?"
_ANY_CALLED = "SELECT 1 WHERE " + " OR ".join(
    f"EXISTS (SELECT 1 FROM workflow_job AS job WHERE job.team_id = ? AND {called})"
    for called in (_CALLED, _CALLED_BY_RUN)
)
# Of so many jobs that don't tell their workflow each one's run is looked at. GitHub has told it since 2022.
FEW_UNNAMED = 200
_FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
_read_labels = msgspec.json.Decoder(list[str])


class Way(NamedTuple):
    """What jobs fit, and where only their runs tell of their workflow, what fits; and how none of them is called."""

    condition: Condition
    workflow: Piece | None = None
    unlike: str | None = None

    @property
    def whole(self) -> Condition:
        """All of it that jobs tell themselves."""
        whole = self.condition.copy()
        if self.unlike is not None:
            whole.add("COALESCE(job.workflow_name, '') <> ?", self.unlike)
        return whole


def add_job_filter(condition: Condition, query: JobsQuery) -> None:
    """Ask for what a job tells itself, but for its labels and its workflow."""
    condition.narrow_equal(Lead.COMMIT, "job.head_sha", query.head_sha)
    condition.narrow_equal(Lead.RUN, "job.run_id", query.run_id)
    narrow_by_status(condition, "job", query.status)
    if query.attempt == 1:
        # A job without an attempt comes from a GitHub that had no re-runs yet.
        condition.narrow(Lead.NOTHING, ("COALESCE(job.run_attempt, 1) = 1", ()))
    elif query.attempt is not None:
        condition.narrow(Lead.ATTEMPT, ("job.run_attempt = ? AND job.run_attempt <> 1", (query.attempt,)))
    if query.runner_name is not None:
        condition.narrow(Lead.RUNNER, *_run_by(query.runner_name, query.status))
    if query.name is not None:
        condition.narrow(Lead.NAME, ("job.name = ? AND length(job.name) <= 255", (query.name,)))
    condition.narrow_equal(Lead.BRANCH, "job.head_branch", query.branch)
    if query.conclusion == "success":
        condition.narrow_equal(Lead.NOTHING, "job.conclusion", query.conclusion)
    elif query.conclusion is not None:
        failed = "job.conclusion = ? AND job.conclusion <> 'success'"
        condition.narrow(Lead.CONCLUSION, (failed, (query.conclusion,)))
    if query.since is not None:
        condition.add_since("job.listed_at", query.since)
    if query.until is not None:
        condition.add_until("job.listed_at", query.until)


def _run_by(runner: str, status: str | None) -> list[Piece]:
    # A job's runner is indexed once the job has ended; those that have not are few.
    ended = ("job.runner_name = ? AND length(job.runner_name) <= 255 AND job.status = 'completed'", (runner,))
    unfinished = ("job.runner_name = ? AND job.status <> 'completed'", (runner,))
    return [
        each for each, fits in ((ended, status in (None, "completed")), (unfinished, status != "completed")) if fits
    ]


def add_label(condition: Condition, scope: Scope, label: str | None) -> Conversation[None]:
    """Ask for jobs that have this label, unless it is None."""
    if label is None:
        return
    sets = yield Question(_SETS, (scope.team_id,))
    having = [labels for (labels,) in sets if label in _read_labels.decode(labels)]
    alone_or_of_a_set: list[Piece] = [
        ("job.labels = ? AND length(job.labels) <= 500", (labels,)) for labels in (json_text([label]), *having)
    ]
    among: Piece = ("label.team_id = ? AND label.label = ?", (scope.team_id, label))
    following: Piece = (_LABELLED[current().dialect], (label,))
    condition.narrow_by(Lead.LABEL, *map(Fit, alone_or_of_a_set), Fit(among, _LABELS), following=following)


def ways_of_workflow(condition: Condition, scope: Scope, name: str | None) -> Conversation[list[Way]]:
    """Return how jobs are found of workflows that are called so, or whose path is that, unless it is None.

    Each job fits one way at the most. Where all runs of a path are called by it, a job of theirs that is called
    otherwise is found by its own name alone.
    """
    if name is None:
        return [Way(condition)]
    ways = yield from _ways_of_called(condition, scope, name)
    if not (yield Question(_ANY_OF_PATH, (scope.team_id, name))):
        return ways
    of_path: Piece = (OF_PATH, (name,))
    if len(ways) == 1 and not (yield Question(_ANY_CALLED, (scope.team_id, name) * 2)):
        # Then there is no need to read of each job what it is called.
        return [Way(condition, of_path)]
    return [*ways, Way(condition, of_path, unlike=name)]


def _ways_of_called(condition: Condition, scope: Scope, name: str) -> Conversation[list[Way]]:
    """Return how jobs are found of workflows that are called so; where many don't tell it, their runs may lead."""
    called = condition.copy()
    if not (yield Question(_ARE_UNNAMED, (scope.team_id, FEW_UNNAMED))):
        called.narrow(Lead.WORKFLOW, (_CALLED, (name,)), (_CALLED_BY_RUN, (name,)))
        return [Way(called)]
    called.narrow(Lead.WORKFLOW, (_CALLED, (name,)))
    unnamed = condition.copy()
    unnamed.narrow(Lead.UNNAMED, (_UNNAMED, ()))
    return [Way(called), Way(unnamed, (CALLED, (name,)))]


def told_by_runs(scope: Scope, query: JobsQuery, workflow: Piece | None) -> Condition | None:
    """Return what is asked that only runs tell, and maybe of their workflow; None where it is nothing."""
    if (query.workflow_id, query.event, query.actor, workflow) == (None, None, None, None):
        return None
    told = Condition()
    told.add("run.team_id = ? AND NOT run.without_jobs", scope.team_id)
    told.narrow_equal(Lead.ACTOR, "run.actor_login", query.actor)
    if workflow is not None:
        told.narrow(Lead.WORKFLOW, workflow)
    told.narrow_equal(Lead.WORKFLOW_ID, "run.workflow_id", query.workflow_id)
    told.narrow_equal(Lead.EVENT, "run.event", query.event)
    return told


class Between(NamedTuple):
    """When the jobs of a page may be listed, as far as that is known."""

    since: datetime | None = None
    until: datetime | None = None


def with_jobs(told: Condition, between: Between) -> list[Condition]:
    """Return conditions of the runs that may have jobs which are listed then, each in one; of all if nothing is known.

    So only runs with late jobs are looked for among those that were created long before, and only those with late or
    early ones among those created after (`bot.recorder.run_marks`).
    """
    if between == Between():
        return told.branches()
    ((on_time,), (untimely,)) = told.branches(), told.branches()
    bounds = []
    if between.since is not None:
        on_time.add_since("run.created_at", on_time_since(between.since))
        bounds.append(("run.created_at >= ?", on_time_since(between.since)))
    if between.until is not None:
        on_time.add_until("run.created_at", on_time_until(between.until))
        bounds.append(("run.created_at <= ?", on_time_until(between.until)))
    # So put, it leads SQLite to no index by when runs were created.
    otherwise = f"NOT ({' AND '.join(sql for sql, _ in bounds)})"
    untimely.add(
        f"run.late_job_at >= ? AND {otherwise}", between.since or _FIRST_MOMENT, *(moment for _, moment in bounds)
    )
    return [on_time, untimely]


def are_few_runs(told: Condition, between: Between, most: int) -> Conversation[bool]:
    """Find out whether `most` runs or fewer may have jobs that are listed then."""
    selects, asked = matching("workflow_run AS run", *with_jobs(told, between))
    return not (yield Question(f"{selects} LIMIT 1 OFFSET ?", [*asked, most]))


def add_told_by_runs(condition: Condition, told: Condition, unlike: str | None) -> None:
    """Ask for jobs whose run fits, looking at the run of each, and that are not called `unlike`."""
    sql, parameters = told.sql, told.parameters
    if unlike is not None:
        # A run's own name is no path that is asked for. So put, no job is read for its name before its run fits.
        sql = f"{sql} AND COALESCE(job.workflow_name, run.workflow_name, '') <> ?"
        parameters.append(unlike)
    condition.narrow(Lead.NOTHING, (_OF_RUN.format(sql), parameters))
