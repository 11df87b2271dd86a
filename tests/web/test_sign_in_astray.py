"""Signing in where something is otherwise than it should be: the address, the key, and what GitHub leads back with."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.access.secrets import new_secret
from bot.store.sealing import Sealer
from bot.web import cookies, keys
from tests.web.conftest import Serve
from tests.web.town import CALLBACK, Town

OURS = "https://ledger.example.com"


in_town = pytest.mark.asyncio(loop_scope="module")


@in_town
async def test_a_form_with_a_neighbours_cookie_does_nothing(town: Town) -> None:
    visitor = await town.signed_in("carl")
    planted = town.visitor(**{f"\u2000{cookies.SESSION}": visitor.secret})
    form = {"csrf": visitor.csrf_token, "name": "planted", "days": "7"}
    assert (await planted.ask("POST", "/teams/acme/tokens", data=form)).status == 401
    assert not await planted.is_signed_in()
    both = town.visitor(**{cookies.SESSION: f"{visitor.secret}; {cookies.SESSION}={new_secret()}"})
    assert (await both.ask("POST", "/teams/acme/tokens", data=form)).status == 401
    assert (await visitor.ask("POST", "/teams/acme/tokens", data=form)).status == 200


@in_town
async def test_whoever_comes_back_after_a_change_of_the_key_signs_in_again(town: Town) -> None:
    assert town.app is not None
    configuration, visitor = town.app[keys.CONFIGURATION], town.visitor()
    back = await visitor.leave()
    before, configuration.sealer = configuration.sealer, Sealer("another key altogether")
    try:
        answer = await visitor.get(back)
    finally:
        configuration.sealer = before
    assert answer.status == 400
    assert "Sign in again" in answer.text


@contextmanager
def at(town: Town, public_url: str | None) -> Iterator[None]:
    """Let the service have this public address while inside."""
    assert town.app is not None
    configuration = town.app[keys.CONFIGURATION]
    before = configuration.current
    configuration.current = before.model_copy(update={"public_url": public_url})
    try:
        yield
    finally:
        configuration.current = before


@in_town
async def test_whoever_signs_in_at_another_address_is_led_to_the_public_one(town: Town) -> None:
    with at(town, OURS):
        answer = await town.visitor().get("/login?return_to=/teams/acme")
        to = urlsplit(answer.location)
        # A proxy that hides the address makes no loop of it.
        moved = await town.visitor().get(f"{to.path}?{to.query}")
    assert (answer.status, f"{to.scheme}://{to.netloc}{to.path}") == (303, f"{OURS}/login")
    assert parse_qs(to.query)["return_to"] == ["/teams/acme"]
    assert "Set-Cookie" not in answer.headers
    assert urlsplit(moved.location).path == "/login/oauth/authorize"


@in_town
@pytest.mark.parametrize(
    ("public_url", "headers", "is_led_on"),
    [
        (OURS, {"Host": "ledger.example.com", "X-Forwarded-Proto": "https"}, False),
        (OURS, {"Host": "Ledger.example.com:443", "X-Forwarded-Proto": "https"}, False),
        (OURS, {"Host": "ledger.example.com"}, True),
        (OURS, {"Host": "ledger.example.com:8443", "X-Forwarded-Proto": "https"}, True),
        ("http://localhost:8080", {"Host": "127.0.0.1:8080"}, True),
        ("http://localhost:8080", {"Host": "localhost:8080"}, False),
        (None, {"Host": "localhost:8080"}, False),
    ],
)
async def test_which_address_is_another(
    town: Town, public_url: str | None, headers: dict[str, str], *, is_led_on: bool
) -> None:
    with at(town, public_url):
        answer = await town.visitor().get("/login", headers=headers)
    assert answer.status == 303
    assert (urlsplit(answer.location).path == "/login") is is_led_on


@in_town
@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("access_denied", "not allowed to tell"),
        ("redirect_uri_mismatch", "<code>redirect_uri_mismatch</code>"),
        ("application_suspended", "<code>application_suspended</code>"),
        ("Call+555+now", "GitHub led back without telling who you are."),
        ("%3Cscript%3E", "GitHub led back without telling who you are."),
    ],
)
async def test_what_else_keeps_somebody_from_signing_in_is_told_by_its_code(town: Town, error: str, told: str) -> None:
    visitor = town.visitor()
    state = parse_qs(urlsplit(await visitor.leave()).query)["state"][0]
    answer = await visitor.get(f"{CALLBACK}?error={error}&error_description=Call+555&state={state}")
    assert answer.status == 403
    assert told in answer.text
    assert "555" not in answer.text
    assert "Sign in again" in answer.text


@in_town
async def test_what_github_adds_one_day_is_passed_over(town: Town) -> None:
    visitor = town.visitor()
    back = await visitor.leave()
    assert (await visitor.get(f"{back}&new_fangled=1&another")).status == 303
    assert await visitor.is_signed_in()
    assert (await visitor.get("/setup/installed?installation_id=1&setup_action=install&new_fangled=1")).status == 303


@in_town
async def test_whoever_comes_from_installing_is_asked_to_sign_in(town: Town) -> None:
    visitor = town.visitor()
    answer = await visitor.get(f"{CALLBACK}?code=abc&installation_id=5&setup_action=install")
    assert answer.status == 200
    assert "Sign in with GitHub" in answer.text
    assert not await visitor.is_signed_in()


async def test_browsers_are_told_to_keep_to_https_where_the_public_address_has_it(serve: Serve) -> None:
    client = await serve()
    assert "Strict-Transport-Security" not in (await client.get("/healthz")).headers
    configuration = client.app[keys.CONFIGURATION]
    configuration.current = configuration.current.model_copy(update={"public_url": OURS})
    assert "Strict-Transport-Security" in (await client.get("/healthz")).headers


@in_town
async def test_a_form_of_a_set_up_session_that_is_over_names_the_link(town: Town) -> None:
    answer = await town.visitor().post("/setup/register")
    assert answer.status == 403
    assert "the link that the service printed" in answer.text
    assert "/login" not in answer.text.partition("<main")[2]
