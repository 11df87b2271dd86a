"""Jobs of all runs of a team."""

from bot.store import queries
from bot.store.queries.filters import JobsQuery
from bot.store.views import JobPage


async def list_workflow_jobs(scope: "queries.Scope", query: JobsQuery) -> JobPage:
    """Return a page of jobs, the newest first."""
    return await queries.list_jobs(scope, query, as_json=True)
