"""A service that nobody has configured, a GitHub without an App, and the browser that brings the two together."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
from yarl import URL

from bot.app import offer_setup, prepare_database, serving
from bot.clock import Clock
from bot.demo.github import JobSpec, Past, SimulatedGitHub
from bot.demo.github.state.repositories import Repository
from bot.settings import Settings
from bot.store.registration import Configuration
from tests.databases import quick
from tests.demo.browser import Browser

KEY = "the key by which this test keeps credentials"
ORGANIZATION, PERSON, RUNS_BEFORE = "acme", "mona", 12
PATIENCE_SECONDS = 30
OPEN, LOOK = "Open the set-up page", "Look at what GitHub is asked for"


@dataclass
class Beginning:
    """The service at `address`, with what it printed, and a GitHub with pages at `github_address`."""

    github: SimulatedGitHub
    repository: Repository
    github_address: str
    address: str
    configuration: Configuration
    printed: list[str] = field(default_factory=list)

    @property
    def link(self) -> str:
        """Return where the printed link leads, on this machine."""
        token = re.search(r"/setup/link/([\w-]+)", "\n".join(self.printed))
        assert token, self.printed
        return f"{self.address}/setup/link/{token[1]}"

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        """Start a browser that follows wherever it is led, and keeps cookies as browsers do on loopback."""
        loopback = [URL(self.address), URL(self.address.replace("127.0.0.1", "localhost"))]
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=loopback)
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            yield Browser(session, "http://")

    async def look(self, browser: Browser, path: str = "/setup") -> dict[str, str]:
        """Open a page and return how each step on it is."""
        await browser.open(self.address + path)
        return steps(browser.text)

    async def open_link(self, browser: Browser) -> None:
        """Open the link and press its button, where there is one."""
        await browser.open(self.link)
        if OPEN in browser.text:
            await browser.press(OPEN)

    async def fill_in(self, browser: Browser, *choosing: str, **typed: str) -> None:
        """Open the link and fill the form in, for the organisation at the simulated GitHub."""
        await self.open_link(browser)
        assert browser.status == 200, browser.text
        asked = {"server": self.github_address, "organization": ORGANIZATION} | typed
        await browser.press(LOOK, choosing=choosing or ("An Enterprise Server, or GHE.com",), **asked)

    async def register(self, browser: Browser, **typed: str) -> None:
        """Go through to the App, as a person does who is signed in at GitHub."""
        await self.fill_in(browser, **typed)
        self.github.rest.signed_in = self.github.world.find_account(PERSON)
        await browser.press("Continue to GitHub")


@asynccontextmanager
async def beginning(
    url: str, *, with_worker: bool = True, api_path: str = "", **settings: Any
) -> AsyncIterator[Beginning]:
    """Start both; the database is brought to the newest schema."""
    clock = Clock()
    given: dict[str, Any] = {"database_url": quick(url), "secret_key": KEY, "host": "127.0.0.1", "port": 0} | settings
    chosen = Settings(_env_file=None, **given)
    await prepare_database(chosen, migrating=True)
    configuration = Configuration(chosen, clock)
    async with SimulatedGitHub(clock, seed=11, registered=False) as github, github.serve(api_path=api_path):
        repository = with_past(github)
        async with serving(chosen, clock, with_worker=with_worker, configuration=configuration) as address:
            begun = Beginning(github, repository, github.world.addresses.html, address, configuration)
            await offer_setup(configuration, clock, int(address.rpartition(":")[2]), begun.printed.append)
            yield begun


def with_past(github: SimulatedGitHub) -> Repository:
    """Found an organisation with an owner and a repository that has a past, and return that."""
    organization, person = github.add_organization(ORGANIZATION), github.add_user(PERSON)
    github.people.add_owner(organization, person)
    repository = github.repositories.create(organization, "rocket")
    workflow = github.actions.add_workflow(repository, "CI", ".github/workflows/ci.yml", [JobSpec("unit", ("Test",))])
    until = github.clock.now() - timedelta(hours=5)
    github.add_history(Past(repository, [workflow], [person], RUNS_BEFORE, until - timedelta(days=20), until))
    return repository


async def until(tells: Callable[[], Any], what: str) -> None:
    """Wait until `tells` returns, or awaits to, something true."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = tells()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.2)
    raise AssertionError(what)


def steps(html: str) -> dict[str, str]:
    """Return how each step on a page is: done, to do or broken."""
    return {key: state for state, key in re.findall(r'class="step (\w+)" id="step-([\w-]+)"', html)}
