"""What GitHub answers, and what its headers say; nothing here sends anything."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")
Json = dict[str, Any]

_LINK = re.compile(r'<([^>]*)>\s*;\s*rel="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer as it came: `headers` is looked up whatever the case of a name."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """Decoded JSON, and `date`, GitHub's own time of the answer, which orders what REST tells against deliveries.

    `links` are the addresses of neighbouring pages by relation (next, prev, first, last); `total` is the list's
    `total_count` where it has one; `url` is where the answer came from, a redirect followed.
    """

    data: T
    date: datetime
    links: Mapping[str, str] = field(default_factory=dict)
    total: int | None = None
    url: str = ""

    def map(self, change: Callable[[T], U]) -> "Answer[U]":
        """Return the same answer about `change(data)`."""
        return Answer(change(self.data), self.date, self.links, self.total, self.url)

    @property
    def next_url(self) -> str | None:
        return self.links.get("next")


@dataclass(frozen=True, slots=True)
class Quota:
    """What the headers say of the hour: `reset` is GitHub's epoch second, `resets_at` the same on our clock."""

    limit: int
    remaining: int
    reset: int
    resets_at: float


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return when GitHub answered, to the second (RFC 9110, 6.6.1), or None where it does not say."""
    try:
        date = parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def quota_of(headers: Mapping[str, str], now: float, resource: str | None = "core") -> Quota | None:
    """Return the budget that an answer tells of; None when it tells nothing, or not of `resource` (None: any).

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#checking-the-status-of-your-rate-limit
    """
    if resource is not None and headers.get("X-RateLimit-Resource", resource) != resource:
        return None
    try:
        limit, remaining, reset = (int(headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset"))
    except (KeyError, ValueError):
        return None
    return Quota(limit, max(remaining, 0), reset, _on_our_clock(reset, headers, now))


def _on_our_clock(epoch: float, headers: Mapping[str, str], now: float) -> float:
    # Our clock may be wrong, the distance between two of GitHub's times is not; Date is cut to seconds, so this
    # errs by up to a second on the side of patience.
    date = date_of(headers)
    return epoch if date is None else now + max(epoch - date.timestamp(), 0.0)


def retry_after_of(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds to wait that `retry-after` asks for, given as seconds or as a date (RFC 9110, 10.2.3)."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(_on_our_clock(moment, headers, now) - now, 0.0)


def links_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Return a `Link` header's addresses by relation (RFC 8288)."""
    return {relation: url for url, relation in _LINK.findall(headers.get("Link", ""))}


def total_of(data: Any) -> int | None:
    """Return a list's `total_count`, where it has one."""
    total = data.get("total_count") if isinstance(data, dict) else None
    return total if isinstance(total, int) else None
