"""A team's runs, and one of them with its attempts, jobs and steps."""

from typing import Annotated, get_args
from urllib.parse import urlencode

import msgspec
from aiohttp import web
from msgspec import Meta

from bot.store import queries
from bot.store.queries.filters import (
    Conclusion,
    CursorText,
    GitHubId,
    RepoFullName,
    RunDetailsQuery,
    RunsQuery,
    Status,
    TeamName,
    Text,
)
from bot.web.api.workflow_runs import RunPath, get_workflow_run
from bot.web.pages.teams import TeamPath
from bot.web.visits import Visit

ROWS = 50


class RunsPageQuery(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """What the list is narrowed by, as in the API."""

    repo_full_name: RepoFullName | None = None
    workflow: Annotated[Text | None, Meta(description="Name or path of the workflow")] = None
    branch: Annotated[Text | None, Meta(description="Head branch")] = None
    event: Annotated[Text | None, Meta(description="What triggered the run, such as `push`")] = None
    status: Annotated[Status, Meta(description="How far along")] | None = None
    conclusion: Annotated[Conclusion, Meta(description="How it ended")] | None = None
    actor: Annotated[Text | None, Meta(description="Login of who caused the run")] = None
    cursor: CursorText | None = None


class RunPageQuery(msgspec.Struct, frozen=True):
    """Which attempt."""

    attempt: Annotated[int, Meta(ge=1, le=10_000, description="Whose jobs to show; the newest by default")] | None = (
        None
    )


class TeamRunPath(msgspec.Struct, rename="camel", frozen=True):
    """Which run of which team."""

    team: Annotated[TeamName, Meta(description="Slug or id of the team")]
    run_id: GitHubId


async def get_runs_page(visit: Visit, query: RunsPageQuery, path: TeamPath) -> web.StreamResponse:
    """Show a page of the runs that the person who visits sees, the newest first."""
    scope = await visit.get_scope(path.team)
    asked = msgspec.structs.asdict(query)
    page = await queries.list_runs(scope, RunsQuery(team=scope.slug, limit=ROWS, **asked))
    return visit.page(
        "team_runs.html",
        scope=scope,
        page=page,
        asked=asked,
        is_narrowed=any(value for name, value in asked.items() if name != "cursor"),
        following=_address(query, page.next_cursor),
        first=_address(query, None),
        statuses=get_args(Status),
        conclusions=get_args(Conclusion),
    )


def _address(query: RunsPageQuery, cursor: str | None) -> str:
    """Return the query of another page of the same list."""
    names = {field.name: field.encode_name for field in msgspec.structs.fields(query)}
    asked = msgspec.structs.asdict(query) | {"cursor": cursor}
    return urlencode({names[name]: value for name, value in asked.items() if value is not None})


async def get_run_page(visit: Visit, query: RunPageQuery, path: TeamRunPath) -> web.StreamResponse:
    """Show a run, its attempts, and the jobs of one of them; what is missing of these is asked for."""
    scope = await visit.get_scope(path.team)
    asked = RunDetailsQuery(team=scope.slug, attempt=query.attempt)
    details = await get_workflow_run(scope, asked, RunPath(path.run_id), visit.service)
    server_url = visit.service.configuration.current.github_server_url
    return visit.page("team_run.html", scope=scope, details=details, run=details.run, server_url=server_url)
