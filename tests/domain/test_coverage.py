"""Since when a record is whole and what is missing of it, by tables and by looking at every day of a short calendar."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.coverage import Span, joined, missing, whole_since

DAYS = 20


def day(number: float) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)


def span(since: float, until: float) -> Span:
    return Span(day(since), day(until))


IN_SIGHT = span(10, 20)


@pytest.mark.parametrize(
    ("fetched", "since"),
    [
        ([], 10),
        ([span(2, 10)], 2),
        ([span(2, 12)], 2),
        # What does not reach up to what was in sight leaves something missing after it.
        ([span(2, 9)], 10),
        ([span(5, 10), span(1, 5)], 1),
        ([span(5, 11), span(1, 4)], 5),
        ([span(12, 15)], 10),
    ],
)
def test_since_when_nothing_is_missing(fetched: Sequence[Span], since: float) -> None:
    assert whole_since(IN_SIGHT, fetched) == day(since)


@pytest.mark.parametrize(
    ("known", "gaps"),
    [
        ([], [span(2, 12)]),
        ([span(10, 20)], [span(2, 10)]),
        ([span(1, 12)], []),
        ([span(4, 6)], [span(2, 4), span(6, 12)]),
        ([span(0, 1), span(13, 20)], [span(2, 12)]),
        ([span(5, 8), span(3, 6)], [span(2, 3), span(8, 12)]),
    ],
)
def test_what_is_missing_of_a_span(known: Sequence[Span], gaps: Sequence[Span]) -> None:
    assert missing(span(2, 12), known) == gaps


bounds = st.tuples(st.integers(0, DAYS), st.integers(0, DAYS)).map(lambda ends: span(min(ends), max(ends)))


def holds(spans: Sequence[Span], moment: datetime) -> bool:
    return any(each.since <= moment <= each.until for each in spans)


@given(st.lists(bounds, max_size=6))
def test_joining_changes_no_day_and_leaves_spans_apart(spans: list[Span]) -> None:
    apart = joined(spans)
    assert all(former.until < later.since for former, later in itertools.pairwise(apart))
    for number in range(2 * DAYS):
        assert holds(apart, day(number / 2)) == holds(spans, day(number / 2))


@given(bounds, st.lists(bounds, max_size=6))
def test_each_moment_is_known_or_missing(wanted: Span, known: list[Span]) -> None:
    gaps = missing(wanted, known)
    # In the middle of a day, where no span begins or ends, it is one or the other.
    for number in range(DAYS):
        noon = day(number + 0.5)
        assert holds(gaps, noon) == (holds([wanted], noon) and not holds(known, noon))


@given(st.lists(bounds, max_size=6))
def test_from_then_on_nothing_is_missing(fetched: list[Span]) -> None:
    since = whole_since(IN_SIGHT, fetched)
    assert missing(Span(since, IN_SIGHT.until), [IN_SIGHT, *fetched]) == []
    just_before = since - timedelta(hours=1)
    assert not holds([IN_SIGHT, *fetched], just_before)
