"""What may speak for a pull request: which runs are its base's, what they say of a job, and whose others count."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct

from bot.domain.feedback.report import Base, Failure
from bot.domain.fingerprints import job_without_matrix

BASE_EVENTS = frozenset({"push", "schedule", "workflow_dispatch", "merge_group"})
"""What runs on a branch for its own sake. A pull request's run may have a head branch of the same name, and what
comments, other workflows or outside programs start on the default branch may be about any commit."""
VERDICTS = frozenset({"success", "failure", "timed_out"})
"""The conclusions that tell something about a job, or about a run: one that was cancelled could still have failed."""
FAILED = frozenset({"failure", "timed_out"})
MOST_BASE_RUNS = 20
MOST_EXAMINED = 10
"""So many failed jobs of one run that differ only in their matrix are worth a look at what each says."""

_REVERT = re.compile(r"\s*revert(?: \"|[:(!])", re.IGNORECASE)


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Return a job's name without its matrix; jobs are many, their names few."""
    return job_without_matrix(name)


class BaseJob(Struct, frozen=True):
    """A failed job of a base run; `fingerprint` is None while `is_examined` is not true."""

    job_id: int
    run_id: int
    attempt: int
    name: str
    is_examined: bool = False
    fingerprint: str | None = None


class Compared(Struct, frozen=True):
    """What the failed jobs of one run said that differ only in their matrix; complete once all were looked into."""

    fingerprints: frozenset[str | None]
    is_complete: bool


class BaseRun(Struct, frozen=True):
    """A finished run of the base; `is_own` where it ran on the very commit that the pull request is based on.

    `jobs` tells of each job, without its matrix, whether any of it failed in any attempt; it is empty where the jobs
    are not known, and then `has_passed` tells that none did.
    """

    run_id: int
    head_sha: str
    is_own: bool
    has_passed: bool
    jobs: Mapping[str, bool]

    def failed(self, job: str) -> bool | None:
        """Tell whether a job failed there, None where the run does not tell: it was skipped, say, or is new."""
        if self.jobs:
            return self.jobs.get(job)
        return False if self.has_passed else None


def is_revert(title: str | None, head_ref: str | None) -> bool:
    """Tell whether a pull request takes something back, so that it fails where its original did not."""
    return _REVERT.match(title or "") is not None or (head_ref or "").lower().startswith("revert-")


class Standing(Struct, frozen=True):
    """How a job stands on the base: did not fail in `passed` of the last `of` runs of the branch that tell of it.

    It is held against the `speaking` runs, at least one: the newest of the branch that tells of it, and the newest on
    the pull request's own base that does.
    """

    speaking: tuple[BaseRun, ...]
    passed: int
    of: int


def standing_of(runs: Sequence[BaseRun], job: str) -> Standing | None:
    """Return how a job stands on the base, None where nothing is known of its workflow there.

    `runs` are those of the workflow, the newest first.
    """
    known = [run for run in runs if run.jobs or run.has_passed]
    if not known:
        return None
    telling = [run for run in known if run.failed(job) is not None]
    branch = [run for run in telling if not run.is_own]
    own = [run for run in telling if run.is_own]
    # Where no run tells of the job, it is new, or runs for pull requests alone.
    speaking = (*branch[:1], *own[:1]) or (known[0],)
    told = [run.failed(job) for run in (branch or own[:1])]
    return Standing(speaking, told.count(False), len(told))


def base_for(
    branch: str, standing: Standing, job: str, failure: Failure | None, compared: Mapping[tuple[int, str], Compared]
) -> Base:
    """Return how the base stands with a failure of a job; what its failed jobs said there is told by run and job."""
    alike = [_fails_alike(run, job, failure, compared.get((run.run_id, job))) for run in standing.speaking]
    shown = next((run for run, each in zip(standing.speaking, alike, strict=True) if each), standing.speaking[0])
    return Base(branch, shown.head_sha, standing.passed, standing.of, _together(alike))


def _together(alike: Sequence[bool | None]) -> bool | None:
    if True in alike:
        return True
    return None if None in alike else False


def _fails_alike(run: BaseRun, job: str, failure: Failure | None, compared: Compared | None) -> bool | None:
    if not run.failed(job):
        return False
    if failure is None or failure.is_generic or compared is None:
        return None
    if failure.fingerprint in compared.fingerprints:
        return True
    return False if compared.is_complete else None


def worth_a_look(failed: Iterable[BaseJob], names: Collection[str]) -> dict[str, list[BaseJob]]:
    """Return which failed jobs of one base run to compare with jobs of these names, by their name without the matrix.

    The same leg of the matrix and the newest attempt tell most. Those looked into for another's sake come for free.
    """
    wanted = {plain(name) for name in names}
    by_job: dict[str, list[BaseJob]] = defaultdict(list)
    for each in sorted(failed, key=lambda each: (each.name not in names, -each.attempt, each.name, each.job_id)):
        if (job := plain(each.name)) in wanted:
            by_job[job].append(each)
    return {
        job: jobs[:MOST_EXAMINED] + [each for each in jobs[MOST_EXAMINED:] if each.is_examined]
        for job, jobs in by_job.items()
    }


def compare(jobs: Sequence[BaseJob]) -> Compared:
    """Return what these jobs said together."""
    said = frozenset(each.fingerprint for each in jobs if each.is_examined)
    return Compared(said, all(each.is_examined for each in jobs))


def others_of(authors: Mapping[int, int]) -> tuple[int, ...]:
    """Return which pull requests count, of those of others by number with the id of their author.

    All of one author's may stand on one another and share a mistake, so they count as one: the newest.
    """
    numbers = sorted(authors)
    return tuple(numbers) if len(set(authors.values())) > 1 else tuple(numbers[-1:])
