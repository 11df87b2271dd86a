"""Which runs have late jobs: they are marked, so that a list of jobs need not look at every run before its page.

`bench/lists` shows what it is worth. Of a run and its late job, whichever is recorded last finds the other: where a run
is told that may have late jobs, its repository is locked, and nobody records a job of it meanwhile. A run that is
marked without need costs a look more.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from bot.domain import facts
from bot.domain.lateness import LATE_AFTER, on_time_since
from bot.store.conversation import Among, Conversation, Question
from bot.store.database import current, to_moment
from bot.store.writes import ForEach, Pattern

# So many jobs are more than an older version records while it is being replaced.
LOOKED_THROUGH, AT_ONCE = 100_000, 5_000
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


def may_have_late_jobs(run: facts.WorkflowRun, now: datetime) -> bool:
    """Tell whether the run is old enough, by any clock, that a job of it may be late."""
    return run.created_at < now - LATE_AFTER / 2


def marking_late(
    runs: Iterable[facts.WorkflowRun], jobs: Iterable[facts.WorkflowJob], now: datetime
) -> Conversation[None]:
    """Mark the runs of late jobs, of these once they are written and of those that were before."""
    old = {run.run_id for run in runs if may_have_late_jobs(run, now)}
    known = yield Among(_NEWEST_JOBS, sorted(old))
    newest = {run_id: to_moment(listed_at) or facts.NO_TIME for run_id, listed_at in known}
    for job in jobs:
        newest[job.run_id] = max(job.listed_at, newest.get(job.run_id, job.listed_at))
    yield _marks(newest)


def _marks(newest: Mapping[int, datetime]) -> ForEach:
    return ForEach(_MARK, [(run_id, moment, on_time_since(moment)) for run_id, moment in sorted(newest.items())])


async def mark_late() -> int:
    """Mark the runs of late jobs among the jobs recorded last, which an older version did not; return how many."""
    (row,) = await current().reader.fetch("SELECT COALESCE(max(id), 0) AS newest FROM workflow_job")
    marked = 0
    for last in range(row["newest"], max(row["newest"] - LOOKED_THROUGH, 0), -AT_ONCE):
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
