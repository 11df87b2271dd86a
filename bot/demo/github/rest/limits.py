"""How much one caller may ask, and what is said to those who ask more.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.demo.github.rest.answers import DOCUMENTATION, Failure

if TYPE_CHECKING:
    from datetime import datetime

    from bot.demo.github.rest.ledger import Call, ViolationKind

_ABOUT = f"{DOCUMENTATION}/using-the-rest-api/rate-limits-for-the-rest-api"
_SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
    "If you reach out to GitHub Support for help, please include the request ID"
)
# What makes content that people are shown.
_CREATIONS = {"checks/create", "issues/create-comment"}


@dataclass(slots=True)
class Limits:
    """The figures; each may be set. A minute and an hour are the clock's, `wait` is the seconds of `retry-after`.

    With `capped_totals` the total of a filtered list of runs is never more than can be listed; accounts of what
    GitHub does differ.
    """

    an_hour: int = 5_000
    at_once: int = 100
    points_a_minute: int = 900
    creations_a_minute: int = 80
    creations_an_hour: int = 500
    wait: int = 60
    capped_totals: bool = False


@dataclass(slots=True)
class Window:
    """One caller's hour, which begins with its first request."""

    limit: int
    used: int = 0
    resets_at: int = 0

    @property
    def remaining(self) -> int:
        return max(self.limit - self.used, 0)

    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Used": str(min(self.used, self.limit)),
            "X-RateLimit-Reset": str(self.resets_at),
            "X-RateLimit-Resource": "core",
        }


@dataclass(slots=True)
class _Recent:
    """What one caller did in the last minute and the last hour."""

    points: deque[tuple[float, int]] = field(default_factory=deque)
    creations: deque[float] = field(default_factory=deque)


class RateLimits:
    """Keeps count by caller. Refusals say when to come again: `retry-after`, or the reset when nothing remains."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.open: Counter[str] = Counter()
        self._windows: dict[str, Window] = {}
        self._recent: defaultdict[str, _Recent] = defaultdict(_Recent)

    def window(self, key: str, now: datetime) -> Window:
        """Return a caller's hour as it stands."""
        window = self._windows.get(key)
        if window is None or now.timestamp() >= window.resets_at:
            window = self._windows[key] = Window(self.limits.an_hour, 0, int(now.timestamp()) + 3600)
        window.limit = self.limits.an_hour
        return window

    def spend(self, call: Call) -> Window:
        """Count a request; Failure 403 when nothing remains of the hour."""
        window = self.window(call.key, call.at)
        if window.remaining == 0:
            raise self.exhausted(call, window)
        window.used += 1
        return window

    def refund(self, window: Window) -> None:
        """Take a request back: an answer of 304 is free."""
        window.used -= 1

    def exhausted(self, call: Call, window: Window, status: int = 403) -> Failure:
        whose = f"installation ID {call.installation_id}" if call.installation_id else call.key
        message = f"API rate limit exceeded for {whose}."
        return Failure(status, message, headers=window.headers(), documentation=_ABOUT)

    def check_secondary(self, call: Call) -> ViolationKind | None:
        """Count points and creations of content; return of what there were too many, None when all is well."""
        limits, recent, now = self.limits, self._recent[call.key], call.at.timestamp()
        while recent.points and recent.points[0][0] <= now - 60:
            recent.points.popleft()
        while recent.creations and recent.creations[0] <= now - 3600:
            recent.creations.popleft()
        recent.points.append((now, 5 if call.writes else 1))
        creations_a_minute = 0
        if call.operation in _CREATIONS:
            recent.creations.append(now)
            creations_a_minute = sum(1 for at in recent.creations if at > now - 60)
        if sum(points for _, points in recent.points) > limits.points_a_minute:
            return "too_many_points"
        if creations_a_minute > limits.creations_a_minute or len(recent.creations) > limits.creations_an_hour:
            return "too_many_creations"
        return None


def secondary(retry_after: int | None, status: int = 403) -> Failure:
    """Return the refusal of somebody who is too quick; GitHub does not always say how long to wait."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Failure(status, _SECONDARY, headers=headers, documentation=f"{_ABOUT}#about-secondary-rate-limits")
