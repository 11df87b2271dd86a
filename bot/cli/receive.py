"""`receive`: signs a payload file as GitHub does and posts it to a running service."""

import hmac
import uuid
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import aiohttp
import typer

from bot.cli.running import configured, on_database, run, with_app
from bot.errors import RunledgerError, SettingsError

WEBHOOK_PATH = "/api/github/webhooks"
TIMEOUT_SECONDS = 30


def receive(
    event: Annotated[str, typer.Option(help="The event's name, such as workflow_run.")],
    file: Annotated[Path, typer.Option(exists=True, dir_okay=False, readable=True, help="The body to send.")],
    delivery: Annotated[str | None, typer.Option(help="The delivery's GUID; by default a new one.")] = None,
    url: Annotated[str | None, typer.Option(help="The service; by default this machine's, at PORT.")] = None,
) -> None:
    """Sign a payload file with WEBHOOK_SECRET and post it to a running service."""
    settings = configured(quiet=True)
    if not settings.webhook_secrets and settings.secret_key is not None:
        settings = run(on_database(settings, with_app(settings)))
    if not settings.webhook_secrets:
        message = "WEBHOOK_SECRET is missing: there is nothing to sign with"
        raise SettingsError(message)
    guid = delivery or str(uuid.uuid1())
    address = webhook_address(url or f"http://127.0.0.1:{settings.port}")
    status, answer = run(post(address, settings.webhook_secrets[0], event, guid, file.read_bytes()))
    typer.echo(f"{status} {answer} {guid}")
    if not 200 <= status < 300:
        raise typer.Exit(1)


def webhook_address(url: str) -> str:
    """Return the address to post to: `url` as it is where it names a path, else the webhook's there.

    Raises RunledgerError where it can't be read.
    """
    try:
        path = urlsplit(url).path
    except ValueError as error:
        message = f"nobody answers at {url}: {error}"
        raise RunledgerError(message) from None
    return url if path.strip("/") else url.rstrip("/") + WEBHOOK_PATH


async def post(address: str, secret: bytes, event: str, guid: str, body: bytes) -> tuple[int, str]:
    """Post a signed delivery; return the status and the body of the answer.

    Raises RunledgerError where nobody answers.
    """
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/runledger",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": guid,
        "X-Hub-Signature-256": f"sha256={hmac.new(secret, body, 'sha256').hexdigest()}",
    }
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(address, data=body, headers=headers) as response,
        ):
            return response.status, (await response.text()).strip()
    except (TimeoutError, aiohttp.ClientError, ValueError) as error:
        message = f"nobody answers at {address}: {error or type(error).__name__}"
        raise RunledgerError(message) from None
