"""Which pull request caused a run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.triggers import PULL_REQUEST_EVENTS, triggering_pull_request

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("event", "branch", "linked", "number"),
    [
        ("pull_request", "topic", [7], 7),
        ("pull_request_target", "topic", [7], 7),
        ("pull_request_review", "topic", [7], 7),
        ("pull_request_review_comment", "topic", {7}, 7),
        ("pull_request", "topic", [], None),
        ("pull_request", "topic", [7, 8], None),  # either may have
        ("push", "topic", [7], None),
        ("workflow_dispatch", "topic", [7], None),
        (None, None, [7], None),
        ("merge_group", f"gh-readonly-queue/main/pr-31-{SHA}", [], 31),
        ("merge_group", f"gh-readonly-queue/release/2.x/pr-31-{SHA}", [7], 31),
        ("merge_group", f"gh-readonly-queue/pr-5-abc/pr-31-{SHA}", [], 31),
        ("merge_group", f"gh-readonly-queue/main/pr-31-{SHA}\n", [], None),
        ("merge_group", f"gh-readonly-queue/main/pr-{'9' * 400}-{SHA}", [], None),
        ("merge_group", f"gh-readonly-queue//pr-31-{SHA}", [], None),
        ("merge_group", f"x/gh-readonly-queue/main/pr-31-{SHA}", [], None),
        ("merge_group", "gh-readonly-queue/main/pr-x-12", [], None),
        ("merge_group", "main", [7], None),
        ("merge_group", None, [7], None),
        ("push", f"gh-readonly-queue/main/pr-31-{SHA}", [], None),
    ],
)
def test_what_caused_it(event: str | None, branch: str | None, linked: list[int], number: int | None) -> None:
    assert triggering_pull_request(event, branch, linked) == number


_branches = st.text() | st.from_regex(r"gh-readonly-queue/\w{1,5}/pr-[1-9]\d{0,11}-[0-9a-f]{3}", fullmatch=True)
_events = st.none() | st.sampled_from(sorted(PULL_REQUEST_EVENTS | {"push", "merge_group"}))


@given(_events, st.none() | _branches, st.sets(st.integers(1)))
def test_never_another_than_those_it_may_be(event: str | None, branch: str | None, linked: set[int]) -> None:
    number = triggering_pull_request(event, branch, linked)
    assert number is None or number in linked or f"/pr-{number}-" in (branch or "")
