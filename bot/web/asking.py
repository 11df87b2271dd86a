"""From a line of the route table to what aiohttp calls: who asks, for what, and may they."""

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from bot import access, metrics
from bot.errors import ParameterError
from bot.store.queries import Scope
from bot.web import keys
from bot.web.answers import json_answer, page_answer, uncached_answer
from bot.web.authentication import get_caller
from bot.web.forms import CSRF_FIELD, check_csrf, check_origin, filled_in, parse_form, read_form
from bot.web.members import joined, read_members
from bot.web.parameters import ParameterErrors, collect, parameters_of, parse_query, query_pairs
from bot.web.problems import Problem, signed_out
from bot.web.ready import Known
from bot.web.route import NoQuery, Route, Who
from bot.web.service import service_of
from bot.web.visits import NOT_SET_UP, Visit, admit_person, admit_setup, open_visit

# A team may be named in more ways than anybody does.
MOST_SCOPES = 10

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def handler_for(route: Route) -> Handler:
    """Return the aiohttp handler of `route`."""
    if route.who is Who.TEAM:
        return _for_team(route)
    if route.who is Who.CALLER:
        return _for_caller(route)
    if route.is_page:
        return _for_form(route) if route.method == "POST" else _for_page(route)
    return route.handle


def _for_team(route: Route) -> Handler:
    async def ask(request: web.Request) -> web.StreamResponse:
        caller = await get_caller(request)
        query, *path = await _asked_for(route, request)
        scope = await _scope_of(request, caller, query.team)  # type: ignore[attr-defined]  # a TeamQuery, always
        service = [service_of(request.app)] if route.with_service else []
        in_whose_name = [caller] if route.with_caller else []

        async def find_out() -> msgspec.Struct:
            with metrics.time_query(route.name):
                view: msgspec.Struct = await route.handler(scope, query, *path, *service, *in_whose_name)
            return view

        if route.paged:
            page = await page_answer(request, scope, find_out)
            request[keys.ANSWERED_FOR] = caller
            return page
        view = await find_out()
        return json_answer(request, view) if route.conditional else uncached_answer(view, min(route.answers))

    return ask


async def _scope_of(request: web.Request, caller: access.Caller, team: str) -> Scope:
    """Return what `caller` may read of `team`, as it was found out before where it can't have changed."""
    known: Known | None = request.get(keys.KNOWN)
    scope = known.scopes.get(team) if known else None
    if scope is None:
        scope = await access.get_scope(caller, team)
        if known and len(known.scopes) < MOST_SCOPES:
            known.scopes[team] = scope
    return scope


def _for_caller(route: Route) -> Handler:
    async def ask(request: web.Request) -> web.StreamResponse:
        caller = await get_caller(request)
        await _asked_for(route, request)
        with metrics.time_query(route.name):
            view = await route.handler(caller)
        return json_answer(request, view)

    return ask


def _for_page(route: Route) -> Handler:
    async def ask(request: web.Request) -> web.StreamResponse:
        request[keys.IS_PAGE] = True
        visit = await open_visit(request)
        await _admit(route.who, visit)
        page: web.StreamResponse = await route.handler(visit, *await _asked_for(route, request))
        return page

    return ask


def _for_form(route: Route) -> Handler:
    async def ask(request: web.Request) -> web.StreamResponse:
        request[keys.IS_PAGE] = True
        check_origin(request)
        visit = await open_visit(request)
        if visit.session is None and not route.sessionless:
            raise Problem(403, NOT_SET_UP) if route.who is Who.SETUP else signed_out()
        fields = await read_form(request)
        if visit.session is not None and not route.sessionless:
            check_csrf(visit.session, dict(fields).get(CSRF_FIELD))
        await _admit(route.who, visit)
        _, *path = await _asked_for(route, request)
        form = parse_form(route.form or NoQuery, [pair for pair in fields if pair[0] != CSRF_FIELD])
        page: web.StreamResponse = await route.handler(visit, form, *path)
        return page

    return ask


async def _admit(who: Who, visit: Visit) -> None:
    if who is Who.PERSON:
        await admit_person(visit)
    elif who is Who.SETUP:
        admit_setup(visit)


async def _asked_for(route: Route, request: web.Request) -> list[msgspec.Struct]:
    """Return the query and, where the path has parameters, those.

    Raises ParameterErrors naming what is wrong in either, and whatever `read_members` does.
    """
    if route.asks_by_query_alone:
        return [parse_query(route.query, request.rel_url.raw_query_string)]
    faults: list[ParameterError] = []
    pairs = query_pairs(request.rel_url.raw_query_string)
    if route.is_page:
        pairs = filled_in(route.query, pairs)
    if route.passes_over:
        pairs = [pair for pair in pairs if pair[0] in parameters_of(route.query)]
    if route.takes_body:
        pairs = joined(pairs, await read_members(request), faults)
    found = [collect(route.query, pairs, faults)]
    if route.path_parameters is not None:
        found.append(collect(route.path_parameters, list(request.match_info.items()), faults))
    if faults:
        raise ParameterErrors(faults)
    return [struct for struct in found if struct is not None]
