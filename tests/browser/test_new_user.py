"""A new user's way from the link that the service printed to a token that holds no more, and a colleague's after it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from bot.demo.github.rest.faults import Slow
from tests.browser.chromium import Witness, chromium, needs_chromium
from tests.browser.hands import Keys, Pointer, forms
from tests.browser.place import acme
from tests.browser.walk import ALL_FETCHED, Colleague, NewUser

LISTING, LISTING_SECONDS = "actions/list-workflow-runs-for-repo", 4
# Keeps each text that the step has had since, and would be lost if the page were loaded anew.
_REMEMBER = """() => {
  const told = () => document.getElementById("step-fetch").innerText;
  window.told = [told()];
  new MutationObserver(() => window.told.push(told())).observe(document.getElementById("steps"), { childList: true });
}"""


async def test_by_forms_alone(tmp_path: Path) -> None:
    async with acme(tmp_path) as place, forms(place.address) as hand, forms(place.address) as another:
        await NewUser(hand, place).go_all_the_way()
        await Colleague(another, place).go_all_the_way()


@needs_chromium
@pytest.mark.timeout(150)
async def test_by_keyboard_alone(tmp_path: Path) -> None:
    witness = Witness()
    async with acme(tmp_path) as place, chromium() as browser:
        begun = time.monotonic()
        page = await _opened(browser, witness)
        user = NewUser(Keys(page, witness.look), place)
        async with _without_scripts(page):
            await _set_up(user)
        await _watch_live(user, page)
        await user.sign_in()
        await user.see_runs()
        await user.use_a_token()
        await user.change_settings()
        print(f"from the link to a revoked token in {time.monotonic() - begun:.1f} s")
        # What is drawn there is the work of others; what it asks for and complains of counts all the same.
        await page.goto(f"{place.address}/docs")
        await Colleague(Pointer(await _opened(browser, witness), witness.look), place).go_all_the_way()
    assert witness.faults == {}
    assert witness.said == []
    assert witness.asked == {place.address, place.github_address}


async def _opened(browser: Browser, witness: Witness) -> Page:
    context = await browser.new_context()
    witness.watch(context)
    return await context.new_page()


@asynccontextmanager
async def _without_scripts(page: Page) -> AsyncIterator[None]:
    session = await page.context.new_cdp_session(page)
    await session.send("Emulation.setScriptExecutionDisabled", {"value": True})
    yield
    await session.detach()


async def _set_up(user: NewUser) -> None:
    """Go as far as the progress, which a browser without scripts loads again by itself."""
    user.place.github.rest.scripted_faults.add(Slow(LISTING_SECONDS), operation=LISTING, times=3)
    await user.hand.open(user.place.address)
    await user.open_link()
    await user.fill_in()
    await user.register()
    await user.install()
    await user.hand.until_said("Install it ✓ done")


async def _watch_live(user: NewUser, page: Page) -> None:
    """See the history come in while nothing is touched: no page is loaded, and the focus stays where it was."""
    await user.hand.open(f"{user.place.address}/setup")
    focused = page.get_by_role("link", name="Change on GitHub what it sees")
    await focused.focus()
    await page.evaluate(_REMEMBER)
    await user.watch()
    told = await page.evaluate("window.told")
    assert ALL_FETCHED not in told[0]
    assert len(set(told)) > 1
    assert await focused.evaluate("link => link === document.activeElement")
