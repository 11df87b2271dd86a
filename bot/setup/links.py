"""Links to the set-up page: each opens once, within a day. Whoever has one may register the App."""

from datetime import datetime, timedelta

from bot.access.secrets import hash_of, new_secret
from bot.settings import Settings
from bot.store import models
from bot.store.database import Executor, current, database_errors

LASTS = timedelta(hours=24)
# One that carries a set-up session over to another address is opened at once.
CARRIED_LASTS = timedelta(minutes=30)
PATH = "/setup/link/"
# Who listens on every address is found at the machine's own.
_EVERYWHERE = {"0.0.0.0": "localhost", "::": "localhost"}  # noqa: S104
WITHOUT_KEY = (
    "SECRET_KEY is not set: the set-up page needs it to keep the App's credentials. Make one with"
    " `openssl rand -hex 32` and start again (`make run` does both)"
)

ELSEWHERE = (
    "PUBLIC_URL is not set, so the link begins with this machine's own address: put the address at which you reach the"
    " service, such as https://NAME.example.org, in its place."
)


async def new_link(now: datetime, lasts: timedelta = LASTS) -> str:
    """Make a link and return its secret part, which is not to be had again. Raises DatabaseUnavailable."""
    token = new_secret()
    with database_errors():
        await models.SetupLink.filter(expires_at__lte=now).using_db(current().client).delete()
        await models.SetupLink.create(
            hash=hash_of(token), created_at=now, expires_at=now + lasts, using_db=current().client
        )
    return token


async def is_good(token: str, now: datetime) -> bool:
    """Tell whether a link would open, and leave it as it is. Raises DatabaseUnavailable."""
    with database_errors():
        good = models.SetupLink.filter(hash=hash_of(token), opened_at=None, expires_at__gt=now)
        return await good.using_db(current().reader.client).exists()


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


def log_line(settings: Settings) -> str:
    """Return what the log says beside the link."""
    said = "no App is configured; the link opens the set-up page, once"
    return said if settings.public_url is not None else f"{said}. {ELSEWHERE.removesuffix('.')}"


def invitation(link: str, settings: Settings) -> str:
    """Return what is printed for whoever started the service."""
    said = (
        f"Nothing is configured yet. Open this link to set Runledger up; it opens once, within 24 hours:\n\n  {link}\n"
    )
    if settings.public_url is not None:
        return said
    return f"{said}\n{ELSEWHERE}\n"
