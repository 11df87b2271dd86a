"""A list is bounded once on either side: SQLite's index takes the first bound, be it the wider one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.store.queries.conditions import Condition
from tests.store.recording import NOON

BEFORE, AFTER = NOON - timedelta(hours=1), NOON + timedelta(hours=1)
PLACE = "run.created_at, run.run_id"


@pytest.mark.parametrize("moments", [(BEFORE, NOON), (NOON, BEFORE), (NOON,)])
def test_the_latest_beginning_counts(moments: Sequence[datetime]) -> None:
    condition = Condition()
    for moment in moments:
        condition.add_since("run.created_at", moment)
    assert (condition.sql, condition.parameters) == ("run.created_at >= ?", [NOON])


@pytest.mark.parametrize("moments", [(AFTER, NOON), (NOON, AFTER), (NOON,)])
def test_the_earliest_end_counts(moments: Sequence[datetime]) -> None:
    condition = Condition()
    for moment in moments:
        condition.add_until("run.created_at", moment)
    assert (condition.sql, condition.parameters) == ("run.created_at <= ?", [NOON])


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (BEFORE, (f"({PLACE}) < (?, ?)", [BEFORE, 7])),
        (NOON, (f"({PLACE}) < (?, ?)", [NOON, 7])),
        (AFTER, ("run.created_at <= ?", [NOON])),
    ],
)
def test_an_end_and_a_place_are_one_bound(place: datetime, expected: tuple[str, list[Any]]) -> None:
    condition = Condition()
    condition.add_until("run.created_at", NOON)
    condition.add_before(PLACE, place, 7)
    assert (condition.sql, condition.parameters) == expected


def test_a_copy_has_the_bounds_and_goes_on_by_itself() -> None:
    condition = Condition()
    condition.add_since("run.created_at", BEFORE)
    for other in (condition.copy(), condition.bounds(), *condition.branches()):
        other.add_since("run.created_at", NOON)
        assert other.parameters == [NOON]
    assert condition.parameters == [BEFORE]
