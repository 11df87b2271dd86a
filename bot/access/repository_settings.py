"""What is told on GitHub about a repository, as its administrators want it. No file in the repository says so."""

from datetime import datetime

from msgspec import Struct

from bot.access.audit import Actor, note
from bot.errors import NotFound
from bot.recorder.due import mark_repository
from bot.store import queries
from bot.store.database import Transaction, current
from bot.store.queries import Scope
from bot.store.views import RepositorySettings


class Change(Struct, frozen=True, kw_only=True):
    """What is to become of the settings; None leaves one as it is."""

    comments: bool | None = None
    excerpts: bool | None = None
    drafts: bool | None = None
    muted: bool | None = None


_KEEP = (
    "INSERT INTO repository_settings (repository_id, changed_at, {names}) VALUES (?, ?, {places})"
    " ON CONFLICT (repository_id) DO UPDATE SET changed_at = excluded.changed_at, {changes}"
)


async def change_settings(
    scope: Scope, repository_id: int, change: Change, actor: Actor, now: datetime
) -> RepositorySettings:
    """Change what is told of a repository, let what is told there be looked at anew, and return what holds now.

    Raises NotFound where the repository is not the caller's to change, DatabaseUnavailable.
    """
    before = await queries.get_repository_settings(scope.to_change(), repository_id)
    wanted = {name: value for name in Change.__struct_fields__ if (value := getattr(change, name)) is not None}
    news = {name: value for name, value in wanted.items() if getattr(before, name) != value}
    if not news:
        return before
    async with current().transaction() as tx:
        # Whoever transfers or hides it at this moment is first or waits.
        there = await tx.execute(
            "UPDATE repository SET hidden_at = hidden_at WHERE repository_id = ? AND team_id = ? AND hidden_at IS NULL",
            repository_id,
            scope.team_id,
        )
        if not there:
            message = "there is no such repository"
            raise NotFound(message)
        await _keep(tx, repository_id, news, now)
        await mark_repository(tx, repository_id, now)
        await note(
            actor,
            "settings.changed",
            before.repo_full_name,
            now,
            team_id=scope.team_id,
            repository_id=repository_id,
            details=dict(news),
            tx=tx,
        )
    return await queries.get_repository_settings(scope, repository_id)


async def _keep(tx: Transaction, repository_id: int, wanted: dict[str, bool], now: datetime) -> None:
    # Tortoise's own would begin a transaction inside this one.
    sql = _KEEP.format(
        names=", ".join(wanted),
        places=", ".join("?" * len(wanted)),
        changes=", ".join(f"{name} = excluded.{name}" for name in wanted),
    )
    await tx.execute(sql, repository_id, now, *wanted.values())
