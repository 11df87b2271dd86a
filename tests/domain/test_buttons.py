"""The button on a finished check run: there where it can help, and within what GitHub takes."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.domain.feedback.buttons import RERUN_FAILED, buttons
from bot.domain.feedback.report import (
    Cause,
    Conclusion,
    Counts,
    Evidence,
    FailedJob,
    FailureClass,
    Job,
    Report,
    Run,
)

RUN = Run(
    run_id=1,
    attempt=1,
    workflow_id=2,
    workflow_name="CI",
    workflow_path=".github/workflows/ci.yml",
    event="push",
    status="completed",
    conclusion="failure",
    html_url=None,
    head_branch="main",
    began_at=datetime(2026, 11, 2, tzinfo=UTC),
)
JOB = Job(
    job_id=3,
    run_id=1,
    attempt=1,
    name="unit",
    status="completed",
    conclusion="failure",
    html_url=None,
    started_at=None,
    completed_at=None,
)


def cause(failure_class: FailureClass) -> Cause:
    return Cause(failure_class, (FailedJob(JOB, RUN, None, Evidence(), failure_class),))


def report(conclusion: Conclusion | None, **parts: Any) -> Report:
    nothing: dict[str, Any] = dict.fromkeys(
        ("causes", "flakes", "cancelled_jobs", "runs_without_jobs", "waiting_for_approval"), ()
    )
    return Report(
        repo_full_name="acme/rocket",
        html_url="https://github.com/acme/rocket",
        head_sha="a" * 40,
        base_branch="main",
        counts=Counts(),
        runs=(RUN,),
        conclusion=conclusion,
        **{**nothing, **parts},
    )


@pytest.mark.parametrize("failure_class", FailureClass)
def test_failed_jobs_can_be_run_again_whoever_is_to_blame(failure_class: FailureClass) -> None:
    told = report(Conclusion.FAILURE, causes=(cause(failure_class),))
    (button,) = buttons(told, True)
    assert button["identifier"] == RERUN_FAILED
    assert all(0 < len(button[name]) <= most for name, most in (("label", 20), ("description", 40), ("identifier", 20)))
    assert buttons(told, False) == []


def test_cancelled_ones_too() -> None:
    assert len(buttons(report(Conclusion.CANCELLED, cancelled_jobs=(JOB,)), True)) == 1


@pytest.mark.parametrize(
    "told",
    [
        report(Conclusion.SUCCESS),
        report(Conclusion.ACTION_REQUIRED, waiting_for_approval=(RUN,)),
        report(Conclusion.FAILURE, runs_without_jobs=(RUN,)),
        report(None, causes=(cause(FailureClass.NEW),)),
    ],
)
def test_no_button_where_it_can_not_help_or_not_yet(told: Report) -> None:
    assert buttons(told, True) == []
