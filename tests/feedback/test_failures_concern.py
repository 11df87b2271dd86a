"""Whose commits are looked at again when it is known why a job failed."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from bot.demo.github.state import causes
from bot.demo.github.state.actions import Job
from bot.feedback.failures import BASES
from tests.feedback.ward import (
    Ward,
)


async def revisions(ward: Ward, jobs: Sequence[Job], doing: Callable[[], Any]) -> list[int]:
    """Return how often each job's commit was marked while something was done."""
    before = [(await ward.summary(job))["revision"] for job in jobs]
    await doing()
    return [(await ward.summary(job))["revision"] - old for job, old in zip(jobs, before, strict=True)]


async def test_what_fails_on_the_base_branch_concerns_pull_requests_that_failed(ward: Ward) -> None:
    failed, closed, old, unexamined = await ward.fail(*[causes.pytest()] * 4)
    await ward.want([failed, closed, old])
    await ward.examine()
    database = ward.tools.database
    await database.execute("UPDATE pull_request SET state = 'closed' WHERE head_sha = ?", closed.run.head.sha)
    long_ago = ward.now - timedelta(days=15)
    await database.execute("UPDATE job_failure SET failed_at = ? WHERE job_id = ?", long_ago, old.id)
    base = await ward.fail_base(causes.pytest())
    await ward.want([base], BASES)
    marked = await revisions(ward, [failed, closed, old, unexamined, base], ward.examine)
    assert marked == [1, 0, 0, 0, 1]


async def test_another_workflow_on_the_base_branch_concerns_nobody(ward: Ward) -> None:
    (failed,) = await ward.fail(causes.pytest())
    await ward.look_into(failed)
    base = await ward.fail_base(causes.ruff())
    await ward.tools.database.execute("UPDATE workflow_run SET workflow_id = 1 WHERE run_id = ?", base.run.id)
    await ward.want([base], BASES)
    assert await revisions(ward, [failed, base], ward.examine) == [0, 1]


async def test_what_a_merge_queue_tested_is_concerned_too(ward: Ward) -> None:
    failed, queued = await ward.fail(causes.pytest(), causes.pytest())
    await ward.want([failed, queued])
    await ward.examine()
    database = ward.tools.database
    await database.execute("UPDATE pull_request SET head_sha = 'moved'")
    await database.execute(
        "INSERT INTO failure_comment (repository_id, number, changed_at, queue_sha) VALUES (?, 1, ?, ?)",
        queued.run.repository.id,
        ward.now,
        queued.run.head.sha,
    )
    base = await ward.fail_base(causes.pytest())
    await database.execute("UPDATE pull_request SET head_sha = 'moved'")
    await ward.want([base], BASES)
    assert await revisions(ward, [failed, queued], ward.examine) == [0, 1]


async def test_what_fails_alike_concerns_all_open_ones_however_many_they_are(ward: Ward) -> None:
    jobs = await ward.fail(*[causes.pytest()] * 22)
    first, another, old = jobs[0], jobs[1], jobs[2]
    await ward.want(jobs[:-1])
    await ward.examine()
    database = ward.tools.database
    await database.execute("UPDATE pull_request SET state = 'closed' WHERE head_sha = ?", another.run.head.sha)
    long_ago = ward.now - timedelta(days=15)
    await database.execute("UPDATE job_failure SET failed_at = ? WHERE job_id = ?", long_ago, old.id)
    await ward.want(jobs[-1:])
    assert await revisions(ward, jobs, ward.examine) == [1, 0, 0, *[1] * 19]
    assert (await ward.told(first)) == (await ward.told(jobs[-1]))
