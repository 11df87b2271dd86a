"""What the record tells about who else fails alike, on both databases."""

from datetime import timedelta
from typing import Any

import pytest

from bot.domain.feedback.classes import classify
from bot.domain.feedback.others import SPAN
from bot.domain.feedback.report import Evidence, FailureClass
from bot.feedback.base_rows import Subject
from tests import builders as make
from tests.feedback.past import (
    BASE_SHA,
    HOME,
    HUBOT,
    MONA,
    OCTO,
    OWN,
    OWN_BEFORE,
    Past,
    failure,
    job_and_failure,
    sha,
    stamp,
)
from tests.store.recording import NOON


async def test_the_same_failure_of_others_is_counted(past: Past) -> None:
    await past.other(2, HUBOT)
    assert (await past.evidence()).others == (2,)
    await past.other(4, OCTO, hours=200)
    await past.other(3, HUBOT)
    await past.other(3, HUBOT, hours=2)
    await past.other(5, OCTO, "b")
    evidence = await past.evidence()
    assert evidence.others == (2, 3, 4)
    assert classify(*job_and_failure(failure()), evidence) is FailureClass.FLAKY
    assert (await past.evidence(failure("c"))).others == ()
    assert (await past.evidence(failure("a", is_generic=True))).others == ()
    assert (await past.evidence(failure(None))).others == ()


async def test_the_author_is_looked_up_where_it_is_not_told(past: Past) -> None:
    await past.other(2, HUBOT)
    await past.other(3, MONA)
    unsaid = Subject(repository_id=9, head_sha=OWN, number=1)
    assert (await past.evidence(subject=unsaid)).others == (2,)
    unknown = Subject(repository_id=9, head_sha=OWN, number=99)
    assert (await past.evidence(subject=unknown)).others == ()


@pytest.mark.parametrize(
    ("author", "told"),
    [
        (MONA, {}),
        (HUBOT, {"user": None}),
        (HUBOT, {"title": 'Revert "Change it"'}),
        (HUBOT, {"head": {"sha": sha(2), "ref": "revert-1-topic", "repo": HOME}}),
        (HUBOT, {"hours": SPAN / timedelta(hours=1) + 1}),
    ],
)
async def test_what_never_counts_as_others(past: Past, author: int, told: dict[str, Any]) -> None:
    await past.other(3, OCTO)
    await past.other(2, author, **told)
    assert (await past.evidence()).others == (3,)


@pytest.mark.parametrize(
    "told",
    [
        {"draft": True},
        {"state": "closed"},
        {"base": {"sha": BASE_SHA, "ref": "release-1", "repo": HOME}},
        {"draft": True, "base": {"sha": sha(9), "ref": "release-1", "repo": HOME}},
    ],
)
async def test_drafts_and_what_goes_into_another_branch_count_as_others(past: Past, told: dict[str, Any]) -> None:
    await past.ran(hours=2)
    compiles_not = failure(test=None, kind="rust", anchor="error[E0308]: mismatched types")
    await past.other(3, OCTO)
    evidence = await past.evidence(compiles_not)
    assert (evidence.others, evidence.shared_by) == ((3,), 1)
    assert classify(*job_and_failure(compiles_not), evidence) is FailureClass.NEW
    await past.other(2, HUBOT, **told)
    evidence = await past.evidence(compiles_not)
    assert (evidence.others, evidence.shared_by) == ((2, 3), 2)
    assert classify(*job_and_failure(compiles_not), evidence) is FailureClass.FLAKY


async def test_others_excuse_only_what_they_have_all_of(past: Past) -> None:
    await past.ran(hours=2)
    await past.other(2, HUBOT, fingerprints=["a", "b"])
    await past.other(3, OCTO, fingerprints=["c", "b", "a"])
    for ours, shared in ((("a",), 2), (("a", "b"), 2), (("a", "c"), 1), (("a", "d"), 0), (None, 0)):
        evidence = await past.evidence(failure("a", fingerprints=ours))
        assert (evidence.others, evidence.shared_by) == ((2,) if ours is None else (2, 3), shared) or ours is None
        excused = classify(*job_and_failure(failure("a", fingerprints=ours)), evidence).is_excused
        assert excused is (shared == 2)


async def test_others_count_only_within_one_fortnight(past: Past) -> None:
    await past.ran(hours=2)
    await past.other(2, HUBOT, hours=24 * 13)
    await past.other(3, OCTO, hours=-24 * 13)
    evidence = await past.evidence()
    assert (len(evidence.others), evidence.shared_by) == (1, 1)
    await past.other(4, OCTO, hours=24)
    evidence = await past.evidence()
    assert (evidence.others, evidence.shared_by) == ((2, 4), 2)


async def test_what_others_said_first_has_to_be_known_whatever_fails_beside_it(past: Past) -> None:
    for number, author in ((2, HUBOT), (3, OCTO)):
        await past.other(number, author, "c", fingerprints=["a", "c"])
    alone = await past.evidence(failure("a"))
    assert (alone.others, alone.shared_by) == ((), 0)
    assert await past.evidence(failure("a"), failure("c", job_id=7)) == alone
    both = await past.evidence(failure("a", fingerprints=("a", "c")))
    assert (both.others, both.shared_by) == ((2, 3), 2)


async def test_what_fails_alike_once_it_is_merged_may_have_it_from_there(past: Past) -> None:
    await past.ran(hours=2)
    ended = stamp(NOON + timedelta(hours=2))
    await past.pull(1, MONA, OWN, state="closed", merged_at=ended, closed_at=ended, updated_at=ended)
    await past.other(2, HUBOT, hours=-1)
    for number in (3, 4):
        await past.other(number, OCTO, hours=-3)
    evidence = await past.evidence()
    assert (evidence.others, evidence.shared_by) == ((2,), 1)
    assert classify(*job_and_failure(failure()), evidence) is FailureClass.NEW


async def test_what_is_stacked_on_it_has_its_failures_from_there(past: Past) -> None:
    await past.other(2, HUBOT, base={"sha": OWN, "ref": "topic", "repo": HOME})
    await past.other(3, OCTO)
    assert (await past.evidence()).others == (3,)
    # A fork's branch may be called as any here.
    abroad = make.repository(id=77, full_name="mona/hello")
    later = stamp(NOON + timedelta(hours=1))
    await past.pull(1, MONA, OWN, head={"sha": OWN, "ref": "topic", "repo": abroad}, updated_at=later)
    assert (await past.evidence()).others == (2, 3)


async def test_what_the_base_said_once_as_well_may_be_a_flake(past: Past) -> None:
    await past.ran(hours=2)
    await past.other(2, HUBOT)
    await past.other(3, OCTO)
    assert (await past.evidence()).shared_by == 2
    await past.base_fails("b", hours=9, fingerprints=["b", "a"])
    evidence = await past.evidence()
    assert (evidence.others, evidence.authors, evidence.shared_by) == ((2, 3), 2, 2)
    assert classify(*job_and_failure(failure()), evidence) is FailureClass.FLAKY


async def test_of_one_author_all_count_and_excuse_nothing(past: Past) -> None:
    await past.ran(hours=2)
    for number in (2, 3, 4):
        await past.other(number, HUBOT)
    evidence = await past.evidence()
    assert (evidence.others, evidence.authors, evidence.shared_by) == ((2, 3, 4), 1, 1)
    assert classify(*job_and_failure(failure()), evidence) is FailureClass.NEW


async def test_one_that_went_into_another_branch_when_it_ran_counts(past: Past) -> None:
    await past.other(3, OCTO)
    await past.pull(2, HUBOT, sha(50))
    listed = make.linked(2)
    listed["base"] = {**listed["base"], "ref": "release-1"}
    ran = {"event": "pull_request", "head_branch": "top", "head_sha": sha(50), "pull_requests": [listed]}
    _, (job_id,) = await past.ran(1, [("test", "failure")], **ran)
    await past.said(job_id, "a")
    assert (await past.evidence()).others == (2, 3)
    # Unless that was the pull request's own one, as it is where one is stacked on it.
    await past.database.execute("UPDATE run_pull_request SET base_ref = 'topic' WHERE base_ref = 'release-1'")
    assert (await past.evidence()).others == (3,)


async def test_its_own_earlier_commits_never_count_whoever_else_has_them(past: Past) -> None:
    await past.other(3, OCTO)
    for head in (OWN, OWN_BEFORE):
        await past.pull(2, HUBOT, head, updated_at=stamp(NOON if head == OWN else NOON - timedelta(1)))
        fails = {"event": "pull_request", "head_branch": "topic", "head_sha": head}
        _, (job_id,) = await past.ran(1, [("test", "failure")], **fails)
        await past.said(job_id, "a")
    assert (await past.evidence()).others == (3,)


async def test_what_github_lists_for_a_run_counts_before_what_its_commit_tells(past: Past) -> None:
    await past.other(3, OCTO)
    await past.pull(2, HUBOT, sha(50))
    await past.pull(4, OCTO, sha(50))
    listed = {"event": "pull_request", "head_branch": "topic", "head_sha": sha(50)}
    _, (job_id,) = await past.ran(1, [("test", "failure")], **listed, pull_requests=[make.linked(2)])
    await past.said(job_id, "a")
    assert (await past.evidence()).others == (2, 3)


async def test_another_repository_never_counts(past: Past) -> None:
    await past.other(2, HUBOT)
    await past.other(3, OCTO)
    await past.base_fails("a")
    await past.database.execute("UPDATE job_failure SET repository_id = 10")
    await past.database.execute("UPDATE workflow_run SET repository_id = 10 WHERE run_id <> 5")
    assert await past.evidence() == Evidence()
