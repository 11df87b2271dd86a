"""Parameters that came as members of a JSON object in the body, instead of the query or beside it."""

import json
from typing import Any

from aiohttp import web

from bot.errors import ParameterError
from bot.web import keys
from bot.web.body import BodyBroken, BodyTooLarge, BodyTooSlow, is_plain_json, read_body
from bot.web.parameters import Pairs, Truth, printable
from bot.web.problems import Problem

BODY = "body"
LIMIT = 64 * 1024
SECONDS = 10.0


class _Object(list[tuple[str, Any]]):
    """A JSON object with all its members, also those that have the same name."""


async def read_members(request: web.Request) -> Pairs:
    """Return the members of the body, each as the text that a query would hold; one that is null is left out.

    Raises ParameterError, naming the body or a member of it, Problem (400, 408, 415) or TooMuchWaiting.
    """
    if not request.body_exists:
        return []
    if not is_plain_json(request.headers):
        raise Problem(415)
    with request.app[keys.RECEIVER].memory.reservation() as reservation:
        try:
            raw = await read_body(request.content, request.content_length, reservation, limit=LIMIT, seconds=SECONDS)
        except BodyTooLarge:
            raise ParameterError(BODY, f"must be at most {LIMIT // 1024} KiB") from None
        except BodyTooSlow:
            raise Problem(408) from None
        except BodyBroken:
            raise Problem(400) from None
    return _members(raw) if raw else []


def _members(raw: bytes) -> Pairs:
    try:
        found = json.loads(raw.decode(), object_pairs_hook=_Object)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, _Object):
        raise ParameterError(BODY, "must be a JSON object")
    return [(name, _text(name, value)) for name, value in found if value is not None]


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str | int):
        raise ParameterError(printable(name), "must be a string, a whole number, true or false")
    return Truth(str(value).lower()) if isinstance(value, bool) else str(value)


def joined(query: Pairs, members: Pairs, faults: list[ParameterError]) -> Pairs:
    """Return what query and body ask for together, and add to `faults` what they differ in."""
    given = dict(query)
    for name, text in members:
        if given.get(name, text) != text:
            faults.append(ParameterError(printable(name), "is one thing in the query and another in the body"))
    return [*query, *(pair for pair in members if pair[0] not in given)]
