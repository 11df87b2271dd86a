"""Which runs have late jobs: they are marked, so that a list of jobs need not look at every run before its page.

`bench/lists` shows what it is worth. Whoever records a job marks its run, and whoever records a run first looks for its
jobs. Where such a run is old enough to have late jobs, its repository is locked, so that neither is passed unseen. A
run marked needlessly costs one look more.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from bot.domain import facts
from bot.domain.lateness import LATE_AFTER, on_time_since
from bot.store.conversation import Among, Conversation, Question
from bot.store.database import current, to_moment
from bot.store.writes import ForEach, Pattern

# Every telling of a job uses up an id: these are what is told in an hour at some 300 deliveries a second.
IDS_LOOKED_THROUGH, AT_ONCE = 1_000_000, 5_000
_KNOWN = "SELECT run_id, created_at FROM workflow_run WHERE run_id {among}"
_NEWEST_JOBS = "SELECT run_id, max(listed_at) FROM workflow_job WHERE run_id {among} GROUP BY run_id"
_MARK = Pattern(
    "UPDATE workflow_run SET late_job_at = {listed_at}{from_each} WHERE workflow_run.run_id = {run_id}"
    " AND workflow_run.created_at < {on_time_since}"
    " AND (workflow_run.late_job_at IS NULL OR workflow_run.late_job_at < {listed_at})",
    {"run_id": "BIGINT", "listed_at": "TIMESTAMPTZ", "on_time_since": "TIMESTAMPTZ"},
)
_OF_SOME_JOBS = (
    "SELECT job.run_id, max(job.listed_at), run.created_at, run.late_job_at FROM workflow_job AS job"
    " JOIN workflow_run AS run ON run.run_id = job.run_id WHERE job.id > ? AND job.id <= ?"
    " GROUP BY job.run_id, run.created_at, run.late_job_at"
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


async def mark_late() -> int:
    """Mark the runs of late jobs among the jobs recorded last, as older versions do not; return how many."""
    (row,) = await current().reader.fetch("SELECT COALESCE(max(id), 0) AS newest FROM workflow_job")
    marked = 0
    for last in range(row["newest"], max(row["newest"] - IDS_LOOKED_THROUGH, 0), -AT_ONCE):
        unmarked = await current().reader.converse(_unmarked(last - AT_ONCE, last))
        await current().write([_marks(unmarked)])
        marked += len(unmarked)
    return marked


def _unmarked(after: int, last: int) -> Conversation[dict[int, datetime]]:
    unmarked = {}
    for run_id, *moments in (yield Question(_OF_SOME_JOBS, (after, last))):
        listed_at, created_at, marked = map(to_moment, moments)
        if listed_at and created_at and created_at < on_time_since(listed_at) and (not marked or marked < listed_at):
            unmarked[run_id] = listed_at
    return unmarked
