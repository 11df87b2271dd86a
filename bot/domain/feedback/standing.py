"""How the runs and jobs of one commit stand together: which of them count, how many there are, what they come to."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta

import msgspec

from bot.domain.feedback.report import Cause, Conclusion, Counts, FailedJob, Flake, Job, Run
from bot.domain.triggers import PULL_REQUEST_EVENTS

FAILED = frozenset({"failure", "timed_out", "startup_failure"})
NOT_NEEDED = frozenset({"skipped", "neutral"})
_BAD = FAILED | {"cancelled"}
_AT_THE_SAME_MOMENT = timedelta(seconds=30)
_BY_REQUEST = frozenset({"workflow_dispatch", "repository_dispatch", "schedule"})
"""What is started with these may be something else each time, which its title tells (run-name).

Where the titles are equal too, the same was asked for once more as far as is recorded, and the newest counts.
"""


def current_runs(runs: Iterable[Run]) -> list[Run]:
    """Return the runs that count: all but those in whose place a later run of the same workflow has come.

    That is so where a branch was pushed back, or something was asked for once more. Two runs that went on side by side,
    as when a pull request is opened and labelled, may have had different jobs, so both count.
    """
    alike: dict[tuple[object, ...], list[Run]] = defaultdict(list)
    for run in runs:
        title = run.title if run.event in _BY_REQUEST else None
        place = (run.workflow_id or run.workflow_path, run.event, run.head_branch, run.head_repository_id, title)
        alike[place].append(run)
    current = [run for told in alike.values() for run in told if not any(_supersedes(each, run) for each in told)]
    return sorted(current, key=lambda run: (run.workflow_name, run.workflow_path, run.event or "", run.run_id))


def _supersedes(newer: Run, older: Run) -> bool:
    """Tell whether a run has come in the place of an older one, both of one workflow, event and branch."""
    if newer.run_id <= older.run_id or not older.is_done or newer.conclusion in NOT_NEEDED:
        return False
    if not _are_of_one_pull_request(newer, older):
        return False
    # Of a concurrency group the newer run cancels the older one, which therefore ends later than the newer begins.
    if older.conclusion == "cancelled":
        return True
    return newer.created_at is not None and older.ended_at is not None and older.ended_at < newer.created_at


def _are_of_one_pull_request(one: Run, other: Run) -> bool:
    """Tell whether two runs are about the same merge: of one head, several pull requests may have several bases."""
    if one.event not in PULL_REQUEST_EVENTS:
        return True
    return len(one.pulls) <= 1 and one.pulls == other.pulls


def current_jobs(run: Run, jobs: Iterable[Job]) -> list[Job]:
    """Return the jobs of a run as they stand: those of its newest attempt, and what earlier ones did that still counts.

    A re-run of the failed jobs keeps the others, which GitHub may or may not list anew. What failed before and is not
    there yet is about to be run again.
    """
    newest = [tried[-1] for tried in _by_attempts(jobs)]
    return sorted(
        (job for job in newest if job.attempt == run.attempt or job.conclusion not in _BAD),
        key=lambda job: (job.name, job.job_id),
    )


def _by_attempts(jobs: Iterable[Job]) -> list[list[Job]]:
    """Return the jobs of a run, each with what it was in earlier attempts, the oldest first.

    Only the name tells which job is which, and several of one attempt may share it: GitHub cuts long ones.
    """
    by_name: dict[str, dict[int, list[Job]]] = defaultdict(lambda: defaultdict(list))
    for job in sorted(jobs, key=lambda job: job.job_id):
        by_name[job.name][job.attempt].append(job)
    found: list[list[Job]] = []
    for attempts in by_name.values():
        of_name: list[list[Job]] = []
        for attempt in sorted(attempts):
            _go_on(of_name, attempts[attempt])
        found += of_name
    return found


def _go_on(tried: list[list[Job]], again: Sequence[Job]) -> None:
    """Add to jobs of one name those of the next attempt: copies to what they are copies of, then where one failed."""
    left = list(tried)
    run_again: list[Job] = []
    for job in again:
        copied = next((each for each in left if _is_copy(job, each[-1])), None)
        if copied is None:
            run_again.append(job)
        else:
            copied.append(job)
            left = [each for each in left if each is not copied]
    left.sort(key=lambda each: each[-1].conclusion not in {*_BAD, None})
    for place, job in enumerate(run_again):
        if place < len(left):
            left[place].append(job)
        else:
            tried.append([job])


def _is_copy(job: Job, before: Job) -> bool:
    """Tell whether a job was not run again, but is listed for the next attempt as it was in the one before."""
    same = job.conclusion is not None and job.conclusion == before.conclusion
    return same and (job.started_at, job.completed_at) == (before.started_at, before.completed_at)


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


def allowed_to_fail(failed: Iterable[FailedJob]) -> set[int]:
    """Return the ids of jobs whose failure is believed to make no difference to their run, as on the base.

    Once the run has failed that is so only where another job of it has as well: else it was one of them after all.
    """
    by_run: dict[int, list[FailedJob]] = defaultdict(list)
    for each in failed:
        by_run[each.run.run_id].append(each)
    allowed: set[int] = set()
    for of_run in by_run.values():
        tolerated = {each.job.job_id for each in of_run if each.evidence.base and each.evidence.base.tolerates}
        if not of_run[0].run.is_done or len(tolerated) < len(of_run):
            allowed |= tolerated
    return allowed


def perhaps_too_slow(jobs: Sequence[Job]) -> list[Job]:
    """Return the cancelled jobs of a run that may have been ended for the time they took.

    They had begun, and no other was cancelled at the same moment, as all are where somebody cancels the run.
    """
    cancelled = [job for job in jobs if job.conclusion == "cancelled"]
    return [
        job
        for job in cancelled
        if _has_worked(job) and not any(other is not job and _ended_together(job, other) for other in cancelled)
    ]


def _has_worked(job: Job) -> bool:
    return job.started_at is not None and job.completed_at is not None and job.completed_at > job.started_at


def _ended_together(one: Job, other: Job) -> bool:
    if one.completed_at is None or other.completed_at is None:
        return True
    return abs(one.completed_at - other.completed_at) < _AT_THE_SAME_MOMENT


def count_jobs(jobs: Sequence[tuple[Job, Run]], allowed: Collection[int] = ()) -> Counts:
    """Count the jobs by how they stand; `allowed` are the ids of those that seem to be allowed to fail."""
    counted: dict[str, int] = defaultdict(int)
    for job, run in jobs:
        counted["tolerated" if is_tolerated(job, run) or job.job_id in allowed else _standing(job)] += 1
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
    found: dict[int, tuple[tuple[int, str], ...]] = {}
    for tried in _by_attempts(jobs):
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
    """Return the runs that ended badly though none of their jobs did, such as where the workflow file is wrong.

    Each tells whether it has any job.
    """
    return [
        msgspec.structs.replace(run, has_jobs=bool(jobs.get(run.run_id)))
        for run in runs
        if run.is_done and run.conclusion in _BAD and not _is_explained(run, jobs.get(run.run_id, ()))
    ]


def _is_explained(run: Run, jobs: Sequence[Job]) -> bool:
    """Tell whether jobs of a run ended as badly: one that was cancelled is no reason for the run to have failed."""
    bad = FAILED if run.conclusion in FAILED else _BAD
    return any(job.conclusion in bad and job.status == "completed" for job in jobs)


def conclude(
    runs: Sequence[Run], jobs: Sequence[tuple[Job, Run]], causes: Sequence[Cause], without_jobs: Sequence[Run]
) -> Conclusion | None:
    """Return what a commit comes to, the worst first; None while anything goes on.

    What is unclassified counts as the pull request's own, since nothing excuses it. Where nothing else decides, a log
    that is awaited does, and may excuse.
    """
    if not runs or not all(run.is_done for run in runs):
        return None
    if any(cause.blames for cause in causes) or any(run.conclusion in FAILED for run in without_jobs):
        return Conclusion.FAILURE
    if any(cause.awaits_log for cause in causes):
        return None
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
