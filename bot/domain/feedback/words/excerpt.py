"""The lines of a failure as they are shown: without those behind the anchor that only repeat what is told anyway."""

import re
from collections.abc import Sequence

from bot.domain.feedback.report import Failure, Source
from bot.domain.feedback.words.markdown import ELLIPSIS, without_command

# What pytest writes before the lines of an error.
_PYTEST = re.compile(r"^E {3,}")
_EXIT_CODE = re.compile(r"Process completed with exit code (-?\d{1,10})\.?", re.ASCII)
# pytest's sections, https://docs.pytest.org/en/stable/how-to/output.html
_HEADER = re.compile(r"=+ .{1,200} =+")
_WARNINGS = re.compile(r"=+ warnings summary(?: \(final\))? =+")
_SUMMARY = re.compile(r"=+ short test summary info =+")
_COUNTS = re.compile(r"(?:=+ )?\d{1,9} (?:failed|errors?)\b[\w, ]{0,200} in [\d.:hms ()]{1,40}(?: =+)?", re.ASCII)
_FAILED_TEST = re.compile(r"(?:FAILED|ERROR) (\S.*?)(?: - .*)?")
# A linter's title that names the rule, which the text behind it names again.
_TITLE = re.compile(
    r"(?P<place>[^\s:]{1,200}:\d{1,9}: )?[\w .-]{1,40}?\((?P<rule>[\w/@.-]{2,60})\): "
    r"(?P<text>.*(?<![\w-])(?P=rule)\b.*)"
)


def anchor_of(failure: Failure) -> str | None:
    """Return the anchor without what stands before it: the runner's command, pytest's `E`, a needless title."""
    if failure.anchor is None:
        return None
    anchor = _PYTEST.sub("", without_command(failure.anchor))
    found = _TITLE.fullmatch(anchor) if failure.source is Source.ANNOTATIONS else None
    return f"{found['place'] or ''}{found['text']}" if found else anchor


def lines_of(failure: Failure) -> Sequence[str]:
    """Return the lines worth showing; empty where they are the anchor alone, which stands above them anyway."""
    lines = _without_repetitions(failure)
    return () if all(line == failure.anchor for line in lines) else lines


def _without_repetitions(failure: Failure) -> list[str]:
    lines = list(failure.lines)
    if failure.anchor not in lines:
        return lines
    place = lines.index(failure.anchor) + 1
    kept, are_warnings = [], False
    for line in lines[place:]:
        told = without_command(line).strip()
        if _HEADER.fullmatch(told) or line in failure.further or line == ELLIPSIS:
            are_warnings = _WARNINGS.fullmatch(told) is not None
        if not are_warnings and not _is_told(told, failure):
            kept.append(line)
    while kept and (not kept[-1].strip() or kept[-1] == ELLIPSIS or _SUMMARY.fullmatch(kept[-1].strip())):
        kept.pop()
    return lines[:place] + kept


def _is_told(line: str, failure: Failure) -> bool:
    """Tell whether a line repeats the exit code, the failed test, or how many failed."""
    exit_code, test = _EXIT_CODE.fullmatch(line), _FAILED_TEST.fullmatch(line)
    if exit_code:
        return failure.exit_code is None or int(exit_code[1]) == failure.exit_code
    if test:
        return test[1] == failure.test
    return _COUNTS.fullmatch(line) is not None
