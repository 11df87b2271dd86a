"""The form of a rule: which lines of a log tell why a job failed, and how surely."""

import re

from msgspec import Struct


class Reason(Struct, frozen=True):
    """What a line only announces: the nearest line of a form among `reach` after it, or before it if that is below 0.

    Empty lines are not counted.
    """

    reach: int
    pattern: re.Pattern[str]


class Proof(Struct, frozen=True):
    """What follows within `reach` lines on a line that is meant; others are worth `points` and name no test."""

    reach: int
    pattern: re.Pattern[str]
    points: int


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
    reason: Reason | None = None
    proof: Proof | None = None


def told_by(reach: int, pattern: str = r"\S") -> Reason:
    """Make a row of a line that announces: what it is about stands within so many lines, in a line of this form."""
    return Reason(reach, re.compile(pattern, re.ASCII))


def proven_by(reach: int, pattern: str, otherwise: int) -> Proof:
    """Make a row of a line that counts only with one of this form within so many lines after it."""
    return Proof(reach, re.compile(pattern, re.ASCII), otherwise)


Row = tuple[int, str, str] | tuple[int, str, str, Reason | Proof] | tuple[int, str, str, Proof, Reason]


def rules(kind: str, *rows: Row, ignore_case: bool = False) -> tuple[Rule, ...]:
    """Make the rules of one kind from rows of points, hints separated by `|`, a pattern, and what stands beside."""
    flags = re.ASCII | (re.IGNORECASE if ignore_case else 0)
    return tuple(_rule(kind, row, flags) for row in rows)


def _rule(kind: str, row: Row, flags: int) -> Rule:
    points, hints, pattern = row[:3]
    return Rule(
        kind,
        points,
        tuple(hints.split("|")),
        re.compile(pattern, flags),
        reason=next((each for each in row[3:] if isinstance(each, Reason)), None),
        proof=next((each for each in row[3:] if isinstance(each, Proof)), None),
    )
