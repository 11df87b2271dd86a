"""Lets the REST side listen on a port of loopback, and the host of logs on another."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from bot.demo.github.pages.routes import PAGES
from bot.demo.github.rest.answers import Failure
from bot.demo.github.rest.ledger import Call
from bot.demo.github.rest.routes import ROUTES, Route
from bot.demo.github.rest.service import Handled, Passage, Request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from bot.demo.github.simulation import SimulatedGitHub

_LARGEST_BODY = 8 * 1024**2
_ENTERPRISE = "/api/v3"


@asynccontextmanager
async def served(github: SimulatedGitHub, host: str, port: int, logs_port: int, api_path: str) -> AsyncIterator[str]:
    """Listen until the end of the context, and yield the address of the API; OSError when a port is taken.

    What is rendered from now on leads to these addresses, also afterwards.
    """
    api, logs = _api(github, api_path), _logs(github)
    async with _listening(api, host, port) as api_port, _listening(logs, host, logs_port) as port_of_logs:
        addresses = github.world.addresses
        addresses.html = f"http://{host}:{api_port}"
        addresses.api = addresses.html + api_path
        addresses.logs = f"http://{host}:{port_of_logs}"
        yield addresses.api


@asynccontextmanager
async def _listening(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _api(github: SimulatedGitHub, api_path: str) -> web.Application:
    """Answer the API under its path, and, as GitHub Enterprise Server does, under `/api/v3` of the pages' host."""
    app = web.Application(client_max_size=_LARGEST_BODY)
    for route in (*ROUTES, *PAGES):
        for prefix in dict.fromkeys((api_path, _ENTERPRISE)) if route.operation else ("",):
            app.router.add_route(route.method, prefix + route.path, _handler(github, route, prefix))
    app.router.add_route("*", "/{rest:.*}", _handler(github, None, api_path))
    return app


def _handler(
    github: SimulatedGitHub, route: Route | None, prefix: str
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        arrived = Request(
            method=request.method,
            location=request.rel_url.raw_path_qs.removeprefix(prefix),
            path=request.match_info,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            route=route,
        )
        passage = github.rest.arrive(arrived)
        status = 0
        try:
            arrived.body = await _body(request)
            await _admit(github, request, passage)
            handled = github.rest.handle(passage)
            response = await _send(github, request, handled)
            status = 0 if handled.cut else response.status
        except ConnectionError:
            # Whoever asked waits no more.
            response = web.Response()
        finally:
            github.rest.leave(passage, status)
        return response

    return handle


async def _body(request: web.Request) -> Any:
    content = await request.read()
    if not content:
        return None
    if request.content_type == "application/x-www-form-urlencoded":
        return dict(parse_qsl(content.decode(errors="replace"), keep_blank_values=True))
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return Failure(400, "Problems parsing JSON")


async def _admit(github: SimulatedGitHub, request: web.Request, passage: Passage) -> None:
    """Let a request in, and what it asks for wait, if that is what was asked for."""
    late = github.rest.admit(passage)
    if late is None:
        return
    if late.cut:
        _close(request)
    await github.rest.come_late(passage, late)


async def _send(github: SimulatedGitHub, request: web.Request, handled: Handled) -> web.StreamResponse:
    """Send an answer, slowly or not wholly if that is what was asked for."""
    if handled.slow:
        await github.rest.hold_back(handled.slow)
    if handled.cut is None:
        response = web.Response(status=handled.status, body=handled.content, headers=handled.headers)
        await response.prepare(request)
        await response.write_eof()
        return response
    if handled.cut.answered:
        part = web.StreamResponse(status=handled.status, headers=handled.headers)
        part.content_length = len(handled.content) + 1
        await part.prepare(request)
        await part.write(handled.content)
    _close(request)
    return web.Response(status=handled.status)


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _logs(github: SimulatedGitHub) -> web.Application:
    async def handle(request: web.Request) -> web.Response:
        authorized, now = "Authorization" in request.headers, github.clock.now()
        if authorized:
            call = Call(now, request.method, request.path, "", "log host")
            github.rest.ledger.note("token_to_log_host", call, "an Authorization header was sent to the host of logs")
        answer = github.rest.logs.answer(request.query.get("sig", ""), now, authorized=authorized)
        return web.Response(status=answer.status, text=answer.body)

    app = web.Application()
    app.router.add_get("/actions-results/{rest:.*}", handle)
    return app
