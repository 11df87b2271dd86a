"""What somebody visits pages with: a pointer, the keyboard alone, or no browser at all but forms over HTTP.

All of them find things as people do, by what stands on buttons, links and labels.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal, Protocol
from urllib.parse import urljoin

import aiohttp
from playwright.async_api import Locator, Page
from yarl import URL

from tests.demo.browser import Browser

PATIENCE_SECONDS = 30
MOST_TABS = 150
# What has the focus: its name as it is read out, what it is, and whether one can see on the page that it has it.
_FOCUSED = """() => {
  const focused = document.activeElement;
  if (focused === document.body) return null;
  const label = (focused.labels ?? [])[0];
  const style = getComputedStyle(focused);
  const place = focused.getBoundingClientRect();
  return {
    name: (focused.getAttribute("aria-label") ?? (label ?? focused).textContent).replace(/\\s+/g, " ").trim(),
    kind: focused.type === "radio" ? `radio ${focused.name}` : focused.localName,
    seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1
      && place.width > 1 && place.height > 1 && place.bottom > 0 && place.top < innerHeight,
  };
}"""


class Hand(Protocol):
    """Somebody at a page. Buttons and links are named whole, labels by how they begin; the first of them is meant."""

    @property
    def address(self) -> str:
        """Where they are."""
        ...

    async def open(self, address: str) -> None:
        """Open a page by its address."""

    async def press(self, name: str) -> None:
        """Press a button or follow a link, and wait for the page that it leads to."""

    async def type(self, label: str, text: str) -> None:
        """Fill a field in."""

    async def choose(self, label: str) -> None:
        """Choose one of several, or tick a box."""

    async def words(self) -> str:
        """Return all that the page says."""
        ...

    async def until_said(self, text: str) -> None:
        """Wait until the page says something, without doing anything; TimeoutError when it never does."""


Look = Callable[[Page], Awaitable[None]]


async def _no_look(_page: Page) -> None:
    pass


class Pointer:
    """A browser, used with a pointer; every page that it comes to is looked at with `look`."""

    def __init__(self, page: Page, look: Look = _no_look) -> None:
        self.page, self._look = page, look

    @property
    def address(self) -> str:
        return self.page.url

    async def open(self, address: str) -> None:
        await self.page.goto(address)
        await self._look(self.page)

    async def press(self, name: str) -> None:
        async with self._leading_on():
            await self.page.get_by_role(await self._role_of(name), name=name, exact=True).click()

    async def _role_of(self, name: str) -> Literal["button", "link"]:
        """Return what a name means, which a button may share with a link."""
        return "button" if await self.page.get_by_role("button", name=name, exact=True).count() else "link"

    @asynccontextmanager
    async def _leading_on(self) -> AsyncIterator[None]:
        async with self.page.expect_navigation():
            yield
        await self._look(self.page)

    async def type(self, label: str, text: str) -> None:
        await self._labelled(label).fill(text)

    async def choose(self, label: str) -> None:
        await self._labelled(label).check()

    def _labelled(self, label: str) -> Locator:
        return self.page.get_by_label(re.compile(rf"^\s*{re.escape(label)}")).first

    async def words(self) -> str:
        return await self.page.locator("body").inner_text()

    async def until_said(self, text: str) -> None:
        said = self.page.locator("main").filter(has_text=text)
        await said.wait_for(timeout=PATIENCE_SECONDS * 1000)
        await self._look(self.page)


class Keys(Pointer):
    """A browser, used by keyboard alone: Tab, the arrows among radio buttons, Space, Enter, and typing."""

    async def press(self, name: str) -> None:
        kind = {"button": "button", "link": "a"}[await self._role_of(name)]
        await self._go_to(lambda focused: (focused["name"], focused["kind"]) == (name, kind), name)
        async with self._leading_on():
            await self.page.keyboard.press("Enter")

    async def type(self, label: str, text: str) -> None:
        await self._go_to(lambda focused: focused["name"].startswith(label), label)
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.type(text)

    async def choose(self, label: str) -> None:
        # Of a group of radio buttons only the chosen one is reached by Tab.
        group = await self._labelled(label).get_attribute("name")
        focused = await self._go_to(
            lambda focused: focused["kind"] == f"radio {group}" or focused["name"].startswith(label), label
        )
        if not focused["kind"].startswith("radio"):
            await self.page.keyboard.press("Space")
        while not focused["name"].startswith(label):
            await self.page.keyboard.press("ArrowDown")
            focused = await self._focused() or focused

    async def _go_to(self, is_it: Callable[[dict[str, str]], bool], name: str) -> dict[str, str]:
        """Go on from where the focus is, at most once round the page, and see each time where one is."""
        met = []
        for _ in range(MOST_TABS):
            await self.page.keyboard.press("Tab")
            focused = await self._focused()
            if focused is None:
                continue
            assert focused["seen"], f"nobody sees that {focused} has the focus on {self.page.url}"
            if is_it(focused):
                return focused
            met.append(focused["name"])
        raise AssertionError(f"{name} is not reached by Tab on {self.page.url}: {met}")

    async def _focused(self) -> dict[str, str] | None:
        found: dict[str, str] | None = await self.page.evaluate(_FOCUSED)
        return found


class Forms:
    """No browser: pages are read as text, and forms are sent as they would be."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._filled: dict[str, str] = {}

    @property
    def address(self) -> str:
        return self._browser.url

    async def open(self, address: str) -> None:
        self._filled = {}
        await self._browser.open(address)

    async def press(self, name: str) -> None:
        filled, self._filled = self._filled, {}
        page = self._browser.page
        if any(name in form.buttons for form in page.forms):
            await self._browser.press(name, choosing=(), **filled)
        else:
            await self._browser.open(urljoin(self._browser.url, page.links[name]))

    async def type(self, label: str, text: str) -> None:
        name, _ = self._labelled(label)
        self._filled[name] = text

    async def choose(self, label: str) -> None:
        name, value = self._labelled(label)
        self._filled[name] = value

    def _labelled(self, label: str) -> tuple[str, str]:
        labels = {text: field for form in self._browser.page.forms for text, field in form.labels.items()}
        (found,) = (field for text, field in labels.items() if text.startswith(label))
        return found

    async def words(self) -> str:
        return " ".join(self._browser.page.words.split())

    async def until_said(self, text: str) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while text not in await self.words():
                await asyncio.sleep(1)
                await self.open(self.address)


@asynccontextmanager
async def forms(address: str) -> AsyncIterator[Forms]:
    """Begin without a browser; cookies are kept as browsers do on loopback."""
    jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=URL(address))
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Forms(Browser(session, "http://"))
