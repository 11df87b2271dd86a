"""How long what is going on will still take."""

from datetime import timedelta

import msgspec
import pytest

from bot.domain.feedback.estimate import OVERDUE, Usual, seconds_left, usual_of
from bot.domain.feedback.report import Job, Run
from tests.domain.feedback.test_standing import NOON, job, run

GOING_ON = run(1, None, "in_progress")
USUAL = {7: Usual(300.0, {"test": 120.0, "lint": 40.0})}


def begun(name: str, seconds_ago: float, id: int = 1) -> Job:
    started = NOON + timedelta(seconds=100 - seconds_ago)
    return msgspec.structs.replace(job(id, None, name), started_at=started)


def queued(name: str) -> Job:
    return msgspec.structs.replace(job(2, None, name), status="queued")


def test_medians_are_usual() -> None:
    jobs = [("a", 1.0), ("a", 3.0), ("a", 50.0), ("b", 7.0)]
    assert usual_of([100.0, 300.0, 120.0], jobs) == Usual(120.0, {"a": 3.0, "b": 7.0})
    assert usual_of([], jobs) is None


@pytest.mark.parametrize(
    ("runs", "jobs", "expected"),
    [
        # 100 s of the usual 300 have gone by.
        ([GOING_ON], [], 210),
        ([GOING_ON], [begun("test", 10)], 210),
        # A job that begins late goes on for longer than the run usually does.
        ([msgspec.structs.replace(GOING_ON, began_at=NOON - timedelta(seconds=200))], [begun("test", 10)], 120),
        ([msgspec.structs.replace(GOING_ON, began_at=NOON - timedelta(seconds=200))], [queued("test")], 120),
        ([msgspec.structs.replace(GOING_ON, began_at=NOON - timedelta(seconds=199))], [], 30),
        # What is over its time may end at any moment; what nobody knows takes no time.
        ([msgspec.structs.replace(GOING_ON, began_at=NOON - timedelta(hours=1))], [begun("test", 999)], OVERDUE),
        ([msgspec.structs.replace(GOING_ON, began_at=NOON - timedelta(hours=1))], [begun("new", 1)], OVERDUE),
        ([run()], [], None),
        ([GOING_ON, run(2, None, "queued", workflow_id=99)], [], None),
        ([], [], None),
    ],
)
def test_what_is_left_goes_by_what_is_usual(runs: list[Run], jobs: list[Job], expected: int | None) -> None:
    assert seconds_left(runs, {1: jobs}, USUAL, NOON + timedelta(seconds=100)) == expected
