"""Requests for history, and how far each has come."""

from datetime import datetime
from typing import Any

from bot.domain.forecast import Unlisted, pages_left
from bot.domain.windows import whole_seconds
from bot.errors import NotFound
from bot.store.database import current, database_errors, to_moment
from bot.store.queries.scope import Scope
from bot.store.views import BackfillProgress

_BACKFILL = (
    "SELECT backfill.id, backfill.kind, backfill.state, COALESCE(repository.installation_id, backfill.installation_id)"
    " AS installation_id, repository.full_name AS repo_full_name, backfill.since, backfill.until, backfill.created_at,"
    " backfill.finished_at, backfill.runs_at_github, backfill.runs_stored, backfill.jobs_stored, backfill.error,"
    " backfill.repository_id FROM backfill LEFT JOIN repository ON repository.repository_id = backfill.repository_id"
    " WHERE backfill.id = ? AND backfill.team_id = ?"
    # Of a repository that is another team's by now nothing is told, but what became of one that is gone.
    " AND (repository.team_id IS NULL OR repository.team_id = backfill.team_id)"
)
_UNLISTED = (
    "SELECT count(CASE WHEN what = 'pulls' THEN 1 END) AS pulls,"
    " count(CASE WHEN what = 'runs' AND page > 1 THEN 1 END) AS begun,"
    " count(CASE WHEN what = 'runs' AND page = 1 THEN 1 END) AS untouched,"
    " count(CASE WHEN what = 'runs' AND page = 1 AND (since > ? OR until < ?) THEN 1 END) AS cut"
    " FROM backfill_window WHERE backfill_id = ?"
)
_UNASKED = "SELECT count(*) AS runs FROM run_wanted WHERE backfill_id = ?"


async def get_backfill(scope: Scope, backfill_id: int) -> BackfillProgress:
    """Return how far a backfill of the scope's team has come.

    Raises NotFound where there is no such backfill, or it is not to be seen.
    """
    with database_errors():
        rows = await current().reader.fetch(_BACKFILL, backfill_id, scope.team_id)
        seen = [row for row in rows if scope.repositories is None or row["repository_id"] in scope.repositories]
        if not seen:
            message = "there is no such backfill"
            raise NotFound(message)
        row = {name: value for name, value in seen[0].items() if name != "repository_id"}
        times = {name: to_moment(row[name]) for name in ("since", "until", "created_at", "finished_at")}
        return BackfillProgress(**row | times | await _what_is_left(row | times))


async def _what_is_left(row: dict[str, Any]) -> dict[str, int]:
    if row["finished_at"] is not None:
        return {"jobs_pending": 0, "requests_left": 0}
    (wanted,) = await current().reader.fetch(_UNASKED, row["id"])
    unlisted = await _unlisted(row["id"], row["since"] or row["created_at"], row["until"] or row["created_at"])
    pages = pages_left(unlisted, row["runs_at_github"] or 0, row["runs_stored"])
    return {"jobs_pending": wanted["runs"], "requests_left": pages + wanted["runs"]}


async def _unlisted(backfill_id: int, since: datetime, until: datetime) -> Unlisted:
    span = whole_seconds(since, until)
    (row,) = await current().reader.fetch(_UNLISTED, span.since, span.until, backfill_id)
    return Unlisted(whole=row["untouched"] - row["cut"], cut=row["cut"], begun=row["begun"], pulls=row["pulls"])
