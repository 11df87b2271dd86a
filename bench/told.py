"""What a journal of writes says of feedback: what each write was for, when failures were told, and in which order."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from bot.demo.github.rest.journal import Write
from bot.demo.github.state.repositories import PullRequest
from bot.domain.feedback.pacing import QUIET_BEFORE_COMMENT, QUIET_BEFORE_COMPLETION, Urgency

NOTICED_WITHIN = timedelta(seconds=2)
"""A write that has been due for so long should go before any that is less urgent."""
DUE_AFTER = {
    Urgency.FIRST_FAILURE: timedelta(),
    Urgency.COMPLETION: QUIET_BEFORE_COMPLETION,
    Urgency.COMMENT: QUIET_BEFORE_COMMENT,
}


def urgencies(writes: Iterable[Write]) -> list[Urgency]:
    """Return of each write what it was for."""
    failing: set[int] = set()
    found = []
    for write in writes:
        found.append(_urgency(write, failing))
        if shows_failure(write):
            failing.add(write.id)
    return found


def _urgency(write: Write, failing: set[int]) -> Urgency:
    if write.kind == "comment":
        return Urgency.COMMENT
    if is_completion(write):
        return Urgency.COMPLETION
    return Urgency.FIRST_FAILURE if shows_failure(write) and write.id not in failing else Urgency.PROGRESS


def is_completion(write: Write) -> bool:
    """Tell whether a check run is completed by it."""
    return write.kind == "check" and "conclusion" in write.body


def shows_failure(write: Write) -> bool:
    """Tell whether a check run says after it that something failed."""
    return write.kind == "check" and "fail" in write.body["output"]["title"]


class Told(Struct):
    """When something was first told: a check run at all, a failure and the end by commit, a comment by pull request."""

    check: dict[str, datetime]
    failure: dict[str, datetime]
    completion: dict[str, datetime]
    comment: dict[tuple[str, int], datetime]

    def comment_on(self, pull: PullRequest) -> datetime | None:
        """Return when the comment on a pull request was made."""
        return self.comment.get((pull.repository.full_name, pull.number))

    def of(self, pull: PullRequest) -> tuple[datetime | None, datetime | None, datetime | None]:
        """Return when the failure, the end and the comment of a pull request were told, in the order of urgency."""
        sha = pull.head.sha
        return self.failure.get(sha), self.completion.get(sha), self.comment_on(pull)


def told(writes: Iterable[Write]) -> Told:
    """Read a journal."""
    first = Told({}, {}, {}, {})
    for write in writes:
        if write.kind == "check":
            first.check.setdefault(write.head_sha or "", write.at)
        if shows_failure(write):
            first.failure.setdefault(write.head_sha or "", write.at)
        if is_completion(write):
            first.completion.setdefault(write.head_sha or "", write.at)
        if write.kind == "comment" and write.action == "create":
            for number in write.pulls:
                first.comment.setdefault((write.repository, number), write.at)
    return first


def out_of_order(writes: Sequence[Write], failed_at: Mapping[int, datetime]) -> list[Write]:
    """Return the writes of one installation that went before a more urgent one that had long been due.

    `failed_at` says by number when a pull request failed and ended. From that follows when the first of its writes of
    each kind were due; of what is changed once more nothing is known.
    """
    seen: set[tuple[int, Urgency]] = set()
    found, waiting = [], _dues(writes, failed_at)
    for write, urgency in zip(writes, urgencies(writes), strict=True):
        seen |= {(number, urgency) for number in write.pulls}
        if any(
            other < urgency and due + NOTICED_WITHIN < write.at and (number, other) not in seen
            for (number, other), due in waiting.items()
        ):
            found.append(write)
    return found


def _dues(writes: Sequence[Write], failed_at: Mapping[int, datetime]) -> dict[tuple[int, Urgency], datetime]:
    """Return when what was written in the end was due."""
    written = {
        (number, urgency)
        for write, urgency in zip(writes, urgencies(writes), strict=True)
        for number in write.pulls
        if number in failed_at and urgency in DUE_AFTER
    }
    return {(number, urgency): failed_at[number] + DUE_AFTER[urgency] for number, urgency in written}
