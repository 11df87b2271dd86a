"""The lines that matter in a job's log: an anchor that names the cause, what stands around it, and further anchors."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise, zip_longest

import msgspec
from msgspec import Struct

from bot.domain.excerpts.cleaning import shown
from bot.domain.excerpts.naming import Naming, Told
from bot.domain.excerpts.steps import Region, failed_region
from bot.domain.failures import NOTHING, UNTOLD, Weighed, weigh
from bot.domain.failures.noise import RETRIED
from bot.domain.fingerprints import normalized

MOST_LINES = 20
MOST_FURTHER = 2
ELLIPSIS = "…"
"""The line of an excerpt that stands for lines left out."""

# So many lines are shown before and after the anchor, by how many further ones there are; they take four each.
_AROUND = ((5, 11), (5, 9), (4, 7))
_AROUND_A_TEST = ((2, 17), (2, 13), (2, 9))
"""What names a test stands above what became of it."""
_BESIDE_FURTHER = 1
_FURTHER = 60
"""A further anchor has at least so many points, and at most 20 less than the anchor."""
_NEAR = 6
"""Further anchors within so many lines are one."""
_GENERIC = 76
"""Up to here a line is an error only in general; that counts for more in the last lines of a step."""
_NEAR_THE_END = 40
_SECTION = re.compile(r"=+ (\S.{0,200}) =+")
_NOT_MINDED = ("RERUNS", "PASSES", "XFAILURES", "XPASSES", "warnings summary")
# What is said so often by a kind of this sort was asked for again and again.
_POLLED = ("network", "containers", "infrastructure")
_OFTEN = 4
_LONGEST_TRACE = 120
_MOST_WEIGHED = 20_000
"""Of a step that prints more, the last lines are looked at; that takes a second or two."""


class Anchor(Struct, frozen=True):
    """A line of the log: its number from 1, its text, the kind of failure that it tells of."""

    number: int
    text: str
    kind: str


class Excerpt(Struct, frozen=True):
    """What to show of a log: at most 20 `lines`, `…` among them where lines are left out.

    `test` is the name of the failed test nearest to the anchor, `step` the command or action that failed,
    each None where the log does not tell. `told` is all that the step says failed.
    """

    anchor: Anchor
    lines: tuple[str, ...]
    further: tuple[Anchor, ...]
    test: str | None
    step: str | None
    exit_code: int | None
    told: Told = Told()


def find_excerpt(log: str, step_started_at: datetime | None = None) -> Excerpt | None:
    """Return what to show of the raw log of a job that failed, None where it holds no line at all.

    `step_started_at` is when the step that failed the job began, if that is known.

    https://docs.github.com/en/rest/actions/workflow-jobs#download-job-logs-for-a-workflow-run
    """
    whole = failed_region(log, step_started_at)
    region = _end_of(whole)
    if not region.lines:
        return None
    weighed = _settled([weigh(line) for _, line in region.lines], region)
    best = _best_place(weighed)
    if weighed[best].points < UNTOLD:  # then the end of the step tells more
        return _last_words(region)
    further = _further_places(weighed, best, region)
    naming = Naming(weighed, [line for _, line in region.lines])
    # A step whose head is not there may have begun before what is left of the log.
    is_whole = region.step is not None and len(region.lines) == len(whole.lines)
    return Excerpt(
        anchor=_anchor(region, weighed, best),
        lines=_around(best, further, weighed, region),
        further=tuple(_anchor(region, weighed, place) for place in further),
        test=naming.test_of(best),
        step=region.step,
        exit_code=region.exit_code,
        told=naming.told(best) if is_whole else Told(),
    )


def _end_of(region: Region) -> Region:
    return msgspec.structs.replace(region, lines=region.lines[-_MOST_WEIGHED:])


def _settled(weighed: Sequence[Weighed], region: Region) -> list[Weighed]:
    """Return what the lines are worth where they stand, among the others."""
    settled = list(weighed)
    _take_back_what_pytest_did_not_mind(settled, region)
    _take_back_what_was_retried(settled, region)
    _take_back_what_was_polled(settled, region)
    _favour_the_deepest_cause(settled, region)
    _favour_the_end(settled)
    return settled


def _take_back_what_pytest_did_not_mind(settled: list[Weighed], region: Region) -> None:
    is_minded = True
    for place, (_, line) in enumerate(region.lines):
        if line.startswith("=") and (section := _SECTION.fullmatch(line)):
            is_minded = section[1] not in _NOT_MINDED
        if not is_minded:
            settled[place] = NOTHING


def _take_back_what_was_retried(settled: list[Weighed], region: Region) -> None:
    for place, (_, line) in enumerate(region.lines):
        if RETRIED.search(line[:400]):
            for before in range(max(0, place - 3), place + 1):
                settled[before] = _at_most(settled[before], 30)


def _take_back_what_was_polled(settled: list[Weighed], region: Region) -> None:
    """A server that is waited for is asked again and again, and refuses until it is up."""
    polled = [place for place, each in enumerate(settled) if each.kind in _POLLED and each.points > _GENERIC]
    said = {place: normalized(region.lines[place][1]) for place in polled}
    times = Counter(said.values())
    for place, text in said.items():
        if times[text] >= _OFTEN:
            settled[place] = _at_most(settled[place], _GENERIC)


def _favour_the_deepest_cause(settled: list[Weighed], region: Region) -> None:
    """Of a chain of causes, as the JVM prints it, the last one is the root."""
    causes = [place for place, (_, line) in enumerate(region.lines) if line.lstrip().startswith("Caused by: ")]
    for place, after in zip_longest(causes, causes[1:]):
        is_deepest = after is None or after - place > _LONGEST_TRACE
        each = settled[place]
        settled[place] = Weighed(max(each.points, 94), each.kind) if is_deepest else _at_most(each, 80)


def _favour_the_end(settled: list[Weighed]) -> None:
    """What is only an error in general is more likely the cause where the step ends."""
    for place in range(max(0, len(settled) - _NEAR_THE_END), len(settled)):
        each = settled[place]
        if UNTOLD <= each.points <= _GENERIC:
            settled[place] = Weighed(each.points + 6, each.kind, each.test)


def _at_most(weighed: Weighed, points: int) -> Weighed:
    return Weighed(min(weighed.points, points), weighed.kind, weighed.test)


def _best_place(weighed: Sequence[Weighed]) -> int:
    """Return the place of the most points, the first of equals: later errors tend to follow from it."""
    return max(range(len(weighed)), key=lambda place: weighed[place].points)


def _further_places(weighed: Sequence[Weighed], best: int, region: Region) -> list[int]:
    """Return the next best places that say something else and are not shown around the anchor anyway."""
    least = max(_FURTHER, weighed[best].points - 20)
    before, after = _windows(weighed[best])[MOST_FURTHER]
    candidates = [place for place, each in enumerate(weighed) if each.points >= least]
    candidates.sort(key=lambda place: -weighed[place].points)
    taken, said = [best], {normalized(region.lines[best][1])}
    for place in candidates:
        text = normalized(region.lines[place][1])
        is_shown = best - before <= place <= best + after
        apart = not is_shown and all(abs(place - other) > _NEAR for other in taken[1:])
        if apart and text not in said:
            taken.append(place)
            said.add(text)
        if len(taken) > MOST_FURTHER:
            break
    return taken[1:]


def _around(best: int, further: Sequence[int], weighed: Sequence[Weighed], region: Region) -> tuple[str, ...]:
    """Return the lines around the anchor and next to the further ones, in the order of the log."""
    before, after = _windows(weighed[best])[len(further)]
    last = len(region.lines) - 1
    places = set(range(max(0, best - before), min(last, best + after) + 1))
    for place in further:
        places |= set(range(max(0, place - _BESIDE_FURTHER), min(last, place + _BESIDE_FURTHER) + 1))
    return _lines(sorted(places), region)


def _windows(anchor: Weighed) -> tuple[tuple[int, int], ...]:
    return _AROUND_A_TEST if anchor.test else _AROUND


def _lines(places: Sequence[int], region: Region) -> tuple[str, ...]:
    lines = [shown(region.lines[places[0]][1])]
    for before, place in pairwise(places):
        if place > before + 1:
            lines.append(ELLIPSIS)
        lines.append(shown(region.lines[place][1]))
    return tuple(lines)


def _last_words(region: Region) -> Excerpt:
    """Return the end of a step that failed without saying why."""
    places = range(max(0, len(region.lines) - 12), len(region.lines))
    anchor = next((place for place in reversed(places) if not region.lines[place][1].startswith("##[")), places[-1])
    number, text = region.lines[anchor]
    return Excerpt(
        Anchor(number, shown(text), "unknown"), _lines(places, region), (), None, region.step, region.exit_code
    )


def _anchor(region: Region, weighed: Sequence[Weighed], place: int) -> Anchor:
    number, text = region.lines[place]
    return Anchor(number, shown(text), weighed[place].kind)
