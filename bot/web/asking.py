"""From a line of the route table to what aiohttp calls: who asks, for what, and may they."""

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from bot import access, metrics
from bot.errors import ParameterError
from bot.web.answers import json_answer, uncached_answer
from bot.web.authentication import get_caller
from bot.web.members import joined, read_members
from bot.web.parameters import ParameterErrors, collect, query_pairs
from bot.web.route import Route, Who
from bot.web.service import service_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def handler_for(route: Route) -> Handler:
    """Return the aiohttp handler of `route`."""
    if route.who is Who.TEAM:
        return _for_team(route)
    if route.who is Who.CALLER:
        return _for_caller(route)
    return route.handle


def _for_team(route: Route) -> Handler:
    async def ask(request: web.Request) -> web.StreamResponse:
        caller = await get_caller(request)
        query, *path = await _asked_for(route, request)
        scope = await access.get_scope(caller, query.team)  # type: ignore[attr-defined]  # a TeamQuery, always
        service = [service_of(request.app)] if route.with_service else []
        with metrics.QUERY_SECONDS.labels(route.name).time():
            view = await route.handler(scope, query, *path, *service)
        return json_answer(request, view) if route.conditional else uncached_answer(view, min(route.answers))

    return ask


def _for_caller(route: Route) -> Handler:
    async def ask(request: web.Request) -> web.StreamResponse:
        caller = await get_caller(request)
        await _asked_for(route, request)
        with metrics.QUERY_SECONDS.labels(route.name).time():
            view = await route.handler(caller)
        return json_answer(request, view)

    return ask


async def _asked_for(route: Route, request: web.Request) -> list[msgspec.Struct]:
    """Return the query and, where the path has parameters, those.

    Raises ParameterErrors naming what is wrong in either, and whatever `read_members` does.
    """
    faults: list[ParameterError] = []
    pairs = query_pairs(request.rel_url.raw_query_string)
    if route.takes_body:
        pairs = joined(pairs, await read_members(request), faults)
    found = [collect(route.query, pairs, faults)]
    if route.path_parameters is not None:
        found.append(collect(route.path_parameters, list(request.match_info.items()), faults))
    if faults:
        raise ParameterErrors(faults)
    return [struct for struct in found if struct is not None]
