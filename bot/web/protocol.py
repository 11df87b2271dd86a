"""How connections are served: deliveries in their lane, what is no HTTP by a problem, all else as aiohttp does.

https://docs.aiohttp.org/en/stable/web_reference.html#running-applications
"""

import asyncio
from typing import Any

from aiohttp import web

from bot.web import keys
from bot.web.connection import Connection
from bot.web.hardening import ALWAYS, DATA_POLICY
from bot.web.lane import Lane
from bot.web.problems import DETAILS, Problem, problem_response
from bot.web.ready import Ready
from bot.web.request_ids import HEADER, new_request_id


class _Protocol(web.RequestHandler):
    """A connection that is aiohttp's; `refusal` is why its first request is refused, if that is known already."""

    __slots__ = ("refusal",)

    def __init__(self, manager: web.Server, refusal: Exception | None, **options: Any) -> None:
        super().__init__(manager, **options)
        self.refusal = refusal

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        # What is done by it is to log the error; the answer would quote what was sent.
        super().handle_error(request, status, exc, message)
        answer = problem_response(Problem(status if status in DETAILS else 400))
        answer.headers.update({**ALWAYS, "Content-Security-Policy": DATA_POLICY, HEADER: new_request_id()})
        answer.force_close()
        return answer


class _Server(web.Server):
    """Lets deliveries pass on each connection, until aiohttp takes it over."""

    def __init__(self, made: web.Server, lane: Lane, ready: Ready, options: dict[str, Any]) -> None:
        self._lane = lane
        self._options = {"loop": asyncio.get_running_loop(), **options}
        self._make = made.request_factory
        self._passing: set[Connection] = set()
        super().__init__(ready.before(made.request_handler), request_factory=self._request, **self._options)

    def __call__(self) -> Connection:  # type: ignore[override]
        return Connection(self._lane, self._passing, self._take_over)

    def _take_over(self, transport: asyncio.Transport, data: bytes, refusal: Exception | None) -> _Protocol:
        protocol = _Protocol(self, refusal, **self._options)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        transport.resume_reading()
        if data:
            protocol.data_received(data)
        return protocol

    def _request(self, message: Any, content: Any, protocol: Any, *others: Any) -> web.BaseRequest:
        request = self._make(message, content, protocol, *others)
        if protocol.refusal is not None:
            request[keys.REFUSAL], protocol.refusal = protocol.refusal, None
        return request

    def pre_shutdown(self) -> None:
        super().pre_shutdown()
        for each in tuple(self._passing):
            each.stop()

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109, as aiohttp names it
        await asyncio.gather(super().shutdown(timeout), *(each.stopped(timeout) for each in self._passing))


class Runner(web.AppRunner):
    """Runs an application that was made with `handler_args`, which must be given here too."""

    def __init__(self, app: web.Application, *, handler_args: dict[str, Any], shutdown_timeout: float) -> None:
        super().__init__(app, handle_signals=False, access_log=None, shutdown_timeout=shutdown_timeout)
        self._options = {"access_log": None, **handler_args}

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), Lane(self.app), self.app[keys.READY], self._options)
