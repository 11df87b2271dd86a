"""Repositories: https://docs.github.com/en/rest/repos/repos. They are named `owner/name`."""

import re

from bot.github.answers import Answer, Json
from bot.github.client import Client
from bot.github.errors import NotFound

_NAME = re.compile(r"([A-Za-z0-9_.-]+)/([A-Za-z0-9_.-]+)")


def named(full_name: str) -> dict[str, str]:
    """Return the variables `owner` and `repo` of a path. Raises NotFound for what can't be a repository's name."""
    found = _NAME.fullmatch(full_name)
    if found is None or {found[1], found[2]} & {".", ".."}:
        message = f"there can be no repository named {full_name[:140]!r}"
        raise NotFound(message)
    return {"owner": found[1], "repo": found[2]}


async def get_repository(client: Client, repository: str) -> Answer[Json]:
    """Return a repository; after a rename or a transfer this follows to where it is now."""
    return await client.get("/repos/{owner}/{repo}", named(repository))


async def get_permission(client: Client, repository: str, login: str) -> Answer[Json]:
    """Return what somebody may do there: `permission` is admin, write, read or none, `user` who that is.

    Roles between them are told as the next lower one. Raises NotFound where nobody has that login.
    https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user
    """
    path = "/repos/{owner}/{repo}/collaborators/{username}/permission"
    return await client.get(path, {**named(repository), "username": login})
