"""Runs that GitHub has no more, deleted by somebody or by their age, and jobs that it does not list."""

from datetime import datetime

from bot.recorder.due import commits_of_runs
from bot.store.conversation import Conversation, Question
from bot.store.writes import Statement

# What had not ended will not be told to end any more. How it ended is not known, which is what null says.
_END_RUN = (
    "UPDATE {} SET status = 'completed', conclusion = NULL WHERE run_id = ?"
    " AND (status <> 'completed' OR conclusion = 'action_required')"
)
_END_JOBS = "UPDATE workflow_job SET status = 'completed', conclusion = NULL WHERE run_id = ? AND status <> 'completed'"
_END_UNLISTED = f"{_END_JOBS} AND COALESCE(run_attempt, 0) <= ? RETURNING job_id"
_MARK = "UPDATE workflow_run SET gone_at = ? WHERE run_id = ? AND gone_at IS NULL RETURNING run_id"


def marking_gone(run_id: int, now: datetime) -> Conversation[None]:
    """Mark a run that GitHub has no more; what it was doing is over, with a conclusion that nobody knows.

    The versions stay as they are, so that a late delivery that tells the end still has its say. What is told of its
    commit is looked at.
    """
    for table in ("workflow_run_attempt", "workflow_run"):
        yield Statement(_END_RUN.format(table), [(run_id,)])
    yield Statement(_END_JOBS, [(run_id,)])
    if (yield Question(_MARK, (now, run_id))):
        yield commits_of_runs([run_id], now)


def ending_unlisted_jobs(run_id: int, attempt: int, now: datetime) -> Conversation[None]:
    """End what else there is of a run's jobs once all that GitHub lists of them, up to an attempt, have ended.

    A job may have been told of and never come to be. What is told of its commit is looked at then.
    """
    if (yield Question(_END_UNLISTED, (run_id, attempt))):
        yield commits_of_runs([run_id], now)
