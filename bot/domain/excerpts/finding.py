"""The lines that matter in a job's log: an anchor that names the cause, what stands around it, and further anchors."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

import msgspec
from msgspec import Struct

from bot.domain.excerpts.cleaning import shown
from bot.domain.excerpts.naming import Naming, Told
from bot.domain.excerpts.settling import settled
from bot.domain.excerpts.steps import Region, failed_region
from bot.domain.failures import UNTOLD, Weighed
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
    weighed = settled([line for _, line in region.lines])
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
