"""Installations of the App: https://docs.github.com/en/rest/apps/apps and …/apps/installations."""

from collections.abc import AsyncIterator

from bot.github.answers import Answer, Json
from bot.github.client import Client


def installation_pages(app: Client) -> AsyncIterator[Answer[list[Json]]]:
    """Yield all installations, suspended ones too; `app` is the App's own client."""
    return app.pages("/app/installations{?per_page,page}", {})


async def get_installation(app: Client, installation_id: int) -> Answer[Json]:
    """Return an installation with its permissions; `app` is the App's own client. Raises NotFound when it is gone."""
    return await app.get("/app/installations/{installation_id}", {"installation_id": str(installation_id)})


def repository_pages(client: Client) -> AsyncIterator[Answer[list[Json]]]:
    """Yield the repositories that the client's own installation can see."""
    return client.pages("/installation/repositories{?per_page,page}", {}, "repositories")
