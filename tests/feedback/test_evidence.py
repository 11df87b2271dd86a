"""What the record tells about failures from elsewhere, on both databases."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.domain.feedback.classes import classify
from bot.domain.feedback.others import SPAN
from bot.domain.feedback.report import Base, Evidence, FailureClass
from bot.feedback.base_rows import Subject
from bot.feedback.elsewhere import Failed
from bot.feedback.evidence import count_flakes, find_evidence, unexamined_base_jobs
from bot.settings import Dialect
from bot.store.database import Executor
from tests import builders as make
from tests.feedback.past import (
    BASE_SHA,
    HUBOT,
    MONA,
    OCTO,
    OWN,
    OWN_BEFORE,
    SUBJECT,
    Past,
    failure,
    job_and_failure,
    sha,
    stamp,
)
from tests.store.recording import NOON

# The base.


async def test_nothing_is_known_without_runs_of_the_base(past: Past) -> None:
    assert await past.evidence() == Evidence()
    assert await past.evidence(failure(workflow_id=None)) == Evidence()
    assert await past.evidence(failure(None)) == Evidence()
    assert await find_evidence(past.database.reader, SUBJECT, [], NOON) == {}


async def test_a_base_that_passes_speaks_against_it(past: Past) -> None:
    await past.base_fails("a", hours=3)
    run_id, _ = await past.ran(hours=2)
    await past.ran(hours=30, jobs=[("test (3.12)", "success"), ("test (3.13)", "failure")])
    evidence = await past.evidence()
    assert evidence.base == Base("main", sha(run_id), 1, 3, False)
    assert classify(*job_and_failure(failure()), evidence) is FailureClass.NEW


async def test_a_base_that_fails_alike_excuses(past: Past) -> None:
    await past.ran(hours=2)
    run_id = await past.base_fails("a")
    evidence = await past.evidence()
    assert evidence.base == Base("main", sha(run_id), 1, 2, True)
    assert classify(*job_and_failure(failure()), evidence) is FailureClass.BASE
    assert (await past.evidence(failure("b"))).base == Base("main", sha(run_id), 1, 2, False)
    assert (await past.evidence(failure("a", name="test (3.12)"))).base == Base("main", sha(run_id), 1, 2, True)
    assert (await past.evidence(failure("a", name="lint"))).base == Base("main", sha(run_id), 0, 0, False)
    assert (await past.evidence(failure("a", is_generic=True))).base == Base("main", sha(run_id), 1, 2, None)
    assert (await past.evidence(failure("a", workflow_id=34))).base is None


async def test_it_is_not_known_until_the_base_was_looked_into(past: Past) -> None:
    _, (job_id, _) = await past.ran(jobs=[("test", "failure"), ("lint", "failure")])
    assert (await past.evidence()).base == Base("main", sha(1000), 0, 1, None)
    (unexamined,) = await unexamined_base_jobs(past.database.reader, SUBJECT, [failure()], NOON)
    assert (unexamined.job_id, unexamined.run_id, unexamined.run_attempt) == (job_id, 1000, 1)
    assert (unexamined.repository_id, unexamined.head_sha) == (9, sha(1000))
    assert unexamined.failed_at == datetime.fromisoformat(make.ENDED)
    # Once it is asked for it is not to be asked for again, though nothing is known yet.
    await past.said(job_id, None)
    assert await unexamined_base_jobs(past.database.reader, SUBJECT, [failure()], NOON) == []
    assert (await past.evidence()).base == Base("main", sha(1000), 0, 1, None)
    await past.database.execute("UPDATE job_failure SET source = 'log', fingerprint = 'a'")
    assert (await past.evidence()).base == Base("main", sha(1000), 0, 1, True)


async def test_only_what_is_worth_it_is_to_be_looked_into(past: Past) -> None:
    async def unexamined(*failed: Failed) -> list[int]:
        return [each.job_id for each in await unexamined_base_jobs(past.database.reader, SUBJECT, failed, NOON)]

    await past.ran(hours=3, jobs=[("test (1)", "failure")])  # an older one
    legs = [(f"test ({number})", "failure") for number in range(40)]
    run_id, job_ids = await past.ran(hours=2, jobs=[*legs, ("lint", "failure")])
    asked = await unexamined(failure(name="test (33)"), failure(name="test (99)", job_id=7))
    assert len(asked) == 10
    assert job_ids[33] in asked
    assert job_ids[-1] not in asked
    assert await unexamined(failure(name="test (33)"), failure(name="test (7)", job_id=7)) == [job_ids[7], job_ids[33]]
    assert await unexamined(failure(None, name="lint")) == [job_ids[-1]]
    # What says nothing can't be compared.
    assert await unexamined(failure(is_generic=True)) == []
    # The other thirty are not waited for.
    for job_id in asked:
        await past.said(job_id, "b")
    assert (await past.evidence(failure(name="test (33)"))).base == Base("main", sha(run_id), 0, 2, False)


@pytest.mark.parametrize(
    "told",
    [
        {"head_repository": {"id": 77, "full_name": "mallory/hello"}},
        {"head_repository": None},
        {"event": "pull_request"},
        {"event": "pull_request_target"},
        {"event": "issue_comment"},
        {"event": "workflow_run"},
        {"event": None},
        {"head_branch": "release"},
        {"head_branch": None},
        {"workflow_id": 34},
        {"status": "in_progress", "conclusion": None},
        {"conclusion": "cancelled"},
        {"conclusion": "startup_failure"},
        {"head_sha": OWN},
        {"head_sha": OWN_BEFORE},
    ],
)
async def test_what_is_no_run_of_the_base_excuses_nothing(past: Past, told: dict[str, Any]) -> None:
    await past.base_fails("a", **told)
    found = await past.evidence()
    assert (found.base, found.others, found.shared_by) == (None, (), 0)
    assert await unexamined_base_jobs(past.database.reader, SUBJECT, [failure()], NOON) == []
    run_id, _ = await past.ran(hours=5)
    assert (await past.evidence()).base == Base("main", sha(run_id), 1, 1, False)


@pytest.mark.parametrize("event", ["push", "schedule", "workflow_dispatch"])
async def test_what_runs_on_the_branch_for_its_own_sake_counts(past: Past, event: str) -> None:
    run_id = await past.base_fails("a", event=event)
    assert (await past.evidence()).base == Base("main", sha(run_id), 0, 1, True)


async def test_the_commit_that_it_is_based_on_counts_on_whichever_branch(past: Past) -> None:
    await past.base_fails("c")
    queue = f"gh-readonly-queue/main/pr-3-{sha(1)}"
    await past.base_fails("a", hours=9, head_sha=BASE_SHA, event="merge_group", head_branch=queue)
    assert (await past.evidence()).base == Base("main", BASE_SHA, 0, 1, True)
    assert (await past.evidence(failure("b"))).base == Base("main", sha(1000), 0, 1, False)
    # A pull request's run at that commit is another's affair.
    await past.database.execute("UPDATE workflow_run SET event = 'pull_request' WHERE event = 'merge_group'")
    assert (await past.evidence()).base == Base("main", sha(1000), 0, 1, False)


async def test_the_commit_that_it_is_based_on_excuses_also_once_the_branch_is_mended(past: Past) -> None:
    await past.base_fails("a", hours=9, head_sha=BASE_SHA)
    assert (await past.evidence()).base == Base("main", BASE_SHA, 0, 1, True)
    await past.ran(hours=2)
    assert (await past.evidence()).base == Base("main", BASE_SHA, 1, 2, True)


async def test_what_ran_on_the_base_long_ago_tells_nothing(past: Past) -> None:
    assert await past.evidence() == Evidence()
    await past.base_fails("a", hours=24 * 31)
    assert await past.evidence() == Evidence(is_base_silent=True)
    await past.base_fails("a", hours=24 * 29)
    assert (await past.evidence()).base == Base("main", sha(1002), 0, 1, True)


async def test_the_base_excuses_only_what_it_has_all_of(past: Past) -> None:
    await past.base_fails("a", fingerprints=["a", "b"])
    for ours, expected in ((("b",), True), (("b", "a"), True), (("a", "c"), False), (None, None)):
        found = (await past.evidence(failure("b", fingerprints=ours))).base
        assert found is not None
        assert found.fails_alike is expected


async def test_a_leg_that_passed_on_the_base_is_not_excused_by_another(past: Past) -> None:
    _, (_, windows) = await past.ran(jobs=[("test (linux)", "success"), ("test (windows)", "failure")])
    await past.said(windows, "a")
    expected = {"linux": False, "windows": True, "macos": True}
    for leg, alike in expected.items():
        found = (await past.evidence(failure(name=f"test ({leg})"))).base
        assert found is not None
        assert found.fails_alike is alike


async def test_the_last_twenty_runs_are_counted(past: Past) -> None:
    for number in range(24):
        await past.ran(number + 1, [("test", "failure" if number in {4, 22} else "success")])
    assert (await past.evidence()).base == Base("main", sha(1000), 19, 20, False)


async def test_a_run_that_is_run_again_has_failed_before(past: Past) -> None:
    run_id = await past.base_fails("a")
    again = {"id": run_id, "run_attempt": 2, "head_sha": sha(run_id), "updated_at": stamp(NOON)}
    await past.ran(1, [], **again, status="in_progress", conclusion=None)
    assert (await past.evidence()).base == Base("main", sha(run_id), 0, 1, True)
    await past.ran(1, [("test", "success")], **again)
    # What passed in the end proves nothing against the base.
    assert (await past.evidence()).base == Base("main", sha(run_id), 1, 1, False)


async def test_a_base_that_was_mended_before_the_end_was_told_is_not_taken_for_failing(past: Past) -> None:
    run_id = await past.base_fails("a")
    again = {"id": run_id, "run_attempt": 2, "head_sha": sha(run_id), "updated_at": stamp(NOON)}
    await past.ran(1, [], **again)
    assert (await past.evidence()).base == Base("main", sha(run_id), 1, 1, False)


async def test_what_happens_on_the_base_later_may_excuse_and_never_takes_an_excuse_away(past: Past) -> None:
    await past.ran(hours=3)
    before = await past.base_fails("a", hours=2)
    assert (await past.evidence()).base == Base("main", sha(before), 1, 2, True)
    await past.ran(hours=-1)
    for number in range(30):
        await past.ran(hours=-2 - number)
    assert (await past.evidence()).base == Base("main", sha(before), 20, 20, True)
    assert (await past.evidence(failure("b"))).base.fails_alike is False  # type: ignore[union-attr]
    later = await past.base_fails("b", hours=-24 * 13)
    assert (await past.evidence(failure("b"))).base.sha == sha(later)  # type: ignore[union-attr]
    await past.base_fails("c", hours=-24 * 15)
    assert (await past.evidence(failure("c"))).base.fails_alike is False  # type: ignore[union-attr]


async def test_for_what_the_base_says_later_nobody_waits(past: Past) -> None:
    await past.ran(hours=3)
    await past.base_fails(None, hours=-1)
    assert (await past.evidence()).base.fails_alike is False  # type: ignore[union-attr]


async def test_a_verdict_does_not_age(past: Past) -> None:
    await past.base_fails("a", hours=2)
    await past.other(2, HUBOT, "b")
    await past.other(3, OCTO, "b")
    of_both = [failure("a"), failure("b", job_id=7)]
    now = await find_evidence(past.database.reader, SUBJECT, of_both, NOON)
    assert await find_evidence(past.database.reader, SUBJECT, of_both, NOON + timedelta(days=90)) == now
    assert (now[7].others, now[7].authors, now[7].shared_by) == ((2, 3), 2, 2)


async def test_copies_that_later_attempts_carry_along_are_one_job(past: Past) -> None:
    run_id, (first, _) = await past.ran(jobs=[("test", "failure"), ("lint", "failure")])
    again = {"id": run_id, "run_attempt": 2, "head_sha": sha(run_id), "updated_at": stamp(NOON)}
    await past.ran(1, [("test", "failure")], **again)
    asked = await unexamined_base_jobs(past.database.reader, SUBJECT, [failure()], NOON)
    assert [each.job_id for each in asked] == [first]


async def test_what_ran_after_the_merge_may_have_it_from_there(past: Past) -> None:
    before, _ = await past.ran(hours=4)
    after = await past.base_fails("a", hours=1)
    ended = stamp(NOON - timedelta(hours=2))
    merged = {"state": "closed", "merged_at": ended, "closed_at": ended, "updated_at": stamp(NOON)}
    await past.pull(1, MONA, OWN, **{**merged, "merged_at": None})
    assert (await past.evidence()).base == Base("main", sha(after), 1, 2, True)
    await past.pull(1, MONA, OWN, **{**merged, "updated_at": stamp(NOON + timedelta(seconds=1))})
    assert (await past.evidence()).base == Base("main", sha(before), 1, 1, False)


async def test_a_commit_of_the_branch_itself_is_held_against_what_was_before(past: Past) -> None:
    pushed = Subject(repository_id=9, head_sha=sha(7), base_ref="main")
    await past.base_fails("a", hours=1)
    await past.ran(hours=2, head_sha=sha(7), jobs=[("test", "failure")])
    before, _ = await past.ran(hours=3)
    assert (await past.evidence(subject=pushed)).base == Base("main", sha(before), 1, 1, False)


async def test_a_commit_of_a_merge_queue_is_held_against_the_branch_it_goes_to(past: Past) -> None:
    run_id = await past.base_fails("a")
    await past.pull(7, MONA, sha(70))
    await past.other(2, HUBOT)
    await past.other(3, MONA)
    queued = Subject(repository_id=9, head_sha=sha(71), number=7, base_ref="main")
    assert await past.evidence(subject=queued) == Evidence(Base("main", sha(run_id), 0, 1, True), (2,), 1, authors=1)


async def test_without_a_branch_there_is_no_base(past: Past) -> None:
    await past.base_fails("a")
    nowhere = Subject(repository_id=9, head_sha=OWN, number=1, author_id=MONA)
    assert await past.evidence(subject=nowhere) == Evidence()


async def test_a_base_that_does_not_say_why_it_failed_speaks_neither_for_nor_against(past: Past) -> None:
    run_id, (job_id,) = await past.ran(2, [("test", "failure")])
    await past.said(job_id, "g", fingerprints=None, is_generic=True)
    evidence = await past.evidence()
    assert evidence.base == Base("main", sha(run_id), 0, 1, None, is_unclear=True)
    assert classify(*job_and_failure(failure()), evidence) is FailureClass.NO_BASE


# Flakes.


async def test_flakes_are_counted_by_run(past: Past) -> None:
    async def flaked(hours: float, *attempts: Sequence[tuple[str, str]], **told: Any) -> None:
        run_id = next(past.ids)
        for attempt, jobs in enumerate(attempts, 1):
            await past.ran(hours, jobs, id=run_id, run_attempt=attempt, head_sha=sha(run_id), **told)

    async def counted(*jobs: tuple[int, str]) -> dict[tuple[int, str], int]:
        return await count_flakes(past.database.reader, 9, jobs, NOON - SPAN)

    red, green = "failure", "success"
    await flaked(1, [("test (1)", red), ("test (2)", red)], [("test (1)", green), ("test (2)", green)])
    await flaked(2, [("test (1)", "timed_out")], [("test (1)", red)], [("test (1)", green)])
    await flaked(3, [("test (1)", red), ("lint", green)], [("test (1)", red), ("lint", green)])
    await flaked(4, [("test (1)", green), ("lint", red)], [("test (1)", red), ("lint", green)])
    await flaked(5, [("test (1)", red), ("test (2)", green)], [("test (1)", red), ("test (2)", green)])
    await flaked(6, [("test (1)", "cancelled")], [("test (1)", green)])
    await flaked(24 * 15, [("test (1)", red)], [("test (1)", green)])
    await flaked(1, [("test (1)", red)], [("test (1)", green)], workflow_id=34)
    assert await counted((33, "test"), (33, "test (7)"), (33, "lint"), (33, "docs"), (34, "test (1)")) == {
        (33, "test"): 2,
        (33, "test (7)"): 2,
        (33, "lint"): 1,
        (33, "docs"): 0,
        (34, "test (1)"): 1,
    }
    assert await counted() == {}
    assert await count_flakes(past.database.reader, 10, [(33, "test")], NOON - SPAN) == {(33, "test"): 0}


# How it is asked.


class Asked(Executor):
    """Counts what is asked, and keeps how the database would answer it."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor.client, executor.dialect)
        self.statements = 0
        self.plans: list[str] = []

    async def fetch(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        self.statements += 1
        explain = "EXPLAIN QUERY PLAN" if self.dialect is Dialect.SQLITE else "EXPLAIN"
        for row in await super().fetch(f"{explain} {sql}", *parameters):
            self.plans.append(str(row.get("detail") or row.get("QUERY PLAN")))
        return await super().fetch(sql, *parameters)


async def test_a_handful_of_statements_whatever_has_failed_and_an_index_for_each(past: Past) -> None:
    await past.base_fails("a")
    await past.ran(jobs=[("test", "failure"), ("lint", "failure")], head_sha=BASE_SHA)
    await past.other(2, HUBOT)
    few = [failure()]
    many = [failure(f"{number}", f"test ({number})", job_id=number) for number in range(1000)]
    async with past.database.transaction() as tx:
        if tx.dialect is Dialect.POSTGRESQL:
            # So small a table is read as a whole unless that is forbidden.
            await tx.execute("SET LOCAL enable_seqscan = off")
        counts = []
        for failed in (few, [*few, *many]):
            asked = Asked(tx)
            await find_evidence(asked, SUBJECT, failed, NOON)
            counts.append(asked.statements)
            await unexamined_base_jobs(asked, SUBJECT, failed, NOON)
            await count_flakes(asked, 9, [(33, job.name) for job, *_ in failed], NOON - SPAN)
            assert [line for line in asked.plans if _reads_a_table(line, tx.dialect)] == []
            assert "workflow_run_by_branch" in json.dumps(asked.plans)
            assert "workflow_run_by_head_sha" in json.dumps(asked.plans)
    assert counts == [6, 6]


def _reads_a_table(line: str, dialect: Dialect) -> bool:
    """Tell whether a line of a plan says that all rows of a table are read; subqueries are called as they are here."""
    if dialect is Dialect.SQLITE:
        return line.startswith("SCAN ") and line.split()[1] not in {"CONSTANT", "run", "newest", "own"}
    return "Seq Scan" in line
