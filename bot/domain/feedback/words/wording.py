"""What a report comes to in words, for titles and headlines: counts of failures, told apart by whose they are."""

import re
from collections.abc import Callable

from msgspec import Struct

from bot.domain.durations import in_words
from bot.domain.feedback.report import Cause, Conclusion, Counts, FailureClass, Report, Run

_LONGEST_TITLE = 255
# What GitHub makes no link, mention or reference of, wherever it stands.
_PLAIN_BRANCH = re.compile(r"(?!www\.|gh-\d)(?!.*[0-9a-f]{7})[a-z][a-z0-9._/-]{0,59}", re.IGNORECASE | re.ASCII)
_IN_CONCLUSIONS = {
    "success": "passed",
    "failure": "failed",
    "timed_out": "timed out",
    "cancelled": "was cancelled",
    "skipped": "was skipped",
    "startup_failure": "could not start",
    "action_required": "waited for approval",
    "neutral": "was neutral",
    "stale": "went stale",
}


class Tally(Struct, frozen=True):
    """How many causes there are of each sort, and in how many jobs; `starts` are runs that failed without a job.

    `ends` are those that have jobs, of which none is known to have failed.
    """

    new: int
    unclassified: int
    blaming_jobs: int
    base: int
    flaky: int
    infra: int
    starts: int
    ends: int


def tally(report: Report) -> Tally:
    """Count the causes of a report."""
    blaming = [cause for cause in report.causes if not cause.failure_class.is_excused]
    new = _of_class(report, FailureClass.NEW)
    return Tally(
        new=new,
        unclassified=len(blaming) - new,
        blaming_jobs=sum(len(cause.jobs) for cause in blaming),
        base=_of_class(report, FailureClass.BASE),
        flaky=_of_class(report, FailureClass.FLAKY),
        infra=_of_class(report, FailureClass.INFRA),
        starts=sum(not run.has_jobs for run in failed_starts(report)),
        ends=sum(run.has_jobs for run in failed_starts(report)),
    )


def failed_starts(report: Report) -> list[Run]:
    """Return the runs that failed though no job of theirs is known to have, most often since there is none."""
    failed = {"failure", "startup_failure", "timed_out"}
    return [run for run in report.runs_without_jobs if run.conclusion in failed]


def title(report: Report) -> str:
    """Return how the commit stands: one line of plain text, at most 255 characters, told apart by its conclusion."""
    told = _progress(report) if report.conclusion is None else _TITLES[report.conclusion](report)
    return told[:_LONGEST_TITLE]


def headline(report: Report, branch: str) -> str:
    """Return how many failures there are and whose: `2 new failures in 25 jobs, 1 as on main`.

    `branch` is how the base branch is called. Nothing of it changes while jobs only go on.
    """
    told = tally(report)
    blaming = [part for part in (_blaming(told), _starts(told), _ends(told)) if part]
    return ", ".join([*(blaming or ["No new failures"]), *_excused(told, branch)])


def not_because(report: Report) -> str:
    """Return what is said of the failures that are excused; that one is flaky is no more than likely."""
    are_likely = any(cause.failure_class is FailureClass.FLAKY for cause in report.causes)
    return f"{'probably ' if are_likely else ''}not because of this pull request"


def plain_branch(report: Report) -> str:
    """Return how the base branch is called where nothing can be quoted."""
    name = report.base_branch or ""
    return name if _PLAIN_BRANCH.fullmatch(name) else "the base branch"


def number(count: int, noun: str, plural: str | None = None) -> str:
    """Return `1 job` or `2 jobs`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def ordinal(count: int) -> str:
    """Return `1st`, `2nd`, `3rd`, `4th`, … `11th`, … `21st`."""
    ending = "th" if count % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count:,}{ending}"


def ended(conclusion: str) -> str:
    """Return how an attempt ended, GitHub's own word where it is a new one."""
    return _IN_CONCLUSIONS.get(conclusion, conclusion)


def _of_class(report: Report, failure_class: FailureClass) -> int:
    return sum(cause.failure_class is failure_class for cause in report.causes)


def _jobs_of(report: Report, failure_class: FailureClass) -> int:
    return sum(len(cause.jobs) for cause in report.causes if cause.failure_class is failure_class)


def _blaming(told: Tally) -> str:
    if not told.new and not told.unclassified:
        return ""
    causes = told.new + told.unclassified
    if not told.new:
        words = number(told.unclassified, "failure")
    elif not told.unclassified:
        words = number(told.new, "new failure")
    else:
        words = f"{number(told.new, 'new failure')} and {told.unclassified:,} unclassified"
    return words if told.blaming_jobs == causes else f"{words} in {number(told.blaming_jobs, 'job')}"


def _starts(told: Tally) -> str:
    return f"{number(told.starts, 'workflow')} could not start" if told.starts else ""


def _ends(told: Tally) -> str:
    return f"{number(told.ends, 'workflow')} failed" if told.ends else ""


def _excused(told: Tally, branch: str) -> list[str]:
    """Return the counts of failures that are not the pull request's."""
    return [
        *([f"{told.base:,} known on {branch}"] if told.base else []),
        *([f"{told.flaky:,} likely flaky"] if told.flaky else []),
        *([number(told.infra, "infrastructure fault")] if told.infra else []),
    ]


def _progress(report: Report) -> str:
    counts = report.counts
    if not counts.total:
        return "Waiting for approval" if report.waiting_for_approval else "No job has begun yet"
    parts = [f"{done(counts):,} of {number(counts.total, 'job')} done"]
    if counts.failed:
        parts.append(
            f"{counts.failed:,} failed" + ("" if report.blames or report.awaiting_logs else ", none of them new")
        )
    if report.awaiting_logs:
        which = "log" if report.awaiting_logs == 1 else "logs"
        parts.append(f"waiting for the {which} of {number(report.awaiting_logs, 'job')}")
    if left := time_left(report):
        parts.append(left)
    return ", ".join(parts)


def time_left(report: Report) -> str:
    """Return the estimate of the time left, empty where there is none."""
    if report.seconds_left is None:
        return ""
    return f"about {in_words(report.seconds_left)} left" if report.seconds_left else "longer than usual"


def done(counts: Counts) -> int:
    """Return how many jobs have come to their end."""
    return counts.passed + counts.failed + counts.cancelled + counts.skipped + counts.tolerated


def _failed(report: Report) -> str:
    told = tally(report)
    if not told.new + told.unclassified + told.starts + told.ends:
        return f"{number(report.counts.failed, 'job')} failed"
    cancelled = report.counts.cancelled
    more = f", {number(cancelled, 'job')} cancelled" if cancelled else ""
    return headline(report, plain_branch(report)) + more


def _excused_only(report: Report) -> str:
    jobs = {each: _jobs_of(report, each) for each in FailureClass}
    parts = [
        (jobs[FailureClass.BASE], f"as on {plain_branch(report)}"),
        (jobs[FailureClass.FLAKY], "as in other pull requests"),
        (jobs[FailureClass.INFRA], "because of the infrastructure"),
    ]
    told = [(count, words) for count, words in parts if count]
    if not told:
        return "No new failures"
    (count, words), *others = told
    return ", ".join([f"No new failures: {number(count, 'job')} failed {words}", *(f"{c:,} {w}" for c, w in others)])


def _cancelled(report: Report) -> str:
    counts = report.counts
    if not counts.cancelled:
        return "Cancelled"
    return f"Cancelled: {counts.cancelled:,} of {number(counts.total, 'job')}"


def _waiting(report: Report) -> str:
    runs = len(report.waiting_for_approval)
    return f"Waiting for approval of {number(runs, 'workflow')}" if runs > 1 else "Waiting for approval"


def _passed(report: Report) -> str:
    counts, flakes = report.counts, len(report.flakes)
    if not counts.passed:
        return f"Nothing had to be done: {number(counts.skipped, 'job')} skipped" if counts.skipped else "No job ran"
    all_of_them = f"All {counts.passed:,} jobs passed" if counts.passed > 1 else "The only job passed"
    others = [(counts.skipped, "skipped"), (counts.tolerated, "failed as allowed")]
    told = "".join(f", {count:,} {what}" for count, what in others if count)
    words = f"{number(counts.passed, 'job')} passed{told}" if told else all_of_them
    return f"{words}, {flakes:,} of them only when run again" if flakes else words


_TITLES: dict[Conclusion, Callable[[Report], str]] = {
    Conclusion.FAILURE: _failed,
    Conclusion.ACTION_REQUIRED: _waiting,
    Conclusion.CANCELLED: _cancelled,
    Conclusion.NEUTRAL: _excused_only,
    Conclusion.SUCCESS: _passed,
}


def blaming_first(causes: tuple[Cause, ...]) -> list[Cause]:
    """Return the causes with those first that blame the pull request, else in their order."""
    return sorted(causes, key=lambda cause: cause.failure_class.is_excused)
