"""Where GitHub posts deliveries: verified, made durable, and only then answered with 202.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
Nothing is parsed here. What does not depend on the signature is checked first (how the body is encoded, how large it
is); whoever can't sign learns nothing further, not even whether a GUID is known or a header is missing.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated

import msgspec
from aiohttp import StreamReader, web
from msgspec import Meta
from multidict import CIMultiDictProxy

from bot import inbox, metrics
from bot.errors import DatabaseUnavailable, TooMuchWaiting
from bot.store.database import current
from bot.store.registration import Configuration
from bot.web import keys
from bot.web.body import MIB, BodyBroken, BodyMemory, BodyTooLarge, BodyTooSlow, Reservation, is_plain_json, read_body
from bot.web.parameters import ParameterErrors, parse
from bot.web.problems import Problem
from bot.web.signature import find_digest, verifies_off_loop

PATH = "/api/github/webhooks"
GUID_HEADER = "X-GitHub-Delivery"
EVENT_HEADER = "X-GitHub-Event"
SIGNATURE_HEADER = "X-Hub-Signature-256"
_EVENT = re.compile(r"^[!-~]{1,64}$")
_GUID = re.compile(r"^[!-~]{1,100}$")


class DeliveryHeaders(msgspec.Struct, frozen=True):
    """What GitHub says about a delivery outside its body."""

    event: Annotated[str, Meta(pattern=_EVENT.pattern, description="Name of the event")] = msgspec.field(
        name=EVENT_HEADER
    )
    guid: Annotated[
        str, Meta(pattern=_GUID.pattern, description="The delivery's GUID, the same when it is delivered again")
    ] = msgspec.field(name=GUID_HEADER)


class DeliveryReceipt(msgspec.Struct, frozen=True):
    """The delivery is durable: now, or since it came the first time."""

    status: inbox.Outcome


class Receiver:
    """The bounds that deliveries are received within: bytes a body, seconds a body, bytes of all bodies at once."""

    def __init__(
        self, *, body_limit: int = 25 * MIB, body_seconds: float = 10.0, in_flight_limit: int = 64 * MIB
    ) -> None:
        self.body_limit = body_limit
        self.body_seconds = body_seconds
        self.memory = BodyMemory(in_flight_limit)


class Refused(Problem):
    """A delivery is not taken in; `result` is how it is counted."""

    def __init__(self, status: int, result: str) -> None:
        super().__init__(status)
        self.result = result


async def receive_delivery(request: web.Request) -> web.Response:
    """Answer 202 once the delivery is committed, or tell why it can't be."""
    if keys.REFUSAL in request:
        # Taken out, because the frames that it comes from hold the body, and must not be kept by the request.
        raise request.pop(keys.REFUSAL)
    receipt = DeliveryReceipt(await receive(request.app, request.headers, request.content))
    return web.Response(body=msgspec.json.encode(receipt), status=202, content_type="application/json")


async def receive(app: web.Application, headers: CIMultiDictProxy[str], content: StreamReader) -> inbox.Outcome:
    """Take a delivery in, return once it is committed, and count how it ended.

    Raises Problem (400, 401, 408, 413, 415), ParameterErrors, TooMuchWaiting or DatabaseUnavailable; nothing is stored
    then.
    """
    event = headers.get(EVENT_HEADER, "")
    try:
        outcome = await _receive(app, headers, content)
    except BaseException as error:
        count_refusal(event, error)
        raise
    metrics.count_delivery(event, outcome)
    return outcome


def count_refusal(event: str, error: BaseException) -> None:
    """Count a delivery that is not taken in, by the reason."""
    match error:
        case Refused():
            result = error.result
        case ParameterErrors():
            result = "refused_headers"
        case DatabaseUnavailable() | TooMuchWaiting():
            result = "unavailable"
        case asyncio.CancelledError():
            result = "disconnected"
        case _:
            result = "failed"
    metrics.count_delivery(event, result)


async def _receive(app: web.Application, headers: CIMultiDictProxy[str], content: StreamReader) -> inbox.Outcome:
    received_at = app[keys.CLOCK].now()
    if not is_plain_json(headers):
        raise Refused(415, "refused_media")
    digest = find_digest(headers.getall(SIGNATURE_HEADER, ()))
    if digest is None:
        raise Refused(401, "refused_signature")
    receiver = app[keys.RECEIVER]
    with receiver.memory.reservation() as reservation:
        body = await _read(headers, content, receiver, reservation)
        if not await is_signed(app[keys.CONFIGURATION], body, digest):
            raise Refused(401, "refused_signature")
        about = delivery_headers(headers.getall(EVENT_HEADER, ()), headers.getall(GUID_HEADER, ()))
        delivery = inbox.NewDelivery(guid=about.guid, event=about.event, body=body, received_at=received_at)
        return await get_inbox(app).append(delivery)


async def _read(
    headers: CIMultiDictProxy[str], content: StreamReader, receiver: Receiver, reservation: Reservation
) -> bytes:
    declared = int(headers.get("Content-Length", 0))
    try:
        return await read_body(content, declared, reservation, limit=receiver.body_limit, seconds=receiver.body_seconds)
    except BodyTooLarge:
        raise Refused(413, "refused_size") from None
    except BodyTooSlow:
        raise Refused(408, "refused_slow") from None
    except BodyBroken:
        raise Refused(400, "disconnected") from None


async def is_signed(configuration: Configuration, body: bytes, digest: bytes) -> bool:
    """Tell whether the App's webhook has signed `body`, whichever process has registered the App."""
    if await verifies_off_loop(body, digest, configuration.current.webhook_secrets):
        return True
    # The App may have been registered a moment ago, by another process.
    if configuration.sealer is None or not await configuration.look_again(current()):
        return False
    return await verifies_off_loop(body, digest, configuration.current.webhook_secrets)


def delivery_headers(events: Sequence[str], guids: Sequence[str]) -> DeliveryHeaders:
    """Return what these headers say, of which there must be one each.

    Raises ParameterErrors.
    """
    if len(events) == len(guids) == 1 and _EVENT.fullmatch(events[0]) and _GUID.fullmatch(guids[0]):
        return DeliveryHeaders(events[0], guids[0])
    # Finding out what is wrong takes longer, and so is left to the rare request that has something wrong.
    return parse(DeliveryHeaders, [(EVENT_HEADER, event) for event in events] + [(GUID_HEADER, guid) for guid in guids])


def get_inbox(app: web.Application) -> "inbox.Inbox":
    """Return where deliveries go. Raises DatabaseUnavailable where this process takes none."""
    opened = app.get(keys.INBOX)
    if opened is None:
        message = "this process takes no deliveries"
        raise DatabaseUnavailable(message)
    return opened
