"""Which runs have late jobs: they are marked, so that a list of jobs need not look at every run before its page.

`bench/lists` shows what it is worth. Of a run and its late job, whichever is recorded last finds the other. Where two
processes record them at the same moment neither may, and a version of this service that knew no marks makes none: so
what is listed of late is gone through once a day. A run that is marked without need costs a look more.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from bot.domain import facts
from bot.domain.lateness import LATE_AFTER, on_time_since
from bot.store.conversation import Among, Conversation
from bot.store.database import current, to_moment
from bot.store.writes import ForEach, Pattern

# GitHub redelivers what is three days old.
LOOKED_BACK, AT_ONCE = timedelta(days=3), timedelta(hours=1)
_NEWEST_JOBS = "SELECT run_id, max(listed_at) FROM workflow_job WHERE run_id {among} GROUP BY run_id"
_MARK = Pattern(
    "UPDATE workflow_run SET late_job_at = {listed_at}{from_each} WHERE workflow_run.run_id = {run_id}"
    " AND workflow_run.created_at < {on_time_since}"
    " AND (workflow_run.late_job_at IS NULL OR workflow_run.late_job_at < {listed_at})",
    {"run_id": "BIGINT", "listed_at": "TIMESTAMPTZ", "on_time_since": "TIMESTAMPTZ"},
)
_NEWEST_OF_RUN = "(SELECT max(job.listed_at) FROM workflow_job AS job WHERE job.run_id = workflow_run.run_id)"
# A run of an hour's jobs is marked as soon as it is late for one that is listed when the hour ends.
_OF_AN_HOUR = (
    f"UPDATE workflow_run SET late_job_at = {_NEWEST_OF_RUN} WHERE run_id IN"
    " (SELECT job.run_id FROM workflow_job AS job WHERE job.team_id = ? AND job.listed_at >= ? AND job.listed_at < ?)"
    f" AND created_at < ? AND (late_job_at IS NULL OR late_job_at < {_NEWEST_OF_RUN})"
)


def marking_late(
    runs: Iterable[facts.WorkflowRun], jobs: Iterable[facts.WorkflowJob], now: datetime
) -> Conversation[None]:
    """Mark the runs of late jobs, of these once they are written and of those that were before."""
    # Of a run that was created a moment ago no job can be late yet, however far apart the clocks are.
    old = {run.run_id for run in runs if run.created_at < now - LATE_AFTER / 2}
    known = yield Among(_NEWEST_JOBS, sorted(old))
    newest = {run_id: to_moment(listed_at) or facts.NO_TIME for run_id, listed_at in known}
    for job in jobs:
        newest[job.run_id] = max(job.listed_at, newest.get(job.run_id, job.listed_at))
    yield ForEach(_MARK, [(run_id, moment, on_time_since(moment)) for run_id, moment in sorted(newest.items())])


async def mark_late(now: datetime) -> int:
    """Mark the runs of late jobs that are listed of late, where they are not; return how many."""
    marked, begin = 0, now - LOOKED_BACK
    teams = [row["id"] for row in await current().fetch("SELECT id FROM team")]
    # An hour of a team at a time, so that nobody who writes waits for long.
    while begin <= now:
        end = begin + AT_ONCE
        for team in teams:
            marked += await current().execute(_OF_AN_HOUR, team, begin, end, on_time_since(end))
        begin = end
    return marked
