"""Back from GitHub to the set-up page: an answer counts once, and for the browser that asked."""

import re
from contextlib import AsyncExitStack

from bot.clock import Clock
from bot.setup import links
from bot.store import models
from bot.store.database import current
from tests.demo.browser import Browser
from tests.web.setting_up import Beginning, beginning


async def _led_back(begun: Beginning, browser: Browser) -> str:
    """Return the address that GitHub leads the browser back to, without going there."""
    await begun.fill_in(browser)
    begun.github.rest.signed_in = begun.github.world.find_account("mona")
    form = browser.page.form_with("Continue to GitHub")
    async with browser.session.post(form.action, data=form.fields, allow_redirects=False) as response:
        # The first answer leads to the manifest's page, the second back to us.
        location = response.headers["Location"]
    while not location.startswith(begun.address):
        async with browser.session.get(
            begun.github_address + location.removeprefix(begun.github_address), allow_redirects=False
        ) as response:
            location = response.headers["Location"]
    return location


async def test_an_answer_counts_once_and_for_the_browser_that_asked(migrated_url: str) -> None:
    async with AsyncExitStack() as stack:
        begun = await stack.enter_async_context(beginning(migrated_url, with_worker=False))
        browser = await stack.enter_async_context(begun.browser())
        another = await stack.enter_async_context(begun.browser())
        back = await _led_back(begun, browser)
        begun.printed[:] = [f"{begun.address}/setup/link/{await links.new_link(Clock().now())}"]
        await begun.fill_in(another)
        for forged in (back, re.sub("state=[^&]+", "state=x", back)):
            await another.open(forged)
            assert another.status == 403
        assert begun.configuration.current.is_unconfigured
        await browser.open(back)
        assert (browser.status, "is registered" in browser.text) == (200, True)
        await browser.open(back)
        assert (browser.status, "BEGIN" in browser.text, "PRIVATE_KEY" in browser.text) == (403, False, False)
        assert await models.AppRegistration.all(using_db=current().client).count() == 1


async def test_a_code_that_github_does_not_know(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite, with_worker=False) as begun, begun.browser() as browser:
        back = await _led_back(begun, browser)
        await browser.open(re.sub("code=[^&]+", "code=forged-code", back))
        assert browser.status == 502
        assert "forged-code" not in browser.text
        assert (await begun.look(browser))["register"] == "todo"


async def test_a_second_app_is_not_taken(migrated_url: str) -> None:
    async with AsyncExitStack() as stack:
        begun = await stack.enter_async_context(beginning(migrated_url, with_worker=False))
        first = await stack.enter_async_context(begun.browser())
        second = await stack.enter_async_context(begun.browser())
        back = await _led_back(begun, first)
        begun.printed[:] = [f"{begun.address}/setup/link/{await links.new_link(Clock().now())}"]
        await begun.register(second, name="Another")
        app = begun.configuration.current.app_id
        # The second's registration has ended the first's session; with one of the second's it is still too late.
        await first.open(back)
        assert (first.status, "delete it there" in first.text) == (403, True)
        assert await begun.look(first) == {}
        begun.printed[:] = [f"{begun.address}/setup/link/{await links.new_link(Clock().now())}"]
        await begun.open_link(first)
        await first.open(back)
        assert (first.status, "registered in the meantime" in first.text) == (409, True)
        assert begun.configuration.current.app_id == app
        assert (await begun.look(second))["register"] == "done"


async def test_what_the_address_says_of_an_installation_is_not_believed(migrated_url: str) -> None:
    async with beginning(migrated_url, with_worker=False) as begun, begun.browser() as browser:
        await begun.register(browser)
        forged = "/setup/installed?installation_id=4711&setup_action=install&state=x"
        shown = await begun.look(browser, forged)
        assert (browser.url, shown["install"]) == (f"{begun.address}/setup", "todo")
        assert "4711" not in browser.text
        for model in (models.Installation, models.Team):
            assert not await model.all(using_db=current().client).exists()
