"""What was done to a team's tokens and settings, and by whom."""

from aiohttp import web

from bot.access.audit import list_audit
from bot.web.pages.teams import TeamPath
from bot.web.route import NoQuery
from bot.web.visits import Visit


async def get_audit_page(visit: Visit, _query: NoQuery, path: TeamPath) -> web.StreamResponse:
    """Show what was done of late, as far as the person who visits may know of it."""
    scope = await visit.get_scope(path.team)
    return visit.page("team_audit.html", scope=scope, entries=await list_audit(scope, visit.actor))
