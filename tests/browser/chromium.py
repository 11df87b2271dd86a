"""A real browser, and what is looked at on every page that it comes to."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NARROW, WIDE, HEIGHT = 360, 1280, 900
_FAULTS = (Path(__file__).parent / "faults.js").read_text()
_NAMED = {"button", "checkbox", "combobox", "link", "radio", "searchbox", "spinbutton", "textbox"}
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def find_chromium() -> str | None:
    """Return where Chromium is on this machine."""
    return next(filter(None, map(shutil.which, NAMES)), None)


needs_chromium = pytest.mark.skipif(
    find_chromium() is None, reason=f"no Chromium on this machine: none of {', '.join(NAMES)} is in the PATH"
)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start the browser; it ends with the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        async with browser:
            yield browser


@dataclass
class Witness:
    """Looks at every page, wide and narrow, light and dark, and keeps what is wrong; and all that a browser says."""

    pages: dict[str, list[str]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def watch(self, context: BrowserContext) -> None:
        """Hear what a browser complains of, and see what it asks for."""
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.said.append(str(error.error)))
        context.on("request", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.said.append(f"{message.text} ({message.location})")

    def _see(self, request: Request) -> None:
        parts = urlsplit(request.url)
        self.asked.add(f"{parts.scheme}://{parts.netloc}")

    async def look(self, page: Page) -> None:
        """Look at a page as it stands."""
        found = await _nameless(page)
        for scheme in _SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            for width in (NARROW, WIDE):
                await page.set_viewport_size({"width": width, "height": HEIGHT})
                found += [f"{scheme}, {width}: {fault}" for fault in await page.evaluate(_FAULTS)]
        self.pages.setdefault(urlsplit(page.url)._replace(query="").geturl(), []).extend(found)

    @property
    def faults(self) -> dict[str, list[str]]:
        """Return what was found by the page's address."""
        return {address: found for address, found in self.pages.items() if found}


async def _nameless(page: Page) -> list[str]:
    """Return what would be read out without a name, by the tree that the browser gives to screen readers."""
    session = await page.context.new_cdp_session(page)
    tree: dict[str, Any] = await session.send("Accessibility.getFullAXTree")
    await session.detach()
    roles = [_read(node, "role") for node in tree["nodes"] if not node["ignored"] and not _read(node, "name")]
    return [f"a {role} has no name" for role in roles if role in _NAMED]


def _read(node: dict[str, Any], what: str) -> str:
    return str(node.get(what, {}).get("value", "")).strip()
