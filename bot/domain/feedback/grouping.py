"""From failed jobs to causes: what is the same is told once, what blames comes first."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from bot.domain.feedback.report import Cause, FailedJob, FailureClass
from bot.domain.fingerprints import job_without_matrix

_ORDER = (
    FailureClass.NEW,
    FailureClass.NO_BASE,
    FailureClass.PENDING,
    FailureClass.UNSEEN,
    FailureClass.BASE,
    FailureClass.FLAKY,
    FailureClass.INFRA,
)
_NUMBER = re.compile(r"([0-9]+)")

Key = tuple[Any, ...]


def grouped(failed: Iterable[FailedJob]) -> tuple[Cause, ...]:
    """Return the causes of failures, in an order that follows from what they are alone.

    What blames the pull request comes first, then what says something about itself, then what most jobs failed of; the
    names of workflow, job and step settle the rest.
    """
    causes: dict[Key, list[FailedJob]] = defaultdict(list)
    for each in failed:
        causes[_identity(each)].append(each)
    made = [Cause(jobs[0].failure_class, tuple(sorted(jobs, key=_place_in_cause))) for jobs in causes.values()]
    return tuple(sorted(made, key=_place))


def _identity(failed: FailedJob) -> Key:
    """Return what is the same for failures of one cause."""
    if failed.failure is not None:
        return (failed.failure_class, failed.failure.fingerprint)
    return (failed.failure_class, "", failed.run.workflow_path, job_without_matrix(failed.job.name), failed.job.step)


def _place(cause: Cause) -> Key:
    failure = cause.first.failure
    says_nothing = failure is None or failure.is_generic
    *where, job_id = _where(cause.first)
    fingerprint = "" if failure is None else failure.fingerprint
    return (_ORDER.index(cause.failure_class), says_nothing, -len(cause.jobs), *where, fingerprint, job_id)


def _place_in_cause(failed: FailedJob) -> Key:
    """The first speaks for all, so it had better have something to show."""
    shows_something = failed.failure is not None and bool(failed.failure.lines)
    return (not shows_something, *_where(failed))


def _where(failed: FailedJob) -> Key:
    run, job = failed.run, failed.job
    return (_natural(run.workflow_name), run.workflow_path, _natural(job.name), job.step or "", job.job_id)


def _natural(name: str) -> Key:
    """Return what orders names as people do: `test (3.9)` before `test (3.10)`."""
    # Every second piece is a number, which may be longer than Python would read.
    pieces = _NUMBER.split(name)
    return tuple(
        (len(piece.lstrip("0")), piece.lstrip("0"), piece) if place % 2 else piece for place, piece in enumerate(pieces)
    )
