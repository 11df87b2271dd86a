"""Who is asking: by the token in `Authorization` (https://www.rfc-editor.org/rfc/rfc6750#section-2.1), or by a session.

What `Authorization` says wins, even where it is wrong: a program that sends a token means to be known by it alone.
"""

import re
from typing import TYPE_CHECKING

from aiohttp import web

from bot.access import sessions, tokens
from bot.web import cookies, keys
from bot.web.forms import CSRF_HEADER, check_csrf, check_origin
from bot.web.limits import SAFE_METHODS
from bot.web.problems import unauthorized

if TYPE_CHECKING:
    from bot.access import Caller
    from bot.access.sessions import Session
    from bot.web.ready import Known

_BEARER = re.compile(r"bearer +([!-~]{1,512})", re.IGNORECASE | re.ASCII)


def find_bearer_token(request: web.Request) -> str | None:
    """Return the one token that the request carries, or None."""
    headers = request.headers.getall("Authorization", [])
    match = _BEARER.fullmatch(headers[0].strip()) if len(headers) == 1 else None
    return match[1] if match else None


async def get_caller(request: web.Request) -> "Caller":
    """Return who is asking.

    Raises Problem (401) for no credentials and for ones that are unknown, expired or revoked, alike; Problem (403) for
    a session that writes without its CSRF token, Problem (429), DatabaseUnavailable, and what asking GitHub may raise.
    """
    caller = await (_by_token(request) if "Authorization" in request.headers else _by_session(request))
    if caller is None:
        request.app[keys.LIMITS].charge_stranger(request)
        raise unauthorized()
    return caller


async def _by_token(request: web.Request) -> "Caller | None":
    limits = request.app[keys.LIMITS]
    known: Known | None = request.get(keys.KNOWN)
    if known is not None:
        limits.charge_known(request, known.caller.credential)
        return known.caller
    token = find_bearer_token(request)
    limits.check_stranger(request, token, is_ours=token is not None and tokens.is_shaped(token))
    if token is None:
        return None
    caller = await request.app[keys.PEOPLE].find_caller(token)
    if caller is None:
        limits.note_bad(token)
    else:
        limits.charge(request, caller.credential, token)
    return caller


async def _by_session(request: web.Request) -> "Caller | None":
    session = await find_session(request)
    if session is None or session.is_for_setup:
        return None
    if request.method not in SAFE_METHODS:
        check_origin(request)
        check_csrf(session, request.headers.get(CSRF_HEADER))
    return await request.app[keys.PEOPLE].caller_of_session(session)


async def find_session(request: web.Request) -> "Session | None":
    """Return the session that the request's cookie names, and count the request. Raises Problem (429)."""
    secret, limits = cookies.find_secret(request), request.app[keys.LIMITS]
    limits.check_stranger(request, secret, is_ours=secret is not None)
    if secret is None:
        return None
    session = await sessions.find_session(secret, request.app[keys.CLOCK].now())
    if session is None:
        limits.note_bad(secret)
    else:
        limits.charge(request, f"session {session.id}", session.secret)
        request.app[keys.PEOPLE].note_use(session)
    return session
