"""How much one line tells about why a job failed."""

import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec
from msgspec import Struct

from bot.domain.failures.index import Index
from bot.domain.failures.noise import DOUBTS, NOISE, Noise
from bot.domain.failures.registry import RULES
from bot.domain.failures.rule import Proof, Reason, Rule

UNTOLD = 30
"""Lines with fewer points only say that something failed, not why; they count as nothing."""
SURE = 90
"""From here on a line names the cause, whatever else it says."""
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
    r"|@[\w.-]{1,60}/[\w.-]{1,60}: (?= )"  # the same, before what is indented
    r"|==> [\w.-]{1,60}: "  # Packer's builder
    r"|[a-z][\w.-]{0,60}> "  # Stack's package
    r"|▸ "  # fastlane
    r"|\s{0,30}\+[\w-]{1,60} \| "  # Earthly's target
    r"|(?:STDERR|STDOUT) \[[^\]]{1,60}\] \w{1,20}: "  # Terragrunt's unit
    r"|\s{0,8}>> \d{1,6} {1,8}"  # what Spack quotes of a log
    r"|\[?(?:\d{4}-\d\d-\d\d[ T])?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?Z?\]?:? "
    r"|##\[error\]"
    r")",
    re.ASCII,
)


class Weighed(Struct, frozen=True):
    """What a line is worth: its points, the kind of failure that it tells of, and the name of a failed test.

    `reason` and `proof` are where among the other lines to look for what it announces, and whether it is meant.
    """

    points: int
    kind: str
    test: str | None = None
    reason: Reason | None = None
    proof: Proof | None = None


NOTHING = Weighed(0, "general")

_RULES = Index(sorted(RULES, key=lambda rule: -rule.points))
_DISMISSING = Index([noise for noise in NOISE if noise.most < UNTOLD])
_DOUBTS = Index(DOUBTS)
_CAPPING = Index([noise for noise in NOISE if noise.most >= UNTOLD])


def weigh(line: str) -> Weighed:
    """Return what a cleaned line is worth, read as it is and without the prefixes of tools that run others."""
    return _weigh(line[:LONGEST_LINE])


@lru_cache(maxsize=4096)
def _weigh(line: str) -> Weighed:
    lowered = line.lower()
    forms = _forms(line)
    if _fits(_DISMISSING.find(lowered), forms):
        return NOTHING
    best = _best(forms, _RULES.find(lowered))
    caps = _fits(_CAPPING.find(lowered), forms) if best.points else []
    if 0 < best.points < SURE:
        caps += _fits(_DOUBTS.find(lowered), forms)
    return msgspec.structs.replace(best, points=min(best.points, *caps)) if caps else best


def fits(pattern: re.Pattern[str], line: str) -> bool:
    """Tell whether a cleaned line is of this form, as it is or without the prefixes of tools that run others."""
    return _search(pattern, _forms(line[:LONGEST_LINE])) is not None


def _forms(line: str) -> list[str]:
    """Return the line, and what is left of it after one, two and three prefixes."""
    forms = [line]
    while len(forms) < 4 and (prefix := _PREFIX.match(forms[-1])):
        forms.append(forms[-1][prefix.end() :])
    return forms


def _best(forms: Sequence[str], matching: Sequence[Rule]) -> Weighed:
    for rule in matching:
        if found := _search(rule.pattern, forms):
            return Weighed(rule.points, rule.kind, found.groupdict().get("test"), rule.reason, rule.proof)
    return NOTHING


def _search(pattern: re.Pattern[str], forms: Sequence[str]) -> re.Match[str] | None:
    """Search the forms of a line; the later ones are its ends, so they tell something new only to patterns from `^`."""
    if found := pattern.search(forms[0]):
        return found
    if "^" not in pattern.pattern:
        return None
    return next((found for form in forms[1:] if (found := pattern.search(form))), None)


def _fits(noises: Sequence[Noise], forms: Sequence[str]) -> list[int]:
    return [noise.most for noise in noises if _search(noise.pattern, forms)]
