"""What one line of the route table says."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
from aiohttp import web

Answer = type[msgspec.Struct] | tuple[str, ...]


class Who(StrEnum):
    """Who may ask."""

    TEAM = "team"
    CALLER = "caller"
    PERSON = "person"
    SETUP = "setup"
    OPERATOR = "operator"
    SCRAPER = "scraper"
    ANYONE = "anyone"
    GITHUB = "github"


class NoQuery(msgspec.Struct, frozen=True):
    """No parameters at all."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """One method of one path.

    For a team the handler is called with its scope, the query and, where the path has parameters, those, `with_service`
    also with the Service and `with_caller` with the Caller, in this order; for a caller with the caller. Of a page it
    is called with the Visit, the query (or what the `form` was filled in with), and the path's parameters; of anything
    else with the request. What the query asks for may stand in the body too where the route `takes_body`. `answers`
    holds, by status, the Struct that is serialized or the media types of what is not JSON of ours, none of them for a
    redirection; `refusals` are the problems it may end in. A GET that `acts` does something, so it answers no HEAD:
    whoever only looks whether there is something must not use up what is good once.
    Where GitHub leads browsers to, a route `passes_over` parameters that it doesn't know: GitHub may add some.
    A form that is `sessionless` begins a session, so that its page has no token yet to send along: only where it was
    sent from is looked at.
    """

    method: str
    path: str
    handler: Callable[..., Awaitable[Any]]
    who: Who
    summary: str
    tag: str
    answers: Mapping[int, Answer]
    refusals: tuple[int, ...] = ()
    query: type[msgspec.Struct] = NoQuery
    path_parameters: type[msgspec.Struct] | None = None
    headers: type[msgspec.Struct] | None = None
    conditional: bool = False
    paged: bool = False
    takes_body: bool = False
    with_service: bool = False
    with_caller: bool = False
    is_page: bool = False
    acts: bool = False
    sessionless: bool = False
    passes_over: bool = False
    form: type[msgspec.Struct] | None = None

    @property
    def name(self) -> str:
        return self.handler.__name__

    @property
    def asks_by_query_alone(self) -> bool:
        """Whether all there is to ask for stands in the query, to the letter."""
        return not (self.is_page or self.takes_body or self.passes_over or self.path_parameters)

    @property
    def handle(self) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The handler, for those routes that take the request as it came."""
        return self.handler


def route_of(request: web.Request) -> str:
    """Return the template of the path that a request took, as it is counted."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unmatched"
