"""Where GitHub posts deliveries: verified, made durable, and only then answered with 202.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
Nothing is parsed here. What does not depend on the signature is checked first (how the body is encoded, how large it
is); whoever can't sign learns nothing further, not even whether a GUID is known or a header is missing.
"""

import asyncio
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta
from multidict import CIMultiDictProxy

from bot import inbox, metrics
from bot.errors import DatabaseUnavailable, TooMuchWaiting
from bot.store.database import current
from bot.store.registration import Configuration
from bot.web import keys
from bot.web.body import MIB, BodyBroken, BodyMemory, BodyTooLarge, BodyTooSlow, is_plain_json, read_body
from bot.web.parameters import ParameterErrors, parse
from bot.web.problems import Problem
from bot.web.signature import find_digest, verifies_off_loop

GUID_HEADER = "X-GitHub-Delivery"
EVENT_HEADER = "X-GitHub-Event"
SIGNATURE_HEADER = "X-Hub-Signature-256"


class DeliveryHeaders(msgspec.Struct, frozen=True):
    """What GitHub says about a delivery outside its body."""

    event: Annotated[str, Meta(pattern=r"^[!-~]{1,64}$", description="Name of the event")] = msgspec.field(
        name=EVENT_HEADER
    )
    guid: Annotated[
        str, Meta(pattern=r"^[!-~]{1,100}$", description="The delivery's GUID, the same when it is delivered again")
    ] = msgspec.field(name=GUID_HEADER)


class DeliveryReceipt(msgspec.Struct, frozen=True):
    """The delivery is durable: now, or since it came the first time."""

    status: Literal["accepted", "duplicate"]


class Receiver:
    """The bounds that deliveries are received within: bytes a body, seconds a body, bytes of all bodies at once."""

    def __init__(
        self, *, body_limit: int = 25 * MIB, body_seconds: float = 10.0, in_flight_limit: int = 64 * MIB
    ) -> None:
        self.body_limit = body_limit
        self.body_seconds = body_seconds
        self.memory = BodyMemory(in_flight_limit)


class _Refused(Problem):
    def __init__(self, status: int, result: str) -> None:
        super().__init__(status)
        self.result = result


async def receive_delivery(request: web.Request) -> web.Response:
    """Answer 202 once the delivery is committed, and count how each post ended."""
    result = "failed"
    try:
        receipt = await _receive(request, request.app[keys.RECEIVER])
        result = receipt.status
    except _Refused as refused:
        result = refused.result
        raise
    except ParameterErrors:
        result = "refused_headers"
        raise
    except (DatabaseUnavailable, TooMuchWaiting):
        result = "unavailable"
        raise
    except asyncio.CancelledError:
        result = "disconnected"
        raise
    finally:
        metrics.count_delivery(request.headers.get(EVENT_HEADER, ""), result)
    return web.Response(body=msgspec.json.encode(receipt), status=202, content_type="application/json")


async def _receive(request: web.Request, receiver: Receiver) -> DeliveryReceipt:
    received_at = request.app[keys.CLOCK].now()
    if not is_plain_json(request.headers):
        raise _Refused(415, "refused_media")
    digest = find_digest(request.headers.getall(SIGNATURE_HEADER, []))
    if digest is None:
        raise _Refused(401, "refused_signature")
    with receiver.memory.reservation() as reservation:
        try:
            body = await read_body(request, reservation, limit=receiver.body_limit, seconds=receiver.body_seconds)
        except BodyTooLarge:
            raise _Refused(413, "refused_size") from None
        except BodyTooSlow:
            raise _Refused(408, "refused_slow") from None
        except BodyBroken:
            raise _Refused(400, "disconnected") from None
        if not await is_signed(request.app[keys.CONFIGURATION], body, digest):
            raise _Refused(401, "refused_signature")
        headers = _delivery_headers(request.headers)
        delivery = inbox.NewDelivery(guid=headers.guid, event=headers.event, body=body, received_at=received_at)
        return DeliveryReceipt(await _inbox(request).append(delivery))


async def is_signed(configuration: Configuration, body: bytes, digest: bytes) -> bool:
    """Tell whether the App's webhook has signed `body`, whichever process has registered the App."""
    if await verifies_off_loop(body, digest, configuration.current.webhook_secrets):
        return True
    # The App may have been registered a moment ago, by another process.
    if configuration.sealer is None or not await configuration.look_again(current()):
        return False
    return await verifies_off_loop(body, digest, configuration.current.webhook_secrets)


def _delivery_headers(headers: CIMultiDictProxy[str]) -> DeliveryHeaders:
    pairs = [(name, value) for name in (EVENT_HEADER, GUID_HEADER) for value in headers.getall(name, [])]
    try:
        if len(pairs) == 2:
            return msgspec.convert(dict(pairs), DeliveryHeaders)
    except msgspec.ValidationError:
        pass
    # Finding out what is wrong takes longer, and so is left to the rare request that has something wrong.
    return parse(DeliveryHeaders, pairs)


def _inbox(request: web.Request) -> "inbox.Inbox":
    opened = request.app.get(keys.INBOX)
    if opened is None:
        message = "this process takes no deliveries"
        raise DatabaseUnavailable(message)
    return opened
