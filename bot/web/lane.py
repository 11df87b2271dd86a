"""The short way of a delivery: from the socket to the inbox and back, past all that a page or a list would need.

Its one reason is what a delivery costs: of aiohttp's request, task, router, middlewares and signals nothing is needed
for a POST to one address with one answer that lies ready. `bench/ingest` shows what it is worth. Only what goes well
is done here. Whatever goes wrong is told the ordinary way, so that each refusal has one implementation.
"""

from email.utils import formatdate
from functools import lru_cache

import msgspec
from aiohttp import HttpVersion11, StreamReader, web
from aiohttp.http import RawRequestMessage

from bot import metrics
from bot.inbox import Outcome
from bot.web import keys
from bot.web.hardening import DATA_POLICY, common_headers, is_behind_tls
from bot.web.request_ids import HEADER, request_id
from bot.web.webhook import PATH, DeliveryReceipt, receive


class Lane:
    """Where deliveries pass; `app` holds what they need."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._clock = app[keys.CLOCK]
        self._configuration = app[keys.CONFIGURATION]

    def takes(self, message: RawRequestMessage) -> bool:
        """Tell whether a request is for the webhook, and has nothing about it that only aiohttp knows how to serve."""
        return (
            message.path == PATH
            and message.method == "POST"
            and message.version == HttpVersion11
            and not message.should_close
            and not message.upgrade
            and "Expect" not in message.headers
        )

    async def receive(self, message: RawRequestMessage, content: StreamReader) -> bytes:
        """Return the whole answer once the delivery is durable. Raises whatever `webhook.receive` does."""
        outcome = await receive(self._app, message.headers, content)
        metrics.count_request(PATH, "POST", 202)
        head, body = _ready(outcome, int(self._clock.time()), is_behind_tls(self._configuration.current))
        return b"%b%b\r\n\r\n%b" % (head, request_id(message.headers).encode(), body)


@lru_cache(maxsize=8)
def _ready(outcome: Outcome, at: int, is_https: bool) -> tuple[bytes, bytes]:
    """Return an answer's head, up to the request's id, and its body; both stay the same for a second."""
    body = msgspec.json.encode(DeliveryReceipt(outcome))
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Date": formatdate(at, usegmt=True),
        **common_headers(is_https=is_https),
        "Content-Security-Policy": DATA_POLICY,
    }
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(["HTTP/1.1 202 Accepted", *lines, f"{HEADER}: "]).encode(), body
