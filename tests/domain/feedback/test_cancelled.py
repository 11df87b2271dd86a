"""Of what jobs ended that GitHub calls cancelled."""

from typing import Any

import pytest

from bot.domain.feedback.cancelled import as_they_ended
from bot.domain.feedback.report import Failure, Source
from tests.domain.feedback.reports import failure, job, run


def noted(anchor: str | None, **told: Any) -> Failure:
    return failure(anchor, **{"source": Source.ANNOTATIONS, "test": None, "exit_code": None, "lines": (), **told})


GONE = noted("The runner has received a shutdown signal. This can happen when the runner service is stopped.")
SLOW = noted("The job running on runner R has exceeded the maximum execution time of 60 minutes.")
BY_SOMEBODY = noted(None)
BOTH = noted(GONE.anchor, further=(SLOW.anchor,))


@pytest.mark.parametrize(
    ("told", "jobs", "expected"),
    [
        ("cancelled", {"cancelled": GONE}, ("failure", ["failure"])),
        ("cancelled", {"cancelled": SLOW}, ("failure", ["timed_out"])),
        ("cancelled", {"cancelled": BOTH}, ("failure", ["timed_out"])),
        ("cancelled", {"cancelled": BY_SOMEBODY}, ("cancelled", ["cancelled"])),
        ("cancelled", {"cancelled": None}, ("cancelled", ["cancelled"])),
        (
            "cancelled",
            {"success": None, "skipped": None, "cancelled": GONE},
            ("failure", ["success", "skipped", "failure"]),
        ),
        ("cancelled", {"success": GONE}, ("cancelled", ["success"])),
        ("cancelled", {}, ("cancelled", [])),
        # Another job has failed of itself, or somebody has seen to it.
        ("failure", {"failure": None, "cancelled": GONE}, ("failure", ["failure", "failure"])),
        ("success", {"cancelled": GONE}, ("success", ["failure"])),
    ],
)
def test_what_nobody_cancelled_has_failed(
    told: str, jobs: dict[str, Failure | None], expected: tuple[str, list[str]]
) -> None:
    listed = [job(place, conclusion=conclusion, step=None) for place, conclusion in enumerate(jobs)]
    failures = {place: said for place, said in enumerate(jobs.values()) if said is not None}
    ended, found = as_they_ended(run(conclusion=told), listed, failures)
    assert (ended.conclusion, [each.conclusion for each in found]) == expected


def test_a_run_of_which_another_job_was_cancelled_by_somebody_was_too() -> None:
    jobs = [job(number, conclusion="cancelled", step=None) for number in (1, 2)]
    ended, found = as_they_ended(run(conclusion="cancelled"), jobs, {1: GONE, 2: BY_SOMEBODY})
    assert (ended.conclusion, [each.conclusion for each in found]) == ("cancelled", ["failure", "cancelled"])
