"""Who else failed alike within a fortnight."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.feedback.others import SPAN, Alike, Shared, by_first_word, shared_with
from tests.domain.feedback.reports import WHEN, failure


def alike(days: float, number: int, author: int | None = None, said: str = "a") -> Alike:
    """Return a failure so many days after the one in question; the first of `said` is what it said first."""
    return Alike(WHEN + timedelta(days), said[0], frozenset(said), {number: author or number})


def shared(*others: Alike, said: str = "a") -> Shared:
    ours = failure(fingerprint=said[0], fingerprints=tuple(said))
    return shared_with(by_first_word(others), ours, WHEN)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], Shared()),
        ([alike(-1, 2)], Shared((2,), 1, 1)),
        ([alike(-1, 2), alike(-2, 2)], Shared((2,), 1, 1)),
        ([alike(-1, 2), alike(-2, 3, 2)], Shared((2, 3), 1, 1)),
        ([alike(-14, 2), alike(0, 3)], Shared((2, 3), 2, 2)),
        ([alike(14, 2), alike(0, 3)], Shared((2, 3), 2, 2)),
        ([alike(-7, 2), alike(7, 3)], Shared((2, 3), 2, 2)),
        # Each is near enough to the failure, and both are too far from one another.
        ([alike(-13.9, 2), alike(13.9, 3)], Shared((3,), 1, 1)),
        ([alike(-7, 2), alike(7.1, 3)], Shared((3,), 1, 1)),
        # The best stretch counts, wherever it lies.
        ([alike(-13, 2), alike(-12, 3), alike(5, 4)], Shared((2, 3), 2, 2)),
        ([alike(-13, 2), alike(5, 4), alike(6, 5)], Shared((4, 5), 2, 2)),
        ([alike(-13, 2), alike(-3, 3), alike(5, 4), alike(11, 5)], Shared((3, 4, 5), 3, 3)),
        ([alike(-14.1, 2), alike(14.1, 3)], Shared()),
    ],
)
def test_those_within_one_fortnight_count(others: list[Alike], expected: Shared) -> None:
    found = shared(*others)
    assert (found.authors, found.shared_by) == (expected.authors, expected.shared_by)
    assert len(found.others) == len(expected.others)
    if expected.authors != 1:
        assert found == expected


@pytest.mark.parametrize(
    ("ours", "others", "expected"),
    [
        ("ab", [alike(-1, 2, said="ab"), alike(-1, 3, said="abc")], 2),
        ("ab", [alike(-1, 2, said="ab"), alike(-1, 3)], 1),
        ("ab", [alike(-1, 2), alike(-1, 3)], 0),
        # Which came first does not matter as long as both are the failure's own.
        ("ab", [alike(-1, 2, said="ba"), alike(-1, 3, said="ab")], 2),
        # What came after something else may have come from that.
        ("a", [alike(-1, 2, said="ca"), alike(-1, 3, said="ca")], 0),
        # All of it in one stretch.
        ("ab", [alike(-13, 2), alike(-13, 3), alike(13, 4, said="b"), alike(13, 5, said="b")], 0),
    ],
)
def test_all_that_failed_has_to_be_known_from_others(ours: str, others: list[Alike], expected: int) -> None:
    assert shared(*others, said=ours).shared_by == expected


_OTHERS = st.lists(
    st.builds(
        alike,
        st.integers(-16, 16),
        st.integers(2, 9),
        st.integers(1, 4),
        st.permutations("abc").flatmap(lambda said: st.integers(1, 3).map(lambda most: "".join(said[:most]))),
    ),
    max_size=12,
)


@given(_OTHERS, st.sampled_from(["a", "ab"]))
def test_no_stretch_has_more(others: list[Alike], said: str) -> None:
    found, near = shared(*others, said=said), [each for each in others if each.first in said]
    for start in range(-14, 1):
        first = WHEN + timedelta(start)
        within = [each for each in near if first <= each.failed_at <= first + SPAN]
        seen = [{author for each in within if word in each.said for author in each.pulls.values()} for word in said]
        assert min(map(len, seen)) <= found.shared_by


@given(_OTHERS, _OTHERS)
def test_news_never_takes_an_excuse_away(others: list[Alike], news: list[Alike]) -> None:
    assert shared(*others, *news, said="ab").shared_by >= shared(*others, said="ab").shared_by
