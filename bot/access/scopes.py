"""What a caller may read. What is not theirs is looked up, and answered, just as what is not there."""

from bot.access.callers import Caller
from bot.errors import NotFound
from bot.store import queries
from bot.store.queries import Scope
from bot.store.views import TeamList


async def get_scope(caller: Caller, team: str) -> Scope:
    """Return what `caller` may read of `team`.

    Raises NotFound where there is no such team or it is not the caller's.
    """
    scope = await queries.find_scope(team)
    if scope is None or scope.team_id not in caller.teams:
        message = "there is no such team"
        raise NotFound(message)
    return Scope(scope.team_id, scope.slug, caller.teams[scope.team_id], caller.administers)


async def list_teams(caller: Caller) -> TeamList:
    """Return the teams that `caller` may read, each with the installations that they see."""
    return await queries.list_teams(caller.teams, caller.user_id)
