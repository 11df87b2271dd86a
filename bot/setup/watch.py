"""What GitHub says of the App, asked as `doctor` asks, for a page that is looked at again and again."""

import asyncio

from bot.checks.github import Told, ask_github
from bot.checks.kept import name_of_kept
from bot.clock import Clock
from bot.settings import Settings
from bot.store.registration import Configuration

# GitHub is asked four questions and more each time, of some thousand that the App has in an hour.
AGAIN_AFTER_SECONDS = 15.0


class Watch:
    """Asks GitHub at most every some seconds, whoever wants to know."""

    def __init__(self, configuration: Configuration, clock: Clock) -> None:
        self._configuration = configuration
        self._clock = clock
        self._asking = asyncio.Lock()
        self._told = Told([], asked=False)
        self._about: Settings | None = None
        self._asked_at = 0.0

    async def look(self) -> Told:
        """Return what GitHub says, of some seconds ago at the most."""
        async with self._asking:
            settings = self._configuration.current
            if self._about != settings or self._clock.monotonic() - self._asked_at >= AGAIN_AFTER_SECONDS:
                self._told = await ask_github(settings, self._clock, name_of_kept(self._configuration))
                self._about, self._asked_at = settings, self._clock.monotonic()
            return self._told
