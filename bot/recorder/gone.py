"""Runs that GitHub has no more, deleted by somebody or by their age, and jobs that it does not list."""

from datetime import datetime

from bot.recorder.due import mark_commit_of_run
from bot.store.database import Transaction

# What had not ended will not be told to end any more. How it ended is not known, which is what null says.
_END_RUN = (
    "UPDATE {} SET status = 'completed', conclusion = NULL WHERE run_id = ?"
    " AND (status <> 'completed' OR conclusion = 'action_required')"
)
_END_JOBS = "UPDATE workflow_job SET status = 'completed', conclusion = NULL WHERE run_id = ? AND status <> 'completed'"


async def mark_gone(tx: Transaction, run_id: int, now: datetime) -> None:
    """Mark a run that GitHub has no more; what it was doing is over, with a conclusion that nobody knows.

    The versions stay as they are, so that a late delivery that tells the end still has its say. What is told of its
    commit is looked at.
    """
    for table in ("workflow_run_attempt", "workflow_run"):
        await tx.execute(_END_RUN.format(table), run_id)
    await tx.execute(_END_JOBS, run_id)
    if await tx.execute("UPDATE workflow_run SET gone_at = ? WHERE run_id = ? AND gone_at IS NULL", now, run_id):
        await mark_commit_of_run(tx, run_id, now)


async def end_unlisted_jobs(tx: Transaction, run_id: int, attempt: int, now: datetime) -> None:
    """End what else there is of a run's jobs once all that GitHub lists of them, up to an attempt, have ended.

    A job may have been told of and never come to be. What is told of its commit is looked at then.
    """
    if await tx.execute(f"{_END_JOBS} AND COALESCE(run_attempt, 0) <= ?", run_id, attempt):
        await mark_commit_of_run(tx, run_id, now)
