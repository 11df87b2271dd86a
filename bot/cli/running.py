"""What commands share: settings read and logging set up once, then one coroutine run to its end."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

from bot import logs
from bot.clock import Clock
from bot.errors import RunledgerError
from bot.settings import Settings, load_settings
from bot.store import connected
from bot.store.database import current, database_errors
from bot.store.migrate import pending_migrations
from bot.store.registration import Configuration

Result = TypeVar("Result")


def configured(*, quiet: bool = False, **overrides: Any) -> Settings:
    """Return the settings, with logs set up by them; `quiet` commands print for people and log only what is wrong.

    An override of None leaves the setting as it is. Raises SettingsError.
    """
    settings = load_settings(**{name: value for name, value in overrides.items() if value is not None})
    if quiet:
        logs.configure("warning", "text", settings.secrets(), sys.stderr)
    else:
        logs.configure(settings.log_level, settings.effective_log_format, settings.secrets())
    return settings


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` on the fastest loop there is."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def on_database(settings: Settings, work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` with the database open.

    Raises RunledgerError where the database has not been brought to the newest schema, DatabaseUnavailable where it
    can't take the work now.
    """
    url = settings.database_url.get_secret_value()
    try:
        if await pending_migrations(url):
            message = "the database is not at the newest schema: run `runledger migrate` first"
            raise RunledgerError(message)
        async with connected(url):
            with database_errors():
                return await work
    finally:
        work.close()


async def with_app(settings: Settings) -> Settings:
    """Return the settings with the App that the set-up page registered, where they name none; the database is open.

    Raises CannotOpen, DatabaseUnavailable.
    """
    return await Configuration(settings, Clock()).refresh(current())
