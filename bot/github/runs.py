"""Workflow runs: https://docs.github.com/en/rest/actions/workflow-runs."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

from bot.github.answers import Answer, Json
from bot.github.client import PER_PAGE, Client, listed
from bot.github.repositories import named

_LIST = (
    "/repos/{owner}/{repo}/actions/runs"
    "{?created,actor,branch,event,head_sha,status,check_suite_id,exclude_pull_requests,per_page,page}"
)
_RUN = "/repos/{owner}/{repo}/actions/runs/{run_id}"
_ATTEMPT = _RUN + "/attempts/{attempt}"


@dataclass(frozen=True, slots=True)
class RunFilters:
    """What a list of runs may be narrowed to, under GitHub's names; `created` is made by `window`."""

    created: str | None = None
    actor: str | None = None
    branch: str | None = None
    event: str | None = None
    head_sha: str | None = None
    status: str | None = None


def window(since: datetime, until: datetime) -> str:
    """Return the `created` filter for runs from `since` to `until`, both included; GitHub looks at whole seconds."""
    return "..".join(f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for moment in (since, until))


async def list_runs(
    client: Client, repository: str, filters: RunFilters | None = None, *, page: int = 1, per_page: int = PER_PAGE
) -> Answer[list[Json]]:
    """Return one page of runs, newest first, each at its newest attempt; `total` counts all pages.

    Raises Unprocessable when GitHub has no page so far on (an unfiltered list ends near 40,000).
    """
    variables = {**_variables(repository, filters), "page": str(page), "per_page": str(per_page)}
    return (await client.get(_LIST, variables)).map(lambda data: listed(data, "workflow_runs"))


async def get_run(client: Client, repository: str, run_id: int) -> Answer[Json]:
    """Return a run at its newest attempt."""
    return await client.get(_RUN, _run(repository, run_id))


async def get_attempt(client: Client, repository: str, run_id: int, attempt: int) -> Answer[Json]:
    """Return a run as it was at one attempt."""
    return await client.get(_ATTEMPT, {**_run(repository, run_id), "attempt": str(attempt)})


def job_pages(
    client: Client, repository: str, run_id: int, which: Literal["latest", "all"] = "latest"
) -> AsyncIterator[Answer[list[Json]]]:
    """Yield a run's jobs page by page: those of the newest attempt, or of `all` attempts."""
    path = _RUN + "/jobs{?filter,per_page,page}"
    return client.pages(path, {**_run(repository, run_id), "filter": which}, "jobs")


async def rerun_failed_jobs(client: Client, repository: str, run_id: int) -> Answer[Json]:
    """Run the failed jobs, and those that need them, again; takes actions:write.

    Raises Forbidden when the run is not done, has no failed job, is older than 30 days or was run again too often.
    """
    return await client.post(_RUN + "/rerun-failed-jobs", _run(repository, run_id))


def _run(repository: str, run_id: int) -> dict[str, str]:
    return {**named(repository), "run_id": str(run_id)}


def _variables(repository: str, filters: RunFilters | None) -> dict[str, str | None]:
    return {**named(repository), **asdict(filters or RunFilters())}
