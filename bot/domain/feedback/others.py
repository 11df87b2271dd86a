"""Who else failed alike within a fortnight: what the pull requests of others say about a failure."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter

from msgspec import Struct

from bot.domain.feedback.report import Failure

SPAN = timedelta(days=14)


class Alike(Struct, frozen=True):
    """A failed job elsewhere: when it failed, what it said first and in all, and the pull requests with their authors.

    What it said is told by fingerprints.
    """

    failed_at: datetime
    first: str
    said: frozenset[str]
    pulls: Mapping[int, int]


class Shared(Struct, frozen=True):
    """In which pull requests of others a failure was seen, of how many authors, and by how many at least all of it."""

    others: tuple[int, ...] = ()
    authors: int = 0
    shared_by: int = 0


def fingerprints_of(failure: Failure) -> frozenset[str]:
    """Return by what a failure elsewhere is taken for the same: the fingerprints of all that was said."""
    return frozenset((failure.fingerprint, *(failure.fingerprints or ())))


def by_first_word(alike: Iterable[Alike]) -> dict[str, list[Alike]]:
    """Return failures by the fingerprint of what each said first."""
    found: dict[str, list[Alike]] = defaultdict(list)
    for each in alike:
        found[each.first].append(each)
    return found


def shared_with(by_first: Mapping[str, Sequence[Alike]], failure: Failure, failed_at: datetime) -> Shared:
    """Return who shares a failure, within the one stretch of 14 days around it that has most of them.

    Those count whose first words are among the failure's own, whatever else failed beside it.
    """
    wanted = fingerprints_of(failure)
    found = [each for first in wanted for each in by_first.get(first, ()) if abs(each.failed_at - failed_at) <= SPAN]
    found.sort(key=attrgetter("failed_at"))
    tally, begin, end, best = _Tally(failure), 0, 0, Shared()
    for first, behind in _stretches([each.failed_at for each in found], failed_at):
        tally.count(found[end:behind], 1)
        tally.count(found[begin:first], -1)
        begin, end = first, behind
        best = max(best, tally.shared(), key=lambda each: (each.shared_by, each.authors, len(each.others)))
    return best


def _stretches(times: Sequence[datetime], failed_at: datetime) -> list[tuple[int, int]]:
    """Return what lies within each stretch around a moment, without those of which all lies in another one.

    Each is told by the place of its first and the one behind its last.
    """
    ends = [failed_at, *(each for each in times if each > failed_at)]
    # Of stretches that begin with the same one, the last has all that the others have.
    longest = {bisect_left(times, end - SPAN): end for end in ends}
    return [(first, bisect_right(times, end)) for first, end in longest.items()]


class _Tally:
    """Counts who said what a failure says, while a stretch is moved along."""

    def __init__(self, failure: Failure) -> None:
        self._failure = failure
        self._authors: dict[str, Counter[int]] = {said: Counter() for said in fingerprints_of(failure)}
        self._others = Counter[int]()

    def count(self, alike: Iterable[Alike], times: int) -> None:
        """Add failures, or take them out (-1)."""
        for each in alike:
            for said in self._authors.keys() & each.said:
                _add(self._authors[said], each.pulls.values(), times)
            if self._failure.fingerprint in each.said:
                _add(self._others, each.pulls, times)

    def shared(self) -> Shared:
        shared_by = min((len(self._authors[each]) for each in self._failure.fingerprints or ()), default=0)
        return Shared(tuple(sorted(self._others)), len(self._authors[self._failure.fingerprint]), shared_by)


def _add(counter: Counter[int], counted: Iterable[int], times: int) -> None:
    for each in counted:
        counter[each] += times
        if not counter[each]:
            del counter[each]
