"""What is worth asking about a run, and when to look again at one that has not ended."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ordering import is_finished
from bot.domain.wanting import (
    FIRST_LOOK,
    JOBS_SPAN,
    LONGEST_INTERVAL,
    RunState,
    Urgency,
    Want,
    next_look,
    want_of,
)

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
ENDED = RunState(
    status="completed",
    conclusion="success",
    event="push",
    created_at=NOW - timedelta(hours=1),
    began_at=NOW - timedelta(hours=1),
    run_attempt=1,
    attempts=1,
    jobs_attempt=0,
    from_fork=False,
    linked=False,
)
OLD = dict.fromkeys(("created_at", "began_at"), NOW - JOBS_SPAN - timedelta(seconds=1))
FORK = {"from_fork": True, "event": "pull_request"}
WITH_JOBS, WITHOUT = Want(Urgency.OTHER, True), Want(Urgency.OTHER, False)


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        ({}, WITH_JOBS),
        (dict.fromkeys(("created_at", "began_at"), NOW - JOBS_SPAN), WITH_JOBS),
        ({"conclusion": "cancelled"}, WITH_JOBS),
        ({"conclusion": "skipped"}, WITH_JOBS),
        # Of a run that has been gone, nobody knows how it ended.
        ({"conclusion": None}, WITH_JOBS),
        ({"conclusion": "failure"}, Want(Urgency.FAILED, True)),
        ({"conclusion": "timed_out"}, Want(Urgency.FAILED, True)),
        # What has not ended is told, or looked for, when it has.
        ({"status": "queued", "conclusion": None}, None),
        ({"status": "in_progress", "conclusion": None}, None),
        ({"status": "in_progress", "conclusion": None, "run_attempt": 2}, None),
        ({"conclusion": "action_required"}, None),
        # Older ones only if they failed.
        (OLD, None),
        (OLD | {"conclusion": "cancelled"}, None),
        (OLD | {"conclusion": "failure"}, Want(Urgency.FAILED, True)),
        (OLD | {"conclusion": "timed_out"}, Want(Urgency.FAILED, True)),
        # What never began has no jobs, but its earlier attempts may.
        ({"conclusion": "startup_failure"}, None),
        (OLD | {"conclusion": "startup_failure"}, None),
        ({"conclusion": "startup_failure", "run_attempt": 2}, WITH_JOBS),
        (OLD | {"conclusion": "startup_failure", "run_attempt": 2}, WITHOUT),
        # Earlier attempts are worth it however old they are.
        (OLD | {"run_attempt": 2}, WITHOUT),
        (OLD | {"run_attempt": 3, "attempts": 2}, WITHOUT),
        (OLD | {"run_attempt": 3, "attempts": 3}, None),
        # What ran again has jobs as young as its newest attempt.
        (OLD | {"began_at": NOW - timedelta(days=1), "run_attempt": 2, "attempts": 2}, WITH_JOBS),
        # And so is the pull request of a fork, which GitHub does not list.
        (OLD | FORK, WITHOUT),
        (OLD | FORK | {"event": "pull_request_target"}, WITHOUT),
        (OLD | FORK | {"linked": True}, None),
        (OLD | FORK | {"event": "push"}, None),
        (OLD | FORK | {"event": None}, None),
        (OLD | {"event": "pull_request"}, None),
        # What has been asked is not asked twice, but another attempt has other jobs.
        ({"jobs_attempt": 1}, None),
        ({"jobs_attempt": 1, "conclusion": "failure"}, None),
        ({"jobs_attempt": 1, "run_attempt": 2}, WITH_JOBS),
        ({"jobs_attempt": 2, "run_attempt": 2}, None),
        ({"jobs_attempt": 2, "run_attempt": 1}, None),
        (FORK | {"jobs_attempt": 1}, None),
    ],
)
def test_what_is_worth_asking(changes: dict[str, Any], want: Want | None) -> None:
    assert want_of(msgspec.structs.replace(ENDED, **changes), NOW) == want


_states = st.builds(
    RunState,
    status=st.sampled_from(["queued", "in_progress", "waiting", "completed"]),
    conclusion=st.sampled_from([None, "success", "failure", "action_required", "startup_failure", "stale"]),
    event=st.sampled_from([None, "push", "pull_request"]),
    created_at=st.just(NOW - timedelta(days=60)),
    began_at=st.integers(0, 60 * 24).map(lambda hours: NOW - timedelta(hours=hours)),
    run_attempt=st.integers(1, 4),
    attempts=st.integers(0, 4),
    jobs_attempt=st.integers(0, 4),
    from_fork=st.booleans(),
    linked=st.booleans(),
)


@given(_states)
def test_whoever_has_asked_for_all_of_it_wants_nothing_more(state: RunState) -> None:
    want = want_of(state, NOW)
    told = msgspec.structs.replace(state, attempts=state.run_attempt, linked=True)
    if want is not None and want.with_jobs:
        told = msgspec.structs.replace(told, jobs_attempt=state.run_attempt)
    assert want is None or want_of(told, NOW) is None


@given(_states, st.integers(0, 90 * 24))
def test_nothing_becomes_worth_more_with_time(state: RunState, hours: int) -> None:
    now, later = want_of(state, NOW), want_of(state, NOW + timedelta(hours=hours))
    if later is not None:
        assert now is not None
        assert now.with_jobs >= later.with_jobs


@given(_states)
def test_nothing_is_asked_of_what_has_not_ended(state: RunState) -> None:
    if not is_finished(state.status, state.conclusion):
        assert want_of(state, NOW) is None


def test_what_a_person_waits_for_comes_first() -> None:
    assert sorted(Urgency) == [Urgency.ASKED, Urgency.UNFINISHED, Urgency.FAILED, Urgency.OTHER]


def test_looks_come_ever_more_rarely_a_day_apart_at_the_most() -> None:
    minutes = [next_look(tries) / timedelta(minutes=1) for tries in range(9)]
    assert minutes == [15, 30, 60, 120, 240, 480, 960, 1440, 1440]


@given(st.integers(0, 10**9))
def test_intervals_never_shrink_nor_overflow(tries: int) -> None:
    assert FIRST_LOOK <= next_look(tries) <= next_look(tries + 1) <= LONGEST_INTERVAL
