"""The link to the set-up page: it opens once, for one browser, and nobody else is shown anything."""

import pytest

from bot.access.sessions import find_session, open_session
from bot.clock import Clock
from bot.store import models
from bot.store.database import current
from bot.web.cookies import SESSION
from tests.web.setting_up import OPEN, beginning


async def test_the_link_opens_for_one_browser(migrated_url: str) -> None:
    async with beginning(migrated_url) as begun, begun.browser() as first, begun.browser() as second:
        await first.open(begun.link)
        await second.open(begun.link)
        await first.press(OPEN)
        assert (first.status, first.url) == (200, f"{begun.address}/setup")
        for again in (second.press(OPEN), second.open(begun.link)):
            await again
            assert (second.status, "has been opened before" in second.text) == (404, True)
        assert (await begun.look(second), second.status) == ({}, 200)
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
        assert await begun.look(stranger) == {}
        assert "runledger setup-link" in stranger.text
        await begun.register(browser)
        assert await begun.look(stranger) == {}
        assert "has its App" in stranger.text
        assert begun.github.app.slug not in stranger.text
        for path in ("/setup/progress", "/setup/registered?code=x&state=y"):
            await begun.look(stranger, path)
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
