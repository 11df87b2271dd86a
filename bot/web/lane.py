"""The short way of a delivery: from the socket to the inbox and back, past all that a page or a list would need.

Its one reason is what a delivery costs: of aiohttp's parser, request, task, router, middlewares and signals nothing is
needed for a POST to one address with one answer that lies ready. `bench/ingest` shows what it is worth. Only what goes
well is done here. Whatever goes wrong is told the ordinary way, so that each refusal has one implementation.
"""

from email.utils import formatdate
from functools import lru_cache

import msgspec
from aiohttp import web

from bot import metrics
from bot.inbox import LARGE, NewDelivery, Outcome, Settle
from bot.web import keys, webhook
from bot.web.body import is_media_type
from bot.web.hardening import DATA_POLICY, common_headers, is_behind_tls
from bot.web.head import Head
from bot.web.request_ids import HEADER, given_or_new
from bot.web.signature import find_digest, verifies

_PATH = webhook.PATH.encode()
_EVENT, _GUID, _SIGNATURE, _REQUEST_ID = (
    name.lower() for name in (webhook.EVENT_HEADER, webhook.GUID_HEADER, webhook.SIGNATURE_HEADER, HEADER)
)

WANTED = frozenset({"content-type", _EVENT, _GUID, _SIGNATURE, _REQUEST_ID})
"""What is asked of a delivery's head."""


class Passing(msgspec.Struct):
    """A delivery in the lane; until it `is_in_hand`, the inbox's, its body is on its way."""

    head: Head
    digest: bytes
    body: bytes = b""
    is_in_hand: bool = False

    @property
    def request(self) -> bytes:
        """All of it as it came."""
        return self.head.raw + self.body


class Lane:
    """Where deliveries pass; `app` holds what they need."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._clock = app[keys.CLOCK]
        self._configuration = app[keys.CONFIGURATION]
        self.receiver = app[keys.RECEIVER]
        self._longest = min(LARGE, self.receiver.body_limit)
        # What is read is taken out of it before anybody reads again, so that one is enough for all connections.
        self.buffer = memoryview(bytearray(LARGE))

    def find_delivery(self, head: Head) -> Passing | None:
        """Return the delivery that begins with this head, None where that is to pass elsewhere."""
        if head.path != _PATH or head.length > self._longest:
            return None
        digest = find_digest((head.fields.get(_SIGNATURE, ""),))
        if digest is None or not is_media_type(head.fields.get("content-type", ""), "application/json"):
            return None
        return Passing(head, digest)

    def take_in(self, passing: Passing, settle: Settle) -> bool:
        """Give a delivery to the inbox, now that its body is whole; `settle` is called when that is through with it.

        False, and nothing done, where the signature is wrong as far as is known here. Raises what `webhook.receive`
        does.
        """
        head = passing.head
        if not verifies(passing.body, passing.digest, self._configuration.current.webhook_secrets):
            return False
        about = webhook.delivery_headers(_all(head, _EVENT), _all(head, _GUID))
        delivery = NewDelivery(about.guid, about.event, passing.body, self._clock.now())
        webhook.get_inbox(self._app).put(delivery, settle)
        passing.is_in_hand = True
        return True

    def answer(self, passing: Passing, outcome: Outcome) -> bytes:
        """Return the whole answer to a delivery that is durable, and count it."""
        fields = passing.head.fields
        metrics.count_delivery(fields[_EVENT], outcome)
        metrics.count_request(webhook.PATH, "POST", 202)
        ready, body = _ready(outcome, int(self._clock.time()), is_behind_tls(self._configuration.current))
        return b"%b%b\r\n\r\n%b" % (ready, given_or_new(fields.get(_REQUEST_ID)).encode(), body)

    def count_refusal(self, passing: Passing, error: Exception) -> None:
        """Count a delivery that the route refuses because of `error`."""
        webhook.count_refusal(passing.head.fields.get(_EVENT, ""), error)


def _all(head: Head, name: str) -> list[str]:
    return [head.fields[name]] if name in head.fields else []


@lru_cache(maxsize=8)
def _ready(outcome: Outcome, at: int, is_https: bool) -> tuple[bytes, bytes]:
    """Return an answer's head, up to the request's id, and its body; both stay the same for a second."""
    body = msgspec.json.encode(webhook.DeliveryReceipt(outcome))
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Date": formatdate(at, usegmt=True),
        **common_headers(is_https=is_https),
        "Content-Security-Policy": DATA_POLICY,
    }
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(["HTTP/1.1 202 Accepted", *lines, f"{HEADER}: "]).encode(), body
