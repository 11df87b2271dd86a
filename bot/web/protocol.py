"""How connections are served: deliveries in their lane, what is no HTTP by a problem, all else as aiohttp does.

https://docs.aiohttp.org/en/stable/web_reference.html#running-applications
"""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.http import RawRequestMessage
from multidict import CIMultiDict, CIMultiDictProxy

from bot.web import keys
from bot.web.connection import Connection
from bot.web.hardening import ALWAYS, DATA_POLICY
from bot.web.lane import Lane
from bot.web.problems import DETAILS, Problem, problem_response
from bot.web.ready import Ready
from bot.web.request_ids import HEADER, new_request_id

# Longer than proxies keep a connection that nobody uses: of the common ones Google's do so for 600 seconds.
KEEP_ALIVE_SECONDS = 620.0
# When a first request that has begun to come must be there, its body apart.
FIRST_HEAD_SECONDS = 60.0


class _Protocol(web.RequestHandler):
    """A connection that is aiohttp's; `refusal` is why its first request is refused, if that is known already."""

    __slots__ = ("_deadline", "refusal")

    def __init__(self, manager: web.Server, refusal: Exception | None, **options: Any) -> None:
        super().__init__(manager, **options)
        self.refusal = refusal
        self._deadline: asyncio.TimerHandle | None = None

    def begin(self, data: bytes) -> None:
        """Take what came, and wait for the rest of a request no longer than is to be waited for one."""
        self._deadline = asyncio.get_running_loop().call_later(FIRST_HEAD_SECONDS, self.force_close)
        self.data_received(data)

    def note_request(self) -> None:
        """Take note that there is one."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def connection_lost(self, exc: BaseException | None) -> None:
        self.note_request()
        super().connection_lost(exc)

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
            protocol.begin(data)
        return protocol

    def _request(self, message: Any, content: Any, protocol: Any, *others: Any) -> web.BaseRequest:
        protocol.note_request()
        request = self._make(_understood(message), content, protocol, *others)
        if protocol.refusal is not None:
            request[keys.REFUSAL], protocol.refusal = protocol.refusal, None
        return request

    def pre_shutdown(self) -> None:
        super().pre_shutdown()
        for each in tuple(self._passing):
            each.stop()

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109, as aiohttp names it
        await asyncio.gather(super().shutdown(timeout), *(each.stopped(timeout) for each in self._passing))


def _understood(message: RawRequestMessage) -> RawRequestMessage:
    """Return a request without what it expects of us that nobody knows, which RFC 9110 lets a server pass over.

    https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
    """
    # aiohttp would refuse it before the application is asked, and quote it.
    if "Expect" not in message.headers or {each.lower() for each in message.headers.getall("Expect")} == {
        "100-continue"
    }:
        return message
    headers = CIMultiDict(message.headers)
    del headers["Expect"]
    return message._replace(headers=CIMultiDictProxy(headers))


class Runner(web.AppRunner):
    """Runs an application that was made with `handler_args`, which must be given here too."""

    def __init__(self, app: web.Application, *, handler_args: dict[str, Any], shutdown_timeout: float) -> None:
        super().__init__(app, handle_signals=False, access_log=None, shutdown_timeout=shutdown_timeout)
        self._options = {"access_log": None, "keepalive_timeout": KEEP_ALIVE_SECONDS, **handler_args}

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), Lane(self.app), self.app[keys.READY], self._options)
