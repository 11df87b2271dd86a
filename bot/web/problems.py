"""Every error as `application/problem+json`: https://www.rfc-editor.org/rfc/rfc9457."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from aiohttp import web

from bot.errors import DatabaseUnavailable, GitHubAway, NotFound, ParameterError, TooMuchWaiting
from bot.web.parameters import ParameterErrors

MEDIA_TYPE = "application/problem+json"
DETAILS = {
    400: "The request is malformed.",
    401: "The credentials are missing or wrong.",
    403: "You may not do this.",
    404: "There is no such thing, or it is not yours to see.",
    405: "This address does not take this method.",
    408: "The body took too long to arrive.",
    409: "What is there already stands in the way.",
    413: "The body is larger than this address takes.",
    415: "The body must be application/json, and not compressed.",
    429: "Too many requests: wait, and then ask less often.",
    500: "Something went wrong here. The log tells more under this request's id.",
    502: "GitHub did not answer as it should. Try again later.",
    503: "The database can't take the work now. Nothing was stored: try again later.",
}
GITHUB_AWAY = "GitHub can't be asked now what you may see. Try again later."
_NAMES_SHOWN = 10


class ParameterFault(msgspec.Struct, frozen=True):
    """One parameter and what is wrong with it."""

    parameter: str
    message: str


class ProblemDetails(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What went wrong, as RFC 9457 shapes it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[ParameterFault] | msgspec.UnsetType = msgspec.UNSET
    request_id: str | msgspec.UnsetType = msgspec.UNSET


class Problem(Exception):
    """An error that ends a request with `status`; the detail is for the client's eyes."""

    def __init__(self, status: int, detail: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.detail = detail or DETAILS[status]
        self.headers = dict(headers or {})
        super().__init__(self.detail)


def unauthorized(detail: str | None = None) -> Problem:
    """Return the one 401 there is: it never says what was wrong with the credentials."""
    return Problem(401, detail, {"WWW-Authenticate": "Bearer"})


def signed_out() -> Problem:
    """Return the same for a person who sends a form."""
    return unauthorized("You are not signed in, or no longer. Sign in, load the page again and retry.")


def problem_response(
    problem: Problem, faults: Sequence[ParameterError] = (), request_id: str | None = None
) -> web.Response:
    """Return `problem` as an answer that nobody caches."""
    errors = [ParameterFault(fault.parameter, fault.message) for fault in faults]
    details = ProblemDetails(
        title=title_of(problem.status),
        status=problem.status,
        detail=problem.detail,
        errors=errors or msgspec.UNSET,
        request_id=request_id or msgspec.UNSET,
    )
    headers = {"Cache-Control": "no-store"} | problem.headers
    return web.Response(
        body=msgspec.json.encode(details), status=problem.status, content_type=MEDIA_TYPE, headers=headers
    )


def faults_of(error: Exception) -> list[ParameterError]:
    """Return the parameters that an error says are at fault."""
    match error:
        case ParameterErrors():
            return error.faults
        case ParameterError():
            return [error]
    return []


def problem_for(error: Exception) -> Problem | None:
    """Return what a client is told of an error that it may cause or the database may have; None for any other."""
    if faults := faults_of(error):
        return Problem(400, _named(faults))
    match error:
        case Problem():
            return error
        case NotFound():
            return Problem(404)
        case DatabaseUnavailable():
            return Problem(503, headers={"Retry-After": "5"})
        case GitHubAway():
            return Problem(503, GITHUB_AWAY, {"Retry-After": "30"})
        case TooMuchWaiting():
            return Problem(503, "Too much is waiting to be stored.", {"Retry-After": "1"})
        case web.HTTPException() if error.status >= HTTPStatus.BAD_REQUEST:
            return _from_aiohttp(error)
    return None


def _from_aiohttp(error: web.HTTPException) -> Problem:
    # aiohttp's own text may repeat what the client sent, so only the Allow header of a 405 is kept.
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return Problem(error.status, DETAILS.get(error.status, title_of(error.status)), headers)


def _named(faults: Sequence[ParameterError]) -> str:
    names = list(dict.fromkeys(fault.parameter for fault in faults))
    shown = ", ".join(names[:_NAMES_SHOWN]) + (", …" if len(names) > _NAMES_SHOWN else "")
    return f"At fault: {shown}."


def title_of(status: int) -> str:
    """Return the status's name in RFC 9110."""
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "Content Too Large"  # as Python says too, from 3.13 on
    return HTTPStatus(status).phrase
