"""What a form sends, and whether it was a page of ours that sent it.

https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import hmac
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec
from aiohttp import web

from bot.access.sessions import Session
from bot.web import keys
from bot.web.answers import public_url
from bot.web.body import BodyBroken, BodyTooLarge, BodyTooSlow, is_plain, read_body
from bot.web.parameters import Pairs, parameters_of, parse
from bot.web.problems import Problem

S = TypeVar("S", bound=msgspec.Struct)

CSRF_FIELD = "csrf"
CSRF_HEADER = "X-CSRF-Token"
MEDIA_TYPE = "application/x-www-form-urlencoded"
LIMIT = 64 * 1024
SECONDS = 10.0
NOT_OURS = "This was not sent by a page of this service, or the page was too old. Load the page again and retry."
TOO_LARGE = f"The form is larger than {LIMIT // 1024} KiB."
WRONG_TYPE = f"The body must be {MEDIA_TYPE}, and not compressed."


def check_origin(request: web.Request) -> None:
    """Refuse what a browser says that another site's page sent; a program that says nothing of that kind may pass.

    Raises Problem (403). https://www.w3.org/TR/fetch-metadata/, and for older browsers and plain HTTP
    https://www.rfc-editor.org/rfc/rfc6454#section-7
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        is_ours = site in {"same-origin", "none"}
    else:
        # A proxy that ends TLS changes the scheme, so that only the host and its port can be compared.
        ours = {request.host, urlsplit(public_url(request)).netloc}
        is_ours = origin is None or urlsplit(origin).netloc in ours
    if not is_ours:
        raise Problem(403, NOT_OURS)


def check_csrf(session: Session, given: str | None) -> None:
    """Refuse what doesn't bring the session's token along. Raises Problem (403)."""
    if not hmac.compare_digest((given or "").encode("utf-8", "surrogatepass"), session.csrf_token.encode()):
        raise Problem(403, NOT_OURS)


async def read_form(request: web.Request) -> Pairs:
    """Return a form's fields. Raises Problem (400, 408, 413, 415) or TooMuchWaiting."""
    if not is_plain(request.headers, MEDIA_TYPE):
        raise Problem(415, WRONG_TYPE)
    with request.app[keys.RECEIVER].memory.reservation() as reservation:
        try:
            raw = await read_body(request.content, request.content_length, reservation, limit=LIMIT, seconds=SECONDS)
        except BodyTooLarge:
            raise Problem(413, TOO_LARGE) from None
        except BodyTooSlow:
            raise Problem(408) from None
        except BodyBroken:
            raise Problem(400) from None
    return parse_qsl(raw.decode("utf-8", "surrogateescape"), keep_blank_values=True, errors="surrogateescape")


def parse_form(struct: type[S], fields: Pairs) -> S:
    """Return the `struct` that a form filled in. A field that may be left out may be left empty too.

    Raises ParameterErrors naming every field that is unknown, repeated, missing or malformed.
    """
    return parse(struct, filled_in(struct, fields))


def filled_in(struct: type[msgspec.Struct], fields: Pairs) -> Pairs:
    """Return the fields of a form without those that may be left out and were left empty."""
    known = parameters_of(struct)
    return [(name, text) for name, text in fields if text or name not in known or known[name].required]
