"""Answers that can be asked for conditionally, and the pages of a list linked to one another."""

import re
from hashlib import blake2b
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from bot.web import keys
from bot.web.parameters import query_pairs

REVALIDATE = "private, no-cache"
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")


def json_answer(request: web.Request, view: msgspec.Struct) -> web.Response:
    """Return `view` as JSON, with a `Link` header (RFC 8288) where it is a page of a list."""
    response = conditional_answer(request, msgspec.json.encode(view), "application/json")
    response.headers["Vary"] = "Authorization, Cookie"
    if hasattr(view, "next_cursor"):
        response.headers["Link"] = _links(request, view.next_cursor)
    return response


def uncached_answer(view: msgspec.Struct, status: int) -> web.Response:
    """Return `view` as JSON that nobody keeps."""
    body = msgspec.json.encode(view)
    return web.Response(
        body=body, status=status, content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def conditional_answer(
    request: web.Request, body: bytes, content_type: str, cache_control: str = REVALIDATE
) -> web.Response:
    """Return `body`, or 304 where the client holds it already (RFC 9110, section 13)."""
    etag = blake2b(body, digest_size=16).hexdigest()
    if _holds(request, etag):
        response = web.Response(status=304)
    else:
        charset = "utf-8" if content_type.startswith("text/") else None
        response = web.Response(body=body, content_type=content_type, charset=charset)
    response.etag = etag
    response.headers["Cache-Control"] = cache_control
    return response


def _holds(request: web.Request, etag: str) -> bool:
    # RFC 9110 asks for the weak comparison here: a proxy that compresses weakens our tag.
    return any(held.value in {etag, "*"} for held in request.if_none_match or ())


def _links(request: web.Request, next_cursor: str | None) -> str:
    address = public_url(request) + request.rel_url.raw_path
    filters = [pair for pair in query_pairs(request.rel_url.raw_query_string) if pair[0] != "cursor"]
    links = [f'<{address}?{urlencode(filters)}>; rel="first"']
    if next_cursor is not None:
        links.insert(0, f'<{address}?{urlencode([*filters, ("cursor", next_cursor)])}>; rel="next"')
    return ", ".join(links)


def public_url(request: web.Request) -> str:
    """Return the address that clients reach us at, without a final slash; empty when the Host header is no host."""
    configured = request.app[keys.CONFIGURATION].current.public_url
    return seen_url(request) if configured is None else configured


def seen_url(request: web.Request) -> str:
    """Return the address that this request was sent to, as far as it tells; empty when its Host header is no host."""
    # A proxy that ends TLS says so; whoever invents it changes nothing but the links of their own answer.
    scheme = "https" if request.headers.get("X-Forwarded-Proto") == "https" else request.scheme
    return f"{scheme}://{request.host}" if _HOST.fullmatch(request.host) else ""
