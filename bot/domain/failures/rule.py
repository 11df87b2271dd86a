"""The form of a rule: which lines of a log tell why a job failed, and how surely."""

import re

from msgspec import Struct


class Rule(Struct, frozen=True):
    """One form of line. Of all rules that a line satisfies, the one with the most points counts.

    `hints` are texts in lower case, one of which every such line holds: looking for them is quick, and only then is
    the pattern tried. A group `test` in the pattern is the name of the test that failed.

    Points: from 90 a line that names the cause, from 75 one that is close to it, from 40 one that may be; less than
    30 are lines that only say that something failed.
    """

    kind: str
    points: int
    hints: tuple[str, ...]
    pattern: re.Pattern[str]


def rules(kind: str, *rows: tuple[int, str, str], ignore_case: bool = False) -> tuple[Rule, ...]:
    """Make the rules of one kind from rows of points, hints separated by `|`, and a pattern."""
    flags = re.ASCII | (re.IGNORECASE if ignore_case else 0)
    return tuple(
        Rule(kind, points, tuple(hints.split("|")), re.compile(pattern, flags)) for points, hints, pattern in rows
    )
