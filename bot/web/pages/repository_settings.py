"""What is told on GitHub about each repository of a team, for those who administer it to change."""

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from bot import access
from bot.store import queries
from bot.store.queries.filters import GitHubId, TeamName
from bot.web.pages.teams import TeamPath
from bot.web.visits import Visit


class SettingsQuery(msgspec.Struct, frozen=True):
    """What has just been changed."""

    saved: Annotated[GitHubId, Meta(description="The repository whose settings were saved just now")] | None = None


class SettingsForm(msgspec.Struct, frozen=True):
    """The settings of one repository; a box that isn't ticked is not sent."""

    comments: Annotated[bool, Meta(description="Whether failures are told in a comment")] = False
    excerpts: Annotated[bool, Meta(description="Whether lines of logs are shown")] = False
    drafts: Annotated[bool, Meta(description="Whether drafts get comments too")] = False
    muted: Annotated[bool, Meta(description="Whether nothing is told at all")] = False


class SettingsPath(msgspec.Struct, rename="camel", frozen=True):
    """Which repository of which team."""

    team: Annotated[TeamName, Meta(description="Slug or id of the team")]
    repository_id: Annotated[GitHubId, Meta(description="GitHub's id of the repository")]


async def get_settings_page(visit: Visit, query: SettingsQuery, path: TeamPath) -> web.StreamResponse:
    """Show the settings of the repositories that the person who visits sees."""
    scope = await visit.get_scope(path.team)
    changed, seen = scope.to_change().repositories, await queries.list_repository_settings(scope)
    own = [each for each in seen if changed is None or each.repository_id in changed]
    others = [each for each in seen if each not in own]
    return visit.page("team_settings.html", scope=scope, own=own, others=others, saved=query.saved)


async def change_settings(visit: Visit, form: SettingsForm, path: SettingsPath) -> web.StreamResponse:
    """Change the settings of a repository that the person who visits administers."""
    scope = await visit.get_scope(path.team)
    change = access.Change(**msgspec.structs.asdict(form))
    await access.change_settings(scope, path.repository_id, change, visit.actor, visit.service.clock.now())
    which = path.repository_id
    return visit.redirect(f"/teams/{scope.slug}/settings?saved={which}#repository-{which}")
