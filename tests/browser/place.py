"""Where a new user begins: a GitHub with an organisation and its past, but no App, and a service that is not set up."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bot.clock import Clock
from bot.demo.github import JobSpec, Past, SimulatedGitHub
from bot.demo.github.state.accounts import Account
from tests.durability.processes import Deployment

PATIENCE_SECONDS = 30
KEY = "the key by which the service of this test keeps credentials"
ORGANIZATION, OWNER, MEMBER = "acme", "mona", "carl"
# The member sees the first alone.
RUNS = {"rocket": 60, "vault": 12}
# As long as names may be that nobody thought of when the pages were laid out.
JOB = "unit-" + "j" * 145
_PRINTED = re.compile(r"^  (http\S+/setup/link/\S+)$", re.MULTILINE)


@dataclass
class Place:
    """Both, reached at their addresses, and the link that the service printed when it started."""

    github: SimulatedGitHub
    github_address: str
    address: str
    link: str


def found(github: SimulatedGitHub) -> Account:
    """Found an organisation with an owner, a member who sees one of its two repositories, and runs in both."""
    organization = github.add_organization(ORGANIZATION, "Acme")
    owner, member = github.add_user(OWNER), github.add_user(MEMBER)
    github.people.add_owner(organization, owner)
    until = github.clock.now() - timedelta(hours=5)
    for name, runs in RUNS.items():
        repository = github.repositories.create(organization, name, private=True)
        jobs = [JobSpec(JOB, ("Run actions/checkout@v4", "Run tests"))]
        workflow = github.actions.add_workflow(repository, f"Test {name}", ".github/workflows/test.yml", jobs)
        github.add_history(Past(repository, [workflow], [owner, member], runs, until - timedelta(days=40), until))
        if name == "rocket":
            github.people.add_member(organization, member, "write", [repository])
    return organization


@asynccontextmanager
async def beginning(github: SimulatedGitHub, folder: Path) -> AsyncIterator[Place]:
    """Serve GitHub's pages and API, and start the service by its command on an empty SQLite database."""
    database = f"sqlite://{folder / 'runledger.sqlite3'}"
    service = Deployment(database, folder, ("serve",), WEBHOOK_SECRET="", SECRET_KEY=KEY)
    async with github, github.serve():
        try:
            await service.start()
            yield Place(github, github.world.addresses.html, service.address, await _printed_link(service))
            assert await service.stop() == [0]
        finally:
            await service.kill()


async def _printed_link(service: Deployment) -> str:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (printed := _PRINTED.findall(service.log.read_text())):
            await asyncio.sleep(0.02)
    (link,) = printed
    return str(link)


@asynccontextmanager
async def acme(folder: Path) -> AsyncIterator[Place]:
    """Give the place that tests use."""
    github = SimulatedGitHub(Clock(), seed=11, registered=False)
    found(github)
    async with beginning(github, folder) as place:
        yield place
