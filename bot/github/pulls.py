"""Pull requests, and the comments on them, which GitHub keeps with issues.

https://docs.github.com/en/rest/pulls/pulls, https://docs.github.com/en/rest/commits/commits and
https://docs.github.com/en/rest/issues/comments. A pull request's comments need no more than pull_requests:write.
"""

from collections.abc import AsyncIterator

from bot.github.answers import Answer, Json
from bot.github.client import PER_PAGE, Client, listed
from bot.github.exchange import Sending
from bot.github.repositories import named

_COMMENTS = "/repos/{owner}/{repo}/issues/{number}/comments"
_COMMENT = "/repos/{owner}/{repo}/issues/comments/{comment_id}"


async def get_pull_request(client: Client, repository: str, number: int) -> Answer[Json]:
    """Return a pull request."""
    return await client.get("/repos/{owner}/{repo}/pulls/{number}", _pull(repository, number))


async def list_pull_requests(
    client: Client, repository: str, *, page: int = 1, per_page: int = PER_PAGE
) -> Answer[list[Json]]:
    """Return one page of a repository's pull requests, open or not, the one changed last first."""
    path = "/repos/{owner}/{repo}/pulls{?state,sort,direction,per_page,page}"
    order = {"state": "all", "sort": "updated", "direction": "desc"}
    variables = {**named(repository), **order, "per_page": str(per_page), "page": str(page)}
    return (await client.get(path, variables)).map(lambda data: listed(data, None))


def pull_request_pages(client: Client, repository: str, sha: str) -> AsyncIterator[Answer[list[Json]]]:
    """Yield the pull requests that a commit belongs to: the only way to those from forks."""
    path = "/repos/{owner}/{repo}/commits/{sha}/pulls{?per_page,page}"
    return client.pages(path, {**named(repository), "sha": sha})


def comment_pages(client: Client, repository: str, number: int) -> AsyncIterator[Answer[list[Json]]]:
    """Yield the comments on a pull request, oldest first."""
    return client.pages(_COMMENTS + "{?per_page,page}", _pull(repository, number))


async def create_comment(
    client: Client, repository: str, number: int, body: str, *, sending: Sending | None = None
) -> Answer[Json]:
    """Write a comment of at most 65,536 characters on a pull request. Raises Unprocessable beyond."""
    return await client.post(_COMMENTS, _pull(repository, number), {"body": body}, creates=True, sending=sending)


async def get_comment(client: Client, repository: str, comment_id: int) -> Answer[Json]:
    """Return a comment."""
    return await client.get(_COMMENT, {**named(repository), "comment_id": str(comment_id)})


async def update_comment(client: Client, repository: str, comment_id: int, body: str) -> Answer[Json]:
    """Replace what a comment says, which notifies nobody. It is sent only once: a second time would be an edit, too."""
    variables = {**named(repository), "comment_id": str(comment_id)}
    return await client.patch(_COMMENT, variables, {"body": body}, repeatable=False)


def _pull(repository: str, number: int) -> dict[str, str]:
    return {**named(repository), "number": str(number)}
