"""What happens around every request: it gets an id, it is counted, and whatever goes wrong becomes a problem."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from bot import metrics
from bot.web import keys
from bot.web.cors import allow_origin, find_preflight_answer
from bot.web.hardening import harden
from bot.web.pages.errors import error_page
from bot.web.problems import Problem, faults_of, problem_for, problem_response
from bot.web.request_ids import request_id
from bot.web.route import route_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)


@web.middleware
async def attend(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Name the request, turn every error into problem details, and count the answer under its route's template.

    An error that nobody foresaw is logged, and told by the request's id alone.
    """
    request[keys.REQUEST_ID] = request_id(request.headers)
    try:
        response = find_preflight_answer(request) or await handler(request)
    except web.HTTPRedirection:
        raise
    except Exception as error:  # noqa: BLE001, whatever it is, a client must not see it and an operator must
        response = _told(request, error)
    metrics.count_request(route_of(request), request.method, response.status)
    return response


async def finish(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers that an answer has by whoever it goes to, when it is about to be sent."""
    harden(request, response)
    allow_origin(request, response)
    if keys.ANSWERED_FOR in request:
        request.app[keys.READY].keep(request, response, request[keys.ANSWERED_FOR])


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
    log.error("request %s failed: %s %s", request[keys.REQUEST_ID], request.method, route_of(request), exc_info=error)
    return Problem(500)
