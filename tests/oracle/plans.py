"""The choices that make a history worth shrinking; all the rest comes from one drawn seed."""

from dataclasses import dataclass
from typing import Literal

Gate = Literal["none", "approved", "left"]
Ending = Literal[
    "success", "failure", "cancelled", "timed_out", "skipped", "startup_failure", "stale", "cancelled_early"
]


@dataclass(frozen=True, slots=True)
class AttemptPlan:
    """One attempt: how many jobs, its approval gate, and how it ends.

    `failed_only` re-runs carry the successful jobs of the attempt before; `environment` jobs wait for approval.
    """

    jobs: int
    ending: Ending
    gate: Gate
    failed_only: bool
    environment: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """One history: the attempts of each run, and what makes its timing.

    `hurry` (0 to 10) is how often a change falls into the second of the one before, `early_looks` how many REST
    looks are taken half-way, `untimed_guids` asks for GUIDs without a time where the truth can do without,
    `cut` is the number of steps after which we stop watching (None: all is finished).
    """

    seed: int
    runs: list[list[AttemptPlan]]
    hurry: int
    early_looks: int
    untimed_guids: bool
    cut: int | None
