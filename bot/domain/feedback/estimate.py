"""How long what is going on will still take, going by how long it usually does."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from statistics import median

from msgspec import Struct

from bot.domain.feedback.report import Job, Run

STEP = 30
"""An estimate is told in steps of so many seconds, and is one of them at the least."""
OVERDUE = 0
"""What takes longer than usual may end at any moment, or not for long."""


class Usual(Struct, frozen=True):
    """How long a workflow's runs took of late, from the start of the run to its end, and each of its jobs: seconds."""

    run: float
    jobs: Mapping[str, float]


def usual_of(runs: Iterable[float], jobs: Iterable[tuple[str, float]]) -> Usual | None:
    """Return the medians of what some finished runs and their jobs took; None without any."""
    wholes = list(runs)
    if not wholes:
        return None
    by_name: dict[str, list[float]] = {}
    for name, seconds in jobs:
        by_name.setdefault(name, []).append(seconds)
    return Usual(median(wholes), {name: median(took) for name, took in by_name.items()})


def seconds_left(
    runs: Sequence[Run], jobs: Mapping[int, Sequence[Job]], usual: Mapping[int, Usual], now: datetime
) -> int | None:
    """Return about how many seconds pass until all runs have ended; OVERDUE where they should have by now.

    None where nothing goes on, or something of which no usual time is known.

    Jobs appear only once what they need has ended, so a run takes at least what is left of its own usual time.
    """
    left: list[float] = []
    for run in runs:
        if run.is_done:
            continue
        known = usual.get(run.workflow_id or 0)
        if known is None:
            return None
        left.append(known.run - (now - run.began_at).total_seconds())
        left += [_left_of_job(job, known, now) for job in jobs.get(run.run_id, ())]
    if not left:
        return None
    return max(round(max(left) / STEP) * STEP, STEP) if max(left) > 0 else OVERDUE


def _left_of_job(job: Job, usual: Usual, now: datetime) -> float:
    if job.status == "completed":
        return 0.0
    whole = usual.jobs.get(job.name, 0.0)
    if job.status == "in_progress" and job.started_at is not None:
        return whole - (now - job.started_at).total_seconds()
    return whole
