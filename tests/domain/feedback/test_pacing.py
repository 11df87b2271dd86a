"""When a check run or a comment is written, and when it is left alone."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.feedback.pacing import (
    CONCLUSION_SPACING,
    LATEST_COMMENT,
    QUIET_BEFORE_COMMENT,
    QUIET_BEFORE_COMPLETION,
    SPACING,
    Plan,
    PostedCheck,
    PostedComment,
    Pull,
    Saying,
    Urgency,
    check_plan,
    comment_plan,
    saying,
)
from bot.domain.feedback.report import Cause, Conclusion, Counts, FailureClass, Report
from tests.domain.feedback.test_standing import AWAITED, NOON, cause, run

NOW = NOON + timedelta(hours=1)
SECOND = timedelta(seconds=1)
NEW, BASE, PENDING = (cause(each) for each in (FailureClass.NEW, FailureClass.BASE, FailureClass.PENDING))


def report(*causes: Cause, conclusion: Conclusion | None = None) -> Report:
    return Report(
        repo_full_name="acme/rocket",
        html_url="https://github.com/acme/rocket",
        head_sha="a" * 40,
        base_branch="main",
        counts=Counts(),
        runs=(run(),),
        causes=causes,
        flakes=(),
        cancelled_jobs=(),
        runs_without_jobs=(),
        waiting_for_approval=(),
        conclusion=conclusion,
    )


GOING_ON, RED_SO_FAR = report(), report(NEW)
GREEN, RED = report(conclusion=Conclusion.SUCCESS), report(NEW, conclusion=Conclusion.FAILURE)
EXCUSED = report(BASE, conclusion=Conclusion.NEUTRAL)
NONE_YET = PostedCheck()
JUST_NOW, LONG_AGO = NOW - 2 * SECOND, NOW - timedelta(minutes=5)


def posted(status: str, told: str = "old", ago: timedelta = timedelta(minutes=1), **changes: Any) -> PostedCheck:
    return PostedCheck(status=status, told=told, written_at=NOW - ago, **changes)


BEGUN, RED_ALREADY = posted("in_progress"), posted("in_progress", shows_failure=True)
COMPLETED = posted("completed", shows_failure=True)
NEW_FAILURE = Plan(Urgency.FIRST_FAILURE, NOW, is_new=True)
ON_AND_AWAITED = msgspec.structs.replace(report(AWAITED), runs=(run(), run(2, None, "in_progress")))
IN_TIME, SOONER = NOW - SECOND + SPACING, NOW - SECOND + CONCLUSION_SPACING


@pytest.mark.parametrize(
    ("before", "now", "changed_at", "expected"),
    [
        # The first job is queued; the first job failed before anything was written; all was over when we heard of it.
        (NONE_YET, GOING_ON, JUST_NOW, Plan(Urgency.PROGRESS, NOW, is_new=True)),
        (NONE_YET, RED_SO_FAR, JUST_NOW, Plan(Urgency.FIRST_FAILURE, NOW, is_new=True)),
        (NONE_YET, RED, JUST_NOW, Plan(Urgency.FIRST_FAILURE, NOW, is_new=True)),
        (NONE_YET, RED, LONG_AGO, Plan(Urgency.COMPLETION, NOW, is_new=True)),
        (NONE_YET, GREEN, LONG_AGO, Plan(Urgency.COMPLETION, NOW, is_new=True)),
        (NONE_YET, GREEN, JUST_NOW, Plan(Urgency.COMPLETION, JUST_NOW + QUIET_BEFORE_COMPLETION, is_new=True)),
        # While it goes on.
        (BEGUN, GOING_ON, JUST_NOW, Plan(Urgency.PROGRESS, NOW)),
        (posted("in_progress", ago=5 * SECOND), GOING_ON, JUST_NOW, Plan(Urgency.PROGRESS, NOW + 10 * SECOND)),
        (posted("in_progress", "new"), GOING_ON, JUST_NOW, None),
        (posted("in_progress", ago=SECOND), RED_SO_FAR, JUST_NOW, Plan(Urgency.FIRST_FAILURE, NOW)),
        (posted("in_progress", ago=SECOND), report(BASE), JUST_NOW, Plan(Urgency.FIRST_FAILURE, NOW)),
        (RED_ALREADY, RED_SO_FAR, JUST_NOW, Plan(Urgency.PROGRESS, NOW)),
        # The end is believed after some quiet; a failure is told at once.
        (BEGUN, GREEN, JUST_NOW, Plan(Urgency.COMPLETION, JUST_NOW + QUIET_BEFORE_COMPLETION)),
        (BEGUN, GREEN, LONG_AGO, Plan(Urgency.COMPLETION, NOW)),
        (posted("in_progress", "new"), GREEN, LONG_AGO, Plan(Urgency.COMPLETION, NOW)),
        (BEGUN, RED, JUST_NOW, Plan(Urgency.FIRST_FAILURE, NOW)),
        (RED_ALREADY, report(AWAITED), LONG_AGO, Plan(Urgency.PROGRESS, NOW)),
        (RED_ALREADY, RED, JUST_NOW, Plan(Urgency.COMPLETION, JUST_NOW + QUIET_BEFORE_COMPLETION)),
        # Afterwards: a log that came late, a re-run, a click.
        (COMPLETED, RED, JUST_NOW, Plan(Urgency.COMPLETION, NOW)),
        (posted("completed", ago=SECOND, conclusion="failure"), RED, JUST_NOW, Plan(Urgency.COMPLETION, IN_TIME)),
        (posted("completed", ago=SECOND, conclusion="neutral"), RED, JUST_NOW, Plan(Urgency.COMPLETION, SOONER)),
        (posted("completed", ago=SECOND), RED, JUST_NOW, Plan(Urgency.COMPLETION, SOONER)),
        (posted("completed", "new"), RED, LONG_AGO, None),
        # It was looked into so late that it had been told as a failure: that it is stays told until its log is there.
        (posted("completed", conclusion="failure"), report(AWAITED), LONG_AGO, None),
        (posted("completed", conclusion="neutral"), report(AWAITED), LONG_AGO, NEW_FAILURE),
        (posted("completed", conclusion="failure", renew=True), report(AWAITED), LONG_AGO, NEW_FAILURE),
        (posted("completed", conclusion="failure"), ON_AND_AWAITED, LONG_AGO, NEW_FAILURE),
        (COMPLETED, GOING_ON, JUST_NOW, Plan(Urgency.PROGRESS, NOW, is_new=True)),
        (COMPLETED, RED_SO_FAR, JUST_NOW, Plan(Urgency.FIRST_FAILURE, NOW, is_new=True)),
        (posted("completed", "new", renew=True), RED, LONG_AGO, Plan(Urgency.COMPLETION, NOW, is_new=True)),
        (posted("in_progress", "new", renew=True), GOING_ON, LONG_AGO, None),
    ],
)
def test_a_check_run_is_written(before: PostedCheck, now: Report, changed_at: datetime, expected: Plan | None) -> None:
    assert check_plan(before, now, "new", changed_at, NOW) == expected


reports = st.sampled_from([GOING_ON, RED_SO_FAR, GREEN, RED, EXCUSED])
posts = st.builds(
    PostedCheck,
    status=st.sampled_from(["in_progress", "completed"]),
    shows_failure=st.booleans(),
    told=st.sampled_from(["old", "new"]),
    written_at=st.integers(0, 100).map(lambda seconds: NOW - seconds * SECOND),
    renew=st.booleans(),
)
ages = st.integers(0, 100).map(lambda seconds: NOW - seconds * SECOND)


@given(posts, reports, ages)
def test_what_says_what_it_should_is_never_written_again(
    before: PostedCheck, now: Report, changed_at: datetime
) -> None:
    before = msgspec.structs.replace(before, told="new", shows_failure=bool(now.causes), renew=False)
    plan = check_plan(before, now, "new", changed_at, NOW)
    if (before.status == "completed") == now.is_finished:
        assert plan is None


@given(posts, reports, ages)
def test_progress_comes_seldom_and_nothing_is_planned_for_the_past(
    before: PostedCheck, now: Report, changed_at: datetime
) -> None:
    plan = check_plan(before, now, "new", changed_at, NOW)
    if plan is not None:
        assert plan.at >= NOW
        assert before.written_at is not None
        if plan.urgency is Urgency.PROGRESS and not plan.is_new:
            assert plan.at >= before.written_at + SPACING


OPEN = Pull("a" * 40, is_open=True, is_draft=False, is_locked=False, is_muted=False)
SILENT = [
    msgspec.structs.replace(OPEN, **{name: value})
    for name, value in {"is_open": False, "is_draft": True, "is_locked": True, "is_muted": True}.items()
]
NO_COMMENT = PostedComment()
TOLD_RED = PostedComment("red", "a" * 40, "old")
TOLD_RED_OF_ANOTHER = PostedComment("red", "b" * 40, "old")
TOLD_GREEN = PostedComment("green", "b" * 40, "old")
CANCELLED = report(conclusion=Conclusion.CANCELLED)


@pytest.mark.parametrize(
    ("before", "head", "queue", "expected"),
    [
        (NO_COMMENT, None, None, Saying.NOTHING),
        (NO_COMMENT, GOING_ON, None, Saying.NOTHING),
        (NO_COMMENT, GREEN, None, Saying.NOTHING),
        (NO_COMMENT, EXCUSED, None, Saying.NOTHING),
        (NO_COMMENT, RED_SO_FAR, None, Saying.RED),
        (NO_COMMENT, report(PENDING), None, Saying.RED),
        (NO_COMMENT, report(BASE, NEW), None, Saying.RED),
        # A log may still come that tells whose it is.
        (NO_COMMENT, report(AWAITED), None, Saying.NOTHING),
        (NO_COMMENT, report(AWAITED, NEW), None, Saying.RED),
        (TOLD_RED, report(AWAITED), None, Saying.AS_IT_IS),
        (TOLD_RED_OF_ANOTHER, report(AWAITED), None, Saying.OUTDATED),
        (TOLD_GREEN, report(AWAITED), None, Saying.AS_IT_IS),
        (NO_COMMENT, GREEN, RED, Saying.RED),
        (TOLD_RED, RED, None, Saying.RED),
        (TOLD_RED, GREEN, None, Saying.GREEN),
        (TOLD_RED, EXCUSED, None, Saying.GREEN),
        # It is being run again, or was cancelled: nobody knows yet.
        (TOLD_RED, GOING_ON, None, Saying.AS_IT_IS),
        (TOLD_RED, CANCELLED, None, Saying.AS_IT_IS),
        (TOLD_RED_OF_ANOTHER, GOING_ON, None, Saying.OUTDATED),
        (TOLD_RED_OF_ANOTHER, None, None, Saying.OUTDATED),
        (TOLD_RED_OF_ANOTHER, CANCELLED, None, Saying.OUTDATED),
        (TOLD_RED_OF_ANOTHER, RED_SO_FAR, None, Saying.RED),
        (TOLD_RED_OF_ANOTHER, GREEN, None, Saying.GREEN),
        (TOLD_GREEN, GREEN, None, Saying.AS_IT_IS),
        (TOLD_GREEN, GOING_ON, None, Saying.AS_IT_IS),
        (TOLD_GREEN, RED, None, Saying.RED),
    ],
)
def test_a_comment_says(before: PostedComment, head: Report | None, queue: Report | None, expected: Saying) -> None:
    assert saying(OPEN, before, head, queue) is expected


@pytest.mark.parametrize("pull", SILENT)
def test_some_pull_requests_are_told_nothing(pull: Pull) -> None:
    assert saying(pull, NO_COMMENT, RED, RED) is Saying.NOTHING
    assert saying(pull, TOLD_RED, RED, None) is Saying.AS_IT_IS
    assert saying(pull, TOLD_RED, GREEN, None) is Saying.AS_IT_IS


@pytest.mark.parametrize(
    ("wanted", "head", "changed_at", "differs_since", "expected"),
    [
        (Saying.RED, RED_SO_FAR, JUST_NOW, JUST_NOW, JUST_NOW + QUIET_BEFORE_COMMENT),
        (Saying.RED, RED_SO_FAR, JUST_NOW, NOW - 50 * SECOND, NOW - 50 * SECOND + LATEST_COMMENT),
        (Saying.RED, RED, LONG_AGO, JUST_NOW, NOW),
        (Saying.RED, RED, JUST_NOW, LONG_AGO, NOW),
        # What is still being looked into may be excused.
        (Saying.RED, report(PENDING), LONG_AGO, JUST_NOW, JUST_NOW + LATEST_COMMENT),
        (Saying.RED, report(PENDING, NEW), LONG_AGO, JUST_NOW, NOW),
        (Saying.RED, None, LONG_AGO, JUST_NOW, NOW),
        (Saying.GREEN, GREEN, JUST_NOW, JUST_NOW, JUST_NOW + QUIET_BEFORE_COMPLETION),
        (Saying.GREEN, GREEN, LONG_AGO, JUST_NOW, NOW),
        (Saying.OUTDATED, GOING_ON, JUST_NOW, JUST_NOW, NOW),
    ],
)
def test_a_comment_waits_for_quiet_but_not_for_ever(
    wanted: Saying, head: Report | None, changed_at: datetime, differs_since: datetime, expected: datetime
) -> None:
    plan = comment_plan(wanted, head, changed_at, differs_since, NOW)
    assert (plan.urgency, plan.at) == (Urgency.COMMENT, expected)
