"""The set-up page from nothing to the first runs, and what the new App sends."""

import asyncio
import re

import aiohttp

from bot.clock import Clock
from bot.store import models
from bot.store.database import current
from tests.web.rooms import delivery_headers, signature
from tests.web.setting_up import ORGANIZATION, RUNS_BEFORE, beginning, until


async def _is_told_of_an_installation() -> bool:
    return await models.Installation.all(using_db=current().client).exists()


async def test_from_nothing_to_the_first_runs(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite) as begun, begun.browser() as browser:
        await begun.fill_in(browser)
        assert (browser.status, f"owned by {ORGANIZATION}" in browser.text) == (200, True)
        await browser.press("Continue to GitHub")
        await browser.press("Sign in as mona")
        await browser.press("Create GitHub App")
        assert (browser.status, "is registered" in browser.text) == (200, True)
        assert begun.configuration.current.app_id == begun.github.app.id
        before = await begun.look(browser)
        assert (before["base"], before["register"], before["install"]) == ("done", "done", "todo")
        install = re.search(r'href="([^"]+/installations/new)"', browser.text)
        assert install
        await browser.open(install[1])
        await browser.press("Install")
        assert browser.url == f"{begun.address}/setup"
        await until(_is_told_of_an_installation, "the installation is recorded")
        # What a worker does every ten seconds is due at once.
        await current().execute("UPDATE timed_job SET due_at = ? WHERE name = 'sync-installations'", Clock().now())

        async def is_fetched() -> bool:
            return (await begun.look(browser, "/setup/progress"))["fetch"] == "done"

        await until(is_fetched, "the history is fetched")
        assert all(word in browser.text for word in (f"{RUNS_BEFORE} runs are stored", "acme/rocket", "/login"))
        # Nothing more happens by itself, so that neither script nor browser need to ask again.
        assert set((await begun.look(browser)).values()) == {"done", "todo"}
        assert ('data-live="false"' in browser.text, "setup.js" in browser.text) == (True, False)


async def test_while_it_changes_the_page_is_asked_for_again(migrated_url: str) -> None:
    async with beginning(migrated_url, with_worker=False) as begun, begun.browser() as browser:
        await begun.open_link(browser)
        assert not re.search(r'http-equiv="refresh"|setup\.js', browser.text), "a form is being filled in"
        await begun.register(browser)
        await begun.look(browser)
        assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in browser.text
        assert "setup.js" in browser.text


async def test_what_the_new_app_sends_is_taken(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite, with_worker=False) as begun, begun.browser() as browser:
        await begun.register(browser)
        body = b'{"zen": "ours"}'
        headers = delivery_headers(body, X_GitHub_Event="ping")
        for secret, status in ((begun.github.webhook_secret, 202), ("nobody's", 401)):
            signed = headers | {"X-Hub-Signature-256": signature(body, secret)}
            async with browser.session.post(f"{begun.address}/api/github/webhooks", data=body, headers=signed) as sent:
                assert sent.status == status


async def test_nothing_is_verified_before_there_is_an_app(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite, with_worker=False) as begun, aiohttp.ClientSession() as session:
        headers = delivery_headers(b"{}") | {"X-Hub-Signature-256": signature(b"{}", "")}
        posts = [session.post(f"{begun.address}/api/github/webhooks", data=b"{}", headers=headers) for _ in range(5)]
        assert [response.status for response in await asyncio.gather(*posts)] == [401] * 5
