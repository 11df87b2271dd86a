"""Which pull request caused a run, as far as its event and branch tell."""

import re
from collections.abc import Collection

PULL_REQUEST_EVENTS = frozenset(
    {
        "pull_request",
        "pull_request_target",
        "pull_request_review",
        "pull_request_review_comment",
    }
)
# The branch that a merge queue tests on; the base's own name may hold slashes.
# https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-a-merge-queue
_MERGE_QUEUE = re.compile(r"gh-readonly-queue/(?P<base>.+)/pr-(?P<number>[0-9]{1,9})-[0-9a-f]+")


def triggering_pull_request(event: str | None, head_branch: str | None, linked: Collection[int]) -> int | None:
    """Return the number of the pull request that caused a run, or None where that can't be told."""
    if event == "merge_group" and head_branch and (match := _MERGE_QUEUE.fullmatch(head_branch)):
        return int(match["number"])
    if event in PULL_REQUEST_EVENTS and len(linked) == 1:
        return next(iter(linked))
    return None


def merge_queue_base(head_branch: str | None) -> str | None:
    """Return the branch that a merge queue's branch is to be merged into, None where it is no such branch."""
    match = _MERGE_QUEUE.fullmatch(head_branch or "")
    return None if match is None else match["base"]
