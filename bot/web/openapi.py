"""The OpenAPI 3.1 document, drawn from the route table and the Structs it names.

https://spec.openapis.org/oas/v3.1.1
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web
from msgspec import inspect

from bot import __version__
from bot.web import cookies, keys, problems
from bot.web.answers import conditional_answer
from bot.web.forms import CSRF_FIELD, CSRF_HEADER, MEDIA_TYPE
from bot.web.members import LIMIT
from bot.web.parameters import Parameter, parameters_of
from bot.web.problems import ProblemDetails
from bot.web.route import Answer, Route, Who

Json = dict[str, Any]

_REF = "#/components/schemas/{name}"
_SECURITY: dict[Who, list[dict[str, list[str]]]] = {
    Who.TEAM: [{"token": []}, {"session": []}],
    Who.CALLER: [{"token": []}, {"session": []}],
    Who.PERSON: [{"session": []}],
    Who.SETUP: [{"session": []}],
    Who.GITHUB: [{"githubSignature": []}],
    # An empty requirement: from the service's own machine no token is asked for.
    Who.SCRAPER: [{}, {"metricsToken": []}],
}
_SECURITY_SCHEMES: Json = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token made with `runledger token create`, or on a team's page.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": cookies.SESSION,
        "description": "The cookie of somebody who signed in with GitHub. What changes something needs the session's "
        f"token in `{CSRF_HEADER}` too.",
    },
    "metricsToken": {"type": "http", "scheme": "bearer", "description": "The setting METRICS_TOKEN."},
    "githubSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Hub-Signature-256",
        "description": "`sha256=` and the HMAC of the raw body under WEBHOOK_SECRET, in lower-case hexadecimal.",
    },
}
_HEADERS: dict[str, str] = {
    "Allow": "The methods that this address takes",
    "Cache-Control": "How long the answer may be kept, and by whom",
    "ETag": "Names this very answer; send it back in If-None-Match",
    "Link": 'The first page (`rel="first"`) and, but on the last one, the next (`rel="next"`), with all filters kept',
    "Location": "Where to go on",
    "RateLimit-Limit": "The most requests that can be made at once with these credentials",
    "RateLimit-Remaining": "How many of them can be made now",
    "RateLimit-Reset": "Seconds until all of them can be made again",
    "Retry-After": "Seconds to wait before asking again",
    "WWW-Authenticate": "How to say who you are",
    "X-Request-Id": "Names this request in the service's log",
}
_REFUSAL_HEADERS = {401: ("WWW-Authenticate",), 405: ("Allow",), 429: ("Retry-After",), 503: ("Retry-After",)}
_NUMBERS = {"Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}
_LIMITS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


async def get_openapi(request: web.Request) -> web.Response:
    """Answer with the document, which is drawn once, at start."""
    return conditional_answer(request, request.app[keys.OPENAPI], "application/json", "public, no-cache")


def document(routes: Iterable[Route]) -> Json:
    """Return the OpenAPI document of `routes`."""
    table = list(routes)
    paths: dict[str, Json] = {}
    for route in table:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Runledger",
            "version": __version__,
            "summary": "Every GitHub Actions run of your organisations, remembered.",
            "description": "All times are ISO 8601 in UTC, all durations are in seconds, what is unknown is null.",
        },
        "tags": [{"name": name} for name in dict.fromkeys(route.tag for route in table)],
        "paths": paths,
        "components": {
            "schemas": _schemas(table),
            "parameters": {"IfNoneMatch": _IF_NONE_MATCH},
            "responses": {
                _refusal_name(status, is_page=is_page): _refusal(status, is_page=is_page)
                for is_page in (False, True)
                for status in sorted(problems.DETAILS)
            },
            "headers": {name: _header(name) for name in _HEADERS},
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


_IF_NONE_MATCH: Json = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of an answer that you hold; 304 when it still is the answer",
    "schema": {"type": "string"},
}


def _operation(route: Route) -> Json:
    words = route.name.split("_")
    operation: Json = {
        "operationId": words[0] + "".join(word.capitalize() for word in words[1:]),
        "summary": route.summary,
        "tags": [route.tag],
        "security": _SECURITY.get(route.who, []),
        "parameters": _parameters(route),
        "responses": {str(status): _answer(route, answer) for status, answer in route.answers.items()},
    }
    if route.conditional:
        operation["responses"]["304"] = {"description": "What you hold still is the answer", "headers": _refs("ETag")}
    for status in (*route.refusals, 500):
        operation["responses"][str(status)] = {
            "$ref": f"#/components/responses/{_refusal_name(status, is_page=route.is_page)}"
        }
    if route.who is Who.GITHUB:
        operation["requestBody"] = _DELIVERY_BODY
    elif route.takes_body:
        operation["requestBody"] = _members(route)
    elif route.form is not None:
        operation["requestBody"] = _fields(route.form)
    return operation


_DELIVERY_BODY: Json = {
    "required": True,
    "description": "The event's payload, at most 25 MiB, not compressed; it is stored before it is looked into",
    "content": {"application/json": {"schema": {}}},
}


def _members(route: Route) -> Json:
    members = {parameter.name: _schema_of(parameter) for parameter in parameters_of(route.query).values()}
    schema = {"type": "object", "properties": members, "additionalProperties": False}
    return {
        "required": False,
        "description": f"What the query does not hold of the parameters; at most {LIMIT // 1024} KiB, not compressed",
        "content": {"application/json": {"schema": schema}},
    }


def _fields(form: type[msgspec.Struct]) -> Json:
    known = parameters_of(form).values()
    csrf = {"type": "string", "description": "The session's token, which each page's form holds"}
    schema = {
        "type": "object",
        "properties": {CSRF_FIELD: csrf} | {parameter.name: _schema_of(parameter) for parameter in known},
        "required": [CSRF_FIELD, *(parameter.name for parameter in known if parameter.required)],
        "additionalProperties": False,
    }
    return {"required": True, "content": {MEDIA_TYPE: {"schema": schema}}}


def _parameters(route: Route) -> list[Json]:
    sources = (("path", route.path_parameters), ("query", route.query), ("header", route.headers))
    declared = [
        _parameter(parameter, place, is_required=parameter.required and (place == "path" or not route.takes_body))
        for place, struct in sources
        if struct is not None
        for parameter in parameters_of(struct).values()
    ]
    conditional = [{"$ref": "#/components/parameters/IfNoneMatch"}] if route.conditional else []
    return [*declared, *conditional]


def _parameter(parameter: Parameter, place: str, *, is_required: bool) -> Json:
    schema = _schema_of(parameter)
    description = schema.pop("description", None) or _sentence(parameter)
    if parameter.required and not is_required:
        description += "; required, here or in the body"
    return {
        "name": parameter.name,
        "in": place,
        "required": is_required,
        "schema": schema,
        "description": description,
    }


def _schema_of(parameter: Parameter) -> Json:
    schema = dict(msgspec.json.schema(parameter.type))
    choices = [choice for choice in schema.pop("anyOf", []) if choice != {"type": "null"}]
    inner = dict(choices[0]) if choices else {}
    schema = inner | schema
    if "enum" in schema:
        schema["enum"] = [value for value in schema["enum"] if value is not None]
        schema["type"] = "string"
    if isinstance(parameter.kind, inspect.DateTimeType):
        forms = [{"type": "string", "format": form} for form in ("date", "date-time")]
        schema = {name: schema[name] for name in schema if name not in {"type", "format"}} | {"anyOf": forms}
    if not parameter.required and parameter.default is not None:
        schema["default"] = parameter.default
    return schema


def _sentence(parameter: Parameter) -> str:
    return parameter.expectation[0].upper() + parameter.expectation[1:]


def _answer(route: Route, answer: Answer) -> Json:
    headers = ["X-Request-Id", "Cache-Control"]
    headers += ["ETag"] if route.conditional else []
    headers += ["Link"] if route.paged else []
    headers += _LIMITS if route.is_page or route.who in {Who.TEAM, Who.CALLER} else []
    if answer == ():
        return {"description": "Go on to another page", "headers": _refs("Location", *headers)}
    if isinstance(answer, tuple):
        content: Json = {media_type: {"schema": _opaque(media_type)} for media_type in answer}
        return {"description": "The answer", "headers": _refs(*headers), "content": content}
    content = {"application/json": {"schema": {"$ref": _REF.format(name=answer.__name__)}}}
    return {"description": _first_line(answer), "headers": _refs(*headers), "content": content}


def _opaque(media_type: str) -> Json:
    return {"type": "object"} if media_type == "application/json" else {"type": "string"}


def _refusal(status: int, *, is_page: bool) -> Json:
    problem = {problems.MEDIA_TYPE: {"schema": {"$ref": _REF.format(name=ProblemDetails.__name__)}}}
    # What can't be read as HTTP, such as a line too long, is answered before it is known to be for a page.
    unread = problem if status == HTTPStatus.BAD_REQUEST else {}
    return {
        "description": problems.DETAILS[status],
        "headers": _refs("X-Request-Id", "Cache-Control", *_REFUSAL_HEADERS.get(status, ())),
        "content": ({"text/html": {"schema": _opaque("text/html")}} | unread) if is_page else problem,
    }


def _refusal_name(status: int, *, is_page: bool) -> str:
    return problems.title_of(status).title().replace(" ", "").replace("-", "") + ("Page" if is_page else "")


def _header(name: str) -> Json:
    return {"description": _HEADERS[name], "schema": {"type": "integer" if name in _NUMBERS else "string"}}


def _refs(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _schemas(routes: list[Route]) -> Json:
    answers = (answer for route in routes for answer in route.answers.values())
    structs = {answer.__name__: answer for answer in (*answers, ProblemDetails) if not isinstance(answer, tuple)}
    _, components = msgspec.json.schema_components([structs[name] for name in sorted(structs)], ref_template=_REF)
    for name, schema in components.items():
        # An answer always has all its fields: a default only saves whoever makes it from naming the obvious.
        if name != ProblemDetails.__name__:
            schema["required"] = list(schema["properties"])
    return components


def _first_line(struct: type[msgspec.Struct]) -> str:
    return (struct.__doc__ or struct.__name__).strip().splitlines()[0]
