"""The way of a new user, from the link that the service printed to a token, and a colleague's, by any hand."""

import asyncio
import json
import re
import shlex
import shutil
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.browser.hands import Hand
from tests.browser.place import JOB, MEMBER, ORGANIZATION, OWNER, RUNS, Place
from tests.test_docs_api import as_curl_asks

TOKEN = "dashboard"
ALL_FETCHED = f"{len(RUNS)} of {len(RUNS)} repositories are done, {sum(RUNS.values())} runs are stored"
_COMMAND = re.compile(r"(curl -H .+?team=[\w-]+\")")


@dataclass
class Asked:
    """What `curl` got."""

    status: int
    body: Any


async def curl(command: str) -> Asked:
    """Run a command that a page shows, as it is, and add only that the status is told as well.

    Where there is no curl, what it would ask is asked.
    """
    if shutil.which("curl") is None:
        method, address, headers, _ = as_curl_asks(command)
        async with aiohttp.request(method, address, headers=headers) as answer:
            return Asked(answer.status, await answer.json(content_type=None))
    told = [*shlex.split(command), "--silent", "--show-error", "--write-out", "\n%{http_code}"]
    process = await asyncio.create_subprocess_exec(*told, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    body, _, status = out.decode().rpartition("\n")
    return Asked(int(status), json.loads(body))


async def _words(hand: Hand) -> str:
    return " ".join((await hand.words()).split())


async def _says(hand: Hand, *texts: str) -> None:
    words = await _words(hand)
    missing = [text for text in texts if text not in words]
    assert missing == [], f"{hand.address} says {words}"


async def _sign_out(hand: Hand, place: Place, path: str) -> None:
    """Sign out here and at GitHub, without which a page that is asked for signs in again by itself."""
    await hand.press("Sign out")
    await _says(hand, "Sign in with GitHub")
    await hand.open(f"{place.github_address}/logout")
    await hand.press("Sign out")
    await hand.open(place.address + path)
    await _says(hand, "Sign in to GitHub", "Choose who you are")


@dataclass
class NewUser:
    """The owner of an organisation who sets the service up, and then uses it. Each step ends on a page."""

    hand: Hand
    place: Place
    organization: str = ORGANIZATION
    login: str = OWNER
    app: str = f"Runledger {ORGANIZATION}"

    async def open_link(self) -> None:
        await self.hand.open(self.place.link)
        await self.hand.press("Open the set-up page")
        await _says(self.hand, "Register the App ○ to do")
        assert self.hand.address == f"{self.place.address}/setup"

    async def fill_in(self) -> None:
        await self.hand.choose("An Enterprise Server, or GHE.com")
        await self.hand.type("Its address", self.place.github_address)
        await self.hand.type("Its login", self.organization)
        await self.hand.type("Name of the App", self.app)
        await self.hand.choose("Buttons on pull requests that run failed jobs again")

    async def register(self) -> None:
        await self.hand.press("Look at what GitHub is asked for")
        await _says(self.hand, "actions: write")
        await self.hand.press("Continue to GitHub")
        await self.hand.press(f"Sign in as {self.login}")
        await self.hand.press("Create GitHub App")
        await _says(self.hand, f"{self.app} is registered", "PRIVATE_KEY=")

    async def install(self) -> None:
        await self.hand.press("Go on: install it")
        await self.hand.press("Install the App on GitHub")
        await self.hand.press("Install")
        assert self.hand.address == f"{self.place.address}/setup"

    async def watch(self) -> None:
        await self.hand.until_said(ALL_FETCHED)
        await _says(
            self.hand, "Receive deliveries ✓ done", "Fetch the history ✓ done", f"Test rocket #{RUNS['rocket']}"
        )

    async def sign_in(self) -> None:
        await self.hand.press("Sign in with GitHub")
        await self.hand.press(f"Authorize {self.app}")
        await _says(self.hand, self.login)

    async def see_runs(self) -> None:
        await self.hand.press(self.organization)
        await _says(self.hand, *(f"{self.organization}/{name}" for name in RUNS))
        await self.hand.press("Runs")
        await self.hand.press(f"Test rocket #{RUNS['rocket']}")
        await _says(self.hand, f"Steps of {JOB}")

    async def make_token(self) -> str:
        """Return the command that the page proposes to try the token by."""
        await self.hand.press("Tokens")
        await self.hand.type("Name", TOKEN)
        await self.hand.press("Make the token")
        (command,) = _COMMAND.findall(await _words(self.hand))
        return str(command)

    async def use_token(self, command: str) -> None:
        asked = await curl(command)
        assert (asked.status, asked.body["total"]) == (200, sum(RUNS.values()))
        await self.hand.press("I have copied it")
        await _says(self.hand, "in force")

    async def revoke_token(self, command: str) -> None:
        await self.hand.press(f"Revoke {TOKEN}")
        words = await _words(self.hand)
        assert ("revoked" in words, "in force" in words) == (True, False)
        asked = await curl(command)
        assert (asked.status, asked.body["title"]) == (401, "Unauthorized")

    async def use_a_token(self) -> None:
        command = await self.make_token()
        await self.use_token(command)
        await self.revoke_token(command)

    async def change_settings(self) -> None:
        await self.hand.press("Settings")
        await self.hand.choose("Drafts")
        await self.hand.press(f"Save the settings of {self.organization}/rocket")
        await _says(self.hand, "saved")
        await self.hand.press("Audit")
        await _says(self.hand, TOKEN, f"{self.organization}/rocket", "drafts: on")

    async def go_all_the_way(self) -> None:
        await self.open_link()
        await self.fill_in()
        await self.register()
        await self.install()
        await self.watch()
        await self.sign_in()
        await self.see_runs()
        await self.use_a_token()
        await self.change_settings()


@dataclass
class Colleague:
    """A member who sees one repository of the two, and comes when all is set up."""

    hand: Hand
    place: Place

    async def go_all_the_way(self) -> None:
        await self.hand.open(f"{self.place.address}/")
        await self.hand.press("Sign in with GitHub")
        await self.hand.press(f"Sign in as {MEMBER}")
        await self.hand.press(f"Authorize Runledger {ORGANIZATION}")
        await self.hand.press(ORGANIZATION)
        assert await self._sees() == {"rocket"}
        await self.hand.press("Runs")
        await _says(self.hand, f"{RUNS['rocket']} runs")
        assert await self._sees() == {"rocket"}
        await self.hand.type("Repository", f"{ORGANIZATION}/vault")
        await self.hand.press("Narrow")
        await _says(self.hand, "No run that you see fits")
        await _sign_out(self.hand, self.place, f"/teams/{ORGANIZATION}/runs")

    async def _sees(self) -> set[str]:
        words = await self.hand.words()
        return {name for name in RUNS if name in words}
