"""What the tour plays on: the service on a port of loopback, and a GitHub that posts its webhooks there."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.app import prepare_database, serving
from bot.clock import Clock
from bot.demo.github import FaultRates, SimulatedGitHub
from bot.demo.github.company import Company, found
from bot.demo.github.state.accounts import Installation
from bot.errors import RunledgerError
from bot.inbox import get_statistics
from bot.settings import Settings, load_settings

HOST = "127.0.0.1"
WEBHOOK_PATH = "/api/github/webhooks"
# Neighbours among so many deliveries change places; some come twice, some late.
SHUFFLED_TOGETHER = 12
TWICE, LATE, LATEST_SECONDS = 0.1, 0.1, 0.5
LOOK_AGAIN_SECONDS = 0.05


@dataclass
class Stage:
    """Service and GitHub, with the App installed on one organisation."""

    clock: Clock
    github: SimulatedGitHub
    company: Company
    installation: Installation
    address: str
    github_address: str

    @property
    def team(self) -> str:
        """The slug of the team that the organisation's record belongs to."""
        return self.company.organization.login

    async def settle(self) -> None:
        """Wait until GitHub has handed everything over and the service is through with it."""
        await self.github.settle()
        while (await get_statistics()).waiting:
            await self.clock.sleep(LOOK_AGAIN_SECONDS)


@asynccontextmanager
async def staged(clock: Clock, *, seed: int, port: int, github_port: int = 0) -> AsyncIterator[Stage]:
    """Start the service on `port` and a GitHub drawn from `seed` on `github_port`, each 0 for any that is free.

    Both end on the way out. Raises RunledgerError when a port is taken.
    """
    faults = FaultRates(seed, duplicate=TWICE, delay=LATE, longest_delay=LATEST_SECONDS, window=SHUFFLED_TOGETHER)
    async with (
        SimulatedGitHub(clock, seed=seed, faults=faults) as github,
        _listening(github, github_port) as api,
        _service(clock, github, port, api) as address,
    ):
        github.webhooks.url = address + WEBHOOK_PATH
        company = found(github)
        github.ping()
        installation = github.installations.install(company.organization)
        yield Stage(clock, github, company, installation, address, api)


@asynccontextmanager
async def _listening(github: SimulatedGitHub, port: int) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        try:
            api = await stack.enter_async_context(github.serve(HOST, port))
        except OSError as error:
            message = f"can't listen on {HOST} port {port}: {error.strerror or error}"
            raise RunledgerError(message) from None
        yield api


@asynccontextmanager
async def _service(clock: Clock, github: SimulatedGitHub, port: int, api: str) -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(prefix="runledger-demo-", ignore_cleanup_errors=True) as folder:
        settings = _settings(github, Path(folder), port, api)
        await prepare_database(settings, migrating=True)
        async with serving(settings, clock, with_worker=True) as address:
            yield address


def _settings(github: SimulatedGitHub, folder: Path, port: int, api: str) -> Settings:
    return load_settings(
        database_url=f"sqlite://{folder / 'demo.sqlite3'}",
        webhook_secret=github.webhook_secret,
        app_id=github.app.id,
        private_key=github.private_key_pem,
        github_api_url=api,
        github_server_url=github.world.addresses.html,
        host=HOST,
        port=port,
    )
