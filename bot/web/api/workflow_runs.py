"""Runs: a team's, a pull request's, and one with its attempts and jobs."""

import msgspec

from bot.store import queries
from bot.store.queries.filters import GitHubId, PullRequestRunsQuery, RunDetailsQuery, RunsQuery
from bot.store.views import RunDetails, RunPage


class RunPath(msgspec.Struct, frozen=True, rename="camel"):
    """Which run."""

    run_id: GitHubId


async def list_workflow_runs(scope: "queries.Scope", query: RunsQuery) -> RunPage:
    """Return a page of runs, the newest first."""
    return await queries.list_runs(scope, query)


async def list_pull_request_workflow_runs(scope: "queries.Scope", query: PullRequestRunsQuery) -> RunPage:
    """Return a page of the runs that belong to one pull request."""
    return await queries.list_pull_request_runs(scope, query)


async def get_workflow_run(scope: "queries.Scope", query: RunDetailsQuery, path: RunPath) -> RunDetails:
    """Return one run with its attempts, and the jobs of the attempt asked for."""
    return await queries.get_run_details(scope, path.run_id, query.attempt)
