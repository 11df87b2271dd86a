"""Which runs have late jobs: they are marked, so that a list of jobs need not look at every run before its page.

`bench/lists` shows what it is worth. Whoever records a late job marks its run, if that is recorded; whoever records a
run for the first time looks for late jobs of it. For that its repository is locked, where the run is old enough to have
some, so that neither misses the other. A run marked needlessly costs one look more.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter

from bot.domain import facts
from bot.domain.lateness import LATE_AFTER, on_time_since
from bot.store.conversation import Among, Conversation
from bot.store.database import Transaction, current, to_moment
from bot.store.writes import Statement

# An older version may record what GitHub delivered up to three days ago. Late jobs from before that, which its backfill
# records, stay unmarked.
LOOKED_BACK, A_SLICE = timedelta(days=4), timedelta(hours=1)
_KNOWN = "SELECT run_id, created_at, late_job_at FROM workflow_run WHERE run_id {among}"
_NEWEST_JOBS = "SELECT run_id, max(listed_at) FROM workflow_job WHERE run_id {among} GROUP BY run_id"
_MARK = "UPDATE workflow_run SET late_job_at = ? WHERE run_id = ? AND (late_job_at IS NULL OR late_job_at < ?)"
_NEWEST_JOB = "(SELECT max(job.listed_at) FROM workflow_job AS job WHERE job.run_id = workflow_run.run_id)"
# A run is marked if a job listed at the end of the slice would be late: needlessly at the worst.
_OF_A_SLICE = (
    f"UPDATE workflow_run SET late_job_at = {_NEWEST_JOB} WHERE run_id IN"
    " (SELECT job.run_id FROM team CROSS JOIN workflow_job AS job"
    " WHERE job.team_id = team.id AND job.listed_at >= ? AND job.listed_at < ?)"
    f" AND created_at < ? AND (late_job_at IS NULL OR late_job_at < {_NEWEST_JOB})"
)


def marking_runs_of(jobs: Iterable[facts.WorkflowJob]) -> Conversation[None]:
    """Mark the runs of which these are late jobs, once runs are written and before anything else is.

    Whoever waits for a run then holds nothing but runs and attempts.
    """
    newest: dict[int, datetime] = {}
    for job in jobs:
        newest[job.run_id] = max(job.listed_at, newest.get(job.run_id, job.listed_at))
    yield from _marking(newest)


def runs_to_look_at(runs: Iterable[facts.WorkflowRun], now: datetime) -> Conversation[list[int]]:
    """Find out which of the runs may have late jobs already: those not recorded yet, or as created later.

    A known run is marked by whoever records its jobs. One created less than three hours ago has no late ones yet.
    """
    old = {run.run_id: run.created_at for run in runs if run.created_at < now - LATE_AFTER / 2}
    known = {run_id: to_moment(created_at) for run_id, created_at, _ in (yield Among(_KNOWN, sorted(old)))}
    return [run_id for run_id, created_at in sorted(old.items()) if (known.get(run_id) or now) > created_at]


def marking_runs(run_ids: Sequence[int]) -> Conversation[None]:
    """Mark those of these runs that have late jobs."""
    newest = yield Among(_NEWEST_JOBS, run_ids)
    yield from _marking({run_id: to_moment(listed_at) or facts.NO_TIME for run_id, listed_at in newest})


def _marking(newest: Mapping[int, datetime]) -> Conversation[None]:
    # One UPDATE of many would be a join, and a plan made while there are few runs may read all of them.
    known = yield Among(_KNOWN, sorted(newest))
    marks = []
    for run_id, *moments in known:
        listed_at, (created_at, marked) = newest[run_id], map(to_moment, moments)
        if created_at is not None and created_at < on_time_since(listed_at) and (marked is None or marked < listed_at):
            marks.append((listed_at, run_id, listed_at))
    yield Statement(_MARK, sorted(marks, key=itemgetter(1)))


async def mark_late(now: datetime) -> int:
    """Mark the runs of late jobs of the last days, as older versions do not; return how many."""
    # In slices, so that nobody who writes waits for long.
    begins = (now - LOOKED_BACK + number * A_SLICE for number in range(LOOKED_BACK // A_SLICE + 1))
    return sum([await current().transact(partial(_mark_slice, begin)) for begin in begins])


async def _mark_slice(begin: datetime, tx: Transaction) -> int:
    end = begin + A_SLICE
    return await tx.execute(_OF_A_SLICE, begin, end, on_time_since(end))
