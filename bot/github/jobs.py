"""Workflow jobs and their logs: https://docs.github.com/en/rest/actions/workflow-jobs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.github.client import Client
from bot.github.errors import BadRequest, GitHubUnavailable, NotFound
from bot.github.repositories import named

_JOB = "/repos/{owner}/{repo}/actions/jobs/{job_id}"


@asynccontextmanager
async def open_log(client: Client, repository: str, job_id: int) -> AsyncIterator[AsyncIterator[bytes]]:
    """Open a job's log, which comes in as a whole. It lies on another host, which is given no credentials.

    Raises NotFound when there is none yet, or never will be, as for jobs that were skipped; and GitHubUnavailable,
    also while it is read, when it breaks off or is refused: open it again then, since its address lasts for a minute
    only.
    """
    location = await client.locate(_JOB + "/logs", _job(repository, job_id))
    if not client.connection.is_fit_for_downloads(location):
        message = f"GitHub keeps the log of job {job_id} where it can't be fetched safely"
        raise BadRequest(message)
    async with client.connection.download(location) as (status, chunks):
        if status in {404, 410}:
            message = f"the log of job {job_id} is not there (any more)"
            raise NotFound(message)
        if status != 200:
            message = f"the host of the log of job {job_id} answered {status}"
            raise GitHubUnavailable(message, maybe_taken=False)
        yield chunks


def _job(repository: str, job_id: int) -> dict[str, str]:
    return {**named(repository), "job_id": str(job_id)}
