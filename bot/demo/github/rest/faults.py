"""What can go wrong between a client and the REST API, as small objects that a scenario scripts or a seed draws."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from bot.demo.github.rest.ledger import Call


@dataclass(frozen=True, slots=True)
class ServerError:
    """Answer 500, 502, 503 … and do nothing."""

    status: int = 502


@dataclass(frozen=True, slots=True)
class RateLimited:
    """Refuse with 403 or 429, and go on refusing until the moment that the client is told.

    With `retry_after` that is so many seconds from now; with `reset_in` nothing remains until a reset so many seconds
    from now; with neither, a client has to wait a minute without being told.
    """

    status: int = 429
    retry_after: int | None = None
    reset_in: int | None = None


@dataclass(frozen=True, slots=True)
class Slow:
    """Do what is asked at once, but answer only after `seconds` of the clock."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Late:
    """Take a request in, but do what it asks only `seconds` of the clock later, whether anybody waits for it or not.

    It is answered then; with `cut` the connection is closed as soon as the request has come.
    """

    seconds: float
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """Close the connection: before anything is done or, with `answered`, in the midst of the answer."""

    answered: bool = False


RestFault = ServerError | RateLimited | Slow | Late | Cut


class RestFaultPlan(Protocol):
    """Decides what happens to each request."""

    def faults_for(self, call: Call) -> Sequence[RestFault]:
        """Return the faults of this request, none for a clean one."""
        ...  # pragma: no cover


@dataclass(slots=True)
class RestFaultRates:
    """Faults drawn from the seed, each with its own probability between 0 and 1."""

    seed: int
    server_error: float = 0
    rate_limited: float = 0
    slow: float = 0
    longest: float = 5
    cut: float = 0
    late: float = 0
    asked: int = 0

    def faults_for(self, call: Call) -> Sequence[RestFault]:  # noqa: ARG002
        self.asked += 1
        drawn = random.Random(f"rest faults {self.seed} {self.asked}")
        if drawn.random() < self.server_error:
            return (ServerError(drawn.choice((500, 502, 503, 504))),)
        if drawn.random() < self.rate_limited:
            return (RateLimited(drawn.choice((403, 429)), drawn.choice((None, 1, 30, 90))),)
        if drawn.random() < self.cut:
            return (Cut(answered=drawn.random() < 0.5),)
        if drawn.random() < self.slow:
            return (Slow(drawn.uniform(0, self.longest)),)
        if drawn.random() < self.late:
            return (Late(drawn.uniform(0, self.longest), cut=drawn.random() < 0.5),)
        return ()


@dataclass(slots=True)
class _Line:
    fault: RestFault
    operation: str | None
    method: str | None
    installation_id: int | None
    since: datetime | None
    until: datetime | None
    times: int | None

    def fits(self, call: Call) -> bool:
        return (
            self.times != 0
            and self.operation in {None, call.operation}
            and self.method in {None, call.method}
            and self.installation_id in {None, call.installation_id}
            and (self.since is None or self.since <= call.at)
            and (self.until is None or call.at < self.until)
        )


class ScriptedRestFaults:
    """Faults that a scenario asks for, one line after another."""

    def __init__(self) -> None:
        self._lines: list[_Line] = []

    def add(
        self,
        fault: RestFault,
        *,
        operation: str | None = None,
        method: str | None = None,
        installation_id: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        times: int | None = 1,
    ) -> None:
        """Let the next `times` (None: all) requests that fit meet `fault`; None fits any.

        `operation` is GitHub's own id, like `checks/create`; `since` and `until` bound the clock's time.
        """
        self._lines.append(_Line(fault, operation, method, installation_id, since, until, times))

    def clear(self) -> None:
        """End all that is still to come, as when a storm is over."""
        self._lines.clear()

    def faults_for(self, call: Call) -> Sequence[RestFault]:
        fitting = [line for line in self._lines if line.fits(call)]
        for line in fitting:
            line.times = None if line.times is None else line.times - 1
        return [line.fault for line in fitting]
