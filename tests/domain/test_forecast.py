"""How much is left of a backfill, and how long it takes."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.forecast import HOUR, Allowance, Unlisted, pages_left, seconds_left


@pytest.mark.parametrize(
    ("left", "at_github", "listed", "pages"),
    [
        (Unlisted(), 0, 0, 0),
        (Unlisted(), 3000, 2990, 0),  # what GitHub lists less of than it counts is no page
        (Unlisted(whole=1, pulls=1), 0, 0, 2),
        (Unlisted(begun=1), 950, 100, 9),
        (Unlisted(begun=1), 950, 900, 1),
        (Unlisted(begun=1), 950, 950, 1),  # it takes one more, whatever the count says
        (Unlisted(begun=2, pulls=1), 200, 199, 3),
        (Unlisted(cut=4), 0, 0, 36),
        (Unlisted(cut=3, begun=1, pulls=1), 850, 300, 27 + 6 + 1),
    ],
)
def test_pages_left(left: Unlisted, at_github: int, listed: int, pages: int) -> None:
    assert pages_left(left, at_github, listed) == pages


USUAL = Allowance(now=2500, an_hour=2500, a_minute=400)


@pytest.mark.parametrize(
    ("requests", "allowed", "seconds"),
    [
        (0, USUAL, 0),
        (400, USUAL, 60),
        (2500, USUAL, 375),
        (2500, Allowance(now=math.inf, an_hour=math.inf, a_minute=400), 375),
        (400, Allowance(now=2500, an_hour=2500, a_minute=400, paused=90), 150),
        # One more than this hour takes waits for the next, and so on.
        (2900, USUAL, HOUR + 60),
        (5000, USUAL, HOUR + 375),
        (5400, USUAL, 2 * HOUR + 60),
        (400, Allowance(now=0, an_hour=2500, a_minute=400, resets_in=600), 660),
        (400, Allowance(now=0, an_hour=2500, a_minute=400, resets_in=600, paused=900), 960),
        # Where the minute is the tighter limit, an hour is still an hour.
        (48_000, Allowance(now=0, an_hour=30_000, a_minute=400, resets_in=0), 2 * HOUR),
        (2501, Allowance(now=2500, an_hour=2500, a_minute=400, resets_in=0), 375.15),
        (1, Allowance(now=0, an_hour=0, a_minute=400), math.inf),
    ],
)
def test_seconds_left(requests: int, allowed: Allowance, seconds: float) -> None:
    assert seconds_left(requests, allowed) == pytest.approx(seconds)


_allowances = st.builds(
    Allowance,
    now=st.integers(0, 6000).map(float),
    an_hour=st.integers(1, 7500).map(float),
    a_minute=st.just(400.0),
    resets_in=st.floats(0, HOUR),
    paused=st.floats(0, HOUR),
)


@given(_allowances, st.integers(0, 100_000), st.integers(1, 1000))
def test_more_requests_never_take_less_time_nor_a_larger_allowance_more(
    allowed: Allowance, requests: int, more: int
) -> None:
    usual = seconds_left(requests, allowed)
    assert usual <= seconds_left(requests + more, allowed) + 1e-6
    assert seconds_left(requests, msgspec.structs.replace(allowed, an_hour=allowed.an_hour + more)) <= usual + 1e-6
