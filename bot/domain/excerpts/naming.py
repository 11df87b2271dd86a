"""Whom a failure concerns: which test an anchor is about, and all that a step says failed."""

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from bot.domain.excerpts.cleaning import shown
from bot.domain.failures import UNTOLD, Weighed

MOST_TOLD = 200
"""A step that says more than this failed is not told whole."""
_BEFORE, _AFTER = 80, 15
"""A test named within so many lines before an anchor, or so few after it, may be the one that it is about."""
_ABOUT_AS_GOOD = 20
_LEAST = 60

# Between two of these stands what one unit said: a package, a part of a report.
_SECTION = re.compile(r"(?:ok|FAIL|\?) +\S+(?: {2,}.*| \[.*)?|# [\w./-]+(?: \[\S+\])?|=+ \S.{0,200} =+", re.ASCII)
# What a test never says: a compiler or linter does, a package manager about its lock file, a measure of coverage, a
# limit of time.
_OF_NO_TEST = re.compile(
    r"^(?:##\[error\]|\[\w{1,12}\] |vet: |\s)*(?:[A-Za-z]:)?[^\s:]{1,200}:\d+:\d+\b(?! *(?:\)|$))"
    r"|\S:\d+(?::\d+)?:? (?:- )?(?:fatal )?[Ee]rror: (?!in \")"
    r"|\(\d+(?:,\d+)*\) ?: (?:fatal )?error \w"
    r"|\berror(?: |\[)[A-Z]{1,12}-?\d{1,6}\b"
    r"|\.\w{1,6}:\[\d+,\d+\] "
    r"|^\s+\d+:\d+\s+(?:error|✖)\s"
    r"|^error\[|^e: \S|^\[error\] (?:--|\S+\.\w+:\d+)"
    r"|^(?!TS|CVE|YN|ERR|HTTP)[A-Z]{1,4}\d{3,4} |\b(?:SC|DL)\d{4}\b|\bMD\d{3}\b"
    r"|^\[warn\] |^[Ww]ould reformat|^Diff in |^error: cannot format|incorrectly sorted|format violations"
    r"|\slint/\w+/\w+|[Cc]ode style issues|files were modified by this hook| format ━"
    r"|undefined (?:reference to|symbol)|multiple definition of|duplicate symbol|unresolved external|cannot find -l"
    r"|^error: linking with|^CMake Error|^ninja: |No rule to make target"
    r"|error: (?:cannot find symbol|package \S{1,200} does not exist|incompatible types)"
    r"|^Syntax error (?:compiling|macroexpanding|reading)|[Pp]arse error"
    r"|^go: |no required module|missing go\.sum|updates to go\.mod|build constraints exclude|\[(?:build|setup) failed\]"
    r"|(?i:lock ?file|\block file|poetry\.lock|--frozen|--locked|frozen-lockfile|can only install packages)"
    r"|(?i:\bcoverage\b.{0,100}(?:not reached|not met|below|less than|minimum|threshold)|fail-under)"
    r"|(?i:does not meet .{0,40}threshold)"
    r"|exceeded the maximum execution time|has timed out after \d+ minutes|test timed out after",
    re.ASCII,
)


class Told(Struct, frozen=True):
    """All that a step says failed: the tests, and the anchors about as good as the best that are about no test.

    What a compiler or linter says stands as often as it was said. `is_whole` tells that there is no more.
    """

    tests: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()
    is_whole: bool = False


class Naming:
    """Which tests the lines of one step are about; lines are given by their place."""

    def __init__(self, weighed: Sequence[Weighed], lines: Sequence[str]) -> None:
        self._weighed = weighed
        self._lines = lines
        self._sections = {place for place, line in enumerate(lines) if _SECTION.fullmatch(line)}
        self._tests = dict.fromkeys(each.test for each in weighed if each.test and each.points >= UNTOLD)
        self._whole = [name for name in self._tests if name and "::" in name]

    def test_of(self, place: int) -> str | None:
        """Return the test that a line names, else the last one named shortly before, else the next one.

        What lies beyond the end of a section is about something else, and compilers speak of no test.
        """
        if (own := self._weighed[place].test) is not None:
            return self._in_full(own)
        if self.is_of_no_test(place):
            return None
        for near in (self._before(place), self._after(place)):
            named = next((test for each in near if (test := self._weighed[each].test)), None)
            if named is not None:
                return self._in_full(named)
        return None

    def is_of_no_test(self, place: int) -> bool:
        return _OF_NO_TEST.search(self._lines[place][:600]) is not None

    def told(self, best: int) -> Told:
        """Return all that is said to have failed, beside the anchor at the place `best`."""
        tests = dict.fromkeys(self._in_full(name) for name in self._tests if name)
        points = self._weighed[best].points
        least = min(points, max(_LEAST, points - _ABOUT_AS_GOOD))
        anchors: list[str] = []
        for place, each in enumerate(self._weighed):
            if len(tests) + len(anchors) > MOST_TOLD:
                return Told()
            if each.points >= least and each.test is None and self._counts(place, anchors):
                anchors.append(shown(self._lines[place]))
        return Told(tuple(tests), tuple(anchors), is_whole=True)

    def _counts(self, place: int, anchors: Sequence[str]) -> bool:
        return self.is_of_no_test(place) or (self.test_of(place) is None and shown(self._lines[place]) not in anchors)

    def _before(self, place: int) -> Iterator[int]:
        return self._within(range(place - 1, max(-1, place - _BEFORE), -1))

    def _after(self, place: int) -> Iterator[int]:
        return self._within(range(place + 1, min(place + _AFTER + 1, len(self._lines))))

    def _within(self, places: Iterable[int]) -> Iterator[int]:
        """Yield places up to the end of the section; a line that ends one may name a test itself."""
        for each in places:
            if each not in self._sections:
                yield each
                continue
            if self._weighed[each].test:
                yield each
            return

    def _in_full(self, name: str) -> str:
        """Return a test's whole id, as pytest tells it in its summary, where just one test has that name."""
        end = f"::{name.replace('.', '::')}"
        whole = {each for each in self._whole if each.endswith(end)}
        return whole.pop() if len(whole) == 1 else name
