"""Check runs and their annotations: https://docs.github.com/en/rest/checks/runs."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from bot.github.answers import Answer, Json
from bot.github.client import Client
from bot.github.exchange import Sending
from bot.github.repositories import named

_CHECK_RUN = "/repos/{owner}/{repo}/check-runs/{check_run_id}"


async def create_check_run(
    client: Client, repository: str, body: Mapping[str, Any], *, sending: Sending | None = None
) -> Answer[Json]:
    """Create a check run; `body` holds at least `name` and `head_sha`. At most 50 annotations go with it."""
    return await client.post("/repos/{owner}/{repo}/check-runs", named(repository), body, creates=True, sending=sending)


async def get_check_run(client: Client, repository: str, check_run_id: int) -> Answer[Json]:
    """Return a check run; its `output.annotations_count` tells how many annotations it has."""
    return await client.get(_CHECK_RUN, _check_run(repository, check_run_id))


async def update_check_run(client: Client, repository: str, check_run_id: int, body: Mapping[str, Any]) -> Answer[Json]:
    """Change a check run. Annotations are added to those it has, so that it is sent only once."""
    return await client.patch(_CHECK_RUN, _check_run(repository, check_run_id), body, repeatable=False)


def annotation_pages(client: Client, repository: str, check_run_id: int) -> AsyncIterator[Answer[list[Json]]]:
    """Yield the annotations of a check run, which for a job of Actions has the job's id."""
    return client.pages(_CHECK_RUN + "/annotations{?per_page,page}", _check_run(repository, check_run_id))


def check_run_pages(
    client: Client, repository: str, ref: str, *, check_name: str | None = None, app_id: int | None = None
) -> AsyncIterator[Answer[list[Json]]]:
    """Yield the newest check runs of each name at a SHA, branch or tag, of all Apps or of one."""
    path = "/repos/{owner}/{repo}/commits/{ref}/check-runs{?check_name,app_id,per_page,page}"
    app = None if app_id is None else str(app_id)
    variables = {**named(repository), "ref": ref, "check_name": check_name, "app_id": app}
    return client.pages(path, variables, "check_runs")


def _check_run(repository: str, check_run_id: int) -> dict[str, str]:
    return {**named(repository), "check_run_id": str(check_run_id)}
