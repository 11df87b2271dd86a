"""What runs are marked with, so that a list of jobs which follow from runs need not look at every run before its page.

`late_job_at` is of runs with late jobs, and early ones, `without_jobs` of those without any: backfills leave most that
are older than two weeks so. `bench/lists` shows what both are worth. Whoever records a job sees to the marks of its
run, if that is recorded; whoever records a run for the first time looks for jobs of it. For that its repository is
locked, where the run is old enough, so that neither misses the other. A run that is late needlessly, or lacks its other
mark, costs one look more. The jobs of a run that has just begun are looked at within the hour only: none is early that
GitHub told.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from bot.domain import facts
from bot.domain.lateness import EARLY_BEFORE, LATE_AFTER, on_time_since, on_time_until
from bot.domain.ordering import is_finished
from bot.domain.wanting import are_jobs_wanted
from bot.recorder.directory import holding_repositories
from bot.store.conversation import Among, Conversation, Question
from bot.store.database import Transaction, current, to_moment
from bot.store.writes import Statement

# An older version may record what GitHub delivered up to three days ago. Late jobs from before that, which its backfill
# records, stay unmarked.
LOOKED_BACK, A_SLICE = timedelta(days=4), timedelta(hours=1)
_KNOWN = "SELECT run_id, created_at, late_job_at, without_jobs FROM workflow_run WHERE run_id {among}"
_JOBS = "SELECT run_id, min(listed_at), max(listed_at) FROM workflow_job WHERE run_id {among} GROUP BY run_id"
_MARK_LATE = "UPDATE workflow_run SET late_job_at = ? WHERE run_id = ? AND (late_job_at IS NULL OR late_job_at < ?)"
_HAS_JOBS = "UPDATE workflow_run SET without_jobs = FALSE WHERE run_id = ?"
_NEWEST_JOB = "(SELECT max(job.listed_at) FROM workflow_job AS job WHERE job.run_id = workflow_run.run_id)"
_RUNS_OF_JOBS = (
    "SELECT job.run_id FROM team CROSS JOIN workflow_job AS job"
    " WHERE job.team_id = team.id AND job.listed_at >= ? AND job.listed_at < ?"
)
# A run is marked if a job listed at the end of the slice would be late: needlessly at the worst.
_LATE_OF_A_SLICE = (
    f"UPDATE workflow_run SET late_job_at = {_NEWEST_JOB} WHERE run_id IN ({_RUNS_OF_JOBS})"
    f" AND created_at < ? AND (late_job_at IS NULL OR late_job_at < {_NEWEST_JOB})"
)
# A run is marked if a job listed before the slice would be early, whenever in the slice it was created.
_EARLY_OF_A_SLICE = (
    f"UPDATE workflow_run SET late_job_at = {_NEWEST_JOB} WHERE run_id IN"
    " (SELECT run.run_id FROM team CROSS JOIN workflow_run AS run"
    " WHERE run.team_id = team.id AND run.created_at >= ? AND run.created_at < ?) AND EXISTS"
    " (SELECT 1 FROM workflow_job AS job WHERE job.run_id = workflow_run.run_id AND job.listed_at < ?)"
    f" AND (late_job_at IS NULL OR late_job_at < {_NEWEST_JOB})"
)
_HAVE_JOBS_OF_A_SLICE = (
    f"UPDATE workflow_run SET without_jobs = FALSE WHERE run_id IN ({_RUNS_OF_JOBS}) AND without_jobs"
)
_LACKS_JOBS = "NOT EXISTS (SELECT 1 FROM workflow_job AS job WHERE job.run_id = {run}.run_id)"
_LACKING_JOBS = (
    "SELECT run.run_id, run.repository_id FROM team CROSS JOIN workflow_run AS run"
    " WHERE run.team_id = team.id AND run.created_at >= ? AND run.created_at < ?"
    f" AND run.status = 'completed' AND NOT run.without_jobs AND {_LACKS_JOBS.format(run='run')}"
)
_MARK_WITHOUT_JOBS = (
    f"UPDATE workflow_run SET without_jobs = TRUE WHERE run_id = ? AND {_LACKS_JOBS.format(run='workflow_run')}"
)
# When the first and the last job of each run is listed.
Spans = Mapping[int, tuple[datetime, datetime]]


def marking_runs_of(jobs: Iterable[facts.WorkflowJob]) -> Conversation[None]:
    """Mark the runs of these jobs, once runs are written and before anything else is.

    Whoever waits for a run then holds nothing but runs and attempts.
    """
    spans: dict[int, tuple[datetime, datetime]] = {}
    for job in jobs:
        listed_at = job.listed_at
        first, last = spans.get(job.run_id, (listed_at, listed_at))
        spans[job.run_id] = min(first, listed_at), max(last, listed_at)
    yield from marking_runs(spans)


def runs_to_look_at(
    runs: Iterable[facts.WorkflowRun], now: datetime, *, of_the_past: bool = False
) -> Conversation[list[int]]:
    """Find out which of the runs may have jobs already: those not recorded yet, or as created at another time.

    A known run is marked by whoever records its jobs. One created less than three hours ago has no late ones yet. Where
    the past is listed, hardly any is known, and none is asked about.
    """
    old = {run.run_id: run.created_at for run in runs if run.created_at < now - LATE_AFTER / 2}
    if of_the_past:
        return sorted(old)
    known = {run_id: to_moment(created_at) for run_id, created_at, *_ in (yield Among(_KNOWN, sorted(old)))}
    return [run_id for run_id, created_at in sorted(old.items()) if known.get(run_id) != created_at]


def jobs_of(run_ids: Sequence[int]) -> Conversation[dict[int, tuple[datetime, datetime]]]:
    """Find out which of these runs have jobs, and when the first and the last of each is listed."""
    found = yield Among(_JOBS, run_ids)
    return {
        run_id: (to_moment(first) or facts.NO_TIME, to_moment(last) or facts.NO_TIME) for run_id, first, last in found
    }


def without_jobs(runs: Iterable[facts.WorkflowRun], with_jobs: Iterable[int], now: datetime) -> set[int]:
    """Return which of the runs are to be marked as having no jobs, where just those of `with_jobs` have any.

    A run whose jobs are asked for next is not: taking its mark back would cost more than the mark is worth.
    """
    return {run.run_id for run in runs if _stays_without(run, now)}.difference(with_jobs)


def _stays_without(run: facts.WorkflowRun, now: datetime) -> bool:
    began_at = run.run_started_at or run.created_at
    return is_finished(run.status, run.conclusion) and not are_jobs_wanted(
        run.conclusion, began_at, run.run_attempt, now
    )


def marking_runs(spans: Spans) -> Conversation[None]:
    """Mark those of these runs that are recorded, given when the first and the last job of each is listed."""
    # One UPDATE of many would be a join, and a plan made while there are few runs may read all of them.
    untimely, with_jobs = [], []
    for run_id, created, marked, lacks_jobs in (yield Among(_KNOWN, sorted(spans))):
        last, marked_at = spans[run_id][1], to_moment(marked)
        if _is_untimely(to_moment(created), *spans[run_id]) and (marked_at is None or marked_at < last):
            untimely.append((last, run_id, last))
        if lacks_jobs:
            with_jobs.append((run_id,))
    yield Statement(_MARK_LATE, sorted(untimely, key=lambda row: row[1]))
    yield Statement(_HAS_JOBS, sorted(with_jobs))


def _is_untimely(created_at: datetime | None, first: datetime, last: datetime) -> bool:
    return created_at is not None and not on_time_since(last) <= created_at <= on_time_until(first)


async def mark_runs(now: datetime) -> int:
    """Mark runs of the last days as older versions do not, and those that have come to have no jobs; return how many.

    Whatever ended without jobs six hours ago is not waited for any longer.
    """
    # In slices, so that nobody who writes waits for long.
    begins = [now - LOOKED_BACK + number * A_SLICE for number in range(LOOKED_BACK // A_SLICE + 1)]
    marked = sum([await current().transact(partial(_mark_slice, begin)) for begin in begins])
    ended = [begin for begin in begins if begin + A_SLICE <= now - LATE_AFTER]
    return marked + sum([await current().transact(partial(_mark_without_jobs, begin)) for begin in ended])


async def _mark_slice(begin: datetime, tx: Transaction) -> int:
    end = begin + A_SLICE
    late = await tx.execute(_LATE_OF_A_SLICE, begin, end, on_time_since(end))
    early = await tx.execute(_EARLY_OF_A_SLICE, begin, end, end - EARLY_BEFORE)
    return late + early + await tx.execute(_HAVE_JOBS_OF_A_SLICE, begin, end)


async def _mark_without_jobs(begin: datetime, tx: Transaction) -> int:
    return await tx.converse(_marking_without_jobs(begin, tx))


def _marking_without_jobs(begin: datetime, tx: Transaction) -> Conversation[int]:
    found = yield Question(_LACKING_JOBS, (begin, begin + A_SLICE))
    # Whoever records a job of theirs has done so before, or does afterwards.
    yield from holding_repositories(tx.dialect, {repository_id for _, repository_id in found})
    run_ids = sorted(run_id for run_id, _ in found)
    yield Statement(_MARK_WITHOUT_JOBS, [(run_id,) for run_id in run_ids])
    return len(run_ids)
