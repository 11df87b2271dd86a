"""What a handler may need of the process that it runs in."""

from dataclasses import dataclass

from aiohttp import web

from bot import history
from bot.clock import Clock
from bot.web import keys


@dataclass(frozen=True, slots=True)
class Service:
    """The time, and whether the service has an App that GitHub can be asked as."""

    clock: Clock
    asks_github: bool


def service_of(app: web.Application) -> Service:
    """Return what handlers of `app` may need."""
    return Service(app[keys.CLOCK], history.can_ask_github(app[keys.CONFIGURATION].current))
