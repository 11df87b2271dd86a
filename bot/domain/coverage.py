"""Of which times a repository's record is whole, from what was in sight and which spans of history were fetched."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of time; both ends belong to it."""

    since: datetime
    until: datetime


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return the same times as spans that are apart from one another, the earliest first."""
    apart: list[Span] = []
    for span in sorted(spans):
        if apart and span.since <= apart[-1].until:
            apart[-1] = Span(apart[-1].since, max(apart[-1].until, span.until))
        else:
            apart.append(span)
    return apart


def whole_since(in_sight: Span, fetched: Iterable[Span]) -> datetime:
    """Return since when nothing is missing: what was fetched counts where it reaches up to what was in sight."""
    return next(span.since for span in joined([in_sight, *fetched]) if span.until >= in_sight.until)


def missing(wanted: Span, known: Iterable[Span]) -> list[Span]:
    """Return what of a span is not within what is known, the earliest first."""
    gaps, begin = [], wanted.since
    for span in joined(known):
        if span.until < begin or span.since > wanted.until:
            continue
        if span.since > begin:
            gaps.append(Span(begin, span.since))
        begin = max(begin, span.until)
    if begin < wanted.until:
        gaps.append(Span(begin, wanted.until))
    return gaps
