"""The App that the set-up page registered, kept sealed, and the settings as they are with it."""

import asyncio
import contextlib
import logging
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from pydantic import SecretStr
from tortoise.exceptions import IntegrityError

from bot import logs
from bot.clock import Clock
from bot.errors import RunledgerError
from bot.settings import Settings
from bot.store import models
from bot.store.database import Database, Executor, database_errors
from bot.store.sealing import CannotOpen, Sealer

log = logging.getLogger(__name__)

# How often a process looks whether another one has registered an App in the meantime.
LOOK_AGAIN_SECONDS = 2.0
# How often it may be made to look by whoever sends what it can't verify.
LOOK_AT_ONCE_SECONDS = 1.0
_PLACE = "app_registration.secrets"
_OF_AN_APP = ("app_id", "private_key", "webhook_secret", "github_client_id", "github_client_secret")


class Secrets(Struct, frozen=True):
    """What GitHub tells of an App once and never again."""

    private_key: str
    webhook_secret: str
    client_secret: str


class AlreadyRegistered(RunledgerError):
    """Somebody else has registered an App in the meantime; it stays as it is."""


class Registration(Struct, frozen=True, kw_only=True):
    """An App as it was registered: at which GitHub, and with which address of ours."""

    app_id: int
    slug: str
    name: str
    owner_login: str
    html_url: str
    client_id: str
    api_url: str
    server_url: str
    public_url: str
    secrets: Secrets
    created_at: datetime


async def find_registration(database: Database, sealer: Sealer) -> Registration | None:
    """Return the App that is kept. Raises CannotOpen, DatabaseUnavailable."""
    with database_errors():
        kept = await models.AppRegistration.all(using_db=database.client).order_by("slot").first()
    if kept is None:
        return None
    opened = msgspec.json.decode(sealer.open(bytes(kept.secrets), _PLACE), type=Secrets)
    told = {name: getattr(kept, name) for name in Registration.__struct_fields__ if name != "secrets"}
    return Registration(secrets=opened, **told)


async def find_registered_app(database: Database) -> int | None:
    """Return the id of the App that is kept, whether or not it can be opened. Raises DatabaseUnavailable."""
    with database_errors():
        kept = await models.AppRegistration.all(using_db=database.client).order_by("slot").first()
    return None if kept is None else kept.app_id


async def keep_registration(tx: Executor, sealer: Sealer, registration: Registration, *, replacing: int | None) -> None:
    """Keep an App, in place of the one with the id `replacing`.

    Raises AlreadyRegistered where there is another one by now, DatabaseUnavailable.
    """
    told = msgspec.structs.asdict(registration)
    told["secrets"] = sealer.seal(msgspec.json.encode(registration.secrets).decode(), _PLACE)
    message = "another App has been registered in the meantime"
    with database_errors():
        if replacing is not None:
            await models.AppRegistration.filter(app_id=replacing).using_db(tx.client).delete()
        try:
            await models.AppRegistration.create(using_db=tx.client, **told)
        except IntegrityError:
            raise AlreadyRegistered(message) from None


async def seal_anew(database: Database, settings: Settings) -> int:
    """Seal the App's credentials with SECRET_KEY where the key before has sealed them; return how many Apps that were.

    Raises CannotOpen, DatabaseUnavailable.
    """
    sealer = Sealer.of(settings)
    if sealer is None or settings.secret_key_previous is None:
        return 0
    changed = 0
    with database_errors():
        for kept in await models.AppRegistration.all(using_db=database.client):
            sealed = bytes(kept.secrets)
            if (renewed := sealer.renewed(sealed, _PLACE)) is not None:
                # Another App may have taken its place meanwhile.
                sql = "UPDATE app_registration SET secrets = ? WHERE id = ? AND secrets = ?"
                changed += await database.execute(sql, renewed, kept.id, sealed)
    return changed


def with_registration(settings: Settings, registration: Registration) -> Settings:
    """Return `settings` filled up with what they leave open; another App in the environment wins as a whole."""
    if settings.app_id not in {None, registration.app_id}:
        return settings
    kept: dict[str, Any] = {
        "app_id": registration.app_id,
        "private_key": SecretStr(registration.secrets.private_key),
        "webhook_secret": SecretStr(registration.secrets.webhook_secret),
        "github_client_id": registration.client_id,
        "github_client_secret": SecretStr(registration.secrets.client_secret),
        "public_url": registration.public_url,
    }
    addresses = {"github_api_url": registration.api_url, "github_server_url": registration.server_url}
    missing = {name: value for name, value in kept.items() if getattr(settings, name) is None}
    unsaid = {name: value for name, value in addresses.items() if name not in settings.model_fields_set}
    return settings.model_copy(update={**missing, **unsaid})


class Configuration:
    """The settings as they are at the moment: those of the environment, and the registered App where they name none.

    `given` are those of the environment alone; `registration` is the App that is kept, whether or not it counts;
    `fault` is why it can't be opened, where it can't.
    """

    def __init__(self, given: Settings, clock: Clock) -> None:
        self.given = given
        self.current = given
        self.registration: Registration | None = None
        self.fault: str | None = None
        self.sealer = Sealer.of(given)
        self._clock = clock
        self._changed = asyncio.Event()
        self._looked_at: float | None = None

    @property
    def may_change(self) -> bool:
        """Whether an App in the database would make a difference: it is kept sealed, and the environment says less."""
        return self.sealer is not None and any(getattr(self.given, name) is None for name in _OF_AN_APP)

    async def begin(self, database: Database) -> Settings:
        """Read what is kept, and go on without it where it can't be opened. Raises DatabaseUnavailable."""
        try:
            return await self.refresh(database)
        except CannotOpen as error:
            log.error("%s", error)
            return self.current

    async def refresh(self, database: Database) -> Settings:
        """Read what is kept, and return the settings as they are now. Raises CannotOpen, DatabaseUnavailable."""
        if self.sealer is None:
            return self.current
        try:
            registration = await find_registration(database, self.sealer)
        except CannotOpen as error:
            self.fault = str(error)
            raise
        self.fault = None
        if registration != self.registration:
            self.registration = registration
            self.current = self.given if registration is None else with_registration(self.given, registration)
            logs.redact_also(self.current.secrets())
            self._changed.set()
        return self.current

    async def look_again(self, database: Database) -> bool:
        """Read what is kept unless that was done a moment ago, and return whether that has changed the settings."""
        before, now = self.current, self._clock.monotonic()
        if self._looked_at is None or now - self._looked_at >= LOOK_AT_ONCE_SECONDS:
            self._looked_at = now
            await self._refresh_if_possible(database)
        return self.current != before

    async def changed_from(self, settings: Settings, database: Database) -> Settings:
        """Return the settings once they differ from `settings`, whichever process has changed them."""
        while self.current == settings:
            self._changed.clear()
            await self._look_again(database)
        return self.current

    async def _look_again(self, database: Database) -> None:
        if not self.may_change:
            await self._changed.wait()
            return
        waits = {
            asyncio.ensure_future(self._clock.sleep(LOOK_AGAIN_SECONDS)),
            asyncio.ensure_future(self._changed.wait()),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        await self._refresh_if_possible(database)

    async def _refresh_if_possible(self, database: Database) -> None:
        # A database that is away now, or a key that was changed elsewhere, leaves the settings as they are.
        with contextlib.suppress(RunledgerError):
            await self.refresh(database)
