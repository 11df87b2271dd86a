"""What is told on GitHub about a repository."""

from typing import Annotated

import msgspec
from msgspec import Meta

from bot import access
from bot.store import queries
from bot.store.queries.filters import GitHubId, TeamQuery
from bot.store.views import RepositorySettingsAnswer
from bot.web.service import Service


class RepositoryPath(msgspec.Struct, frozen=True, rename="camel"):
    """Which repository."""

    repository_id: Annotated[GitHubId, Meta(description="GitHub's id of the repository")]


class SettingsChange(TeamQuery, frozen=True, kw_only=True):
    """What is to become of the settings; what is not given stays as it is."""

    comments: Annotated[bool | None, Meta(description="Whether failures are told in a comment")] = None
    excerpts: Annotated[bool | None, Meta(description="Whether lines of logs are shown")] = None
    drafts: Annotated[bool | None, Meta(description="Whether drafts get comments too")] = None
    muted: Annotated[bool | None, Meta(description="Whether nothing is told at all")] = None


async def get_repository_settings(
    scope: "queries.Scope", _query: TeamQuery, path: RepositoryPath
) -> RepositorySettingsAnswer:
    """Return the settings of one repository."""
    return RepositorySettingsAnswer(settings=await queries.get_repository_settings(scope, path.repository_id))


async def change_repository_settings(
    scope: "queries.Scope", query: SettingsChange, path: RepositoryPath, service: Service, caller: "access.Caller"
) -> RepositorySettingsAnswer:
    """Change the settings of a repository that the caller administers, and return what holds now."""
    change = access.Change(comments=query.comments, excerpts=query.excerpts, drafts=query.drafts, muted=query.muted)
    changed = await access.change_settings(scope, path.repository_id, change, caller.actor, service.clock.now())
    return RepositorySettingsAnswer(settings=changed)
