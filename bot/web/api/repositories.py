"""Repositories that a team's installations reach."""

from bot.store import queries
from bot.store.queries.filters import TeamQuery
from bot.store.views import RepositoryList


async def list_repositories(scope: "queries.Scope", _query: TeamQuery) -> RepositoryList:
    """Return the repositories that the scope covers."""
    return await queries.list_repositories(scope)
