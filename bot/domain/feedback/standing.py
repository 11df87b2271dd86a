"""How the runs and jobs of one commit stand together: which of them count, how many there are, what they come to."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bot.domain.feedback.report import Cause, Conclusion, Counts, Flake, Job, Run

FAILED = frozenset({"failure", "timed_out", "startup_failure"})
NOT_NEEDED = frozenset({"skipped", "neutral"})


def current_runs(runs: Iterable[Run]) -> list[Run]:
    """Return of several runs of a workflow for one event and branch the newest, as when a branch was pushed back."""
    newest: dict[tuple[object, ...], Run] = {}
    for run in sorted(runs, key=lambda run: run.run_id):
        newest[run.workflow_id or run.workflow_path, run.event, run.head_branch] = run
    return sorted(newest.values(), key=lambda run: (run.workflow_name, run.workflow_path, run.event or "", run.run_id))


def current_jobs(run: Run, jobs: Iterable[Job]) -> list[Job]:
    """Return the jobs of a run as they stand: those of its newest attempt, and what earlier ones did that still counts.

    A re-run of the failed jobs keeps the others, which GitHub may or may not list anew. What failed before and is not
    there yet is about to be run again.
    """
    newest = _newest_by_name(jobs)
    return sorted(
        (job for job in newest.values() if job.attempt == run.attempt or job.conclusion not in {*FAILED, "cancelled"}),
        key=lambda job: (job.name, job.job_id),
    )


def _newest_by_name(jobs: Iterable[Job]) -> dict[str, Job]:
    newest: dict[str, Job] = {}
    for job in sorted(jobs, key=lambda job: (job.attempt, job.job_id)):
        newest[job.name] = job
    return newest


def is_settled(run: Run, jobs: Sequence[Job]) -> bool:
    """Tell whether a run that has ended is known with all that made it end; `jobs` are its current ones.

    Where the end of a job was not told, the run would seem to have failed of nothing.
    """
    if any(job.status != "completed" for job in jobs):
        return False
    if run.are_jobs_listed or run.conclusion not in {"failure", "timed_out"}:
        return True
    return any(job.has_failed for job in jobs)


def is_tolerated(job: Job, run: Run) -> bool:
    """Tell whether a job's bad end makes no difference to its run, which passed: so its workflow says.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idcontinue-on-error
    """
    return run.is_done and run.conclusion == "success" and (job.has_failed or job.conclusion == "cancelled")


def count_jobs(jobs: Sequence[tuple[Job, Run]]) -> Counts:
    """Count the jobs by how they stand."""
    counted: dict[str, int] = defaultdict(int)
    for job, run in jobs:
        counted["tolerated" if is_tolerated(job, run) else _standing(job)] += 1
    return Counts(total=len(jobs), **counted)


def _standing(job: Job) -> str:
    if job.status != "completed":
        return "running" if job.status == "in_progress" else "waiting"
    if job.has_failed:
        return "failed"
    if job.conclusion == "success":
        return "passed"
    return "cancelled" if job.conclusion in {"cancelled", "stale"} else "skipped"


def flaky_attempts(jobs: Iterable[Job]) -> dict[int, tuple[tuple[int, str], ...]]:
    """Return the attempts, each with its conclusion, of every job of a run that failed before and has passed now.

    They are by the id of the job that has passed.
    """
    by_name: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        by_name[job.name].append(job)
    found: dict[int, tuple[tuple[int, str], ...]] = {}
    for tried in by_name.values():
        tried.sort(key=lambda job: (job.attempt, job.job_id))
        attempts = {job.attempt: job.conclusion for job in tried if job.conclusion is not None}
        if tried[-1].conclusion == "success" and any(conclusion in FAILED for conclusion in attempts.values()):
            found[tried[-1].job_id] = _until_it_passed(attempts)
    return found


def _until_it_passed(attempts: Mapping[int, str]) -> tuple[tuple[int, str], ...]:
    """Leave out the copies of a job that has passed which later attempts carry along."""
    told: list[tuple[int, str]] = []
    for attempt in sorted(attempts):
        if not (told and told[-1][1] == "success" == attempts[attempt]):
            told.append((attempt, attempts[attempt]))
    return tuple(told)


def runs_without_jobs(runs: Iterable[Run], jobs: Mapping[int, Sequence[Job]]) -> list[Run]:
    """Return the runs that ended badly though none of their jobs did, such as where the workflow file is wrong."""
    bad = {*FAILED, "cancelled"}
    return [
        run
        for run in runs
        if run.is_done
        and run.conclusion in bad
        and not any(job.conclusion in bad and job.status == "completed" for job in jobs.get(run.run_id, ()))
    ]


def conclude(
    runs: Sequence[Run], jobs: Sequence[tuple[Job, Run]], causes: Sequence[Cause], without_jobs: Sequence[Run]
) -> Conclusion | None:
    """Return what a commit comes to, the worst first; None while anything goes on.

    What is unclassified counts as the pull request's own, since nothing excuses it.
    """
    if not runs or not all(run.is_done for run in runs):
        return None
    if any(not cause.failure_class.is_excused for cause in causes) or any(
        run.conclusion in FAILED for run in without_jobs
    ):
        return Conclusion.FAILURE
    if any(run.conclusion == "action_required" for run in runs):
        return Conclusion.ACTION_REQUIRED
    # A run that GitHub has no more, and that had not ended, has no conclusion.
    if any(run.conclusion in {"cancelled", "stale", None} for run in runs) or any(
        job.conclusion == "cancelled" and not is_tolerated(job, run) for job, run in jobs
    ):
        return Conclusion.CANCELLED
    return Conclusion.NEUTRAL if causes else Conclusion.SUCCESS


def going_on(run: Run) -> Run:
    """Return a run as it stands while not all of it is known."""
    return msgspec.structs.replace(run, status="in_progress", conclusion=None)


def in_order(flakes: Iterable[Flake]) -> tuple[Flake, ...]:
    """Return flakes by where they are."""
    return tuple(sorted(flakes, key=lambda flake: (flake.run.workflow_name, flake.job.name, flake.job.job_id)))
