"""What of feedback is let go of: commits and comments that nobody will hear of again, and wishes long since settled."""

from datetime import datetime, timedelta

from bot.store.database import current

KEEP_COMMITS = timedelta(days=60)
KEEP_COMMENTS = timedelta(days=180)
KEEP_ACTIONS = timedelta(days=30)
AT_ONCE = 1_000

_COMMITS = (
    "DELETE FROM check_summary WHERE id IN (SELECT id FROM check_summary"
    " WHERE due_at IS NULL AND changed_at < ? ORDER BY id LIMIT ?)"
)
# A comment is found by its row as long as its pull request may go on.
_COMMENTS = (
    "DELETE FROM failure_comment WHERE id IN (SELECT comment.id FROM failure_comment AS comment"
    " LEFT JOIN pull_request AS pull ON pull.repository_id = comment.repository_id AND pull.number = comment.number"
    " WHERE comment.due_at IS NULL AND comment.changed_at < ? AND COALESCE(pull.state, 'closed') = 'closed'"
    " ORDER BY comment.id LIMIT ?)"
)
_ACTIONS = (
    "DELETE FROM action WHERE id IN (SELECT id FROM action WHERE due_at IS NULL AND wanted_at < ? ORDER BY id LIMIT ?)"
)
_OLD = ((_COMMITS, KEEP_COMMITS), (_COMMENTS, KEEP_COMMENTS), (_ACTIONS, KEEP_ACTIONS))


async def prune_feedback(now: datetime) -> int:
    """Delete what is past its time, in slices; return how many rows."""
    deleted = 0
    for sql, keep in _OLD:
        while changed := await current().execute(sql, now - keep, AT_ONCE):
            deleted += changed
    return deleted
