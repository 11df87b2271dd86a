"""The accounts of one installation, without any waiting."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.github.answers import Quota
from bot.github.ledger import Ask, Figures, Hour, Lane, Ledger, Pause, Sliding

FIGURES = Figures()
# What backfill may take of an hour of a hundred requests.
SHARE = 49


def quota(remaining: int, reset: int, limit: int = 100) -> Quota:
    return Quota(limit, remaining, reset, float(reset))


@given(
    st.lists(st.tuples(st.integers(0, 360).map(lambda quarters: quarters / 4), st.sampled_from([1, 5])), max_size=60)
)
def test_no_stretch_of_a_minute_holds_more_than_its_most(costs: list[tuple[float, int]]) -> None:
    account, now, spent = Sliding(60, 20), 0.0, list[tuple[float, int]]()
    for pause, cost in costs:
        now = account.free_at(cost, now + pause)
        assert account.free_at(cost, now) == now
        account.spend(cost, now)
        spent.append((now, cost))
    for end, _ in spent:
        assert sum(cost for at, cost in spent if end - 60 < at <= end) <= 20


def test_a_sliding_account_is_free_as_soon_as_it_may_be() -> None:
    account = Sliding(60, 10)
    account.spend(5, 0.0)
    account.spend(5, 10.0)
    assert account.free_at(1, 20.0) == 60.0
    assert account.free_at(6, 20.0) == 70.0


def test_pauses_that_github_does_not_measure_double_up_to_an_hour() -> None:
    pause, now, lengths = Pause(FIGURES), 1000.0, []
    for _ in range(9):
        pause.refuse(None, now, now)
        lengths.append(pause.until - now)
        now = pause.until
    assert lengths == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
    pause.relent(now)
    pause.refuse(None, now, now)
    assert pause.until - now == 60


def test_refusals_of_requests_already_under_way_are_one_trouble() -> None:
    pause = Pause(FIGURES)
    for heard in (1000.0, 1001.0, 1002.0):
        pause.refuse(None, 999.0, heard)
    assert pause.until == 1062.0


def test_what_github_says_counts_and_a_shorter_wait_takes_nothing_back() -> None:
    pause = Pause(FIGURES)
    pause.refuse(90, 1000.0, 1000.0)
    pause.refuse(10, 1000.0, 1001.0)
    assert pause.until == 1090.0
    pause.refuse(0, 2000.0, 2000.0)
    assert pause.until == 2001.0


def test_an_answer_to_what_was_sent_before_the_pause_is_no_sign_of_peace() -> None:
    pause = Pause(FIGURES)
    pause.refuse(None, 1000.0, 1000.0)
    pause.relent(999.0)
    pause.refuse(None, 1060.0, 1060.0)
    assert pause.until == 1180.0


def test_the_hour_goes_by_the_smallest_remainder_and_what_is_under_way() -> None:
    hour = Hour(FIGURES)
    hour.hear(quota(40, 3600), 0.0)
    hour.hear(quota(42, 3601), 1.0)
    hour.start(Lane.LIVE, 1.0)
    assert hour.remaining(1.0) == 39
    hour.end(Lane.LIVE, counted=True)
    assert hour.remaining(1.0) == 40


def test_an_exhausted_hour_is_over_at_the_reset() -> None:
    hour = Hour(FIGURES)
    hour.hear(quota(0, 3600), 0.0)
    assert hour.free_at(Lane.LIVE, 10.0) == 3600.0
    assert hour.free_at(Lane.LIVE, 3600.0) == 3600.0
    assert hour.remaining(3600.0) == 100


def test_an_answer_of_the_hour_before_says_nothing_of_this_one() -> None:
    hour = Hour(FIGURES)
    hour.hear(quota(100, 3600), 0.0)
    hour.hear(quota(0, 3600), 3600.0)
    assert hour.remaining(3600.0) == 100
    hour.hear(quota(99, 7200), 3601.0)
    hour.hear(quota(0, 3600), 3602.0)
    assert hour.remaining(3602.0) == 99


def use(hour: Hour, lane: Lane, now: float, times: int) -> None:
    for _ in range(times):
        hour.start(lane, now)
        hour.end(lane, counted=True)


def test_backfill_has_half_of_an_hour_and_leaves_the_last_tenth() -> None:
    hour = Hour(FIGURES)
    hour.hear(quota(100, 3600), 0.0)
    use(hour, Lane.BACKFILL, 0.0, SHARE)
    assert hour.free_at(Lane.BACKFILL, 1.0) == 3600.0
    assert hour.free_at(Lane.LIVE, 1.0) == 1.0
    assert hour.free_at(Lane.BACKFILL, 3600.0) == 3600.0
    other = Hour(FIGURES)
    other.hear(quota(100, 3600), 0.0)
    use(other, Lane.LIVE, 0.0, 85)
    other.hear(quota(15, 3600), 1.0)
    assert other.backfill_left(1.0) == 5


def test_what_was_used_before_we_came_may_have_been_backfill() -> None:
    hour = Hour(FIGURES)
    hour.hear(quota(60, 3600), 0.0)
    assert hour.backfill_left(0.0) == SHARE - 40
    hour.hear(quota(100, 7200), 3600.0)
    assert hour.backfill_left(3600.0) == SHARE


def test_what_others_use_meanwhile_may_be_backfill() -> None:
    hour = Hour(FIGURES)
    hour.hear(quota(100, 3600), 0.0)
    use(hour, Lane.LIVE, 0.0, 10)
    use(hour, Lane.BACKFILL, 0.0, 20)
    hour.start(Lane.BACKFILL, 1.0)
    hour.hear(quota(49, 3600), 1.0)
    assert hour.backfill_left(1.0) == SHARE - 21 - 20
    hour.end(Lane.BACKFILL, counted=True)
    # Of those under way GitHub has counted one, or all.
    for _ in range(3):
        hour.start(Lane.LIVE, 2.0)
    hour.hear(quota(48, 3600), 2.0)
    assert hour.backfill_left(2.0) == SHARE - 21 - 20
    for _ in range(3):
        hour.end(Lane.LIVE, counted=True)
    hour.hear(quota(26, 3600), 3.0)
    assert hour.backfill_left(3.0) == 0
    hour.hear(quota(100, 7200), 3600.0)
    assert hour.backfill_left(3600.0) == SHARE


def test_backfill_under_way_at_the_turn_counts_for_the_new_hour() -> None:
    hour = Hour(FIGURES)
    hour.hear(quota(100, 3600), 0.0)
    use(hour, Lane.BACKFILL, 0.0, 20)
    for _ in range(3):
        hour.start(Lane.BACKFILL, 3599.0)
    hour.hear(quota(99, 7199), 3599.5)
    assert hour.backfill_left(3599.5) == SHARE - 3


def test_backfill_under_way_when_our_clock_turns_the_hour_counts_too() -> None:
    hour = Hour(FIGURES)
    hour.hear(quota(100, 3600), 0.0)
    use(hour, Lane.BACKFILL, 0.0, 20)
    for _ in range(3):
        hour.start(Lane.BACKFILL, 3599.0)
    assert hour.backfill_left(3600.0) == SHARE - 3
    hour.hear(quota(99, 7200), 3601.0)
    assert hour.backfill_left(3601.0) == SHARE - 3


def test_an_answer_that_is_not_counted_gives_backfill_its_share_back() -> None:
    hour = Hour(FIGURES)
    hour.hear(quota(100, 3600), 0.0)
    hour.start(Lane.BACKFILL, 0.0)
    hour.end(Lane.BACKFILL, counted=False)
    assert hour.backfill_left(0.0) == SHARE


def test_a_server_without_limits_has_none() -> None:
    hour = Hour(FIGURES)
    hour.hear_of_no_limit()
    use(hour, Lane.BACKFILL, 0.0, 10_000)
    assert hour.free_at(Lane.BACKFILL, 0.0) == 0.0
    assert math.isinf(hour.backfill_left(0.0))
    hour.hear(quota(100, 3600), 1.0)
    assert hour.limit == 100
    hour.hear_of_no_limit()
    assert hour.limit == 100


def test_before_any_answer_the_usual_hour_is_assumed_and_ends() -> None:
    hour = Hour(FIGURES)
    use(hour, Lane.BACKFILL, 10.0, 2500)
    assert hour.free_at(Lane.BACKFILL, 20.0) == 3610.0
    assert hour.free_at(Lane.BACKFILL, 3610.0) == 3610.0


def test_writes_are_alone_and_a_second_apart() -> None:
    ledger, write = Ledger(FIGURES), Ask(Lane.WRITE, points=5)
    ledger.start(write, 100.0)
    assert math.isinf(ledger.permitted_at(write, 100.0))
    assert ledger.permitted_at(Ask(), 100.0) == 100.0
    ledger.end(write, 103.0)
    assert ledger.permitted_at(write, 103.0) == 104.0


@pytest.mark.parametrize(("lane", "most"), [(Lane.LIVE, 10), (Lane.BACKFILL, 6)])
def test_so_many_are_asked_at_once_and_no_more(lane: Lane, most: int) -> None:
    ledger = Ledger(FIGURES)
    ledger.hour.hear(quota(100, 3600), 0.0)
    for _ in range(most):
        assert ledger.permitted_at(Ask(lane), 0.0) == 0.0
        ledger.start(Ask(lane), 0.0)
    assert math.isinf(ledger.permitted_at(Ask(lane), 0.0))
    ledger.end(Ask(lane), 0.0)
    assert ledger.permitted_at(Ask(lane), 0.0) == 0.0


def test_while_others_may_have_asked_backfill_sends_one_request_alone() -> None:
    ledger, backfill = Ledger(FIGURES), Ask(Lane.BACKFILL)
    for reset in (3600, 3601):
        ledger.start(backfill, 0.0)
        assert math.isinf(ledger.permitted_at(backfill, 0.0))
        assert ledger.permitted_at(Ask(), 0.0) == 0.0
        ledger.hour.hear(quota(99, reset), 0.0)
        assert ledger.permitted_at(backfill, 0.0) == 0.0
        ledger.end(backfill, 0.0)
        ledger.hour.in_doubt = True


def test_creations_are_counted_by_the_minute_and_by_the_hour() -> None:
    ledger, create = Ledger(Figures(write_spacing=0.0)), Ask(Lane.WRITE, points=5, creates=True)
    now = 0.0
    for _ in range(FIGURES.creations_an_hour):
        now = ledger.permitted_at(create, now)
        ledger.start(create, now)
        ledger.end(create, now)
    assert 360 <= now < 400
    assert ledger.permitted_at(create, now) == 3600.0
    assert ledger.permitted_at(Ask(Lane.WRITE, points=5), now + 60) == now + 60


def test_reads_leave_points_to_writes_and_backfill_leaves_some_to_both() -> None:
    ledger = Ledger(FIGURES)
    spent: dict[Lane, int] = {}
    for lane, ask in ((lane, Ask(lane)) for lane in (Lane.BACKFILL, Lane.LIVE)):
        while ledger.permitted_at(ask, 0.0) == 0.0:
            ledger.start(ask, 0.0)
            ledger.end(ask, 0.0)
            spent[lane] = spent.get(lane, 0) + 1
    assert spent == {Lane.BACKFILL: 400, Lane.LIVE: 200}
    assert ledger.permitted_at(Ask(Lane.WRITE, points=5), 0.0) == 0.0
