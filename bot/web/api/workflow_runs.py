"""Runs: a team's, a pull request's, and one with its attempts and jobs."""

import contextlib

import msgspec

from bot import history
from bot.errors import DatabaseUnavailable
from bot.store import queries
from bot.store.database import database_errors
from bot.store.queries.filters import GitHubId, PullRequestRunsQuery, RunDetailsQuery, RunsQuery
from bot.store.views import RunDetails, RunPage
from bot.web.service import Service

# GitHub mostly answers within this time, so that whoever asks need not ask again.
JOBS_COME_WITHIN = 2.0
LOOK_AGAIN_SECONDS = 0.25


class RunPath(msgspec.Struct, frozen=True, rename="camel"):
    """Which run."""

    run_id: GitHubId


async def list_workflow_runs(scope: "queries.Scope", query: RunsQuery) -> RunPage:
    """Return a page of runs, the newest first."""
    return await queries.list_runs(scope, query, as_json=True)


async def list_pull_request_workflow_runs(scope: "queries.Scope", query: PullRequestRunsQuery) -> RunPage:
    """Return a page of the runs that belong to one pull request."""
    return await queries.list_pull_request_runs(scope, query, as_json=True)


async def get_workflow_run(
    scope: "queries.Scope", query: RunDetailsQuery, path: RunPath, service: Service
) -> RunDetails:
    """Return one run with its attempts, and the jobs of the attempt asked for.

    Jobs that GitHub has not been asked for yet are asked for, and waited for a moment.
    """
    details = await queries.get_run_details(scope, path.run_id, query.attempt)
    if not details.jobs_pending:
        return details
    if not await _ask_for_jobs(path.run_id, service):
        return msgspec.structs.replace(details, jobs_pending=False)
    until = service.clock.time() + JOBS_COME_WITHIN
    while details.jobs_pending and service.clock.time() < until:
        await service.clock.sleep(LOOK_AGAIN_SECONDS)
        details = await queries.get_run_details(scope, path.run_id, query.attempt)
    return details


async def _ask_for_jobs(run_id: int, service: Service) -> bool:
    """Have the jobs of a run asked for, and tell whether they may come."""
    if not service.asks_github:
        return False
    with contextlib.suppress(DatabaseUnavailable), database_errors():
        return await history.ask_for_jobs(run_id, service.clock.now())
    # Whoever asks again has it tried again; what is recorded can be shown all the same.
    return True
