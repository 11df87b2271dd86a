"""What is answered to what is no HTTP, so that no application ever sees it: a problem, and nothing of what was sent.

https://docs.aiohttp.org/en/stable/web_reference.html#running-applications
"""

import asyncio
import uuid
from typing import Any

from aiohttp import web

from bot.web.hardening import ALWAYS, DATA_POLICY, REQUEST_ID_HEADER
from bot.web.problems import DETAILS, Problem, problem_response


class _Protocol(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        # What is done by it is to log the error; the answer would quote what was sent.
        super().handle_error(request, status, exc, message)
        answer = problem_response(Problem(status if status in DETAILS else 400))
        answer.headers.update(ALWAYS | {"Content-Security-Policy": DATA_POLICY, REQUEST_ID_HEADER: uuid.uuid4().hex})
        answer.force_close()
        return answer


class _Server(web.Server):
    """Makes a protocol for each connection."""

    def __init__(self, made: web.Server, options: dict[str, Any]) -> None:
        self._options = {"loop": asyncio.get_running_loop(), **options}
        super().__init__(made.request_handler, request_factory=made.request_factory, **self._options)

    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, **self._options)


class Runner(web.AppRunner):
    """Runs an application that was made with `handler_args`, which must be given here too."""

    def __init__(self, app: web.Application, *, handler_args: dict[str, Any], shutdown_timeout: float) -> None:
        super().__init__(app, handle_signals=False, access_log=None, shutdown_timeout=shutdown_timeout)
        self._options = {"access_log": None, **handler_args}

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), self._options)
