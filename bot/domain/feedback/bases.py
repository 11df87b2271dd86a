"""What may speak for a pull request: which runs are its base's, what they say of a job, and whose others count."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum, auto
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

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

_REVERT = re.compile(r"\brevert(?:s|ed|ing)?\b", re.IGNORECASE)
# As GitHub's own button names it, behind whatever prefix.
_REVERTING_BRANCH = re.compile(r"(?:^|/)revert[-/]", re.IGNORECASE)


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Return a job's name without its matrix; jobs are many, their names few."""
    return job_without_matrix(name)


class BaseJob(Struct, frozen=True):
    """A failed job of a base run; `fingerprints` are those of what it said, once it `is_examined`.

    Unless they are `is_whole`, it said more, or does not tell why it failed.
    """

    job_id: int
    run_id: int
    attempt: int
    name: str
    is_examined: bool = False
    fingerprints: frozenset[str] = frozenset()
    is_whole: bool = True


class Compared(Struct, frozen=True):
    """What failed jobs of one run said together; complete once all were looked into, whole if that is all."""

    fingerprints: frozenset[str]
    is_complete: bool
    is_whole: bool = True


class Comparison(Struct, frozen=True):
    """What failed jobs of one run said that differ only in their matrix: each by its full name, and all together."""

    by_name: Mapping[str, Compared]
    together: Compared

    def with_job(self, name: str) -> Compared:
        """Return what speaks for a job: its namesake, or else, if that did not run or is one too many, all others."""
        return self.by_name.get(name, self.together)


class BaseRun(Struct, frozen=True):
    """A finished run of the base; `is_own` where it ran on the very commit that the pull request is based on.

    What counts is how it stands after its newest attempt. `jobs` tells of each job, without its matrix, whether any of
    it failed; it is empty where the jobs are not known, and then `has_passed` tells that none did. `failing` are the
    names, matrix and all, of those that failed, `passing` those of the others. `finished_at` is when it first had.
    """

    run_id: int
    head_sha: str
    is_own: bool
    has_passed: bool
    jobs: Mapping[str, bool]
    failing: frozenset[str] = frozenset()
    passing: frozenset[str] = frozenset()
    finished_at: datetime | None = None

    def failed(self, name: str) -> bool | None:
        """Tell whether a job failed there, None where the run does not tell: it was skipped, say, or is new.

        Only where no job of the very name ran do those speak that differ in their matrix.
        """
        if name in self.failing:
            return True
        if name in self.passing:
            return False
        if self.jobs:
            return self.jobs.get(plain(name))
        return False if self.has_passed else None


def is_revert(title: str | None, head_ref: str | None) -> bool:
    """Tell whether a pull request seems to take something back, so that it fails where its original did not.

    One that merely speaks of it is taken for one as well: that costs an excuse, and makes none.
    """
    return _REVERT.search(title or "") is not None or _REVERTING_BRANCH.search(head_ref or "") is not None


class Standing(Struct, frozen=True):
    """How a job stands on the base: did not fail in `passed` of the last `of` runs of the branch that tell of it.

    It is held against the `speaking` runs, at least one: of the branch the newest that had finished when it failed and
    tells of it, and all later ones, and the newest on the pull request's own base. For the `later` ones nobody waits.
    """

    speaking: tuple[BaseRun, ...]
    passed: int
    of: int
    later: frozenset[int] = frozenset()


def standing_of(runs: Sequence[BaseRun], name: str, failed_at: datetime | None = None) -> Standing | None:
    """Return how a job stands on the base, None where nothing is known of its workflow there.

    `name` is the job's with its matrix; `runs` are those of the workflow, the newest first. Without `failed_at`, all of
    them had finished when it failed. What comes later may excuse, and never takes an excuse away.
    """
    known = [run for run in runs if run.jobs or run.has_passed]
    if not known:
        return None
    telling = [run for run in known if run.failed(name) is not None]
    branch = [run for run in telling if not run.is_own]
    own = [run for run in telling if run.is_own]
    # Where no run tells of the job, it is new, or runs for pull requests alone.
    later = [run for run in branch if failed_at and run.finished_at and run.finished_at > failed_at]
    before = [run for run in branch if run not in later][:1]
    speaking = (*later, *before, *own[:1]) or (known[0],)
    told = [run.failed(name) for run in (branch or own[:1])][:MOST_BASE_RUNS]
    awaited = [*before, *own[:1]]
    return Standing(
        speaking, told.count(False), len(told), frozenset(run.run_id for run in later) if awaited else frozenset()
    )


def tolerates(runs: Iterable[BaseRun], name: str) -> bool:
    """Tell whether a workflow passes on the base although a job fails; `name` is its whole one, with its matrix.

    The newest of its `runs` decides that shows it: of one in which others failed as well, nobody can tell.
    """
    for run in runs:
        if name in run.failing and (run.has_passed or len(run.failing) == 1):
            return run.has_passed
    return False


def base_for(
    branch: str, standing: Standing, name: str, failure: Failure | None, compared: Mapping[tuple[int, str], Comparison]
) -> Base:
    """Return how the base stands with a failure of a job.

    What its failed jobs said there is told by run and by job without matrix.
    """
    job = plain(name)
    alike = [_alike(run, name, failure, compared.get((run.run_id, job))) for run in standing.speaking]
    by_run = list(zip(standing.speaking, alike, strict=True))
    shown = next((run for run, each in by_run if each is _Alike.YES), standing.speaking[0])
    awaited = {each for run, each in by_run if run.run_id not in standing.later}
    base = Base(branch, shown.head_sha, standing.passed, standing.of, fails_alike=_Alike.YES in alike)
    if base.fails_alike or awaited.isdisjoint({_Alike.PENDING, _Alike.UNCLEAR}):
        return base
    return replace(base, fails_alike=None, is_unclear=_Alike.PENDING not in awaited)


class _Alike(Enum):
    """Whether a job failed on the base as it did here; unclear where what it said there does not tell."""

    YES = auto()
    NO = auto()
    PENDING = auto()
    UNCLEAR = auto()


def _alike(run: BaseRun, name: str, failure: Failure | None, comparison: Comparison | None) -> _Alike:
    """Tell whether the base has all that a job said failed: what it has not is the pull request's own."""
    if not run.failed(name):
        return _Alike.NO
    if failure is None or not failure.is_comparable or comparison is None:
        return _Alike.PENDING
    compared = comparison.with_job(name)
    if compared.fingerprints.issuperset(failure.fingerprints or ()):
        return _Alike.YES
    if not compared.is_complete:
        return _Alike.PENDING
    return _Alike.NO if compared.is_whole else _Alike.UNCLEAR


def worth_a_look(failed: Iterable[BaseJob], names: Collection[str]) -> dict[str, list[BaseJob]]:
    """Return which failed jobs of one base run to compare with jobs of these names, by their name without the matrix.

    Those of the very names speak, the newest attempt first; only for a name that none has do the others. Those looked
    into for another's sake come for free.
    """
    wanted: dict[str, set[str]] = defaultdict(set)
    for name in names:
        wanted[plain(name)].add(name)
    by_job: dict[str, list[BaseJob]] = defaultdict(list)
    for each in sorted(failed, key=lambda each: (each.name not in names, -each.attempt, each.name, each.job_id)):
        if (job := plain(each.name)) in wanted:
            by_job[job].append(each)
    return {job: _worthy(jobs, wanted[job]) for job, jobs in by_job.items()}


def _worthy(jobs: Sequence[BaseJob], names: Collection[str]) -> list[BaseJob]:
    there = {each.name for each in jobs}
    speaking = [each for each in jobs if each.name in names or not there.issuperset(names)]
    chosen = speaking[:MOST_EXAMINED]
    known = {each.job_id for each in chosen}
    return [*chosen, *(each for each in jobs if each.is_examined and each.job_id not in known)]


def compare(jobs: Sequence[BaseJob]) -> Compared:
    """Return what these jobs said together."""
    told = frozenset[str]().union(*(each.fingerprints for each in jobs if each.is_examined))
    is_whole = all(each.is_whole for each in jobs)
    return Compared(told, is_complete=all(each.is_examined for each in jobs), is_whole=is_whole)


def comparison(jobs: Sequence[BaseJob]) -> Comparison:
    """Return what these jobs of one run said, which differ only in their matrix."""
    by_name: dict[str, list[BaseJob]] = defaultdict(list)
    for each in jobs:
        by_name[each.name].append(each)
    return Comparison({name: compare(each) for name, each in by_name.items()}, compare(jobs))
