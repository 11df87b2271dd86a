"""The ways to GitHub that people are asked about by, for the App there is at the moment."""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType

from bot.clock import Clock
from bot.errors import SettingsError
from bot.github import GitHub
from bot.github.oauth import OAuth
from bot.settings import Settings
from bot.store.registration import Configuration
from bot.store.sealing import Sealer

Ways = tuple[OAuth, GitHub]


class Asking:
    """An async context manager. What was opened for an App stays open: others may be in the midst of asking."""

    def __init__(self, configuration: Configuration, clock: Clock) -> None:
        self._configuration = configuration
        self._clock = clock
        self._opened: dict[tuple[str, ...], Ways] = {}
        self._opening = asyncio.Lock()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "Asking":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    @property
    def settings(self) -> Settings:
        return self._configuration.current

    @property
    def client_id(self) -> str:
        """The App's, by which people sign in. Raises SettingsError where they can't."""
        return self._app()[0]

    @property
    def sealer(self) -> Sealer:
        """What seals people's tokens. Raises SettingsError without SECRET_KEY."""
        if self._configuration.sealer is None:
            message = "SECRET_KEY is not set: without it nobody can sign in"
            raise SettingsError(message)
        return self._configuration.sealer

    async def oauth(self) -> OAuth:
        """Return the way to people's tokens. Raises SettingsError where the settings say too little to sign in."""
        return (await self._ways())[0]

    async def github(self) -> GitHub:
        """Return the way to what people see. Raises SettingsError as `oauth` does."""
        return (await self._ways())[1]

    def _app(self) -> tuple[str, str]:
        client_id, secret = self.settings.github_client_id, self.settings.github_client_secret
        if client_id is None or secret is None:
            message = "GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET are not set: without them nobody can sign in"
            raise SettingsError(message)
        # Nobody is sent to GitHub for what can't be kept.
        _ = self.sealer
        return client_id, secret.get_secret_value()

    async def _ways(self) -> Ways:
        client_id, secret = self._app()
        server_url, api_url = self.settings.github_server_url, self.settings.github_api_url
        key = (client_id, secret, server_url, api_url)
        async with self._opening:
            if key not in self._opened:
                oauth = OAuth(client_id, secret, server_url=server_url, api_url=api_url)
                github = GitHub(None, None, api_url=api_url, clock=self._clock)
                self._opened[key] = (
                    await self._open.enter_async_context(oauth),
                    await self._open.enter_async_context(github),
                )
            return self._opened[key]
