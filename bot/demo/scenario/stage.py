"""What the tour plays on: the service on a port of loopback, and a GitHub that posts its webhooks there."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.app import prepare_database, serving
from bot.clock import Clock
from bot.demo.github import FaultRates, SimulatedGitHub
from bot.demo.github.company import Company, found
from bot.demo.github.state.accounts import Installation
from bot.inbox import get_statistics
from bot.settings import load_settings

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
async def staged(clock: Clock, *, seed: int, port: int) -> AsyncIterator[Stage]:
    """Start the service on `port` (0: any that is free) and a GitHub drawn from `seed`; end both on the way out.

    Raises RunledgerError when the port is taken.
    """
    faults = FaultRates(seed, duplicate=TWICE, delay=LATE, longest_delay=LATEST_SECONDS, window=SHUFFLED_TOGETHER)
    async with SimulatedGitHub(clock, seed=seed, faults=faults) as github:
        with tempfile.TemporaryDirectory(prefix="runledger-demo-", ignore_cleanup_errors=True) as folder:
            async with _service(clock, github, Path(folder), port) as address:
                github.webhooks.url = address + WEBHOOK_PATH
                company = found(github)
                github.ping()
                installation = github.installations.install(company.organization)
                yield Stage(clock, github, company, installation, address)


@asynccontextmanager
async def _service(clock: Clock, github: SimulatedGitHub, folder: Path, port: int) -> AsyncIterator[str]:
    settings = load_settings(
        database_url=f"sqlite://{folder / 'demo.sqlite3'}",
        webhook_secret=github.webhook_secret,
        host=HOST,
        port=port,
    )
    await prepare_database(settings, migrating=True)
    async with serving(settings, clock, with_worker=True) as address:
        yield address
