"""What the oracle hands out: deliveries, REST snapshots, the log of changes, and the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

Body = dict[str, Any]
EventName = Literal["workflow_run", "workflow_job"]


class _Brief:
    """Has hypothesis print what it found by `repr`, where it would else spell out every field of every body."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Any, _is_cycle: bool) -> None:
        printer.text(repr(self))


class Key(NamedTuple):
    """What a snapshot is a snapshot of: `("attempt", run id, run_attempt)` or `("job", job id, 0)`."""

    kind: Literal["attempt", "job"]
    id: int
    number: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class Delivery(_Brief):
    """One webhook as GitHub made it; a redelivery is the very same object once more.

    `guid` is the `X-GitHub-Delivery`, a version-1 UUID whose time is `made_at` (UTC, microseconds); in some
    histories, where nothing hangs on that time, a version-4 one without.
    Bodies share their parts with one another: read them, never change them.
    """

    event: EventName
    guid: str
    made_at: datetime
    body: Body

    def __repr__(self) -> str:
        return f"<{self.made_at:%d %T.%f} {self.event} {self.body['action']}: {_state(self.body[self.event])}>"


@dataclass(frozen=True, slots=True, repr=False)
class RestSnapshot(_Brief):
    """What a GET answered: `body` is the run object ("run", "attempt") or the job object itself.

    "run" is `/actions/runs/{id}` (the newest attempt), "attempt" is `/actions/runs/{id}/attempts/{n}`,
    "job" is `/actions/jobs/{id}`. `date` is the response's `Date` header: UTC, whole seconds.
    """

    kind: Literal["run", "attempt", "job"]
    date: datetime
    body: Body

    def __repr__(self) -> str:
        return f"<{self.date:%d %T} GET {self.kind}: {_state(self.body)}>"


Arrival = Delivery | RestSnapshot


@dataclass(frozen=True, slots=True)
class Change:
    """One change on GitHub itself; `told` says whether a delivery was made of it."""

    key: Key
    at: datetime
    status: str
    conclusion: str | None
    updated_at: str | None
    told: bool


@dataclass(frozen=True, slots=True)
class Truth:
    """What must stand in the end. The inner mappings have the keys and values of GitHub's own bodies.

    `newest`: run id → its highest run_attempt. `attempts`: (run id, run_attempt) → fields of that attempt.
    `jobs`: job id → fields. `pull_requests`: run id → numbers of the pull requests into this repository.
    """

    newest: Mapping[int, int]
    attempts: Mapping[tuple[int, int], Body]
    jobs: Mapping[int, Body]
    pull_requests: Mapping[int, frozenset[int]]


@dataclass(frozen=True, slots=True, repr=False)
class History(_Brief):
    """Everything that happened in one repository.

    `deliveries`: in the order in which GitHub made them. `rest`: how every attempt and job stood in the end,
    one snapshot each. `early_rest`: snapshots of looks taken half-way, stale by the end. `log`: all changes.
    `silent`: what changed last without a delivery, so that only `rest` tells. `thin`: GUIDs of deliveries
    whose body lacks facts which never change.
    """

    deliveries: tuple[Delivery, ...]
    rest: tuple[RestSnapshot, ...]
    early_rest: tuple[RestSnapshot, ...]
    log: tuple[Change, ...]
    silent: frozenset[Key]
    thin: frozenset[str]
    truth: Truth

    def __repr__(self) -> str:
        told = [*self.deliveries, "rest:", *self.rest, "early:", *self.early_rest]
        return "\n".join(["History:", *map(str, told)])


def subject(arrival: Arrival) -> Body:
    """Return the run or job object that an arrival shows."""
    body: Body = arrival.body[arrival.event] if isinstance(arrival, Delivery) else arrival.body
    return body


def key_of(arrival: Arrival) -> Key:
    """Return the key of the attempt or job that an arrival shows."""
    shown = subject(arrival)
    return Key("job", shown["id"]) if "run_id" in shown else Key("attempt", shown["id"], shown["run_attempt"])


def _state(shown: Body) -> str:
    of = f"job {shown['id']} of {shown['run_id']}" if "run_id" in shown else f"run {shown['id']}"
    return f"{of} #{shown['run_attempt']} {shown['status']}/{shown['conclusion']} {shown.get('updated_at', '')}"
