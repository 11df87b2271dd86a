"""What happens around every request: it gets an id, it is counted, and whatever goes wrong becomes a problem."""

import logging
import re
import uuid
from collections.abc import Awaitable, Callable

from aiohttp import web

from bot import metrics
from bot.web import keys
from bot.web.problems import Problem, problem_response, response_for

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"
# The pages bring all they need with them: https://www.w3.org/TR/CSP3/
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)


@web.middleware
async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Name the request as the proxy in front did, or anew, so that a line in the log can be found."""
    given = request.headers.get(REQUEST_ID_HEADER, "")
    request[keys.REQUEST_ID] = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    return await handler(request)


@web.middleware
async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the answer under its route's template."""
    response = await handler(request)
    resource = request.match_info.route.resource
    metrics.count_request(resource.canonical if resource else "unmatched", request.method, response.status)
    return response


@web.middleware
async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into problem details; one that nobody foresaw is logged and told by its request id alone."""
    try:
        return await handler(request)
    except web.HTTPRedirection:
        raise
    except Exception as error:  # noqa: BLE001, whatever it is, a client must not see it and an operator must
        return response_for(error) or _unforeseen(request, error)


def _unforeseen(request: web.Request, error: Exception) -> web.Response:
    request_id = request[keys.REQUEST_ID]
    log.error("request %s failed: %s %s", request_id, request.method, request.path[:200], exc_info=error)
    return problem_response(Problem(500), request_id=request_id)


async def harden(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers that every answer has, whoever made it."""
    headers = response.headers
    if keys.REQUEST_ID in request:
        headers[REQUEST_ID_HEADER] = request[keys.REQUEST_ID]
    headers["Server"] = "runledger"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    # The headers of a 304 replace those a browser has kept, and it no longer says what it is that was kept.
    if response.status != 304:
        headers["Content-Security-Policy"] = PAGE_POLICY if response.content_type == "text/html" else DATA_POLICY
