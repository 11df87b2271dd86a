"""A raw line of a job's log as a reader would see it."""

import re

# `2026-01-05T09:00:00.1234567Z `, before it perhaps the job and the step, as `gh run view --log` prints them.
_TIMESTAMP = re.compile(
    r"(?:[^\t]{1,200}\t[^\t]{1,200}\t)?\ufeff?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z ?", re.ASCII
)
_ESCAPES = re.compile(
    r"\x1b\[[0-9;:?<=>]*[ -/]*[@-~]"  # colours, cursor movements
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles, links
    r"|\x1b[()][A-Z0-9]|\x1b.?"
    r"|[\x00-\x1f\x7f\x80-\x9f\ufeff\u200b]",
    re.ASCII,
)
_LONGEST_RAW = 8_000
SHOWN = 400
"""So many characters of a line are kept; the rest becomes an ellipsis."""


def without_timestamp(raw: str) -> str:
    """Return a raw line from behind its timestamp."""
    stamp = _TIMESTAMP.match(raw)
    return raw[stamp.end() :] if stamp else raw


def clean(raw: str) -> str:
    """Return a line without timestamp, colours and control characters; of a line drawn over and over, the last state.

    GitHub's markers such as `##[error]` and its `***` in the place of secrets stay.
    """
    text = without_timestamp(raw.rstrip())
    text = text[text.rfind("\r") + 1 :][:_LONGEST_RAW]
    if not text.isprintable():
        text = _ESCAPES.sub("", text.replace("\t", "    "))
    return text.rstrip()


def shown(line: str) -> str:
    """Return a cleaned line, cut to what an excerpt shows of it."""
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
