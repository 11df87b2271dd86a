"""What the administrators of repositories want told on GitHub."""

from typing import Any

from bot.errors import NotFound
from bot.store.database import current, database_errors, to_moment
from bot.store.queries.conditions import Condition
from bot.store.queries.scope import Scope
from bot.store.views import RepositorySettings

_SETTINGS = (
    "SELECT repository.repository_id, repository.full_name, told.comments, told.excerpts, told.drafts, told.muted,"
    " told.changed_at FROM repository LEFT JOIN repository_settings AS told"
    " ON told.repository_id = repository.repository_id WHERE {} ORDER BY repository.full_name"
)


async def list_repository_settings(scope: Scope) -> list[RepositorySettings]:
    """Return the settings of each repository of a scope, by its name. Raises DatabaseUnavailable."""
    return await _find(scope)


async def get_repository_settings(scope: Scope, repository_id: int) -> RepositorySettings:
    """Return the settings of one repository. Raises NotFound where it is not in the scope, DatabaseUnavailable."""
    found = await _find(scope, repository_id)
    if not found:
        message = "there is no such repository"
        raise NotFound(message)
    return found[0]


async def _find(scope: Scope, repository_id: int | None = None) -> list[RepositorySettings]:
    condition = Condition()
    condition.add("repository.team_id = ? AND repository.hidden_at IS NULL", scope.team_id)
    condition.add_equal("repository.repository_id", repository_id)
    with database_errors():
        rows = await current().reader.fetch(_SETTINGS.format(condition.sql), *condition.parameters)
    return [_view(row) for row in rows if scope.repositories is None or row["repository_id"] in scope.repositories]


def _view(row: dict[str, Any]) -> RepositorySettings:
    said = {name: row[name] for name in ("comments", "excerpts", "drafts", "muted") if row[name] is not None}
    return RepositorySettings(
        repository_id=row["repository_id"],
        repo_full_name=row["full_name"],
        changed_at=to_moment(row["changed_at"]),
        **{name: bool(value) for name, value in said.items()},
    )
