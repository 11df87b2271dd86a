"""The title and the summary of a check run, https://docs.github.com/en/rest/checks/runs."""

from msgspec.structs import replace

from bot.domain.feedback.report import Counts, FailureClass, Report
from bot.domain.feedback.words.causes import LIMIT, Telling, within
from bot.domain.feedback.words.markdown import commit
from bot.domain.feedback.words.sections import approvals, cancelled, flakes, starts
from bot.domain.feedback.words.wording import done, number, time_left, title
from bot.domain.feedback.written import CheckText


def check_text(report: Report) -> CheckText:
    """Return how a commit stands, in at most 255 characters and 60,000 bytes."""
    telling = Telling(report)
    head = "\n\n".join(part for part in (_counts(report), starts(report, telling)) if part)
    after = (flakes(report, telling), cancelled(report), approvals(report, telling), _still_open(report))
    tail = "".join(f"\n\n{part}" for part in after if part)
    return CheckText(title(report), within(LIMIT, head, telling.blocks(), tail))


def told_apart(report: Report) -> str:
    """Return a text that differs where the check run is worth writing anew: an estimate is not, that it is over is."""
    text = check_text(replace(report, seconds_left=None if report.seconds_left else report.seconds_left))
    return f"{text.title}\n{text.summary}"


def _counts(report: Report) -> str:
    counts = report.counts
    if not counts.total:
        return f"No job has begun at {commit(report.head_sha)}."
    may_be_new = report.blames or report.awaiting_logs > 0
    shown = ", ".join(f"{count:,} {words}" for count, words in _by_state(counts, may_be_new) if count)
    if report.is_finished:
        return f"**{number(counts.total, 'job')}** at {commit(report.head_sha)}: {shown}."
    left = time_left(report)
    left = f" {left[0].upper()}{left[1:]}." if left else ""
    return f"**{done(counts):,} of {number(counts.total, 'job')}** done at {commit(report.head_sha)}: {shown}.{left}"


def _by_state(counts: Counts, may_be_new: bool) -> list[tuple[int, str]]:
    not_new = "" if may_be_new else " (not new)" if counts.failed == 1 else " (none of them new)"
    return [
        (counts.failed, f"failed{not_new}"),
        (counts.passed, "passed"),
        (counts.cancelled, "cancelled"),
        (counts.skipped, "skipped"),
        (counts.tolerated, "failed as allowed"),
        (counts.running, "running"),
        (counts.waiting, "waiting"),
    ]


def _still_open(report: Report) -> str:
    pending = any(cause.failure_class is FailureClass.PENDING for cause in report.causes)
    return "What is not yet known is told here as soon as it is." if pending else ""
