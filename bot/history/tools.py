"""What history works with."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from bot.clock import Clock
from bot.errors import SettingsError
from bot.github import GitHub
from bot.settings import Settings
from bot.store.database import Database
from bot.store.leases import Leases, WriteLeases, new_holder


def _nothing(_event: str, _action: str | None) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Tools:
    """The record, GitHub, the time, and the rights that other processes may have.

    `acts_on` tells whether anything is recorded of an event and action, and so whether a delivery of it is missed.
    Runs are kept for the time `keeps`, where that is not None, so that none older is worth asking for.
    """

    database: Database
    github: GitHub
    clock: Clock
    leases: Leases
    acts_on: Callable[[str, str | None], bool] = _nothing
    keeps: timedelta | None = None

    def worth_asking(self, span: timedelta) -> timedelta:
        """Return how far back of `span` is worth asking for."""
        return span if self.keeps is None else min(span, self.keeps)


def can_ask_github(settings: Settings) -> bool:
    """Tell whether the settings name an App and its key, without which GitHub tells nothing."""
    return settings.app_id is not None and settings.private_key is not None


@asynccontextmanager
async def opened(
    settings: Settings,
    database: Database,
    clock: Clock,
    acts_on: Callable[[str, str | None], bool] = _nothing,
) -> AsyncIterator[Tools]:
    """Give the tools of this process, for the App that the settings name.

    Raises SettingsError where they name none.
    """
    if settings.app_id is None or settings.private_key is None:
        message = "APP_ID and PRIVATE_KEY (or PRIVATE_KEY_PATH) must be set to ask GitHub for history"
        raise SettingsError(message)
    leases = Leases(database, clock, new_holder())
    async with GitHub(
        settings.app_id,
        settings.private_key.get_secret_value(),
        api_url=settings.github_api_url,
        clock=clock,
        rights=WriteLeases(leases),
    ) as github:
        keeps = timedelta(days=settings.retention_days) if settings.retention_days else None
        yield Tools(database, github, clock, leases, acts_on, keeps)
