"""What is news: nothing is begun to be told that ended before the App came into sight of it, or long ago."""

from datetime import datetime

from bot.recorder import NEWS_SPAN
from bot.store.database import Executor

# What goes on is news however long ago it began; who installs the App anew has seen what ended before.
_MAY_BE_TOLD = (
    "SELECT 1 AS found FROM check_summary WHERE repository_id = ? AND head_sha = ?"
    " AND (status IS NOT NULL OR creating_since IS NOT NULL)"
    " UNION ALL SELECT 1 FROM workflow_run AS run"
    " JOIN repository ON repository.repository_id = run.repository_id"
    " JOIN installation ON installation.installation_id = repository.installation_id"
    " WHERE run.repository_id = ? AND run.head_sha = ? AND (run.status <> 'completed'"
    " OR (run.updated_at >= repository.created_at AND run.updated_at >= installation.created_at"
    " AND run.updated_at >= ?)) LIMIT 1"
)


async def may_be_told(reader: Executor, repository_id: int, sha: str, now: datetime) -> bool:
    """Tell whether a commit has a check run of ours, or may be given one, and a comment for it.

    It may where something runs, or ended no more than `NEWS_SPAN` ago and since the App first saw the repository.
    """
    commit = (repository_id, sha)
    return bool(await reader.fetch(_MAY_BE_TOLD, *commit, *commit, now - NEWS_SPAN))
