"""The two cookies: one for a session, one for a browser that was sent to GitHub and is expected back.

Both have the prefix `__Host-`: nobody but this very host, over TLS or on loopback, can have set them.
https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis
"""

import ipaddress
import re
from urllib.parse import urlsplit

from aiohttp import web

from bot.access import sessions, states
from bot.access.secrets import new_secret
from bot.access.sessions import Session

SESSION = "__Host-runledger"
LEAVING = "__Host-runledger-leaving"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def find_secret(request: web.Request) -> str | None:
    """Return the secret of the session that the request carries, or None where it carries nothing of that shape."""
    return _find(request, SESSION)


def keep_session(response: web.StreamResponse, session: Session) -> None:
    """Let the browser keep a session, in place of the one that it may hold."""
    lasts = sessions.SETUP_LASTS if session.is_for_setup else sessions.LASTS
    _keep(response, SESSION, session.secret, int(lasts.total_seconds()))


def drop_session(response: web.StreamResponse) -> None:
    """Let the browser forget its session."""
    _keep(response, SESSION, "", 0)


def find_browser(request: web.Request) -> str | None:
    """Return what tells a browser that comes back from others, or None where it was never sent away."""
    return _find(request, LEAVING)


def browser_of(request: web.Request) -> str:
    """Return what tells this browser from others, to be kept by `keep_browser` when it leaves.

    One that has left already in another tab keeps what it has, so that both tabs may come back.
    """
    return find_browser(request) or new_secret()


def keep_browser(response: web.StreamResponse, browser: str) -> None:
    """Let the browser keep what tells it from others until it is back."""
    _keep(response, LEAVING, browser, int(states.LASTS.total_seconds()))


def keeps_cookies(address: str) -> bool:
    """Tell whether browsers keep our cookies for an address: over TLS, and on the machine that they run on.

    Chromium and Firefox take loopback for as trustworthy as TLS, under its names and its numbers; Safari does not.
    https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme == "https" or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _find(request: web.Request, name: str) -> str | None:
    """Return the secret of the one cookie that has this very name; where two have it, one of them was planted.

    Parsers of cookies make up for what they take for slips, such as white space of any alphabet around a name. A
    browser lets a neighbouring host set a cookie of such a name, which for it does not have the prefix.
    """
    fields = request.headers.getall("Cookie", [])
    pairs = [pair.strip(" \t").partition("=") for field in fields for pair in field.split(";")]
    values = [value for each, _, value in pairs if each == name]
    return values[0] if len(values) == 1 and _SECRET.fullmatch(values[0]) else None


def _keep(response: web.StreamResponse, name: str, value: str, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="Lax")
