"""Every error as `application/problem+json`: https://www.rfc-editor.org/rfc/rfc9457."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from aiohttp import web

from bot.errors import DatabaseUnavailable, NotFound, ParameterError, TooMuchWaiting
from bot.web.parameters import ParameterErrors

MEDIA_TYPE = "application/problem+json"
DETAILS = {
    400: "The request is malformed.",
    401: "The credentials are missing or wrong.",
    404: "There is no such thing, or it is not yours to see.",
    405: "This address does not take this method.",
    408: "The body took too long to arrive.",
    413: "The body is larger than 25 MiB.",
    415: "The body must be application/json, and not compressed.",
    500: "Something went wrong here. The log tells more under this request's id.",
    503: "The database can't take the work now. Nothing was stored: try again later.",
}
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


def response_for(error: Exception) -> web.Response | None:
    """Return the answer for an error that a client may cause or the database may have; None for any other."""
    if isinstance(error, ParameterErrors):
        return problem_response(Problem(400, _named(error.faults)), error.faults)
    if isinstance(error, ParameterError):
        return problem_response(Problem(400, _named([error])), [error])
    problem = _problem_for(error)
    return None if problem is None else problem_response(problem)


def _problem_for(error: Exception) -> Problem | None:
    match error:
        case Problem():
            return error
        case NotFound():
            return Problem(404)
        case DatabaseUnavailable():
            return Problem(503, headers={"Retry-After": "5"})
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
