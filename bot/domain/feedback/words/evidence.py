"""Whose failure it is, and how that is known, in words."""

import re

from bot.domain.feedback.report import Base, Evidence, FailedJob, FailureClass
from bot.domain.feedback.words.markdown import code, commit
from bot.domain.feedback.words.wording import number

_LABELS = {
    FailureClass.NEW: "New",
    FailureClass.NO_BASE: "Not known",
    FailureClass.PENDING: "Not yet known",
    FailureClass.UNSEEN: "Not known",
    FailureClass.BASE: "Not new",
    FailureClass.FLAKY: "Likely flaky",
    FailureClass.INFRA: "Infrastructure",
}
_SAYS_NOTHING = "the output does not say why it failed"
# What became of the job, by what its anchor says; the first that fits.
_LOOKS = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"lost communication", "the runner was lost"),
        (r"shutdown signal", "the runner was shut down"),
        (r"not acquired", "no runner took the job"),
        (r"account payments|account is locked", "GitHub did not start the job, for the account's sake"),
        (r"encountered an error while running", "the runner broke down"),
        (r"internal error", "GitHub had an internal error"),
        (r"no space left", "the runner's disk was full"),
    )
)


def verdict(failed: FailedJob, branch: str) -> str:
    """Return the class of a failure and its evidence, as Markdown.

    Such as **New**: passes on `main` (the runs up to base `9f8e7d6` passed 20 of 20). `branch` is the base branch, in
    Markdown.
    """
    said = "; ".join(reason for reason in _reasons(failed, branch) if reason)
    return f"**{_label(failed)}**: {said}"


def _label(failed: FailedJob) -> str:
    base = failed.evidence.base
    if failed.failure_class is FailureClass.NO_BASE and base is not None and base.of and base.passed == base.of:
        return "Probably yours"
    return _LABELS[failed.failure_class]


def _reasons(failed: FailedJob, branch: str) -> list[str]:
    base, elsewhere = failed.evidence.base, _elsewhere(failed.evidence)
    if failed.evidence.lost_before:
        return [_lost_again(failed.evidence.lost_before), _record(base, branch)]
    match failed.failure_class:
        case FailureClass.NEW:
            return [_against(base, branch), elsewhere, _too_general(failed)]
        case FailureClass.NO_BASE:
            return [_without_comparison(failed, branch), elsewhere]
        case FailureClass.PENDING:
            return [_open(failed), _record(base, branch), elsewhere]
        case FailureClass.UNSEEN:
            return ["so many jobs failed that this one was not looked into"]
        case FailureClass.BASE:
            return [_alike(base, branch), elsewhere]
        case FailureClass.FLAKY:
            return [elsewhere or "it has passed on the same commit", _record(base, branch)]
        case FailureClass.INFRA:
            return [looks_like(failed)]


def _open(failed: FailedJob) -> str:
    if failed.failure is not None and failed.failure.awaits_log:
        return "GitHub has no log of it so far, which is waited for"
    return "it is still being looked into"


def _against(base: Base | None, branch: str) -> str:
    """Return what speaks for a failure being new."""
    if base is None:
        return "nothing is known that excuses it"
    if not base.of:
        return _record(base, branch)
    if base.passed == base.of:
        how = f"passes on {branch}"
    elif base.passed:
        how = f"does not fail like this on {branch}"
    else:
        how = f"fails on {branch} too, but differently"
    return f"{how} ({_runs(base)})"


def _without_comparison(failed: FailedJob, branch: str) -> str:
    base, failure = failed.evidence.base, failed.failure
    if base is None and failed.evidence.is_base_silent:
        return f"no run of the workflow on {branch} in the 30 days before can be compared"
    if base is None:
        return f"the workflow has not run on {branch}"
    if failure is not None and failure.is_comparable and base.is_unclear:
        return f"{_record(base, branch)}, but not all that failed there is known"
    is_told = failure is not None and not failure.is_generic
    return f"{_record(base, branch)}, but {'not all that failed here is known' if is_told else _SAYS_NOTHING}"


def _alike(base: Base | None, branch: str) -> str:
    if base is None:
        return f"fails the same way on {branch}"
    record = f" (passed in {base.passed} of the last {number(base.of, 'run')})" if base.of else ""
    return f"fails the same way on {branch} at {commit(base.sha)}{record}"


def looks_like(failed: FailedJob) -> str:
    """Return what a fault of the infrastructure looks like, in our own words."""
    anchor = (failed.failure.anchor or "") if failed.failure else ""
    told = next((words for pattern, words in _LOOKS if pattern.search(anchor)), None)
    if told is not None:
        return told
    if failed.failure is not None and failed.failure.has_no_log:
        return "GitHub kept no log of it" if failed.job.step else "the job was broken off, and GitHub kept no log of it"
    return "the job could not be set up" if failed.job.in_set_up else "the job was broken off from outside"


def _lost_again(before: int) -> str:
    return f"the runner was lost {before + 1} times here: perhaps it runs out of memory"


def _record(base: Base | None, branch: str) -> str:
    if base is None:
        return ""
    return f"on {branch}, {_runs(base)}" if base.of else f"the job has not run on {branch} yet"


def _runs(base: Base) -> str:
    """Return how many of the last runs passed, the newest of which is told."""
    return f"the runs up to base {commit(base.sha)} passed {base.passed} of {base.of}"


def _elsewhere(evidence: Evidence) -> str:
    others = len(evidence.others)
    if not others:
        return ""
    of_one = ", all of one author" if others > 1 and evidence.authors == 1 else ""
    return f"also failed in {number(others, 'other pull request')} here in 14 days{of_one}"


def _too_general(failed: FailedJob) -> str:
    if failed.failure is None or not failed.failure.is_generic:
        return ""
    return _SAYS_NOTHING


def branch_in_markdown(name: str | None) -> str:
    """Return the base branch, to be quoted."""
    return code(name) if name else "the base branch"
