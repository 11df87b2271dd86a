"""What a delivery is: its GUID, its headers, its signature, and the log that GitHub keeps for three days.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#delivery-headers
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
import zlib
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bot.demo.github.state.accounts import Hook

_GREGORIAN_EPOCH = datetime(1582, 10, 15, tzinfo=UTC)
_KEPT_FOR = timedelta(days=3)


class Guids:
    """Version-1 UUIDs (RFC 9562) whose time is the moment that is asked for."""

    def __init__(self, seed: int) -> None:
        fixed = hashlib.sha256(f"guids {seed}".encode()).digest()
        self._clock_seq = int.from_bytes(fixed[:2], "big") & 0x3FFF
        # RFC 9562 section 6.10: a node that is no network card's has the multicast bit set.
        self._node = int.from_bytes(fixed[2:8], "big") | 1 << 40
        self._last = 0

    def at(self, moment: datetime) -> uuid.UUID:
        """Return a GUID of `moment`, a tenth of a microsecond later for each one that this moment already has."""
        self._last = max(self._last + 1, (moment - _GREGORIAN_EPOCH) // timedelta(microseconds=1) * 10)
        time_low, time_mid = self._last & 0xFFFFFFFF, self._last >> 32 & 0xFFFF
        fields = (time_low, time_mid, self._last >> 48, self._clock_seq >> 8, self._clock_seq & 0xFF, self._node)
        return uuid.UUID(fields=fields, version=1)


def guid_time(guid: uuid.UUID) -> datetime:
    """Return the moment inside a version-1 UUID."""
    return _GREGORIAN_EPOCH + timedelta(microseconds=guid.time // 10)


def sign(secret: str, body: bytes) -> dict[str, str]:
    """Return both signature headers of `body`; the SHA-1 one is what GitHub still sends beside the other."""
    key = secret.encode()
    return {
        "X-Hub-Signature": "sha1=" + hmac.new(key, body, hashlib.sha1).hexdigest(),
        "X-Hub-Signature-256": "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest(),
    }


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one App's hook. `number` counts from 1 in the order GitHub made them."""

    number: int
    guid: str
    hook: Hook
    event: str
    action: str | None
    installation_id: int | None
    repository_id: int | None
    made_at: datetime
    headers: Mapping[str, str]
    packed: bytes

    @property
    def body(self) -> bytes:
        """The exact bytes that are signed and sent; kept packed, for a demo may run for days."""
        return zlib.decompress(self.packed)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at handing a delivery over, as `GET /app/hook/deliveries` lists it; `duration` in seconds.

    `note` is the simulation's own word on the faults it played: empty, or `delayed`, `duplicate`, `failed` ….
    """

    id: int
    delivery: Delivery
    delivered_at: datetime
    duration: float
    status: str
    status_code: int
    redelivery: bool
    note: str = ""

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status_code < 300


class DeliveryLog:
    """Deliveries by GUID with the attempts at them.

    Like GitHub's it forgets what is older than three days, and, for the sake of memory, all but the newest `most`.
    """

    def __init__(self, most: int = 20_000) -> None:
        self.most = most
        self._deliveries: dict[str, Delivery] = {}
        self._attempts: deque[Attempt] = deque()
        self.counts: Counter[str] = Counter()

    def add(self, delivery: Delivery) -> None:
        self.counts["made"] += 1
        self._deliveries[delivery.guid] = delivery
        self._forget(delivery.made_at - _KEPT_FOR)

    def record(self, attempt: Attempt) -> None:
        self.counts["attempts"] += 1
        self.counts["succeeded" if attempt.succeeded else "failed"] += 1
        self.counts["redeliveries"] += attempt.redelivery
        self._attempts.append(attempt)

    def get(self, guid: str) -> Delivery:
        """Return the delivery; KeyError when GitHub never made it or has forgotten it."""
        return self._deliveries[guid]

    @property
    def deliveries(self) -> list[Delivery]:
        """What was made, in that order, including what will never be sent."""
        return list(self._deliveries.values())

    @property
    def attempts(self) -> list[Attempt]:
        """The tries, newest last."""
        return list(self._attempts)

    def attempts_at(self, guid: str) -> list[Attempt]:
        return [attempt for attempt in self._attempts if attempt.delivery.guid == guid]

    def undelivered(self) -> Iterator[Delivery]:
        """Yield what no attempt has brought across so far, never-sent ones included."""
        brought = {attempt.delivery.guid for attempt in self._attempts if attempt.succeeded}
        return (one for one in self._deliveries.values() if one.guid not in brought)

    def _forget(self, before: datetime) -> None:
        while self._deliveries:
            oldest = next(iter(self._deliveries.values()))
            if oldest.made_at >= before and len(self._deliveries) <= self.most:
                break
            del self._deliveries[oldest.guid]
        while self._attempts and self._attempts[0].delivery.guid not in self._deliveries:
            self._attempts.popleft()
