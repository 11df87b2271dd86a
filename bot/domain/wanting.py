"""What is still to be asked about a run that GitHub has listed: a request for each is dear, so few are worth one."""

from datetime import datetime, timedelta
from enum import IntEnum

from msgspec import Struct

from bot.domain.ordering import is_finished
from bot.domain.triggers import PULL_REQUEST_EVENTS

# Older runs are worth a request for their jobs only where they failed.
JOBS_SPAN = timedelta(days=14)
FAILED = frozenset({"failure", "timed_out"})
# GitHub could not even begin such a run, so it made no jobs.
WITHOUT_JOBS = "startup_failure"
FIRST_LOOK, LONGEST_INTERVAL = timedelta(minutes=15), timedelta(hours=24)


class Urgency(IntEnum):
    """What is asked first: what a person waits for, what seems to have stood still, what failed, then the rest."""

    ASKED = 0
    UNFINISHED = 1
    FAILED = 2
    OTHER = 3


class RunState(Struct, frozen=True):
    """What is known of a run: `attempts` of it have ended, and up to `jobs_attempt` GitHub has listed their jobs.

    `began_at` is when its newest attempt did, which may be long after it was created. `linked` tells whether a pull
    request is known to be its own, `from_fork` whether its head is another repository's.
    """

    status: str
    conclusion: str | None
    event: str | None
    created_at: datetime
    began_at: datetime
    run_attempt: int
    attempts: int
    jobs_attempt: int
    from_fork: bool
    linked: bool

    @property
    def lacks_link(self) -> bool:
        """Whether it must belong to a pull request that only GitHub can name: it lists none for runs from forks."""
        return self.from_fork and not self.linked and self.event in PULL_REQUEST_EVENTS


class Want(Struct, frozen=True):
    """That GitHub is to be asked about a run, and whether for its jobs as well."""

    urgency: Urgency
    with_jobs: bool


def want_of(run: RunState, now: datetime) -> Want | None:
    """Return what is worth asking about a run, None where nothing is.

    The jobs of the last 14 days and of every failed run are; so are earlier attempts, and a fork's pull request. A run
    that has not ended is not among them: its end will be told, or is looked for when it stays away.
    """
    if not is_finished(run.status, run.conclusion) or run.jobs_attempt >= run.run_attempt:
        return None
    with_jobs = are_jobs_wanted(run.conclusion, run.began_at, run.run_attempt, now)
    if not with_jobs and run.attempts >= run.run_attempt and not run.lacks_link:
        return None
    return Want(Urgency.FAILED if run.conclusion in FAILED else Urgency.OTHER, with_jobs)


def are_jobs_wanted(conclusion: str | None, began_at: datetime, run_attempt: int, now: datetime) -> bool:
    """Tell whether a run that has ended so is worth a request for its jobs; the others mostly stay without any."""
    never_begun = conclusion == WITHOUT_JOBS and run_attempt == 1
    return (conclusion in FAILED or began_at >= now - JOBS_SPAN) and not never_begun


def next_look(tries: int) -> timedelta:
    """Return how long to wait after that many looks at something that had not ended: doubling, a day at the most."""
    return min(FIRST_LOOK * (1 << min(tries, 16)), LONGEST_INTERVAL)
