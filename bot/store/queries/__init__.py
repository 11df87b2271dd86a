"""Questions to the record, each answered from a connection that never waits behind a writer.

The `list_*` and `get_*` functions answer for a `Scope` that is already known to be the caller's; the three below them
are for scripts and notebooks, which name a team by its slug or id.
"""

from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from bot.domain.texts import is_storable
from bot.errors import ParameterError
from bot.store.queries.backfills import get_backfill
from bot.store.queries.coverage import list_coverage
from bot.store.queries.filters import GitHubId, JobsQuery, PullRequestRunsQuery, RunsQuery
from bot.store.queries.installations import list_seen_installations
from bot.store.queries.jobs import list_jobs
from bot.store.queries.repository_settings import get_repository_settings, list_repository_settings
from bot.store.queries.runs import get_run_details, list_pull_request_runs, list_runs
from bot.store.queries.scope import Scope, find_scope, get_scope, scopes_that_name
from bot.store.queries.teams import last_deliveries, list_repositories, list_teams, silent_installations
from bot.store.queries.unchanged import remember
from bot.store.views import RunDetails, RunPage

__all__ = [
    "JobsQuery",
    "PullRequestRunsQuery",
    "RunsQuery",
    "Scope",
    "find_scope",
    "get_backfill",
    "get_repository_settings",
    "get_run_details",
    "get_scope",
    "get_workflow_run_by_id",
    "get_workflow_runs",
    "get_workflow_runs_for_pr",
    "last_deliveries",
    "list_coverage",
    "list_jobs",
    "list_pull_request_runs",
    "list_repositories",
    "list_repository_settings",
    "list_runs",
    "list_seen_installations",
    "list_teams",
    "remember",
    "scopes_that_name",
    "silent_installations",
]


Query = TypeVar("Query", RunsQuery, PullRequestRunsQuery)


def _checked(query: Query) -> Query:
    fields = msgspec.structs.fields(query)
    checked = {each.name: _checked_value(each.encode_name, getattr(query, each.name), each.type) for each in fields}
    return msgspec.structs.replace(query, **checked)


def _checked_value(parameter: str, value: Any, declared: Any) -> Any:
    if isinstance(value, str) and not is_storable(value):
        raise ParameterError(parameter, "must be UTF-8 without NUL")
    try:
        value = msgspec.convert(value, declared, strict=False)
        return _in_utc(value) if isinstance(value, datetime) else value
    except (msgspec.ValidationError, OverflowError) as error:
        raise ParameterError(parameter, str(error)) from None


def _in_utc(moment: datetime) -> datetime:
    # Over HTTP a time without an offset is meant in UTC, so it is here too, wherever the machine stands.
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


async def get_workflow_runs(  # noqa: PLR0913
    team: str | int | Scope,
    repo_full_name: str | None = None,
    workflow_id: int | None = None,
    *,
    installation_id: int | None = None,
    workflow: str | None = None,
    branch: str | None = None,
    event: str | None = None,
    status: str | None = None,
    conclusion: str | None = None,
    actor: str | None = None,
    head_sha: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> RunPage:
    """Return a page of a team's runs, newest first, as `GET …/workflow-runs` does.

    Raises NotFound for an unknown team, ParameterError for a filter that is malformed.
    """
    scope = await get_scope(team)
    query = RunsQuery(
        team=scope.slug,
        repo_full_name=repo_full_name,
        workflow_id=workflow_id,
        installation_id=installation_id,
        workflow=workflow,
        branch=branch,
        event=event,
        status=status,  # type: ignore[arg-type]
        conclusion=conclusion,  # type: ignore[arg-type]
        actor=actor,
        head_sha=head_sha,
        since=since,
        until=until,
        limit=limit,
        cursor=cursor,
    )
    return await list_runs(scope, _checked(query))


async def get_workflow_runs_for_pr(
    team: str | int | Scope,
    repo_full_name: str,
    pr_number: int,
    limit: int = 20,
    *,
    head_sha: str | None = None,
    latest: bool = False,
    cursor: str | None = None,
) -> RunPage:
    """Return a page of a pull request's runs, newest first, as `GET …/workflow-runs/pr` does.

    Raises NotFound for an unknown team, ParameterError for a parameter that is malformed.
    """
    scope = await get_scope(team)
    query = PullRequestRunsQuery(
        team=scope.slug,
        repo_full_name=repo_full_name,
        pr_number=pr_number,
        head_sha=head_sha,
        latest=latest,
        limit=limit,
        cursor=cursor,
    )
    return await list_pull_request_runs(scope, _checked(query))


async def get_workflow_run_by_id(team: str | int | Scope, run_id: int) -> RunDetails:
    """Return a run with its attempts and its newest attempt's jobs, as `GET …/workflow-runs/{runId}` does.

    Raises NotFound for an unknown team or run, ParameterError for an id that GitHub can't have given.
    """
    scope = await get_scope(team)
    return await get_run_details(scope, _checked_value("runId", run_id, GitHubId))
