"""What was asked and how it went, and which requests GitHub would hold against a client."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bot.demo.github.rest.callers import CallerKind

ViolationKind = Literal[
    "sent_too_early",
    "too_many_at_once",
    "too_many_creations",
    "too_many_points",
    "writes_at_once",
    "writes_too_close",
    "token_to_log_host",
]


@dataclass(slots=True)
class Call:
    """One request; `status` is 0 while it is open, and where the connection was cut."""

    at: datetime
    method: str
    path: str
    query: str
    operation: str = ""
    caller: CallerKind = "nobody"
    key: str = "nobody"
    installation_id: int | None = None
    status: int = 0
    fault: str = ""
    counted_as_write: bool = False

    @property
    def writes(self) -> bool:
        return self.method not in {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True)
class Violation:
    """A request that should not have been sent, or not then."""

    kind: ViolationKind
    call: Call
    detail: str


@dataclass(slots=True)
class _Blocked:
    since: datetime
    until: datetime
    refused: set[str] = field(default_factory=set)
    crossed: int = 0


class Ledger:
    """The last `most` requests, counts of all, and violations.

    A refusal names the moment until which its caller has to wait. What was under way when it was answered is no
    violation: that is, at most `crossing` requests within `grace` seconds of the clock, and none of those that were
    refused before.
    """

    def __init__(self, most: int = 100_000) -> None:
        self.grace = 1.0
        self.crossing = 10
        self.seconds_between_writes = 1.0
        self.calls: deque[Call] = deque(maxlen=most)
        self.counts: Counter[str] = Counter()
        self.violations: list[Violation] = []
        self._blocked: dict[str, _Blocked] = {}
        self._open_writes: Counter[str] = Counter()
        self._last_write: dict[str, datetime] = {}

    def of(self, operation: str) -> Iterator[Call]:
        """Yield the calls of one of GitHub's operations, like `actions/list-workflow-runs-for-repo`."""
        return (call for call in self.calls if call.operation == operation)

    def begin(self, call: Call) -> None:
        self.calls.append(call)

    def end(self, call: Call, status: int) -> None:
        call.status = status
        self.counts[call.operation] += 1
        self.counts[f"status {status}"] += 1
        self._open_writes[call.key] -= call.counted_as_write

    def note(self, kind: ViolationKind, call: Call, detail: str) -> None:
        self.violations.append(Violation(kind, call, detail))

    def block(self, call: Call, until: datetime) -> None:
        """Remember that the caller was told to wait."""
        blocked = self._blocked.get(call.key)
        if blocked is None or blocked.until <= call.at:
            blocked = self._blocked[call.key] = _Blocked(call.at, until)
        blocked.until = max(blocked.until, until)
        blocked.refused.add(_name(call))

    def waits_until(self, call: Call) -> datetime | None:
        """Return until when the caller was told to wait, None when it may ask; whoever does not wait is noted."""
        blocked = self._blocked.get(call.key)
        if blocked is None or call.at >= blocked.until:
            return None
        blocked.crossed += 1
        late = (call.at - blocked.since).total_seconds() > self.grace or blocked.crossed > self.crossing
        if late or _name(call) in blocked.refused:
            self.note("sent_too_early", call, f"{(blocked.until - call.at).total_seconds():.0f} s before it may")
        return blocked.until

    def check_writes(self, call: Call) -> None:
        """Note writes of one caller that are not one after another, a second apart."""
        if not call.writes:
            return
        if self._open_writes[call.key] > 0:
            self.note("writes_at_once", call, "another write is under way")
        last = self._last_write.get(call.key)
        if last is not None and (call.at - last).total_seconds() < self.seconds_between_writes:
            self.note("writes_too_close", call, f"{(call.at - last).total_seconds():.2f} s after another write")
        self._last_write[call.key] = call.at
        self._open_writes[call.key] += 1
        call.counted_as_write = True


def _name(call: Call) -> str:
    return f"{call.method} {call.path}?{call.query}"
