"""The set-up page's form: what is filled in, and what GitHub is then asked for."""

import re
from typing import Any

import pytest

from bot.settings import Settings
from bot.store import models
from bot.store.database import current
from tests.demo.browser import Page
from tests.web.setting_up import LOOK, OPEN, ORGANIZATION, beginning

_RIGHT = {"organization": ORGANIZATION, "name": "Ours"}


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("server", {"server": "ftp://github.example.org"}),
        ("server", {"server": "http://127.0.0.1:1"}),
        ("organization", {"organization": "no such-login-"}),
        ("name", {"name": "x" * 35}),
        ("address", {"address": "runledger.example.org"}),
    ],
)
async def test_what_is_wrong_is_said_beside_what_was_filled_in(
    migrated_sqlite: str, field: str, typed: dict[str, str]
) -> None:
    async with beginning(migrated_sqlite, with_worker=False) as begun, begun.browser() as browser:
        await begun.fill_in(browser, **typed)
        assert browser.status == 400
        assert f'id="wrong-{field}"' in browser.text
        assert f'value="{typed[field]}"' in browser.text
        assert await models.PendingState.all(using_db=current().client).count() == 0
        right: dict[str, Any] = {field: _RIGHT.get(field, begun.github_address)}
        if field == "address":
            right = {field: begun.address}
        await browser.press(LOOK, **right)
        assert (browser.status, "Continue to GitHub" in browser.text) == (200, True)


@pytest.mark.parametrize("text", [b"%00", b"%ff", b"%ed%a0%80", b"x" * 1001, "\u202e<script>".encode()])
async def test_whatever_is_sent_is_refused_or_shown_as_text(migrated_sqlite: str, text: bytes) -> None:
    async with beginning(migrated_sqlite, with_worker=False) as begun, begun.browser() as browser:
        await begun.open_link(browser)
        csrf = browser.page.form_with(LOOK).fields["csrf"]
        for field in ("server", "organization", "name", "address"):
            data = f"csrf={csrf}&host=server&{field}=".encode() + text
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            address = f"{begun.address}/setup/register"
            async with browser.session.post(address, data=data, headers=headers) as response:
                assert response.status == 400
                assert "<script>" not in (await response.text()).replace("<script src", "")


async def test_where_github_would_lead_back_elsewhere_it_is_not_asked_yet(migrated_url: str) -> None:
    async with beginning(migrated_url, with_worker=False) as begun, begun.browser() as browser:
        elsewhere = begun.address.replace("127.0.0.1", "localhost")
        await begun.fill_in(browser, address=elsewhere)
        assert (browser.status, 'id="wrong-address"' in browser.text) == (400, True)
        assert f"This page is open at {begun.address}, and GitHub would lead you back to {elsewhere}" in browser.text
        assert await models.PendingState.all(using_db=current().client).count() == 0
        # The link that is offered opens there, once, and from there it goes on.
        await browser.open(browser.page.links[f"Open this page at {elsewhere}"])
        await browser.press(OPEN)
        assert (browser.status, browser.url) == (200, f"{elsewhere}/setup")
        server = {"server": begun.github_address, "organization": ORGANIZATION}
        await browser.press(LOOK, choosing=("An Enterprise Server, or GHE.com",), **server)
        begun.github.rest.signed_in = begun.github.world.find_account("mona")
        await browser.press("Continue to GitHub")
        assert (browser.status, "is registered" in browser.text) == (200, True)
        assert browser.url.startswith(f"{elsewhere}/setup/registered")


@pytest.mark.parametrize(
    ("typed", "origin", "status"),
    [
        ("{here}", "{here}", 200),
        ("{here}/", None, 200),
        ("https://runledger.lan", "https://runledger.lan:443", 200),
        ("https://runledger.lan", "http://runledger.lan", 400),
        ("https://runledger.lan:8443", "https://runledger.lan", 400),
        ("http://runledger.lan", None, 400),
    ],
)
async def test_what_the_browser_says_of_where_it_is_counts(
    migrated_sqlite: str, typed: str, origin: str | None, status: int
) -> None:
    async with beginning(migrated_sqlite, with_worker=False) as begun, begun.browser() as browser:
        await begun.open_link(browser)
        fields = browser.page.form_with(LOOK).fields | {"host": "server", "server": begun.github_address}
        data = fields | {"organization": ORGANIZATION, "address": typed.format(here=begun.address)}
        headers = {"Sec-Fetch-Site": "same-origin"}
        if origin is not None:
            headers["Origin"] = origin.format(here=begun.address)
        async with browser.session.post(f"{begun.address}/setup/register", data=data, headers=headers) as response:
            shown = Page(await response.text())
        assert response.status == status
        carried = [text for text in shown.links if text.startswith("Open this page at")]
        assert len(carried) == (status == 400 and typed.startswith("https"))


async def test_the_environment_s_address_must_be_where_the_page_is_open(migrated_sqlite: str) -> None:
    ours = "https://runledger.example.org"
    async with beginning(migrated_sqlite, with_worker=False, public_url=ours) as begun, begun.browser() as browser:
        await begun.open_link(browser)
        fields = browser.page.form_with(LOOK).fields | {"host": "server", "server": begun.github_address}
        data = fields | {"organization": ORGANIZATION}
        for origin, status in ((begun.address, 400), (ours, 200)):
            headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
            async with browser.session.post(f"{begun.address}/setup/register", data=data, headers=headers) as response:
                assert response.status == status
                assert (f'href="{ours}/setup/link/' in await response.text()) == (status == 400)


async def test_only_the_page_that_leads_to_github_may_send_there(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite, with_worker=False) as begun, begun.browser() as browser:
        await begun.open_link(browser)
        fields = browser.page.form_with(LOOK).fields | {"host": "server", "server": begun.github_address}
        data = fields | {"organization": ORGANIZATION}
        async with browser.session.post(f"{begun.address}/setup/register", data=data) as response:
            policy = response.headers["Content-Security-Policy"]
        assert f"form-action 'self' {begun.github_address};" in policy
        async with browser.session.get(f"{begun.address}/setup") as response:
            assert "form-action 'self';" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("reruns", [False, True])
async def test_whoever_registers_it_chooses_the_buttons(migrated_sqlite: str, reruns: bool) -> None:
    async with beginning(migrated_sqlite, with_worker=False) as begun, begun.browser() as browser:
        await begun.register(browser, **({"reruns": "true"} if reruns else {}))
        level = "write" if reruns else "read"
        assert begun.github.app.permissions == {
            "metadata": "read",
            "actions": level,
            "checks": "write",
            "pull_requests": "write",
        }
        assert begun.github.app.name == "Runledger acme"
        assert begun.github.app.owner.login == ORGANIZATION


async def test_an_app_of_ones_own(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite, with_worker=False) as begun, begun.browser() as browser:
        await begun.fill_in(
            browser, "An Enterprise Server, or GHE.com", "You yourself, for your own repositories", organization=""
        )
        begun.github.rest.signed_in = begun.github.world.find_account("mona")
        await browser.press("Continue to GitHub")
        assert begun.github.app.owner.login == "mona"
        assert re.fullmatch(r"Runledger [0-9a-f]{4}", begun.github.app.name)


async def test_the_environment_s_addresses_leave_no_choice(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite, with_worker=False, public_url="http://127.0.0.1:9") as begun:
        given = begun.configuration.given
        fixed = {"github_server_url": begun.github_address, "github_api_url": f"{begun.github_address}/api/v3"}
        begun.configuration.given = Settings(
            _env_file=None, **{name: getattr(given, name) for name in given.model_fields_set} | fixed
        )
        begun.configuration.current = begun.configuration.given
        async with begun.browser() as browser:
            await begun.open_link(browser)
            assert not {"host", "server", "address"} & browser.page.form_with(LOOK).fields.keys()
            begun.github.rest.signed_in = begun.github.world.find_account("mona")
            await browser.press(LOOK, organization=ORGANIZATION)
            assert f"<code>{given.public_url}/api/github/webhooks</code>" in browser.text
            assert browser.page.form_with("Continue to GitHub").action.startswith(
                f"{begun.github_address}/organizations/acme/settings/apps/new?"
            )


async def test_an_app_of_the_environment_leaves_nothing_to_register(migrated_url: str) -> None:
    async with beginning(migrated_url, with_worker=False) as begun, begun.browser() as browser:
        await begun.register(browser)
        begun.configuration.given = begun.configuration.current
        await models.AppRegistration.all(using_db=current().client).delete()
        shown = await begun.look(browser)
        assert begun.configuration.registration is None
        assert (shown["register"], LOOK in browser.text) == ("done", False)
        assert f'href="{begun.github_address}/apps/{begun.github.app.slug}/installations/new"' in browser.text
        csrf = browser.page.form_with("Sign out").fields["csrf"]
        form = {"csrf": csrf, "host": "server", "server": begun.github_address, "organization": ORGANIZATION}
        address = f"{begun.address}/setup/register"
        async with browser.session.post(address, data=form, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/setup")
        assert await models.PendingState.all(using_db=current().client).count() == 0
