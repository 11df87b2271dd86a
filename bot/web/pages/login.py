"""Signing in with GitHub, and out.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
with `state` as https://www.rfc-editor.org/rfc/rfc6749#section-10.12 wants it, and PKCE (RFC 7636).
"""

import base64
import hashlib
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from bot.access import sessions, states
from bot.access.secrets import new_secret
from bot.errors import ParameterError, SignInRefused
from bot.web import cookies
from bot.web.answers import public_url
from bot.web.route import NoQuery
from bot.web.visits import Visit, is_local

CALLBACK = "/login/callback"
PURPOSE: Final = "sign_in"


def _told(description: str, longest: int = 100) -> Meta:
    # The characters that RFC 6749 allows in each of them, appendix A.
    return Meta(pattern=f"^[ -~]{{0,{longest}}}$", description=description)


class LoginQuery(msgspec.Struct, frozen=True):
    """Where to lead on to afterwards."""

    return_to: Annotated[
        str, Meta(min_length=1, max_length=2000, description="The path of a page here that is shown afterwards")
    ] = "/"


class CallbackQuery(msgspec.Struct, frozen=True):
    """What GitHub leads a browser back with."""

    code: Annotated[str, _told("What a user token is to be had for, once")] | None = None
    state: Annotated[str, _told("What the browser left with")] | None = None
    error: Annotated[str, _told("Why there is no code")] | None = None
    error_description: Annotated[str, _told("The same in words", 500)] | None = None
    error_uri: Annotated[str, _told("The same at length", 500)] | None = None
    iss: Annotated[str, _told("Who leads back (RFC 9207)", 500)] | None = None


async def get_login(visit: Visit, query: LoginQuery) -> web.StreamResponse:
    """Send the browser to GitHub, or say what is missing for that."""
    if not is_local(query.return_to):
        raise ParameterError("return_to", "must be the path of a page here")
    address = public_url(visit.request)
    if missing := _missing(visit) or ("https" if not cookies.keeps_cookies(address) else ""):
        return visit.page("login.html", missing=missing, address=address)
    browser, verifier = cookies.browser_of(visit.request), new_secret()
    state = await states.new_state(
        PURPOSE,
        browser,
        visit.service.clock.now(),
        details={"return_to": query.return_to},
        verifier=verifier,
        sealer=visit.service.configuration.sealer,
    )
    url = visit.service.people.authorize_url(state, challenge_of(verifier), address + CALLBACK)
    response = visit.redirect_outside(url)
    cookies.keep_browser(response, browser)
    return response


def _missing(visit: Visit) -> str:
    """Return which setting is missing for signing in, if any is."""
    configuration = visit.service.configuration
    settings = configuration.current
    needed = {
        "SECRET_KEY": configuration.sealer,
        "GITHUB_CLIENT_ID": settings.github_client_id,
        "GITHUB_CLIENT_SECRET": settings.github_client_secret,
    }
    return next((name for name, value in needed.items() if value is None), "")


def challenge_of(verifier: str) -> str:
    """Return the S256 code challenge of a code verifier: https://www.rfc-editor.org/rfc/rfc7636#section-4.2."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


async def get_login_callback(visit: Visit, query: CallbackQuery) -> web.StreamResponse:
    """Sign in whoever comes back from GitHub with the state that this browser left with, and lead on."""
    if missing := _missing(visit):
        return visit.page("login.html", missing=missing, address="")
    left = await _take_state(visit, query.state)
    if left is None or left.verifier is None:
        return visit.page("login_failed.html", 400, reason="state")
    if query.code is None or query.error is not None:
        return visit.page("login_failed.html", 403, reason="access_denied")
    try:
        person = await visit.service.people.sign_in(query.code, left.verifier, public_url(visit.request) + CALLBACK)
    except SignInRefused:
        return visit.page("login_failed.html", 403, reason="refused")
    # The secret is new, and what the browser held before holds no longer: nobody can plant a session in it.
    session = await sessions.open_session(person.user_id, visit.service.clock.now())
    await _leave_former(visit, person.user_id)
    response = visit.redirect(str(left.details["return_to"]))
    cookies.keep_session(response, session)
    return response


async def _take_state(visit: Visit, state: str | None) -> states.State | None:
    browser, sealer = cookies.find_browser(visit.request), visit.service.configuration.sealer
    if state is None or browser is None or sealer is None:
        return None
    return await states.take_state(PURPOSE, state, browser, visit.service.clock.now(), sealer)


async def _leave_former(visit: Visit, user_id: int) -> None:
    former = visit.session
    if former is None:
        return
    if former.user_id in {None, user_id}:
        await sessions.revoke_session(former.id, visit.service.clock.now())
    else:
        await visit.service.people.sign_out(former)


async def get_logout(visit: Visit, _query: NoQuery) -> web.StreamResponse:
    """Show the button that signs out."""
    return visit.page("logout.html")


async def sign_out(visit: Visit, _form: NoQuery) -> web.StreamResponse:
    """End the session."""
    assert visit.session is not None  # noqa: S101, a form has one
    if visit.session.is_for_setup:
        await sessions.revoke_session(visit.session.id, visit.service.clock.now())
    else:
        await visit.service.people.sign_out(visit.session)
    response = visit.redirect("/")
    cookies.drop_session(response)
    return response
