"""What a handler may need of the process that it runs in."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from bot import history
from bot.clock import Clock
from bot.store.registration import Configuration
from bot.web import keys

if TYPE_CHECKING:
    from bot.access.people import People


@dataclass(frozen=True, slots=True)
class Service:
    """The time, the settings as they are at the moment, and whom persons are known by."""

    clock: Clock
    configuration: Configuration
    people: "People"

    @property
    def asks_github(self) -> bool:
        """Whether the service has an App that GitHub can be asked as."""
        return history.can_ask_github(self.configuration.current)


def service_of(app: web.Application) -> Service:
    """Return what handlers of `app` may need."""
    return Service(app[keys.CLOCK], app[keys.CONFIGURATION], app[keys.PEOPLE])
