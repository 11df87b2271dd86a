"""Whose failure it is, and how that is known, in words."""

import re

from bot.domain.feedback.report import Base, Evidence, FailedJob, FailureClass, Source
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
    """Return the class of a failure and its evidence, as Markdown: **New**: base `9f8e7d6` passed 20 of 20.

    `branch` is the base branch, in Markdown.
    """
    said = "; ".join(reason for reason in _reasons(failed, branch) if reason)
    return f"**{_LABELS[failed.failure_class]}**: {said}"


def _reasons(failed: FailedJob, branch: str) -> list[str]:
    base, elsewhere = failed.evidence.base, _elsewhere(failed.evidence)
    match failed.failure_class:
        case FailureClass.NEW:
            return [_against(base), elsewhere, _too_general(failed)]
        case FailureClass.NO_BASE:
            return [_without_comparison(base, branch), elsewhere]
        case FailureClass.PENDING:
            return ["it is still being looked into", _record(base), elsewhere]
        case FailureClass.UNSEEN:
            return ["so many jobs failed that this one was not looked into"]
        case FailureClass.BASE:
            return [_alike(base, branch), elsewhere]
        case FailureClass.FLAKY:
            return [elsewhere or "it has passed on the same commit", _record(base)]
        case FailureClass.INFRA:
            return [looks_like(failed)]


def _against(base: Base | None) -> str:
    """Return what speaks for a failure being new."""
    if base is None:
        return "nothing is known that excuses it"
    differs = base.fails_alike is False and base.passed < base.of
    return f"{_record(base)}, and did not fail alike" if differs else _record(base)


def _without_comparison(base: Base | None, branch: str) -> str:
    if base is None:
        return f"the workflow has not run on {branch}"
    return f"{_record(base)}, but what it says is too general to be compared"


def _alike(base: Base | None, branch: str) -> str:
    if base is None:
        return f"{branch} fails alike"
    record = f" (passed {base.passed} of {base.of})" if base.of else ""
    return f"{branch} fails alike at {commit(base.sha)}{record}"


def looks_like(failed: FailedJob) -> str:
    """Return what a fault of the infrastructure looks like, in our own words."""
    anchor = (failed.failure.anchor or "") if failed.failure else ""
    told = next((words for pattern, words in _LOOKS if pattern.search(anchor)), None)
    if told is not None:
        return told
    if failed.job.in_set_up:
        return "the job could not be set up"
    if failed.failure is None or failed.failure.source is Source.STEP:
        return "the job was broken off and left no log"
    return "the job was broken off from outside"


def _record(base: Base | None) -> str:
    if base is None:
        return ""
    if not base.of:
        return f"base {commit(base.sha)} has not run the job"
    return f"base {commit(base.sha)} passed {base.passed} of {base.of}"


def _elsewhere(evidence: Evidence) -> str:
    others = len(evidence.others)
    return f"also failed in {number(others, 'other pull request')} here in 14 days" if others else ""


def _too_general(failed: FailedJob) -> str:
    if failed.failure is None or not failed.failure.is_generic:
        return ""
    return "what it says is too general to be compared"


def branch_in_markdown(name: str | None) -> str:
    """Return the base branch, to be quoted."""
    return code(name) if name else "the base branch"
