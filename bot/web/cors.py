"""Pages of other origins that may ask the API, with a token and never with a cookie: https://fetch.spec.whatwg.org."""

from aiohttp import web

from bot.web import keys

API = "/api/integrations/"
ALLOWED_HEADERS = "Authorization, Content-Type, If-None-Match"
EXPOSED_HEADERS = (
    "ETag, Link, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, WWW-Authenticate, X-Request-Id"
)
PREFLIGHT_SECONDS = 600


def find_origin(request: web.Request) -> str | None:
    """Return the origin that asks, where it is one that may."""
    origins = request.app[keys.CONFIGURATION].given.cors_origins
    if not origins or not request.path.startswith(API):
        return None
    origin = request.headers.get("Origin")
    return origin if origin in origins else None


def find_preflight_answer(request: web.Request) -> web.Response | None:
    """Tell a browser what a page of a listed origin may send; for any other, OPTIONS is a method like another."""
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return None
    refusal = request.match_info.http_exception
    if not isinstance(refusal, web.HTTPMethodNotAllowed) or find_origin(request) is None:
        return None
    headers = {
        "Access-Control-Allow-Methods": ", ".join(sorted(refusal.allowed_methods)),
        "Access-Control-Allow-Headers": ALLOWED_HEADERS,
        "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
    }
    return web.Response(status=204, headers=headers)


def allow_origin(request: web.Request, response: web.StreamResponse) -> None:
    """Let a page of a listed origin read the answer, and no cache give it to another."""
    if not request.app[keys.CONFIGURATION].given.cors_origins or not request.path.startswith(API):
        return
    vary = response.headers.get("Vary")
    response.headers["Vary"] = f"{vary}, Origin" if vary else "Origin"
    origin = find_origin(request)
    if origin is not None:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
