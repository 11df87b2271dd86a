"""Who is asking, by the token in `Authorization`: https://www.rfc-editor.org/rfc/rfc6750#section-2.1."""

import re
from typing import TYPE_CHECKING

from aiohttp import web

from bot import access
from bot.web import keys
from bot.web.problems import Problem

if TYPE_CHECKING:
    from bot.access import Caller

_BEARER = re.compile(r"bearer +([!-~]{1,512})", re.IGNORECASE | re.ASCII)


def find_bearer_token(request: web.Request) -> str | None:
    """Return the one token that the request carries, or None."""
    headers = request.headers.getall("Authorization", [])
    match = _BEARER.fullmatch(headers[0].strip()) if len(headers) == 1 else None
    return match[1] if match else None


async def get_caller(request: web.Request) -> "Caller":
    """Return who is asking.

    Raises Problem (401) for no token and for one that is unknown, expired or revoked, alike; DatabaseUnavailable.
    """
    token = find_bearer_token(request)
    caller = await access.find_caller(token, request.app[keys.CLOCK].now()) if token else None
    if caller is None:
        raise unauthorized()
    return caller


def unauthorized() -> Problem:
    """Return the one 401 there is: it never says what was wrong with the credentials."""
    return Problem(401, headers={"WWW-Authenticate": "Bearer"})
