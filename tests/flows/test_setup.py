"""The set-up over several processes on one database, and that no secret of it comes to light."""

import asyncio
import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from bot import logs
from bot.clock import Clock
from bot.demo.github import SimulatedGitHub
from bot.setup import links
from bot.setup.registering import environment_of
from tests.demo.browser import Browser
from tests.durability.processes import Deployment
from tests.flows.test_secrets import Handed, dump
from tests.github import test_secrets
from tests.web.rooms import delivery_headers, signature
from tests.web.setting_up import KEY, RUNS_BEFORE, Beginning, beginning, steps, until, with_past

everything_logged = test_secrets.everything_logged
UNCONFIGURED = {"WEBHOOK_SECRET": "", "SECRET_KEY": KEY}


async def _printed_link(log: Path) -> str:
    """Return the link in a process's output, which comes once it listens: one line for people, and one in the log."""

    async def is_printed() -> bool:
        return '"link"' in log.read_text()

    await until(is_printed, "the link is printed")
    text = log.read_text()
    logged = [json.loads(line)["link"] for line in text.splitlines() if line.startswith("{") and '"link"' in line]
    shown = re.findall(r"^  (http\S+)$", text, re.MULTILINE)
    assert logged == shown
    return str(shown[0])


async def _register(browser: Browser, link: str, github: SimulatedGitHub) -> None:
    """Open the link, and register the App for the organisation."""
    await browser.open(link)
    await browser.press("Open the set-up page")
    assert steps(browser.text)["base"] == "done"
    await browser.press(
        "Look at what GitHub is asked for",
        choosing=("An Enterprise Server, or GHE.com",),
        server=github.world.addresses.html,
        organization="acme",
    )
    github.rest.signed_in = github.world.find_account("mona")
    await browser.press("Continue to GitHub")
    assert (browser.status, "is registered" in browser.text) == (200, True)


async def test_several_processes_on_one_database(migrated_postgres: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        github = await stack.enter_async_context(SimulatedGitHub(Clock(), seed=11, registered=False))
        await stack.enter_async_context(github.serve())
        organization = with_past(github).owner
        first, second, worker = (
            Deployment(migrated_postgres, _folder(tmp_path, name), command, **UNCONFIGURED)
            for name, command in (("first", ("serve",)), ("second", ("serve",)), ("worker", ("worker",)))
        )
        for deployment in (first, second, worker):
            stack.push_async_callback(deployment.kill)
        await asyncio.gather(*(deployment.start() for deployment in (first, second, worker)))
        one, two = await _printed_link(first.log), await _printed_link(second.log)
        assert one.startswith(first.address)
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=[URL(first.address), URL(second.address)])
        browser = Browser(await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar)), "http://")

        # The link that the first has printed opens at the second, which registers the App.
        await _register(browser, one.replace(first.address, second.address), github)

        # The first has been told nothing, and takes what the new App sends all the same.
        body = b"{}"
        headers = delivery_headers(body, X_GitHub_Event="ping") | {
            "X-Hub-Signature-256": signature(body, github.webhook_secret)
        }

        async with browser.session.post(f"{first.address}/api/github/webhooks", data=body, headers=headers) as sent:
            assert sent.status == 202
        async with aiohttp.ClientSession() as stranger, stranger.get(two) as gone:
            assert gone.status == 404

        # The worker takes the App without a restart, and fetches the history.
        github.installations.install(organization)

        async def is_fetched() -> bool:
            await browser.open(f"{first.address}/setup/progress")
            return steps(browser.text)["fetch"] == "done"

        await until(is_fetched, "the worker fetches the history")
        assert f"{RUNS_BEFORE} runs are stored" in browser.text
        for deployment in (first, second, worker):
            assert await deployment.stop() == [0]
            lines = deployment.log.read_text()
            assert lines.count(links.PATH) == (0 if deployment is worker else 2)
            assert github.webhook_secret not in lines


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Catch every line as it is written, with all that it is about."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter(logs.Redactor()))
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


async def _walk(begun: Beginning, browser: Browser) -> list[str]:
    """Go through the set-up and past its faults; return every page but the one that shows the lines to copy."""
    pages = []
    for path in ("/", "/setup", "/setup/link/unknown", "/setup/registered?code=forged&state=forged"):
        await browser.open(begun.address + path)
        pages.append(browser.text)
    await begun.fill_in(browser, server="http://127.0.0.1:9")
    pages.append(browser.text)
    await begun.fill_in(browser)
    pages.append(browser.text)
    begun.github.rest.signed_in = begun.github.world.find_account("mona")
    await browser.press("Continue to GitHub")
    lines = environment_of(begun.configuration.registration) if begun.configuration.registration else {}
    assert all(f"{name}={value}" in browser.text for name, value in lines.items())
    assert len(lines) == 8
    back = browser.url
    begun.github.installations.install(begun.repository.owner)
    for path in ("/setup", "/setup/progress", "/", "/metrics", "/readyz", "/openapi.json", "/nothing"):
        await browser.open(begun.address + path)
        pages.append(browser.text)
    for address in (back, begun.link, f"{begun.address}/setup/installed?installation_id=1"):
        await browser.open(address)
        pages.append(browser.text)
    return pages


async def test_no_secret_of_the_set_up_comes_to_light(
    migrated_url: str, everything_logged: io.StringIO, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = Handed()
    async with beginning(migrated_url) as begun, begun.browser() as browser:
        token = begun.link.rpartition("/")[2]
        assert written.getvalue().count(token) == 1
        pages = await _walk(begun, browser)
        registration = begun.configuration.registration
        assert registration is not None
        handed.watch(begun.github, monkeypatch)
        handed.add("key", environment_of(registration)["PRIVATE_KEY"])
        handed.add("client secret", registration.secrets.client_secret)
        handed.add("secret key", KEY)
        handed.add("session", *(cookie.value for cookie in browser.session.cookie_jar))
        await begun.github.settle()
    tables = await dump(migrated_url)
    assert {"app_registration", "setup_link", "session", "pending_state", "audit_entry"} <= set(tables)
    handed.add("link", token)
    lines = written.getvalue().replace(token, "", 1)
    texts = {"logs": everything_logged.getvalue(), "lines": lines, "pages": "\n".join(pages), **tables}
    found = {where: handed.found_in(text) for where, text in texts.items()}
    assert {where: kinds for where, kinds in found.items() if kinds} == {}
