"""How often somebody may ask: a bucket of requests for each credential, which fills again at a steady pace.

The buckets are kept in this process alone, so that asking costs microseconds; of several web processes each counts for
itself. What GitHub, load balancers and browsers' caches ask for is not counted. The fields that tell a client how it
stands are those of https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-06, the last revision
that has one field for each figure.
"""

import ipaddress
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web
from cachetools import LRUCache

from bot.access.secrets import hash_of
from bot.clock import Clock
from bot.web import keys
from bot.web.hardening import is_behind_tls
from bot.web.problems import Problem

# Whoever has not asked for longest is forgotten first; their bucket is most likely full again.
REMEMBERED = 20_000
SAFE_METHODS = frozenset({"GET", "HEAD"})
FIELDS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


@dataclass(frozen=True, slots=True)
class Quota:
    """How many requests fit into a bucket, and how many a second come back."""

    burst: int
    per_second: float


class Standing(NamedTuple):
    """How a bucket stands after a request, in requests and whole seconds; `wait` is 0 where it was granted."""

    limit: int
    remaining: int
    reset: int
    wait: int

    @property
    def headers(self) -> dict[str, str]:
        told = dict(zip(FIELDS, map(str, (self.limit, self.remaining, self.reset)), strict=True))
        return told | ({"Retry-After": str(self.wait)} if self.wait else {})


class Limits:
    """The buckets of one process. At 0 requests a minute nothing is limited."""

    def __init__(self, clock: Clock, a_minute: int) -> None:
        self._clock = clock
        self._is_off = a_minute == 0
        self._reads = _quota(a_minute, a_minute // 5)
        self._writes = _quota(a_minute / 10, a_minute // 20)
        self._strangers = _quota(a_minute / 10, a_minute // 10)
        self._lookups = _quota(a_minute, a_minute // 2)
        # For each bucket the moment at which it is, or was, full again.
        self._full_at: LRUCache[str, float] = LRUCache(REMEMBERED)
        self._good: LRUCache[str, bool] = LRUCache(REMEMBERED)
        self._bad: LRUCache[str, bool] = LRUCache(REMEMBERED)

    def check_stranger(self, request: web.Request, secret: str | None, *, is_ours: bool = False) -> None:
        """Refuse a credential that is most likely bad from an address that has sent too many bad ones, without a look.

        Whoever shares an address with somebody who guesses can go on where they were let in before, and else where the
        secret `is_ours` by its shape and was not found bad: a wider bucket bounds how many of those are looked up.
        Raises Problem (429).
        """
        hashed = None if secret is None else hash_of(secret)
        if self._is_off or hashed in self._good:
            return
        if is_ours and hashed not in self._bad:
            standing = self._look(f"lookups of {_stranger(request)}", self._lookups, taking=1)
        else:
            standing = self._look(_stranger(request), self._strangers, taking=0)
        if standing.wait:
            self._tell(request, standing)

    def note_bad(self, secret: str) -> None:
        """Remember that a credential was looked up and is none."""
        self._bad[hash_of(secret)] = True

    def charge_stranger(self, request: web.Request) -> None:
        """Count a request without credentials, or with bad ones, under the client's address. Raises Problem (429)."""
        if not self._is_off:
            self._tell(request, self._look(_stranger(request), self._strangers, taking=1))

    def charge(self, request: web.Request, credential: str, secret: str) -> None:
        """Count a request under a credential that is good. Raises Problem (429)."""
        if self._is_off:
            return
        hashed = hash_of(secret)
        self._good[hashed] = True
        self._bad.pop(hashed, None)
        self.charge_known(request, credential)

    def charge_known(self, request: web.Request, credential: str) -> None:
        """Count a request under a credential that was let in before. Raises Problem (429)."""
        if request.method in SAFE_METHODS:
            standing = self.count_read(credential)
        else:
            standing = None if self._is_off else self._look(f"write {credential}", self._writes, taking=1)
        if standing is not None:
            self._tell(request, standing)

    def count_read(self, credential: str) -> Standing | None:
        """Count a request that reads under a credential that is known to be good; None where nothing is limited."""
        return None if self._is_off else self._look(f"read {credential}", self._reads, taking=1)

    def _look(self, bucket: str, quota: Quota, *, taking: int) -> Standing:
        now = self._clock.monotonic()
        full_at = max(self._full_at.get(bucket, now), now)
        left = quota.burst - (full_at - now) * quota.per_second
        if left < 1:
            reset = math.ceil(full_at - now)
            return Standing(quota.burst, 0, reset, max(1, math.ceil((1 - left) / quota.per_second)))
        full_at += taking / quota.per_second
        if taking:
            self._full_at[bucket] = full_at
        return Standing(quota.burst, int(left + 1e-6) - taking, math.ceil(full_at - now), 0)

    def _tell(self, request: web.Request, standing: Standing) -> None:
        request[keys.STANDING] = standing
        if standing.wait:
            raise Problem(429)


def _quota(a_minute: float, burst: int) -> Quota:
    return Quota(max(burst, 1), a_minute / 60)


def _stranger(request: web.Request) -> str:
    # Without TLS there need be no proxy: then whoever is in the same network could invent an address for each guess, or
    # another's to be refused under.
    is_behind_proxy = is_behind_tls(request.app[keys.CONFIGURATION].current)
    forwarded = request.headers.getall("X-Forwarded-For", []) if is_behind_proxy else []
    return f"stranger {network_of(request.remote or '', forwarded)}"


def network_of(peer: str, forwarded: Sequence[str]) -> str:
    """Return where a request comes from: an IPv4 address, or the /64 of an IPv6 address, which one household has.

    Only a proxy that stands in a private network is believed whom it passes on, and only the last of the addresses in
    `X-Forwarded-For`, which is the one that it saw itself; all before it may be invented. A client that reaches us from
    the public Internet is the peer, whatever it says.
    """
    address = _address(peer.partition("%")[0])
    if forwarded and (address is None or not address.is_global):
        address = _address(forwarded[-1].rpartition(",")[2].strip()) or address
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
