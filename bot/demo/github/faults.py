"""What can go wrong between GitHub and a receiver, as small objects that a scenario scripts or a seed draws."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.demo.github.webhooks.deliveries import Delivery


@dataclass(frozen=True, slots=True)
class Delay:
    """Hold a delivery back for `seconds` of the clock."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Send the same bytes under the same GUID `copies` more times."""

    copies: int = 1


@dataclass(frozen=True, slots=True)
class Fail:
    """Reach nobody, and have it in the log as failed; the defaults are GitHub's when a host does not answer."""

    status_code: int = 502
    status: str = "failed to connect to host"


@dataclass(frozen=True, slots=True)
class NeverSent:
    """Lose the event before there is a delivery: no log, no redelivery."""


Fault = Delay | Duplicate | Fail | NeverSent


class FaultPlan(Protocol):
    """Decides what happens to each delivery; among `window` neighbours the order is shuffled (1: it is kept)."""

    window: int

    def faults_for(self, delivery: Delivery, *, redelivery: bool) -> Sequence[Fault]:
        """Return the faults of this one attempt, none for a clean one."""
        ...  # pragma: no cover


class NoFaults:
    """Everything arrives, in the order it happened as far as concurrency lets it."""

    window = 1

    def faults_for(self, delivery: Delivery, *, redelivery: bool) -> Sequence[Fault]:  # noqa: ARG002
        return ()


@dataclass(slots=True)
class FaultRates:
    """Faults drawn from the seed, each with its own probability between 0 and 1; redeliveries go through clean.

    What a delivery meets depends on the seed and its number alone, not on when it is asked.
    """

    seed: int
    delay: float = 0
    longest_delay: float = 2
    duplicate: float = 0
    fail: float = 0
    never_sent: float = 0
    window: int = 1

    def faults_for(self, delivery: Delivery, *, redelivery: bool) -> Sequence[Fault]:
        if redelivery:
            return ()
        drawn = random.Random(f"faults {self.seed} {delivery.number}")
        if drawn.random() < self.never_sent:
            return (NeverSent(),)
        if drawn.random() < self.fail:
            return (Fail(),)
        faults: list[Fault] = []
        if drawn.random() < self.delay:
            faults.append(Delay(drawn.uniform(0, self.longest_delay)))
        if drawn.random() < self.duplicate:
            faults.append(Duplicate())
        return faults


@dataclass(slots=True)
class _Line:
    fault: Fault
    event: str | None
    action: str | None
    redeliveries: bool
    times: int | None

    def fits(self, delivery: Delivery, *, redelivery: bool) -> bool:
        return (
            self.times != 0
            and (self.redeliveries or not redelivery)
            and self.event in {None, delivery.event}
            and self.action in {None, delivery.action}
        )


class ScriptedFaults:
    """Faults that a scenario asks for, one line after another."""

    def __init__(self, window: int = 1) -> None:
        self.window = window
        self._lines: list[_Line] = []

    def add(
        self,
        fault: Fault,
        *,
        event: str | None = None,
        action: str | None = None,
        times: int | None = 1,
        redeliveries: bool = False,
    ) -> None:
        """Let the next `times` (None: all) deliveries of `event` and `action` (None: any) meet `fault`."""
        self._lines.append(_Line(fault, event, action, redeliveries, times))

    def clear(self) -> None:
        """End all that is still to come, as when an outage is over."""
        self._lines.clear()

    def faults_for(self, delivery: Delivery, *, redelivery: bool) -> Sequence[Fault]:
        fitting = [line for line in self._lines if line.fits(delivery, redelivery=redelivery)]
        for line in fitting:
            line.times = None if line.times is None else line.times - 1
        return [line.fault for line in fitting]
