"""Workflow jobs and their logs: https://docs.github.com/en/rest/actions/workflow-jobs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.github.answers import Answer, Json
from bot.github.client import Client
from bot.github.errors import BadRequest, GitHubUnavailable, NotFound
from bot.github.repositories import named

_JOB = "/repos/{owner}/{repo}/actions/jobs/{job_id}"


@dataclass(slots=True)
class JobLog:
    """A log while it comes in: iterate over its bytes once; `truncated` tells afterwards whether the cap cut it.

    Without a cap it comes in as a whole, whatever its size.
    """

    cap: int | None
    _chunks: AsyncIterator[bytes] = field(repr=False)
    truncated: bool = False
    size: int = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            part = chunk if self.cap is None else chunk[: self.cap - self.size]
            self.size += len(part)
            self.truncated = len(part) < len(chunk)
            if part:
                yield part
            if self.truncated:
                return


async def get_job(client: Client, repository: str, job_id: int) -> Answer[Json]:
    """Return a job with its steps."""
    return await client.get(_JOB, _job(repository, job_id))


@asynccontextmanager
async def open_log(client: Client, repository: str, job_id: int, cap: int | None = None) -> AsyncIterator[JobLog]:
    """Open a job's log, whole or at most `cap` bytes of it. It lies on another host, which is given no credentials.

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
        yield JobLog(cap, chunks)


def _job(repository: str, job_id: int) -> dict[str, str]:
    return {**named(repository), "job_id": str(job_id)}
