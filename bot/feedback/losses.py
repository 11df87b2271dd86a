"""Runners lost again: what takes the runner from a job each time may be the work itself."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from bot.domain.feedback.classes import is_lost
from bot.domain.feedback.report import Evidence, Failure, Job, Run
from bot.feedback.failures import failures_of
from bot.store.database import Executor

Asked = tuple[Job, Run, Failure | None]


async def with_losses(
    reader: Executor, jobs: Mapping[int, Sequence[Job]], failed: Sequence[Asked], evidence: Mapping[int, Evidence]
) -> dict[int, Evidence]:
    """Return the evidence, and with it in how many earlier attempts the runner was lost to a job that lost it now.

    `jobs` are those of all attempts by run; the evidence is by job.
    """
    lost = [job for job, _, failure in failed if failure is not None and is_lost(job, failure)]
    before = {job.job_id: _earlier(job, jobs.get(job.run_id, ())) for job in lost}
    failures = await failures_of(reader, [each.job_id for earlier in before.values() for each in earlier])
    known = dict(evidence)
    for job_id, earlier in before.items():
        times = sum(is_lost(each, failures[each.job_id]) for each in earlier if each.job_id in failures)
        known[job_id] = replace(evidence.get(job_id, Evidence()), lost_before=times)
    return known


def _earlier(job: Job, jobs: Sequence[Job]) -> list[Job]:
    return [each for each in jobs if each.name == job.name and each.attempt < job.attempt]
