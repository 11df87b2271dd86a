"""Signing in with GitHub, and out.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app
with `state` as https://www.rfc-editor.org/rfc/rfc6749#section-10.12 wants it, and PKCE (RFC 7636).
"""

import base64
import hashlib
import re
from typing import Annotated, Final, Literal
from urllib.parse import urlencode, urlsplit

import msgspec
from aiohttp import web
from msgspec import Meta

from bot.access import sessions, states
from bot.access.secrets import new_secret
from bot.errors import ParameterError, SignInRefused
from bot.store.sealing import CannotOpen
from bot.web import cookies
from bot.web.answers import public_url, seen_url
from bot.web.route import NoQuery
from bot.web.visits import LOGIN, Visit, is_local

CALLBACK = "/login/callback"
PURPOSE: Final = "sign_in"
_CODE = re.compile(r"[a-z][a-z_]{0,49}", re.ASCII)


def _told(description: str, longest: int = 100) -> Meta:
    # The characters that RFC 6749 allows in each of them, appendix A.
    return Meta(pattern=f"^[ -~]{{0,{longest}}}$", description=description)


class LoginQuery(msgspec.Struct, frozen=True):
    """Where to lead on to afterwards."""

    return_to: Annotated[
        str, Meta(min_length=1, max_length=2000, description="The path of a page here that is shown afterwards")
    ] = "/"
    moved: Annotated[Literal["true"], Meta(description="Led here from another address of the service")] | None = None


class CallbackQuery(msgspec.Struct, frozen=True):
    """What GitHub leads a browser back with."""

    code: Annotated[str, _told("What a user token is to be had for, once")] | None = None
    state: Annotated[str, _told("What the browser left with")] | None = None
    error: Annotated[str, _told("Why there is no code")] | None = None
    error_description: Annotated[str, _told("The same in words", 500)] | None = None
    error_uri: Annotated[str, _told("The same at length", 500)] | None = None
    iss: Annotated[str, _told("Who leads back (RFC 9207)", 500)] | None = None
    installation_id: Annotated[str, _told("What was installed, where GitHub led on from that")] | None = None
    setup_action: Annotated[str, _told("What was done to it")] | None = None


async def get_login(visit: Visit, query: LoginQuery) -> web.StreamResponse:
    """Send the browser to GitHub, or say what is missing for that."""
    if not is_local(query.return_to):
        raise ParameterError("return_to", "must be the path of a page here")
    address = public_url(visit.request)
    if missing := _missing(visit) or ("https" if not cookies.keeps_cookies(address) else ""):
        return visit.page("login.html", missing=missing, address=address)
    if query.moved is None and _plain(address) != _plain(seen_url(visit.request)):
        # GitHub leads back to the public address alone, where this browser's cookies of here are not sent. A proxy may
        # hide at which address it was asked, so nobody is led on twice.
        moved = urlencode({"return_to": query.return_to, "moved": "true"})
        return visit.redirect_outside(f"{address}{LOGIN}?{moved}")
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


def _plain(address: str) -> str:
    """Return an address without what makes no difference: https://www.rfc-editor.org/rfc/rfc3986#section-6.2."""
    parts = urlsplit(address.lower())
    default = ":443" if parts.scheme == "https" else ":80"
    return f"{parts.scheme}://{parts.netloc.removesuffix(default)}"


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
        if query.installation_id is not None or query.setup_action is not None:
            return visit.page("login_failed.html", reason="installed", code="")
        return visit.page("login_failed.html", 400, reason="state", code="")
    if query.code is None or query.error is not None:
        reason = "access_denied" if query.error == "access_denied" else "other"
        return visit.page("login_failed.html", 403, reason=reason, code=_code_in(query.error))
    try:
        person = await visit.service.people.sign_in(query.code, left.verifier, public_url(visit.request) + CALLBACK)
    except SignInRefused:
        return visit.page("login_failed.html", 403, reason="refused", code="")
    # The secret is new, and what the browser held before holds no longer: nobody can plant a session in it.
    session = await sessions.open_session(person.user_id, visit.service.clock.now())
    await visit.leave_former(person.user_id)
    response = visit.redirect(str(left.details["return_to"]))
    cookies.keep_session(response, session)
    return response


def _code_in(error: str | None) -> str:
    """Return the code of an error that a browser comes back with, empty where it is no word: anybody may write it."""
    return error if error is not None and _CODE.fullmatch(error) else ""


async def _take_state(visit: Visit, state: str | None) -> states.State | None:
    browser, sealer = cookies.find_browser(visit.request), visit.service.configuration.sealer
    if state is None or browser is None or sealer is None:
        return None
    try:
        return await states.take_state(PURPOSE, state, browser, visit.service.clock.now(), sealer)
    except CannotOpen:
        # SECRET_KEY was changed while the browser was at GitHub.
        return None


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
