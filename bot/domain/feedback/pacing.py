"""When something is written on GitHub: soon enough to help, seldom enough to bear.

Each plan is made anew from what is posted and what stands in the record, so an event that came twice, late or never
changes nothing in the end.
"""

from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from msgspec import Struct

from bot.domain.feedback.report import Cause, Conclusion, FailureClass, Report

SPACING = timedelta(seconds=15)
"""A check run is changed no more often than this, however fast jobs end and the logs of many come in."""
CONCLUSION_SPACING = timedelta(seconds=5)
"""A conclusion that no longer holds is put right as soon as this."""
QUIET_BEFORE_COMPLETION = timedelta(seconds=30)
"""Jobs appear only once what they need has ended, and runs one after another."""
QUIET_BEFORE_COMMENT = timedelta(seconds=20)
LATEST_COMMENT = timedelta(seconds=60)


class Urgency(IntEnum):
    """What goes first where writes queue up; a look writes nothing."""

    LOOK = 0
    FIRST_FAILURE = 1
    COMPLETION = 2
    COMMENT = 3
    PROGRESS = 4


class Plan(Struct, frozen=True):
    """What is to be written at the earliest `at`; a look at that time may find otherwise."""

    urgency: Urgency
    at: datetime
    is_new: bool = False
    """Whether another check run or comment is to be made, rather than the present one changed."""


class PostedCheck(Struct, frozen=True):
    """The newest check run as it was written; `status` is None where there is none, `told` is what it says.

    `conclusion` is what it was completed with, None also where that is not known.
    """

    status: str | None = None
    shows_failure: bool = False
    told: str | None = None
    written_at: datetime | None = None
    renew: bool = False
    conclusion: str | None = None


def check_plan(posted: PostedCheck, report: Report, told: str, changed_at: datetime, now: datetime) -> Plan | None:
    """Return what is to be written of a commit's check run, None where it says what it should.

    `told` is what it should say but for estimates, `changed_at` when the commit's record last changed.
    """
    if _fails_until_a_log_comes(posted, report):
        return None
    if posted.status is None or (posted.status == "completed" and (posted.renew or not report.is_finished)):
        # A completed check run can't go back: another of the same name takes its place.
        return _begin(report, changed_at, now)
    if posted.status == "completed":
        return _change(posted, report, told, now)
    if shows_failure(report) and not posted.shows_failure:
        return Plan(Urgency.FIRST_FAILURE, now)
    if report.is_finished:
        return Plan(Urgency.COMPLETION, max(now, changed_at + QUIET_BEFORE_COMPLETION))
    if told == posted.told or posted.written_at is None:
        return None
    return Plan(Urgency.PROGRESS, max(now, posted.written_at + SPACING))


def _fails_until_a_log_comes(posted: PostedCheck, report: Report) -> bool:
    """Tell whether nothing is told anew because a failure that was told hangs on a log by now, and nothing goes on."""
    hangs_on_logs = report.awaiting_logs > 0 and all(run.is_done for run in report.runs)
    is_told = posted.conclusion == Conclusion.FAILURE and not posted.renew
    return is_told and hangs_on_logs and not report.is_finished


def shows_failure(report: Report) -> bool:
    """Tell whether a report has any failure to show, whosever it is."""
    return bool(report.causes or report.runs_without_jobs)


def _begin(report: Report, changed_at: datetime, now: datetime) -> Plan:
    if report.is_finished and is_quiet(changed_at, now):
        return Plan(Urgency.COMPLETION, now, is_new=True)
    if shows_failure(report):
        return Plan(Urgency.FIRST_FAILURE, now, is_new=True)
    if report.is_finished:
        return Plan(Urgency.COMPLETION, changed_at + QUIET_BEFORE_COMPLETION, is_new=True)
    return Plan(Urgency.PROGRESS, now, is_new=True)


def _change(posted: PostedCheck, report: Report, told: str, now: datetime) -> Plan | None:
    if told == posted.told:
        return None
    spacing = SPACING if report.conclusion == posted.conclusion else CONCLUSION_SPACING
    return Plan(Urgency.COMPLETION, max(now, (posted.written_at or now) + spacing))


def is_quiet(changed_at: datetime, now: datetime) -> bool:
    """Tell whether nothing has come of a commit for so long that what has ended may be called so."""
    return now >= changed_at + QUIET_BEFORE_COMPLETION


class Saying(StrEnum):
    """What the comment on a pull request is to say."""

    NOTHING = "nothing"
    RED = "red"
    OUTDATED = "outdated"
    GREEN = "green"
    AS_IT_IS = "as it is"


class Pull(Struct, frozen=True):
    """What of a pull request decides whether anything is said there."""

    head_sha: str
    is_open: bool
    is_draft: bool
    is_locked: bool
    is_muted: bool

    @property
    def may_be_told(self) -> bool:
        return self.is_open and not (self.is_draft or self.is_locked or self.is_muted)


class PostedComment(Struct, frozen=True):
    """The newest comment of ours as it was written; `state` is none, red or green."""

    state: str = "none"
    head_sha: str | None = None
    told: str | None = None


def saying(pull: Pull, posted: PostedComment, report: Report | None, queue: Report | None) -> Saying:
    """Return what is to be said of a pull request, whose head's report is None while nothing has run there.

    `queue` is that of the newest commit that a merge queue tested for it.
    """
    if not pull.may_be_told:
        return Saying.NOTHING if posted.state == "none" else Saying.AS_IT_IS
    if (report is not None and report.blames) or (queue is not None and queue.blames):
        return Saying.RED
    if posted.state == "none":
        return Saying.NOTHING
    # What a green one says is settled, unless it is not known whether it does.
    if posted.state == "green" and posted.told is not None:
        return Saying.AS_IT_IS
    if report is not None and report.conclusion in {Conclusion.SUCCESS, Conclusion.NEUTRAL}:
        return Saying.GREEN
    if posted.state == "green":
        return Saying.AS_IT_IS
    return Saying.OUTDATED if posted.head_sha != pull.head_sha else Saying.AS_IT_IS


def comment_plan(
    wanted: Saying, report: Report | None, changed_at: datetime, differs_since: datetime, now: datetime
) -> Plan:
    """Return when a comment that differs from what it should say is written.

    `changed_at` is when the head's record last changed, `differs_since` when the difference was first seen. Failures
    that are still being looked into may turn out to be excused, which is worth waiting for.
    """
    if wanted is Saying.OUTDATED:
        return Plan(Urgency.COMMENT, now)
    if wanted is Saying.GREEN:
        return Plan(Urgency.COMMENT, max(now, changed_at + QUIET_BEFORE_COMPLETION))
    latest = differs_since + LATEST_COMMENT
    quiet = latest if report is not None and _is_undecided(report.causes) else changed_at + QUIET_BEFORE_COMMENT
    return Plan(Urgency.COMMENT, max(now, min(quiet, latest)))


def _is_undecided(causes: tuple[Cause, ...]) -> bool:
    blamed = [cause.failure_class for cause in causes if not cause.failure_class.is_excused]
    return bool(blamed) and all(each is FailureClass.PENDING for each in blamed)
