"""Links to the set-up page: each opens once, within a day. Whoever has one may register the App."""

from datetime import datetime, timedelta

from bot.access.secrets import hash_of, new_secret
from bot.settings import Settings
from bot.store import models
from bot.store.database import Executor, current, database_errors

LASTS = timedelta(hours=24)
PATH = "/setup/link/"
# Who listens on every address is found at the machine's own.
_EVERYWHERE = {"0.0.0.0": "localhost", "::": "localhost"}  # noqa: S104
WITHOUT_KEY = (
    "SECRET_KEY is not set: the set-up page needs it to keep the App's credentials. Make one with"
    " `openssl rand -hex 32` and start again (`make run` does both)"
)


async def new_link(now: datetime) -> str:
    """Make a link and return its secret part, which is not to be had again. Raises DatabaseUnavailable."""
    token = new_secret()
    with database_errors():
        await models.SetupLink.filter(expires_at__lte=now).using_db(current().client).delete()
        await models.SetupLink.create(
            hash=hash_of(token), created_at=now, expires_at=now + LASTS, using_db=current().client
        )
    return token


async def open_link(token: str, now: datetime) -> bool:
    """Use a link up, and return whether it was good. Raises DatabaseUnavailable."""
    with database_errors():
        opened = await current().execute(
            "UPDATE setup_link SET opened_at = ? WHERE hash = ? AND opened_at IS NULL AND expires_at > ?",
            now,
            hash_of(token),
            now,
        )
    return opened == 1


async def void_links(tx: Executor) -> None:
    """Let no link that is still to be opened open any more. Raises DatabaseUnavailable."""
    with database_errors():
        await models.SetupLink.filter(opened_at=None).using_db(tx.client).delete()


def link_of(token: str, settings: Settings, port: int | None = None) -> str:
    """Return the address of a link, as far as the settings tell where we are reached; `port` is the real one."""
    host = _EVERYWHERE.get(settings.host, settings.host)
    bracketed = f"[{host}]" if ":" in host else host
    address = settings.public_url or f"http://{bracketed}:{settings.port if port is None else port}"
    return f"{address}{PATH}{token}"


def invitation(link: str, settings: Settings) -> str:
    """Return what is printed for whoever started the service."""
    said = (
        f"Nothing is configured yet. Open this link to set Runledger up; it opens once, within 24 hours:\n\n  {link}\n"
    )
    if settings.public_url is not None:
        return said
    return f"{said}\nWhere you reach this machine at another address, put that in the place of the host and port.\n"
