"""Whose fault a failure is: the evidence weighed. What is not known never excuses."""

import re
from collections.abc import Sequence

from bot.domain.feedback.report import Evidence, Failure, FailureClass, Job, Source

LIKELY_FLAKY = 2
"""So many other authors in whose pull requests all of a failure was seen make it a flaky one, whatever it is."""

# What GitHub's runner does before the first step that the workflow asks for, in GitHub's words.
_SET_UP = re.compile(r"Set up (?:job|runner)|Initialize containers|Pull [^\s/:]+[/:]\S+")

# The whole beginning of what the runner or GitHub itself says when a runner is lost or taken away; a test that speaks
# of such things says something before it, or names itself.
_RUNNER_IS_GONE = re.compile(
    r"(?:##\[error\])?(?:"
    r"The (?:(?:self-|GitHub-)?hosted )?runner\b.{0,300}? lost communication with the server"
    r"|The (?:(?:self-|GitHub-)?hosted )?runner has received a shutdown signal"
    r"|The (?:(?:self-|GitHub-)?hosted )?runner encountered an error while running your job"
    r"|The job was not acquired by Runner"
    r"|The job was not started because (?:recent account payments have failed|your account is locked)"
    r"|GitHub Actions has encountered an internal error"
    r")"
)
_WHILE_AT_WORK = re.compile(r"lost communication|shutdown signal|encountered an error while running")
# A limit of time that was set, or that the work reached, is the work's own affair.
_TOO_SLOW = re.compile(r"exceeded the maximum execution time|has timed out after \d+ minutes")
# What may go wrong outside while a job is set up; nothing else there excuses.
_FAULT_OUTSIDE = re.compile(
    r"(?i)\b(?:HTTP(?:/[\d.]+)?|status)(?: status)?(?: code)?(?: does not indicate success)?:? ?(?:5\d\d|429)\b"
    r"|\b(?:service unavailable|bad gateway|gateway time-?out|internal server error|too ?many ?requests)"
    r"|\brate limit(?:s|ed)?\b"
    r"|\btimed out\b|\b(?:i/o|handshake|client\.|connection) ?timeout\b|deadline exceeded"
    r"|request canceled while waiting for connection|did not properly respond after a period of time"
    r"|connection (?:was )?(?:reset|refused|aborted)|forcibly closed by the remote host|unexpected EOF|socket hang up"
    r"|temporary failure in name resolution|server misbehaving|EAI_AGAIN"
    r"|(?:github\.com|githubusercontent\.com|ghcr\.io|docker\.(?:io|com))\b.{0,200}"
    r"(?:no such host|name or service not known|could not be resolved)"
    r"|could not resolve host: \S*(?:github|docker)\.\w+"
    r"|TLS handshake|SSL connection could not be established"
    r"|failed to download (?:archive|action) .{0,300}after \d+ attempts"
    r"|no space left on device|not enough space on the disk"
)
# What was asked for in vain, or could not be started, whatever it printed: whoever asks is to blame.
_ASKED_IN_VAIN = re.compile(
    r"(?i)unable to resolve action|action could not be found|missing download info|can't find 'action\.ya?ml'"
    r"|fail(?:ed)? to load |\(Line: \d+|unexpected value|section is required|template is not valid"
    r"|has been automatically failed because|invalid workflow file|not allowed (?:to be used )?in "
    r"|manifest unknown|manifest for .{1,300} not found|no matching manifest|invalid reference format"
    r"|repository does not exist|access(?: to the resource is)? denied|unauthorized|authentication required"
    r"|failed to initialize container|failed to start|is unhealthy|docker create failed"
    r"|localhost|127\.0\.0\.1|\[::1\]"
)
# How a process ends that was told to, or made to: by SIGINT, SIGKILL, SIGTERM, or Ctrl-C on Windows.
_ENDED_FROM_OUTSIDE = frozenset({None, 130, 137, 143, -1073741510})


def classify(job: Job, failure: Failure | None, evidence: Evidence) -> FailureClass:
    """Return whose fault a failure is; `failure` is None while nobody has looked into it.

    Where several hold, the more certain comes first: that the runner went away is seen on the job itself, whatever the
    base does; that the base fails alike is a fact of today, and stands above what a fortnight makes likely. A runner
    that was lost before, at the same work, may have been lost to it.
    """
    if failure is None:
        return FailureClass.PENDING
    if is_infrastructure(job, failure) and not evidence.lost_before:
        # Of a step that failed there should be a log, so that for want of one nothing is excused too soon.
        return FailureClass.PENDING if failure.awaits_log and job.step is not None else FailureClass.INFRA
    if not failure.is_comparable or evidence.lost_before:
        return _of_generic(evidence)
    if evidence.base is not None and evidence.base.fails_alike:
        return FailureClass.BASE
    if evidence.shared_by >= LIKELY_FLAKY:
        return FailureClass.FLAKY
    if evidence.base is None or evidence.base.is_unclear:
        return FailureClass.NO_BASE
    return FailureClass.PENDING if evidence.base.fails_alike is None else FailureClass.NEW


def _of_generic(evidence: Evidence) -> FailureClass:
    """Two failures that say nothing can't be told to be the same, only that the base's job did not fail at all."""
    passes = evidence.base is not None and evidence.base.fails_alike is False
    return FailureClass.NEW if passes else FailureClass.NO_BASE


def is_infrastructure(job: Job, failure: Failure) -> bool:
    """Tell whether a job failed for want of a runner or of GitHub, whatever it was to do.

    Words alone are not enough, since tests and scripts may print any: the job has to bear them out. Either GitHub has
    no log of it; or no step of it failed, so that it was broken off from outside; or the runner itself noted the words
    on the job, no test is named, and no process ended of its own accord; or it was being set up, and the fault is one
    of the named ones. A log that could not be read excuses nothing. Of a job that GitHub calls cancelled only what the
    runner noted counts.
    """
    if job.conclusion not in {"failure", "cancelled"} or _says(_TOO_SLOW, failure):
        return False
    if job.conclusion == "cancelled":
        return _is_noted(failure)
    if failure.has_no_log:
        return True
    if job.step is None:
        return runner_is_gone(failure.anchor)
    if job.in_set_up:
        is_outside = _says(_FAULT_OUTSIDE, failure) or any(map(runner_is_gone, _said(failure)))
        return is_outside and not _says(_ASKED_IN_VAIN, failure)
    return _is_noted(failure)


def _is_noted(failure: Failure) -> bool:
    is_noted = failure.source is Source.ANNOTATIONS and failure.test is None
    return is_noted and failure.exit_code in _ENDED_FROM_OUTSIDE and runner_is_gone(failure.anchor)


def is_lost(job: Job, failure: Failure) -> bool:
    """Tell whether the runner went away under a job's work, which the work may have brought about."""
    if job.in_set_up or not is_infrastructure(job, failure):
        return False
    # Where a step failed, the runner was there to tell so, with a log or without.
    return job.step is None if failure.anchor is None else _WHILE_AT_WORK.search(failure.anchor) is not None


def is_set_up(steps: Sequence[str]) -> bool:
    """Tell whether all of a job's first steps, in their order, are the runner's own; `Set up job` is always the first.

    A step of the workflow may have any name, but none comes before these.
    """
    return bool(steps) and steps[0] == "Set up job" and all(_SET_UP.fullmatch(step) for step in steps)


def took_too_long(failure: Failure | None) -> bool:
    """Tell whether a job was ended for the time it took: GitHub calls that cancelled, and says so in an annotation."""
    return failure is not None and failure.source is Source.ANNOTATIONS and _says(_TOO_SLOW, failure)


def runner_is_gone(said: str | None) -> bool:
    """Tell whether these are the words of the runner or of GitHub itself for a runner that is lost or taken away."""
    return _RUNNER_IS_GONE.match(said or "") is not None


def _says(pattern: re.Pattern[str], failure: Failure) -> bool:
    return any(map(pattern.search, _said(failure)))


def _said(failure: Failure) -> tuple[str, ...]:
    return (failure.anchor or "", *failure.further, *failure.lines)
