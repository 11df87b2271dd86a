"""What happens around every request: it gets an id, it is counted, and whatever goes wrong becomes a problem."""

import logging
import re
import uuid
from collections.abc import Awaitable, Callable

from aiohttp import web

from bot import metrics
from bot.web import keys
from bot.web.hardening import REQUEST_ID_HEADER
from bot.web.pages.errors import error_page
from bot.web.problems import Problem, faults_of, problem_for, problem_response

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)

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
    metrics.count_request(_route_of(request), request.method, response.status)
    return response


def _route_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unmatched"


@web.middleware
async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into problem details; one that nobody foresaw is logged and told by its request id alone."""
    try:
        return await handler(request)
    except web.HTTPRedirection:
        raise
    except Exception as error:  # noqa: BLE001, whatever it is, a client must not see it and an operator must
        return _told(request, error)


def _told(request: web.Request, error: Exception) -> web.Response:
    problem = problem_for(error) or _unforeseen(request, error)
    request_id = request[keys.REQUEST_ID] if problem.status == 500 else None
    answer = error_page if is_for_a_person(request) else problem_response
    return answer(problem, faults_of(error), request_id)


def is_for_a_person(request: web.Request) -> bool:
    """Tell whether an error is best told as a page: on a page, and where a browser has lost its way."""
    if keys.IS_PAGE in request:
        return True
    return request.match_info.route.resource is None and "text/html" in request.headers.get("Accept", "")


def _unforeseen(request: web.Request, error: Exception) -> Problem:
    # What the path holds may be a secret, such as that of a link to the set-up page.
    log.error("request %s failed: %s %s", request[keys.REQUEST_ID], request.method, _route_of(request), exc_info=error)
    return Problem(500)
