"""What GitHub calls cancelled though nobody cancelled it: what is noted on a job tells of what it ended."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from bot.domain.feedback.classes import is_infrastructure, took_too_long
from bot.domain.feedback.report import Failure, Job, Run


def as_they_ended(run: Run, jobs: Sequence[Job], failures: Mapping[int, Failure]) -> tuple[Run, list[Job]]:
    """Return a run and its jobs, of which those count as failed that were ended for their time, or lost their runner.

    The run has failed as well if no other of its jobs was cancelled. `failures` are by job.
    """
    ended = [_as_it_ended(job, failures.get(job.job_id)) for job in jobs]
    if run.conclusion != "cancelled" or ended == list(jobs) or any(job.conclusion == "cancelled" for job in ended):
        return run, ended
    return replace(run, conclusion="failure"), ended


def _as_it_ended(job: Job, failure: Failure | None) -> Job:
    if job.conclusion != "cancelled" or failure is None:
        return job
    if took_too_long(failure):
        return replace(job, conclusion="timed_out")
    return replace(job, conclusion="failure") if is_infrastructure(job, failure) else job
