"""A team's page: its installations, its repositories, and how whole their record is."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from bot.store import queries
from bot.store.queries.filters import TeamName
from bot.store.queries.installations import SeenInstallation
from bot.web.route import NoQuery
from bot.web.visits import Visit


class TeamPath(msgspec.Struct, frozen=True):
    """Which team."""

    team: Annotated[TeamName, Meta(description="Slug or id of the team")]


async def get_team_page(visit: Visit, _query: NoQuery, path: TeamPath) -> web.StreamResponse:
    """Show a team, as far as the person who visits sees it."""
    scope = await visit.get_scope(path.team)
    installations = [each for each in await seen_installations(visit) if each.team_id == scope.team_id]
    now = visit.service.clock.now()
    coverage = await queries.list_coverage(scope, now, _kept_since(visit, now))
    return visit.page("team.html", scope=scope, installations=installations, repositories=coverage)


async def seen_installations(visit: Visit) -> list[SeenInstallation]:
    """Return the installations that the person who visits sees, of all teams."""
    user_id = visit.caller.user_id
    return [] if user_id is None else await queries.list_seen_installations(user_id)


def _kept_since(visit: Visit, now: datetime) -> datetime | None:
    days = visit.service.configuration.current.retention_days
    return now - timedelta(days=days) if days else None
