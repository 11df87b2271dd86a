"""From the code that GitHub hands out for an App to the App, kept: its credentials are told this once.

https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest#3-you-exchange-the-temporary-code-to-retrieve-the-app-configuration
"""

import base64
import contextlib
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from pydantic import SecretStr

from bot import logs
from bot.access import audit, sessions
from bot.checks.findings import host_of as shown_host
from bot.clock import Clock
from bot.errors import RunledgerError
from bot.github import GitHub
from bot.github.apps import convert_manifest
from bot.github.errors import Forbidden, GitHubUnavailable, NotFound, Unauthorized
from bot.github.rate_limit import get_rate_limit
from bot.settings import private_key_of
from bot.setup.choices import GITHUB_COM, Choice, Host, WrongChoice
from bot.setup.links import void_links
from bot.store.database import current
from bot.store.registration import Configuration, Registration, Secrets, keep_registration
from bot.store.sealing import Sealer

PATIENCE = 10.0


class Left(Struct, frozen=True):
    """What is remembered while a browser is at GitHub: the choice, and the App that the new one is to replace."""

    choice: Choice
    replacing: int | None


# Pages lead to it, so it must be an address that a browser may be led to.
_Page = Annotated[str, Meta(pattern=r"^https?://[!-~]+$")]


class _Owner(Struct):
    login: str | None = None
    slug: str | None = None


class _Converted(Struct):
    """https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest."""

    id: int
    slug: str
    name: str
    owner: _Owner
    html_url: _Page
    client_id: str
    client_secret: str
    webhook_secret: str
    pem: str


async def check_reachable(host: Host, clock: Clock) -> None:
    """Raise WrongChoice unless a GitHub answers at the address."""
    # A server that wants everybody signed in, or has no limits, answers that much.
    refusals = contextlib.suppress(NotFound, Unauthorized, Forbidden)
    async with GitHub(None, None, api_url=host.api_url, clock=clock) as github:
        try:
            with refusals:
                await get_rate_limit(github.anonymous.with_patience(PATIENCE))
        except GitHubUnavailable as error:
            raise WrongChoice(
                "server", f"No GitHub can be asked there, from where this service runs: {error}."
            ) from None


async def convert(code: str, left: Left, clock: Clock) -> Registration:
    """Exchange `code`, good for an hour and once, for the App.

    Raises a GitHubError, or RunledgerError where GitHub's answer is not what it documents.
    """
    choice = left.choice
    async with GitHub(None, None, api_url=choice.host.api_url, clock=clock) as github:
        answer = await convert_manifest(github.anonymous.with_patience(PATIENCE), code)
    try:
        told = msgspec.convert(answer.data, _Converted)
        private_key = private_key_of(SecretStr(told.pem)).get_secret_value()
    except ValueError:
        message = f"the answer of GitHub ({shown_host(choice.host.api_url)}) is not what it documents for a new App"
        raise RunledgerError(message) from None
    secrets = Secrets(private_key, told.webhook_secret, told.client_secret)
    logs.redact_also(msgspec.structs.astuple(secrets))
    return _registration(told, secrets, choice, clock.now())


def _registration(told: _Converted, secrets: Secrets, choice: Choice, now: datetime) -> Registration:
    return Registration(
        app_id=told.id,
        slug=told.slug,
        name=told.name,
        owner_login=told.owner.login or told.owner.slug or "",
        html_url=told.html_url,
        client_id=told.client_id,
        api_url=choice.host.api_url,
        server_url=choice.host.server_url,
        public_url=choice.public_url,
        secrets=secrets,
        created_at=now,
    )


async def keep(
    configuration: Configuration,
    sealer: Sealer,
    registration: Registration,
    replacing: int | None,
    session_id: int | None = None,
) -> None:
    """Keep the App, note it, and let this process know.

    Every link that was not opened is void then, and every session that was opened by one but `session_id`.
    Raises AlreadyRegistered, DatabaseUnavailable.
    """
    at, app = registration.created_at, {"app_id": registration.app_id, "server_url": registration.server_url}
    async with current().transaction() as tx:
        await keep_registration(tx, sealer, registration, replacing=replacing)
        await void_links(tx)
        await sessions.revoke_setup_sessions(tx, session_id, at)
        await audit.note(audit.OPERATOR, "app.registered", registration.slug, at, details=app, tx=tx)
    await configuration.refresh(current())


def environment_of(registration: Registration) -> dict[str, str]:
    """Return the settings by which the environment would name the same App."""
    secrets = registration.secrets
    lines = {
        "APP_ID": str(registration.app_id),
        # In base64 a key is one line that needs no quotes, wherever it is pasted.
        "PRIVATE_KEY": base64.b64encode(secrets.private_key.encode()).decode(),
        "WEBHOOK_SECRET": secrets.webhook_secret,
        "GITHUB_CLIENT_ID": registration.client_id,
        "GITHUB_CLIENT_SECRET": secrets.client_secret,
        "PUBLIC_URL": registration.public_url,
    }
    elsewhere = {"GITHUB_SERVER_URL": registration.server_url, "GITHUB_API_URL": registration.api_url}
    return lines if registration.server_url == GITHUB_COM else lines | elsewhere
