"""A router as hosts have it before web processes: one after the other gets a request, and nothing is tried twice."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

# What belongs to one connection alone: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
_OF_ONE_CONNECTION = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}
SECONDS_TO_ANSWER = 30


@dataclass(frozen=True)
class Refusal:
    """A request that a process did not take, or answered with a 5xx; `at` is the loop's time."""

    process: str
    at: float
    why: str


@dataclass
class Router:
    """Knows at which port each web process listens, dead or alive."""

    address: str = ""
    ports: dict[str, int] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)
    _under_way: Counter[int] = field(default_factory=Counter)
    _turns: "itertools.count[int]" = field(default_factory=itertools.count)

    async def forward(self, request: web.Request, session: aiohttp.ClientSession) -> web.Response:
        """Hand a request to the process whose turn it is; 503 where nobody takes it."""
        body = await request.read()
        names = sorted(self.ports)
        name = names[next(self._turns) % len(names)]
        port = self.ports[name]
        headers = {key: value for key, value in request.headers.items() if key.lower() not in _OF_ONE_CONNECTION}
        headers |= {"X-Forwarded-For": request.remote or "", "X-Forwarded-Proto": "http"}
        url = f"http://127.0.0.1:{port}{request.raw_path}"
        self._under_way[port] += 1
        try:
            async with session.request(request.method, url, headers=headers, data=body) as answer:
                if answer.status >= 500:
                    self._refused(name, str(answer.status))
                self.taken[name] += answer.status < 500
                kept = {key: value for key, value in answer.headers.items() if key.lower() not in _OF_ONE_CONNECTION}
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            self._refused(name, type(error).__name__)
            return web.Response(status=503, text="no process took it")
        finally:
            self._under_way[port] -= 1

    async def until_done_with(self, port: int) -> None:
        """Wait until no request is under way to a port that no name stands for any more."""
        while self._under_way[port]:
            await asyncio.sleep(0.01)

    def _refused(self, name: str, why: str) -> None:
        self.refusals.append(Refusal(name, asyncio.get_running_loop().time(), why))


@asynccontextmanager
async def routing() -> AsyncIterator[Router]:
    """Listen on a port of loopback while inside."""
    router = Router()
    app = web.Application(client_max_size=2**25)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    timeout = aiohttp.ClientTimeout(total=SECONDS_TO_ANSWER)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:

        async def forward(request: web.Request) -> web.Response:
            return await router.forward(request, session)

        app.router.add_route("*", "/{path:.*}", forward)
        async with TestServer(app) as server:
            router.address = str(server.make_url("")).rstrip("/")
            yield router
