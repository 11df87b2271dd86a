"""What the lines of a step are worth where they stand, among the others."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest

import msgspec

from bot.domain.failures import NOTHING, UNTOLD, Proof, Reason, Weighed, fits, weigh
from bot.domain.failures.noise import RETRIED, STRICT, WARNING, WARNING_AT
from bot.domain.fingerprints import normalized

_GENERIC = 76
"""Up to here a line is an error only in general; that counts for more in the last lines of a step."""
_NEAR_THE_END = 40
_SECTION = re.compile(r"=+ (\S.{0,200}) =+")
_NOT_MINDED = ("RERUNS", "PASSES", "XFAILURES", "XPASSES", "warnings summary")
# What is said so often by a kind of this sort was asked for again and again.
_POLLED = ("network", "containers", "infrastructure")
_OFTEN = 4
# How the JVM, .NET, xUnit and Node lead from an exception to the one that caused it.
_CAUSE = re.compile(r"\s*(?:Caused by: |---> |---- (?=[\w.]{1,200}Exception\b)|\[cause\]: )", re.ASCII)
_LONGEST_TRACE = 120
_LOOKED_AT = 400
_A_WARNING_THAT_COUNTS = 92
_PERHAPS = 84


def settled(lines: Sequence[str]) -> list[Weighed]:
    """Return what the cleaned lines of one step are worth."""
    weighed = [weigh(line) for line in lines]
    _take_back_what_pytest_did_not_mind(weighed, lines)
    _take_back_what_is_not_proven(weighed, lines)
    _favour_what_is_announced(weighed, lines)
    _heed_warnings(weighed, lines)
    _take_back_what_was_retried(weighed, lines)
    _take_back_what_was_polled(weighed, lines)
    _favour_the_deepest_cause(weighed, lines)
    _favour_the_end(weighed)
    return weighed


def _take_back_what_pytest_did_not_mind(weighed: list[Weighed], lines: Sequence[str]) -> None:
    is_minded = True
    for place, line in enumerate(lines):
        if line.startswith("=") and (section := _SECTION.fullmatch(line)):
            is_minded = section[1] not in _NOT_MINDED
        if not is_minded:
            weighed[place] = NOTHING


def _take_back_what_is_not_proven(weighed: list[Weighed], lines: Sequence[str]) -> None:
    for place, each in enumerate(weighed):
        if each.proof and _find(each.proof, place, lines) is None:
            weighed[place] = Weighed(min(each.points, each.proof.points), each.kind)


def _favour_what_is_announced(weighed: list[Weighed], lines: Sequence[str]) -> None:
    """What a line announces tells more than the line does, and may announce something itself."""
    for place in range(len(weighed)):
        each = weighed[place]
        if each.reason and (told := _find(each.reason, place, lines)) is not None:
            points = max(weighed[told].points, each.points + 1)
            weighed[told] = msgspec.structs.replace(weighed[told], points=points, kind=each.kind)


def _find(sought: Reason | Proof, place: int, lines: Sequence[str]) -> int | None:
    """Return the place of the nearest line that is looked for beside another."""
    if sought.reach > 0:
        places = range(place + 1, min(place + sought.reach + 1, len(lines)))
    else:
        places = range(place - 1, max(place + sought.reach - 1, -1), -1)
    return next((near for near in places if fits(sought.pattern, lines[near])), None)


def _heed_warnings(weighed: list[Weighed], lines: Sequence[str]) -> None:
    """Where a step says that warnings made it fail, they are what matters, most of all those that tell a place."""
    verdicts = {place for place, line in enumerate(lines) if "arning" in line and STRICT.search(line[:_LOOKED_AT])}
    if not verdicts:
        return
    kind = weighed[min(verdicts)].kind
    for place, line in enumerate(lines):
        points = 0 if place in verdicts else _as_a_warning(line)
        if points > weighed[place].points:
            weighed[place] = Weighed(points, kind)
    if any(each.points == _A_WARNING_THAT_COUNTS for each in weighed):
        for place in verdicts:
            weighed[place] = _at_most(weighed[place], _PERHAPS)


def _as_a_warning(line: str) -> int:
    if fits(WARNING_AT, line):
        return _A_WARNING_THAT_COUNTS
    return _PERHAPS if WARNING.match(line) else 0


def _take_back_what_was_retried(weighed: list[Weighed], lines: Sequence[str]) -> None:
    for place, line in enumerate(lines):
        if RETRIED.search(line[:_LOOKED_AT]):
            for before in range(max(0, place - 3), place + 1):
                weighed[before] = _at_most(weighed[before], 30)


def _take_back_what_was_polled(weighed: list[Weighed], lines: Sequence[str]) -> None:
    """A server that is waited for is asked again and again, and refuses until it is up."""
    polled = [place for place, each in enumerate(weighed) if each.kind in _POLLED and each.points > _GENERIC]
    said = {place: normalized(lines[place]) for place in polled}
    times = Counter(said.values())
    for place, text in said.items():
        if times[text] >= _OFTEN:
            weighed[place] = _at_most(weighed[place], _GENERIC)


def _favour_the_deepest_cause(weighed: list[Weighed], lines: Sequence[str]) -> None:
    """Of a chain of causes, as the JVM prints it, the last one is the root."""
    causes = [place for place, line in enumerate(lines) if _CAUSE.match(line)]
    for place, after in zip_longest(causes, causes[1:]):
        is_deepest = after is None or after - place > _LONGEST_TRACE
        each = weighed[place]
        weighed[place] = Weighed(max(each.points, 94), each.kind) if is_deepest else _at_most(each, 80)


def _favour_the_end(weighed: list[Weighed]) -> None:
    """What is only an error in general is more likely the cause where the step ends."""
    for place in range(max(0, len(weighed) - _NEAR_THE_END), len(weighed)):
        each = weighed[place]
        if UNTOLD <= each.points <= _GENERIC:
            weighed[place] = msgspec.structs.replace(each, points=each.points + 6)


def _at_most(weighed: Weighed, points: int) -> Weighed:
    return msgspec.structs.replace(weighed, points=min(weighed.points, points))
