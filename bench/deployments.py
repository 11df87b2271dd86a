"""The service as it is deployed, on either database, beside a simulated GitHub in the bench's own process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from bench import servers
from bench.databases import POSTGRESQL, SQLITE, Databases
from bot.clock import Clock
from bot.demo.github import SimulatedGitHub
from bot.store.migrate import migrate

WORKERS = 2
NAMES = {SQLITE: "SQLite, one process", POSTGRESQL: f"PostgreSQL, web and {WORKERS} workers"}
WEBHOOK_PATH = "/api/github/webhooks"
ALL_DELIVERIES = 10**6


@dataclass
class Deployed:
    """A GitHub whose App the processes are."""

    github: SimulatedGitHub
    processes: list[servers.Server]

    def cpu_seconds(self) -> float:
        """Return the processor time that all processes have used."""
        return sum(process.cpu_seconds() for process in self.processes)


@asynccontextmanager
async def deployed(kind: str, databases: Databases) -> AsyncIterator[Deployed]:
    """Deploy on an empty database, and end it all on the way out."""
    github = SimulatedGitHub(Clock(), seed=1, concurrency=32)
    github.webhooks.log.most = ALL_DELIVERIES
    with databases.empty(kind) as url:
        if kind == POSTGRESQL:
            await migrate(url)
        async with github, github.serve() as api:
            sides = _sides(kind, _environment(github, url, api))
            async with servers.running(*sides, folder=databases.folder) as started:
                github.webhooks.url = f"http://127.0.0.1:{started[0].port}{WEBHOOK_PATH}"
                yield Deployed(github, started)


def _environment(github: SimulatedGitHub, url: str, api: str) -> dict[str, str]:
    return {
        "DATABASE_URL": url,
        "HOST": "127.0.0.1",
        "WEBHOOK_SECRET": github.webhook_secret,
        "APP_ID": str(github.app.id),
        "PRIVATE_KEY": github.private_key_pem,
        "GITHUB_API_URL": api,
        "GITHUB_SERVER_URL": github.world.addresses.html,
    }


def _sides(kind: str, environment: dict[str, str]) -> list[servers.Side]:
    if kind == SQLITE:
        return [servers.Side("runledger", ("-m", "bot", "serve"), environment)]
    web = servers.Side("runledger web", ("-m", "bot", "serve", "--no-worker"), environment)
    worker = servers.Side("", ("-m", "bot", "worker"), environment, listens=False)
    return [web, *(replace(worker, name=f"runledger worker {number + 1}") for number in range(WORKERS))]
