"""Whose fault a failure is: the evidence weighed. What is not known never excuses."""

import re
from collections.abc import Sequence

from bot.domain.feedback.report import Evidence, Failure, FailureClass, Job, Source

LIKELY_FLAKY = 2
"""So many pull requests of others with the same failure make it a flaky one."""

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
# A limit of time that was set, or that the work reached, is the work's own affair.
_TOO_SLOW = re.compile(r"exceeded the maximum execution time|has timed out after \d+ minutes")
# What a workflow asks for and is not there, or may not be had: whoever asks is to blame, though the set-up fails.
_ASKED_IN_VAIN = re.compile(
    r"(?i)unable to resolve action|can't find 'action\.ya?ml'|has been automatically failed because"
    r"|manifest unknown|manifest for .{1,300} not found|repository does not exist|pull access denied"
    r"|invalid reference format|invalid workflow file|not allowed (?:to be used )?in "
)
# How a process ends that was told to, or made to: by SIGINT, SIGKILL, SIGTERM, or Ctrl-C on Windows.
_ENDED_FROM_OUTSIDE = frozenset({None, 130, 137, 143, -1073741510})


def classify(job: Job, failure: Failure | None, evidence: Evidence) -> FailureClass:
    """Return whose fault a failure is; `failure` is None while nobody has looked into it.

    Where several hold, the more certain comes first: that the runner went away is seen on the job itself, whatever the
    base does; that the base fails alike is a fact of today, and stands above what a fortnight makes likely.
    """
    if failure is None:
        return FailureClass.PENDING
    if is_infrastructure(job, failure):
        return FailureClass.INFRA
    if failure.is_generic:
        return _of_generic(evidence)
    if evidence.base is not None and evidence.base.fails_alike:
        return FailureClass.BASE
    if len(evidence.others) >= LIKELY_FLAKY:
        return FailureClass.FLAKY
    if evidence.base is None:
        return FailureClass.NO_BASE
    return FailureClass.PENDING if evidence.base.fails_alike is None else FailureClass.NEW


def _of_generic(evidence: Evidence) -> FailureClass:
    """Two failures that say nothing can't be told to be the same, only that the base's job did not fail at all."""
    passes = evidence.base is not None and evidence.base.fails_alike is False
    return FailureClass.NEW if passes else FailureClass.NO_BASE


def is_infrastructure(job: Job, failure: Failure) -> bool:
    """Tell whether a job failed for want of a runner or of GitHub, whatever it was to do.

    Words alone are not enough, since tests and scripts may print any: the job has to bear them out. Either no step of
    it failed, so that it was broken off from outside; or GitHub itself noted the words on the job, no test is named,
    and no process ended of its own accord.
    """
    if job.conclusion != "failure" or _says(_TOO_SLOW, failure):
        return False
    if job.step is None:
        return failure.source is Source.STEP or _runner_is_gone(failure)
    if job.in_set_up:
        return not _says(_ASKED_IN_VAIN, failure)
    is_noted = failure.source is Source.ANNOTATIONS and failure.test is None
    return is_noted and failure.exit_code in _ENDED_FROM_OUTSIDE and _runner_is_gone(failure)


def is_set_up(steps: Sequence[str]) -> bool:
    """Tell whether all of a job's first steps, in their order, are the runner's own; `Set up job` is always the first.

    A step of the workflow may have any name, but none comes before these.
    """
    return bool(steps) and steps[0] == "Set up job" and all(_SET_UP.fullmatch(step) for step in steps)


def _runner_is_gone(failure: Failure) -> bool:
    return _RUNNER_IS_GONE.match(failure.anchor or "") is not None


def _says(pattern: re.Pattern[str], failure: Failure) -> bool:
    return any(pattern.search(line) for line in (failure.anchor or "", *failure.further, *failure.lines))
