"""How much one line tells about why a job failed."""

import re
from collections.abc import Sequence
from typing import Protocol, TypeVar

from msgspec import Struct

from bot.domain.failures.noise import NOISE
from bot.domain.failures.registry import RULES
from bot.domain.failures.rule import Rule

LONGEST_LINE = 600
"""So many characters of a line are looked at; no pattern then takes long, whatever the line holds."""

_PREFIX = re.compile(
    r"(?:"
    r"#\d+ (?:\d+\.\d+ )?"  # BuildKit's step and seconds
    r"|(?:\[\w[\w:@/ .-]{0,40}\]|\(\w[\w:@/.-]{0,40}\)) (?=\S)"  # concurrently, ant
    r"|[@\w][\w@/.-]{0,60}:[A-Za-z][\w:-]{0,40}: "  # Turborepo's package:task
    r"|[\w@/.-]{1,60} [\w:-]{1,40}[:|] "  # pnpm's folder and script
    r"|[\w.-]{1,60}(?: {1,20})?\| "  # Compose's service
    r"|(?!(?i:error|fatal|failed|err|panic|e)\b)@?[\w/.-]{1,60}: (?=[^\s\d])"  # Lerna's package
    r"|\[?(?:\d{4}-\d\d-\d\d[ T])?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?Z?\]?:? "
    r"|##\[error\]"
    r")",
    re.ASCII,
)


class Weighed(Struct, frozen=True):
    """What a line is worth: its points, the kind of failure that it tells of, and the name of a failed test."""

    points: int
    kind: str
    test: str | None = None


NOTHING = Weighed(0, "general")


class _Hinted(Protocol):
    @property
    def hints(self) -> tuple[str, ...]: ...


T = TypeVar("T", bound=_Hinted)


def _by_hint(entries: Sequence[T]) -> dict[str, tuple[T, ...]]:
    hints = dict.fromkeys(hint for entry in entries for hint in entry.hints)
    return {hint: tuple(entry for entry in entries if hint in entry.hints) for hint in hints}


_RULES = _by_hint(RULES)
_NOISE = _by_hint(NOISE)


def weigh(line: str) -> Weighed:
    """Return what a cleaned line is worth, read as it is and without the prefixes of tools that run others."""
    line = line[:LONGEST_LINE]
    lowered = line.lower()
    matching = [rule for hint, rules in _RULES.items() if hint in lowered for rule in rules]
    if not matching:
        return NOTHING
    forms = _forms(line)
    best = max((_best(form, matching) for form in forms), key=lambda weighed: weighed.points)
    if best.points and (most := _most(forms, lowered)) < best.points:
        return Weighed(most, best.kind, best.test)
    return best


def _forms(line: str) -> list[str]:
    """Return the line, and what is left of it after one, two and three prefixes."""
    forms = [line]
    while len(forms) < 4 and (prefix := _PREFIX.match(forms[-1])):
        forms.append(forms[-1][prefix.end() :])
    return forms


def _best(form: str, matching: Sequence[Rule]) -> Weighed:
    best = NOTHING
    for rule in matching:
        if rule.points > best.points and (found := rule.pattern.search(form)):
            best = Weighed(rule.points, rule.kind, found.groupdict().get("test"))
    return best


def _most(forms: Sequence[str], lowered: str) -> int:
    """Return the most points that a line may have that can be read in these forms."""
    noises = [noise for hint, noises in _NOISE.items() if hint in lowered for noise in noises]
    return min((noise.most for noise in noises if any(noise.pattern.search(form) for form in forms)), default=100)
