"""Windows: they are cut into parts that lie side by side, and whoever goes on cutting sees every run at a low price."""

from bisect import bisect_left, bisect_right
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.windows import CAP, PER_PAGE, Window, cut, pages_of, whole_seconds

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
YEAR = 366 * 86400


def seconds_after(count: float) -> datetime:
    return NOON + timedelta(seconds=count)


def window(first: int, last: int) -> Window:
    return Window(seconds_after(first), seconds_after(last))


@pytest.mark.parametrize(
    ("since", "until", "text"),
    [
        (0, 0, "2026-11-02T12:00:00Z..2026-11-02T12:00:00Z"),
        (0, 59, "2026-11-02T12:00:00Z..2026-11-02T12:00:59Z"),
        (0.999999, 59.999999, "2026-11-02T12:00:00Z..2026-11-02T12:00:59Z"),
        (-0.000001, 0.000001, "2026-11-02T11:59:59Z..2026-11-02T12:00:00Z"),
        (9, 3, "2026-11-02T12:00:09Z..2026-11-02T12:00:09Z"),
    ],
)
def test_a_span_is_taken_in_by_whole_seconds(since: float, until: float, text: str) -> None:
    assert str(whole_seconds(seconds_after(since), seconds_after(until))) == text


def test_both_ends_belong_to_it() -> None:
    assert [window(0, last).seconds for last in (0, 1, 59, 3599)] == [1, 2, 60, 3600]


@pytest.mark.parametrize(
    ("total", "pages"), [(0, 1), (1, 1), (100, 1), (101, 2), (999, 10), (1000, 10), (1001, 10), (40_000, 10)]
)
def test_pages_of(total: int, pages: int) -> None:
    assert pages_of(total) == pages


@pytest.mark.parametrize(
    ("seconds", "total", "parts"),
    [
        (3600, 0, 1),
        (3600, CAP - 1, 1),
        (3600, CAP, 2),
        (3600, 1700, 2),
        (3600, 1701, 3),
        (3600, 85_000, 100),
        (1, 85_000, 1),
        (2, 85_000, 2),
        (3, CAP, 2),
    ],
)
def test_a_window_at_the_cap_is_cut_by_how_much_there_is(seconds: int, total: int, parts: int) -> None:
    assert len(cut(window(0, seconds - 1), total)) == parts


@given(st.integers(0, YEAR), st.integers(1, YEAR), st.integers(0, 500_000))
def test_parts_cover_a_window_exactly_once_newest_first(first: int, seconds: int, total: int) -> None:
    whole = window(first, first + seconds - 1)
    parts = cut(whole, total)
    assert parts[0].until == whole.until
    assert parts[-1].since == whole.since
    for newer, older in pairwise(parts):
        assert newer.since - older.until == timedelta(seconds=1)
    for part in parts:
        assert part == whole_seconds(part.since, part.until)
        assert part.since <= part.until
    assert sum(part.seconds for part in parts) == whole.seconds
    if total >= CAP and seconds > 1:
        # It always ends: no part is as long as what it was cut from, nor much longer than another.
        assert max(part.seconds for part in parts) <= -(-whole.seconds // 2)
        assert max(part.seconds for part in parts) - min(part.seconds for part in parts) <= 1


class Repository:
    """Answers lists of runs as GitHub does, to whoever asks by seconds; `capped` lets totals end at the cap, too."""

    def __init__(self, moments: list[int], *, capped: bool) -> None:
        self._moments = sorted(moments)
        self._capped = capped
        self.requests = 0

    def page(self, asked: Window, number: int) -> tuple[list[int], int]:
        self.requests += 1
        first, last = ((end - NOON) // timedelta(seconds=1) for end in (asked.since, asked.until))
        start, stop = bisect_left(self._moments, first), bisect_right(self._moments, last)
        places = range(start, stop)[::-1][:CAP]
        total = len(places) if self._capped else stop - start
        return [*places[(number - 1) * PER_PAGE : number * PER_PAGE]], total


def list_all(repository: Repository, asked: Window) -> list[int]:
    """List a window as history does: what its first page shows decides."""
    seen, total = repository.page(asked, 1)
    parts = cut(asked, total)
    if len(parts) > 1:
        return [place for part in parts for place in list_all(repository, part)]
    for number in range(2, pages_of(total) + 1):
        seen += repository.page(asked, number)[0]
    return seen


def most_requests(runs: int, seconds: int) -> int:
    """Return what any history may cost.

    A window that is cut holds 1,000 runs at least, so there are never more than a thousandth of the runs of them side
    by side; each costs a request, and leaves parts that cost one more than their runs fill pages. Each cut at least
    halves, so they lie no deeper than the length can be halved.
    """
    depth = (seconds - 1).bit_length()
    were_cut = depth * (runs // CAP)
    parts = depth * (runs // CAP + runs // 850)
    return 1 + were_cut + parts + runs // PER_PAGE


# Runs come in bursts: so many within a second, of which there can't be a thousand.
_bursts = st.lists(st.tuples(st.integers(0, 7 * 86400 - 1), st.integers(1, CAP - 1)), max_size=40)


@given(_bursts, st.booleans())
def test_whatever_the_history_every_run_is_listed_at_a_bounded_price(
    bursts: list[tuple[int, int]], capped: bool
) -> None:
    moments = [moment for moment, count in dict(bursts).items() for _ in range(count)]
    repository = Repository(moments, capped=capped)
    whole = window(0, 7 * 86400 - 1)
    assert list_all(repository, whole) == [*range(len(moments))][::-1]
    assert repository.requests <= most_requests(len(moments), whole.seconds)


@pytest.mark.parametrize(("capped", "most"), [(False, 1.2), (True, 1.6)])
def test_an_even_year_costs_little_more_than_its_pages(capped: bool, most: float) -> None:
    runs = 370_000
    repository = Repository([place * YEAR // runs for place in range(runs)], capped=capped)
    assert len(list_all(repository, window(0, YEAR - 1))) == runs
    assert repository.requests <= most * runs / PER_PAGE


def test_of_a_second_that_holds_more_than_the_cap_the_newest_are_listed() -> None:
    repository = Repository([5] * 1500 + [6] * 10, capped=False)
    assert list_all(repository, window(0, 9)) == [*range(1510)][::-1][:1010]
