"""Answers that can be asked for conditionally, and the pages of a list linked to one another."""

import re
from collections.abc import Awaitable, Callable
from hashlib import sha256
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from bot.store import queries
from bot.store.queries import Scope
from bot.web import keys
from bot.web.parameters import list_pairs

REVALIDATE = "private, no-cache"
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")


class _Page(msgspec.Struct, frozen=True):
    """A page of a list as it is sent, and the queries of the pages that it links to, by relation."""

    body: bytes
    etag: str
    links: tuple[tuple[str, str], ...]


async def page_answer(
    request: web.Request, scope: Scope, find_out: Callable[[], Awaitable[msgspec.Struct]]
) -> web.Response:
    """Return a page of a list as JSON, with a `Link` header (RFC 8288).

    It is made anew only where it may have changed since the same was asked for by somebody who sees the same.
    """
    query = request.rel_url.raw_query_string

    async def make() -> _Page:
        return _page(await find_out(), query)

    question = scope, request.rel_url.raw_path, query
    page = await queries.remember(question, make, lambda page: len(page.body) + 2 * len(query) + _size_of(scope))
    response = _conditional(request, page.body, page.etag, "application/json", REVALIDATE)
    response.headers["Vary"] = "Authorization, Cookie"
    address = public_url(request) + request.rel_url.raw_path
    response.headers["Link"] = ", ".join(f'<{address}?{linked}>; rel="{rel}"' for rel, linked in page.links)
    return response


def _size_of(scope: Scope) -> int:
    """Return about how many bytes it takes to remember who asked."""
    return 1000 + 100 * (len(scope.repositories or ()) + len(scope.administered or ()))


def _page(view: msgspec.Struct, query: str) -> _Page:
    body = msgspec.json.encode(view)
    first = urlencode([pair for pair in list_pairs(query) if pair[0] != "cursor"])
    next_cursor = view.next_cursor  # type: ignore[attr-defined]  # as every page of a list has
    # A cursor has nothing that would have to be quoted.
    following = [("next", f"{first}&cursor={next_cursor}")] if next_cursor is not None else []
    return _Page(body, _etag(body), (*following, ("first", first)))


def json_answer(request: web.Request, view: msgspec.Struct) -> web.Response:
    """Return `view` as JSON."""
    response = conditional_answer(request, msgspec.json.encode(view), "application/json")
    response.headers["Vary"] = "Authorization, Cookie"
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
    return _conditional(request, body, _etag(body), content_type, cache_control)


def _etag(body: bytes) -> str:
    # What processors have instructions for: half the time of BLAKE2.
    return sha256(body).hexdigest()[:32]


def _conditional(request: web.Request, body: bytes, etag: str, content_type: str, cache_control: str) -> web.Response:
    # Told in one go, as a page has many; what aiohttp would look for in each is not to be found in ours.
    headers = {"ETag": f'"{etag}"', "Cache-Control": cache_control}
    if _holds(request, etag):
        return web.Response(status=304, headers=headers)
    is_text = content_type.startswith("text/")
    headers["Content-Type"] = f"{content_type}; charset=utf-8" if is_text else content_type
    return web.Response(body=body, headers=headers)


def _holds(request: web.Request, etag: str) -> bool:
    # RFC 9110 asks for the weak comparison here: a proxy that compresses weakens our tag.
    return any(held.value in {etag, "*"} for held in request.if_none_match or ())


def public_url(request: web.Request) -> str:
    """Return the address that clients reach us at, without a final slash; empty when the Host header is no host."""
    configured = request.app[keys.CONFIGURATION].current.public_url
    return seen_url(request) if configured is None else configured


def seen_url(request: web.Request) -> str:
    """Return the address that this request was sent to, as far as it tells; empty when its Host header is no host."""
    # A proxy that ends TLS says so; whoever invents it changes nothing but the links of their own answer.
    scheme = "https" if request.headers.get("X-Forwarded-Proto") == "https" else request.scheme
    return f"{scheme}://{request.host}" if _HOST.fullmatch(request.host) else ""
