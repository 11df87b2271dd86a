"""What a person sees through the App; `person` is a client with that person's own token.

https://docs.github.com/en/rest/users/users#get-the-authenticated-user and, for the lists,
https://docs.github.com/en/rest/apps/installations
"""

from collections.abc import AsyncIterator

from bot.github.answers import Answer, Json
from bot.github.client import Client


async def get_user(person: Client) -> Answer[Json]:
    """Return who the token is of."""
    return await person.get("/user")


def user_installation_pages(person: Client) -> AsyncIterator[Answer[list[Json]]]:
    """Yield the installations of the App in which the person explicitly has a part, suspended ones too."""
    return person.pages("/user/installations{?per_page,page}", {}, "installations")


def user_repository_pages(person: Client, installation_id: int) -> AsyncIterator[Answer[list[Json]]]:
    """Yield an installation's repositories that the person sees too, each with their `permissions` there.

    Raises NotFound where the person has no part in it, InstallationSuspended, Forbidden where an organisation wants
    them to sign in with its own identity provider first.
    """
    path = "/user/installations/{installation_id}/repositories{?per_page,page}"
    return person.pages(path, {"installation_id": str(installation_id)}, "repositories")
