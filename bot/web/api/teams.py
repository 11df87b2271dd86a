"""Teams that a caller may read."""

from bot import access
from bot.store.views import TeamList


async def list_teams(caller: "access.Caller") -> TeamList:
    """Return the teams, each with its installations."""
    return await access.list_teams(caller)
