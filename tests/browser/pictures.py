"""Takes the pictures of the pages that the documentation shows: `make pictures`.

The way is the one that the tests go, in an organisation that is worth looking at.
"""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from playwright.async_api import Page

from bot.clock import Clock
from bot.demo.github import Past, SimulatedGitHub
from bot.demo.github.company import found
from bot.demo.github.rest.faults import Slow
from tests.browser.chromium import HEIGHT, NARROW, WIDE, chromium
from tests.browser.hands import Pointer
from tests.browser.place import beginning
from tests.browser.walk import NewUser

FOLDER = Path(__file__).parents[2] / "docs" / "images"
LARGEST_BYTES = 120_000
WEEKS, RUNS = 8, {"uploader": 320, "web-console": 210, "platform-infra": 90}
LISTING, LISTING_SECONDS = "actions/list-workflow-runs-for-repo", 1.5


class Camera:
    """Takes pictures of a page; each has to be small enough for a repository."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def take(self, name: str, *, width: int = WIDE, height: int = HEIGHT, onto: str = "header") -> None:
        """Take a picture of a part of the page that begins just above the element `onto`."""
        await self._page.set_viewport_size({"width": width, "height": height})
        await self._page.locator(onto).first.evaluate("it => scrollTo(0, it.getBoundingClientRect().top + scrollY - 8)")
        file = FOLDER / f"{name}.png"
        await self._page.screenshot(path=file, animations="disabled", caret="hide")
        await self._page.set_viewport_size({"width": WIDE, "height": HEIGHT})
        size = file.stat().st_size
        print(f"{file.name}: {width} × {height}, {size // 1024} KB")
        if size > LARGEST_BYTES:
            message = f"{file} has {size} bytes, more than {LARGEST_BYTES}"
            raise SystemExit(message)


@asynccontextmanager
async def harbour(folder: Path) -> AsyncIterator[tuple[NewUser, Page]]:
    """Found the demo's company, with weeks of history and slow enough to be seen coming in."""
    github = SimulatedGitHub(Clock(), seed=7, registered=False)
    company = found(github)
    until = github.clock.now() - timedelta(hours=5)
    for name, runs in RUNS.items():
        repository = company.repositories[name]
        workflows = github.actions.workflows_of(repository, "push")
        github.add_history(Past(repository, workflows, company.people, runs, until - timedelta(weeks=WEEKS), until))
    github.rest.scripted_faults.add(Slow(LISTING_SECONDS), operation=LISTING, times=None)
    async with beginning(github, folder) as place, chromium() as browser:
        page = await browser.new_page(viewport={"width": WIDE, "height": HEIGHT}, device_scale_factor=1)
        login = company.organization.login
        yield NewUser(Pointer(page), place, login, company.people[0].login, f"Runledger {login}"), page


async def take_all(user: NewUser, page: Page) -> None:
    """Go the way of a new user, and stop where something is to be seen."""
    camera = Camera(page)
    await _set_up(user, page, camera)
    await user.sign_in()
    await user.hand.press(user.organization)
    await camera.take("team", height=840)
    await camera.take("team-narrow", width=NARROW, height=720)
    await user.hand.press("Runs")
    await camera.take("runs", height=760)
    await camera.take("runs-narrow", width=NARROW, height=720, onto="main section")
    await page.locator("tr", has_text="failure").first.get_by_role("link").click()
    await page.wait_for_load_state()
    await camera.take("run", height=1000)
    await user.make_token()
    await user.hand.press("I have copied it")
    await camera.take("tokens", height=660)
    await user.hand.press("Settings")
    await page.emulate_media(color_scheme="dark")
    await camera.take("settings", height=800)


async def _set_up(user: NewUser, page: Page, camera: Camera) -> None:
    await user.open_link()
    await user.fill_in()
    await camera.take("setup", height=1000, onto="#step-register")
    await user.register()
    await user.install()
    await page.locator("tr", has_text=re.compile(r"uploader\s*running\s*[1-9]")).wait_for()
    await camera.take("progress", height=1000, onto="#step-install")
    await user.hand.until_said(f"{sum(RUNS.values())} runs are stored")


async def main() -> None:
    """Take them all, into `docs/images`."""
    with tempfile.TemporaryDirectory() as folder:
        async with harbour(Path(folder)) as (user, page):
            await take_all(user, page)


if __name__ == "__main__":
    asyncio.run(main())
