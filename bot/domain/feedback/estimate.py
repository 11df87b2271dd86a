"""How long what is going on will still take, going by how long it usually does."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from statistics import median

from msgspec import Struct

from bot.domain.feedback.report import Job, Run

LEAST, STEP = 30, 30
"""An estimate is told in steps of so many seconds, and what is over its usual time is about to end."""


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
    """Return about how many seconds pass until all runs have ended; None where one of them has no usual time.

    Jobs appear only once what they need has ended, so a run takes at least what is left of its own usual time.
    """
    longest = 0.0
    for run in runs:
        if run.is_done:
            continue
        known = usual.get(run.workflow_id or 0)
        if known is None:
            return None
        of_jobs = [_left_of_job(job, known, now) for job in jobs.get(run.run_id, ())]
        longest = max(longest, known.run - (now - run.began_at).total_seconds(), *of_jobs, LEAST)
    return round(longest / STEP) * STEP if longest else None


def _left_of_job(job: Job, usual: Usual, now: datetime) -> float:
    if job.status == "completed":
        return 0.0
    whole = usual.jobs.get(job.name, 0.0)
    if job.status == "in_progress" and job.started_at is not None:
        return whole - (now - job.started_at).total_seconds()
    return whole
