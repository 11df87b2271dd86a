"""The limit that the framework sets: handlers that do nothing but what HTTP asks of them.

`uvloop` as an argument runs them on that loop.
"""

import asyncio
import os
import sys

import uvloop
from aiohttp import web

READY = b"{" + b'"padding":"' + b"x" * 30_000 + b'"}'
SMALL = b'{"runs":[]}'


async def receive(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=202)


async def ready(_request: web.Request) -> web.Response:
    return web.Response(body=READY, content_type="application/json")


async def small(_request: web.Request) -> web.Response:
    return web.Response(body=SMALL, content_type="application/json")


def main() -> None:
    app = web.Application(client_max_size=26 * 1024 * 1024)
    app.router.add_post("/api/github/webhooks", receive)
    app.router.add_get("/ready", ready)
    app.router.add_get("/small", small)
    loop = uvloop.new_event_loop() if "uvloop" in sys.argv[1:] else asyncio.new_event_loop()
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, loop=loop, print=None)


if __name__ == "__main__":
    main()
