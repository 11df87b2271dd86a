"""Which runs have late jobs: they are marked, so that a list of jobs need not look at every run before its page.

`bench/lists` shows what it is worth. Whoever records a job marks its run, and whoever records a run first looks for its
jobs. Where such a run is old enough to have late jobs, its repository is locked, so that neither is passed unseen. A
run marked needlessly costs one look more.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain import facts
from bot.domain.lateness import LATE_AFTER, on_time_since
from bot.store.conversation import Among, Conversation
from bot.store.database import current, to_moment
from bot.store.writes import ForEach, Pattern

# GitHub delivers for three days what an older version may be the one to record.
LOOKED_BACK, A_SLICE = timedelta(days=4), timedelta(hours=1)
_KNOWN = "SELECT run_id, created_at FROM workflow_run WHERE run_id {among}"
_NEWEST_JOBS = "SELECT run_id, max(listed_at) FROM workflow_job WHERE run_id {among} GROUP BY run_id"
_MARK = Pattern(
    "UPDATE workflow_run SET late_job_at = {listed_at}{from_each} WHERE workflow_run.run_id = {run_id}"
    " AND workflow_run.created_at < {on_time_since}"
    " AND (workflow_run.late_job_at IS NULL OR workflow_run.late_job_at < {listed_at})",
    {"run_id": "BIGINT", "listed_at": "TIMESTAMPTZ", "on_time_since": "TIMESTAMPTZ"},
)
_NEWEST_JOB = "(SELECT max(job.listed_at) FROM workflow_job AS job WHERE job.run_id = workflow_run.run_id)"
# A run is marked as soon as it would be late at the end of the slice: needlessly at the worst.
_OF_A_SLICE = (
    f"UPDATE workflow_run SET late_job_at = {_NEWEST_JOB} WHERE run_id IN"
    " (SELECT job.run_id FROM team CROSS JOIN workflow_job AS job"
    " WHERE job.team_id = team.id AND job.listed_at >= ? AND job.listed_at < ?)"
    f" AND created_at < ? AND (late_job_at IS NULL OR late_job_at < {_NEWEST_JOB})"
)


def marks_of_jobs(jobs: Iterable[facts.WorkflowJob]) -> ForEach:
    """Return what marks the runs of which these are late jobs. It comes before the jobs: everybody locks runs first."""
    newest: dict[int, datetime] = {}
    for job in jobs:
        newest[job.run_id] = max(job.listed_at, newest.get(job.run_id, job.listed_at))
    return _marks(newest)


def runs_to_look_at(runs: Iterable[facts.WorkflowRun], now: datetime) -> Conversation[list[int]]:
    """Find out of which runs, not recorded yet, late jobs may be there already.

    A run that is known is marked by whoever records its jobs. That of a moment ago has no late ones, by any clock.
    """
    old = {run.run_id: run.created_at for run in runs if run.created_at < now - LATE_AFTER / 2}
    known = {run_id: to_moment(created_at) for run_id, created_at in (yield Among(_KNOWN, sorted(old)))}
    return [run_id for run_id, created_at in sorted(old.items()) if (known.get(run_id) or now) > created_at]


def marking_runs(run_ids: Sequence[int]) -> Conversation[None]:
    """Mark those of these runs that have late jobs."""
    newest = yield Among(_NEWEST_JOBS, run_ids)
    yield _marks({run_id: to_moment(listed_at) or facts.NO_TIME for run_id, listed_at in newest})


def _marks(newest: Mapping[int, datetime]) -> ForEach:
    return ForEach(_MARK, [(run_id, moment, on_time_since(moment)) for run_id, moment in sorted(newest.items())])


async def mark_late(now: datetime) -> int:
    """Mark the runs of late jobs of the last days, as older versions do not; return how many."""
    marked, begin = 0, now - LOOKED_BACK
    # In slices, so that nobody who writes waits for long.
    while begin <= now:
        end = begin + A_SLICE
        marked += await current().execute(_OF_A_SLICE, begin, end, on_time_since(end))
        begin = end
    return marked
