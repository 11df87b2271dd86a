"""How connections are served: deliveries in their lane, what is no HTTP by a problem, all else as aiohttp does.

https://docs.aiohttp.org/en/stable/web_reference.html#running-applications
"""

import asyncio
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage

from bot.web import keys
from bot.web.hardening import ALWAYS, DATA_POLICY
from bot.web.lane import Lane
from bot.web.problems import DETAILS, Problem, problem_response
from bot.web.request_ids import HEADER, new_request_id

Delivery = tuple[RawRequestMessage, StreamReader]


class _Protocol(web.RequestHandler):
    """One connection.

    As long as nothing comes but deliveries, one at a time, they are received in the lane; the first request that is
    none, or that is to be refused, is aiohttp's, and so are all after it. For that it reads the queue in which aiohttp
    3.14 keeps the requests of a connection; `tests/web/test_lane` tells when another version does so differently.
    """

    __slots__ = ("_lane", "_receiving", "refusal")

    def __init__(self, manager: web.Server, lane: Lane, **options: Any) -> None:
        super().__init__(manager, **options)
        self._lane = lane
        self._receiving: StreamReader | None = None
        self.refusal: Exception | None = None

    async def start(self) -> None:
        while (delivery := await self._next_delivery()) and await self._receive(*delivery):
            if self._close:
                # The service stops: nothing more is waited for.
                self.force_close()
        if not self._force_close:
            await super().start()

    async def _next_delivery(self) -> Delivery | None:
        """Wait for the next request, and return it where the lane takes it."""
        if not self._messages and not self._force_close:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if len(self._messages) != 1 or self._force_close:
            return None
        message, content = self._messages[0]
        return (message, content) if isinstance(message, RawRequestMessage) and self._lane.takes(message) else None

    async def _receive(self, message: RawRequestMessage, content: StreamReader) -> bool:
        """Receive and answer a delivery; return whether that went well, so that the lane is open for another."""
        self._receiving = content
        try:
            answer = await self._lane.receive(message, content)
        except Exception as error:  # noqa: BLE001, aiohttp finds the request where it lies, and the route tells why
            self.refusal = error
            return False
        finally:
            self._receiving = None
        self._messages.popleft()
        if self._parser is None or self.transport is None or self.transport.is_closing():
            return False
        self._parser.message_consumed()
        self._next_keepalive_close_time = self._loop.time() + self.keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        # Nothing waits for the client to read it: whoever can sign is not one that fills our memory with answers.
        self.transport.write(answer)
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        if self._receiving is not None:
            self._receiving.set_exception(exc or ConnectionResetError("Connection lost"))

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
    """Makes a protocol for each connection."""

    def __init__(self, made: web.Server, lane: Lane, options: dict[str, Any]) -> None:
        self._lane = lane
        self._options = {"loop": asyncio.get_running_loop(), **options}
        self._make = made.request_factory
        super().__init__(made.request_handler, request_factory=self._request, **self._options)

    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, self._lane, **self._options)

    def _request(self, message: Any, content: Any, protocol: Any, *others: Any) -> web.BaseRequest:
        request = self._make(message, content, protocol, *others)
        if protocol.refusal is not None:
            request[keys.REFUSAL], protocol.refusal = protocol.refusal, None
        return request


class Runner(web.AppRunner):
    """Runs an application that was made with `handler_args`, which must be given here too."""

    def __init__(self, app: web.Application, *, handler_args: dict[str, Any], shutdown_timeout: float) -> None:
        super().__init__(app, handle_signals=False, access_log=None, shutdown_timeout=shutdown_timeout)
        self._options = {"access_log": None, **handler_args}

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), Lane(self.app), self._options)
