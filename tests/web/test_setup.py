"""The set-up page as browsers use it and misuse it: from nothing to the first runs, and what must not work."""

import asyncio
import re
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from bot.access.sessions import find_session, open_session
from bot.clock import Clock
from bot.settings import Settings
from bot.setup import links
from bot.store import models
from bot.store.database import current
from bot.web.cookies import SESSION
from tests.demo.browser import Browser, Page
from tests.web.rooms import delivery_headers, signature
from tests.web.setting_up import KEY, OPEN, ORGANIZATION, RUNS_BEFORE, Beginning, beginning, steps, until

ANOTHER_KEY = "another key, which opens nothing of what there is"
LOOK = "Look at what GitHub is asked for"


async def _open(begun: Beginning, browser: Browser, path: str = "/setup") -> dict[str, str]:
    await browser.open(begun.address + path)
    return steps(browser.text)


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
        before = await _open(begun, browser)
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
            return (await _open(begun, browser, "/setup/progress"))["fetch"] == "done"

        await until(is_fetched, "the history is fetched")
        assert all(word in browser.text for word in (f"{RUNS_BEFORE} runs are stored", "acme/rocket", "/login"))
        # Nothing more happens by itself, so that neither script nor browser need to ask again.
        assert set((await _open(begun, browser)).values()) == {"done", "todo"}
        assert ('data-live="false"' in browser.text, "setup.js" in browser.text) == (True, False)


async def test_while_it_changes_the_page_is_asked_for_again(migrated_url: str) -> None:
    async with beginning(migrated_url, with_worker=False) as begun, begun.browser() as browser:
        await begun.open_link(browser)
        assert not re.search(r'http-equiv="refresh"|setup\.js', browser.text), "a form is being filled in"
        await begun.register(browser)
        await _open(begun, browser)
        assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in browser.text
        assert "setup.js" in browser.text


# The link


async def test_the_link_opens_for_one_browser(migrated_url: str) -> None:
    async with beginning(migrated_url) as begun, begun.browser() as first, begun.browser() as second:
        await first.open(begun.link)
        await second.open(begun.link)
        await first.press(OPEN)
        assert (first.status, first.url) == (200, f"{begun.address}/setup")
        for again in (second.press(OPEN), second.open(begun.link)):
            await again
            assert (second.status, "has been opened before" in second.text) == (404, True)
        assert (await _open(begun, second), second.status) == ({}, 200)
        await first.open(begun.link)
        assert first.url == f"{begun.address}/setup"


async def test_whoever_only_looks_at_the_link_leaves_it_as_it_is(migrated_url: str) -> None:
    async with beginning(migrated_url, with_worker=False) as begun, begun.browser() as browser:
        for method in ("HEAD", "GET", "GET"):
            async with browser.session.request(method, begun.link) as response:
                assert (response.status, "Set-Cookie" in response.headers) == (200, False)
        assert not await models.Session.all(using_db=current().client).exists()
        await begun.open_link(browser)
        assert (browser.status, browser.url) == (200, f"{begun.address}/setup")


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example.org"}])
async def test_another_site_does_not_open_the_link(migrated_sqlite: str, headers: dict[str, str]) -> None:
    async with beginning(migrated_sqlite, with_worker=False) as begun, begun.browser() as browser:
        async with browser.session.post(begun.link, data={}, headers=headers) as response:
            assert response.status == 403
        await begun.open_link(browser)
        assert browser.url == f"{begun.address}/setup"


async def test_whoever_is_signed_in_is_so_no_more_once_the_link_is_open(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite, with_worker=False) as begun, begun.browser() as browser:
        session = await open_session(7, Clock().now())
        cookies = {"Cookie": f"{SESSION}={session.secret}"}
        async with browser.session.get(begun.link, headers=cookies) as response:
            assert "signed in here now; that ends" in await response.text()
        async with browser.session.post(begun.link, data={}, headers=cookies, allow_redirects=False) as response:
            assert (response.status, SESSION in response.cookies) == (303, True)
        assert await find_session(session.secret, Clock().now()) is None


async def test_the_link_is_left_at_once_and_leaves_nothing_behind(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite) as begun, begun.browser() as browser:
        async with browser.session.post(begun.link, data={}, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/setup")
            assert response.headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
            assert response.headers["Cache-Control"] == "no-store"
        cookie = response.cookies[SESSION]
        assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")


async def test_the_link_is_not_used_up_where_the_session_would_be_lost(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite) as begun, begun.browser() as browser:
        async with browser.session.get(begun.link, headers={"Host": "runledger.lan:8080"}) as response:
            assert (response.status, "only over https" in await response.text()) == (403, True)
        plain = {"Origin": "http://runledger.lan", "Host": "runledger.lan"}
        async with browser.session.post(begun.link, data={}, headers=plain) as response:
            assert (response.status, "only over https" in await response.text()) == (403, True)
        behind_tls = {"Host": "runledger.lan", "X-Forwarded-Proto": "https"}
        async with browser.session.get(begun.link, headers=behind_tls) as response:
            assert response.status == 200
        async with browser.session.post(begun.link, data={}, headers=behind_tls, allow_redirects=False) as response:
            assert response.status == 303


async def test_without_a_secret_key_there_is_no_link(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite, secret_key=None) as begun, begun.browser() as browser:
        (printed,) = begun.printed
        assert "SECRET_KEY" in printed
        assert "openssl rand -hex 32" in printed
        await browser.open(f"{begun.address}/")
        assert "SECRET_KEY" in browser.text


async def test_whoever_has_no_link_is_shown_nothing(migrated_url: str) -> None:
    async with (
        beginning(migrated_url, with_worker=False) as begun,
        begun.browser() as browser,
        begun.browser() as stranger,
    ):
        assert await _open(begun, stranger) == {}
        assert "runledger setup-link" in stranger.text
        await begun.register(browser)
        assert await _open(begun, stranger) == {}
        assert "has its App" in stranger.text
        assert begun.github.app.slug not in stranger.text
        for path in ("/setup/progress", "/setup/registered?code=x&state=y"):
            await _open(begun, stranger, path)
            assert stranger.status == 403
        async with stranger.session.post(f"{begun.address}/setup/register", data={"host": "github.com"}) as sent:
            assert (sent.status, "Open the link" in await sent.text()) == (403, True)


async def test_a_person_who_is_signed_in_may_not_set_up(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite, with_worker=False) as begun, begun.browser() as browser:
        session = await open_session(7, Clock().now())
        cookies = {"Cookie": f"{SESSION}={session.secret}"}
        form = {"csrf": session.csrf_token, "organization": "acme"}
        for method, path, data in (("GET", "progress", None), ("POST", "register", form)):
            address = f"{begun.address}/setup/{path}"
            async with browser.session.request(method, address, data=data, headers=cookies) as response:
                assert response.status == 403


# The form


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


_RIGHT = {"organization": ORGANIZATION, "name": "Ours"}


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
        shown = await _open(begun, browser)
        assert begun.configuration.registration is None
        assert (shown["register"], LOOK in browser.text) == ("done", False)
        assert f'href="{begun.github_address}/apps/{begun.github.app.slug}/installations/new"' in browser.text
        csrf = browser.page.form_with("Sign out").fields["csrf"]
        form = {"csrf": csrf, "host": "server", "server": begun.github_address, "organization": ORGANIZATION}
        address = f"{begun.address}/setup/register"
        async with browser.session.post(address, data=form, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/setup")
        assert await models.PendingState.all(using_db=current().client).count() == 0


# Coming back from GitHub


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
        assert (await _open(begun, browser))["register"] == "todo"


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
        assert await _open(begun, first) == {}
        begun.printed[:] = [f"{begun.address}/setup/link/{await links.new_link(Clock().now())}"]
        await begun.open_link(first)
        await first.open(back)
        assert (first.status, "registered in the meantime" in first.text) == (409, True)
        assert begun.configuration.current.app_id == app
        assert (await _open(begun, second))["register"] == "done"


async def test_what_the_address_says_of_an_installation_is_not_believed(migrated_url: str) -> None:
    async with beginning(migrated_url, with_worker=False) as begun, begun.browser() as browser:
        await begun.register(browser)
        forged = "/setup/installed?installation_id=4711&setup_action=install&state=x"
        shown = await _open(begun, browser, forged)
        assert (browser.url, shown["install"]) == (f"{begun.address}/setup", "todo")
        assert "4711" not in browser.text
        for model in (models.Installation, models.Team):
            assert not await model.all(using_db=current().client).exists()


# What is broken


async def test_under_another_secret_key_it_can_be_registered_anew(migrated_url: str) -> None:
    async with beginning(migrated_url, with_worker=False) as begun, begun.browser() as browser:
        await begun.register(browser)
        app = begun.github.app.id
    async with beginning(migrated_url, secret_key=ANOTHER_KEY) as begun, begun.browser() as browser:
        assert begun.configuration.current.is_unconfigured
        await begun.open_link(browser)
        assert (steps(browser.text)["base"], "another SECRET_KEY" in browser.text) == ("broken", True)
        # On the new GitHub of this test the App's id would be the same one.
        begun.github.world.numbers.next("app")
        begun.printed[:] = [f"{begun.address}/setup/link/x"]
        await begun.register(browser)
        assert (await _open(begun, browser))["base"] == "done"
        assert begun.configuration.current.app_id == begun.github.app.id != app
    async with beginning(migrated_url, with_worker=False, secret_key=ANOTHER_KEY, secret_key_previous=KEY) as begun:
        assert begun.configuration.current.app_id is not None
        assert begun.printed == []


async def test_an_app_that_github_no_longer_knows_may_be_replaced(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite, with_worker=False) as begun, begun.browser() as browser:
        await begun.register(browser)
        first, name = begun.github.app.id, begun.github.app.name
        del begun.github.world.apps[first]
        begun.configuration.current = begun.configuration.current.model_copy(update={"log_level": "debug"})
        shown = await _open(begun, browser)
        assert (shown["register"], f"no longer knows the App {name}." in browser.text) == ("broken", True)
        assert not re.search("APP_ID|GITHUB_API_URL", browser.text)
        await browser.press(
            LOOK,
            choosing=("An Enterprise Server, or GHE.com",),
            server=begun.github_address,
            organization=ORGANIZATION,
            name="The next",
        )
        await browser.press("Continue to GitHub")
        assert begun.configuration.current.app_id == begun.github.app.id != first


async def test_deliveries_that_do_not_arrive_are_told_of(migrated_sqlite: str) -> None:
    async with beginning(migrated_sqlite) as begun, begun.browser() as browser:
        await begun.register(browser)
        await begun.github.settle()
        begun.github.webhooks.url = "http://127.0.0.1:9/nowhere"
        begun.github.installations.install(begun.repository.owner)
        shown = await _open(begun, browser)
        assert (shown["install"], shown["hear"]) == ("done", "broken")
        assert "leads to http://127.0.0.1:9/nowhere" in browser.text


# The webhook


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
