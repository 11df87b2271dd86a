"""A log that GitHub says it does not have is looked for twice more: it may merely be slow with it."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from prometheus_client import Counter as Metric

from bot import metrics
from bot.demo.github.rest import ServerError
from bot.demo.github.state import causes
from bot.demo.github.state.actions import Job
from bot.demo.github.state.checks import CheckRun
from bot.domain.feedback.report import Failure, Source
from bot.feedback.examining import AT_ONCE, DELAYS, LATER_DELAYS, seconds_to_next_try
from bot.feedback.failures import AGAIN, AWAITED, BASES, due_failures, postpone_failure
from bot.github.errors import Forbidden, GitHubError, GitHubUnavailable, Gone, NotFound
from bot.store.database import Database
from tests.feedback.harness import Harness, harnessed
from tests.feedback.moves import RESUMES, push_to_main, start
from tests.feedback.shown import newest_check
from tests.feedback.ward import ANNOTATIONS, LOG, STEP, Ward, answered, give_up, log_host

FIRST, SECOND = LATER_DELAYS
NOT_FOUND, AWAY = NotFound("no"), GitHubUnavailable("away", maybe_taken=False)
NO, BROKEN = answered(b"", status="404 Not Found"), answered(b"", status="503 Service Unavailable")

# The rule


@pytest.mark.parametrize("error", [NOT_FOUND, AWAY, IndexError()], ids=lambda error: type(error).__name__)
def test_it_is_tried_three_times_more_and_twice_again_where_there_is_no_log(error: Exception) -> None:
    plainly = [seconds_to_next_try(tries, error, has_no_log=False) for tries in range(7)]
    assert plainly == [2, 5, 15, None, None, None, None]
    without_log = [seconds_to_next_try(tries, error, has_no_log=True) for tries in range(7)]
    assert without_log == [2, 5, 15, 2 * 60, 13 * 60, None, None]


@pytest.mark.parametrize("error", [Gone("deleted"), Forbidden("no")], ids=lambda error: type(error).__name__)
def test_what_is_refused_is_not_tried_again(error: GitHubError) -> None:
    assert {seconds_to_next_try(tries, error, has_no_log=has) for tries in range(7) for has in (True, False)} == {None}


# Rows


async def without_log(ward: Ward, count: int = 1) -> list[Job]:
    """Let jobs fail of which GitHub says that it has no log, until that is kept, and no commit is due by that."""
    jobs = await ward.fail(*[causes.pytest()] * count)
    ward.house.github.rest.logs.ready_after = 1e9
    await ward.want(jobs)
    for delay in (*DELAYS, 0):
        while await ward.examine():
            pass
        await ward.house.clock.advance(delay)
    await ward.put_summaries_off()
    return jobs


def let_there_be_logs(ward: Ward) -> None:
    ward.house.github.rest.logs.ready_after = 0


async def test_a_log_that_is_there_later_tells_why_it_failed(ward: Ward) -> None:
    (job,) = await without_log(ward)
    failure, before = await ward.told(job), await ward.summary(job)
    assert failure is not None
    assert failure.has_no_log
    let_there_be_logs(ward)
    await ward.house.clock.advance(FIRST - 1)
    assert await ward.examine() == 0
    await ward.house.clock.advance(1)
    assert await ward.examine() == 1
    failure, after, row = await ward.told(job), await ward.summary(job), await ward.row(job)
    assert failure is not None
    assert (failure.source, failure.step, failure.is_generic) == (Source.LOG, STEP, False)
    assert (after["revision"], after["due_at"], after["urgency"]) == (before["revision"] + 1, ward.now, 0)
    assert row["due_at"] is None
    assert (ward.asked(ANNOTATIONS), ward.asked(LOG)) == (1, len(DELAYS) + 2)


async def told_without_log(ward: Ward, job: Job) -> Failure:
    failure = await ward.told(job)
    assert failure is not None
    assert failure.has_no_log
    return failure


async def test_one_that_is_never_there_is_awaited_once(ward: Ward) -> None:
    (job,) = await without_log(ward)
    assert (await told_without_log(ward, job)).awaits_log
    row, summary = await ward.row(job), await ward.summary(job)
    for delay, due_in in ((FIRST, SECOND), (SECOND, None)):
        await ward.house.clock.advance(delay)
        assert await ward.examine() == 1
        found = await ward.row(job)
        left = None if found["due_at"] is None else (found["due_at"] - ward.now).total_seconds()
        assert left == due_in
        same = {"due_at": None, "tries": 0, "urgency": AGAIN}
        assert {**found, **same} == {**row, **same}
        assert not (await told_without_log(ward, job)).awaits_log
        assert (await ward.summary(job))["revision"] == summary["revision"] + 1
    assert ward.asked(LOG) == len(DELAYS) + 3


@pytest.mark.parametrize(("found", "is_an_answer"), [(NO, True), (BROKEN, False)], ids=["404", "503"])
async def test_only_an_answer_lets_it_stand_before_the_end(ward: Ward, found: bytes, is_an_answer: bool) -> None:
    (job,) = await ward.fail(causes.pytest())
    async with log_host(ward, *[NO] * 4, found):
        await ward.want([job])
        await give_up(ward, job)
        before = await ward.summary(job)
        awaits = []
        for delay in LATER_DELAYS:
            await ward.house.clock.advance(delay)
            assert await ward.examine() == 1
            awaits.append((await told_without_log(ward, job)).awaits_log)
    assert awaits == [not is_an_answer, False]
    assert (await ward.row(job))["due_at"] is None
    assert (await ward.summary(job))["revision"] == before["revision"] + 1


async def test_what_is_found_is_counted_once_however_often_it_is_looked_for(ward: Ward) -> None:
    before = examined()
    await without_log(ward)
    for delay in LATER_DELAYS:
        await ward.house.clock.advance(delay)
        await ward.examine()
    assert examined() - before == {"retried": len(DELAYS) + 2, "step": 1}


def examined() -> Counter[str]:
    return counted(metrics.FAILURES_EXAMINED)


def counted(metric: Metric) -> Counter[str]:
    """Return what a metric has counted, by the value of its only label."""
    samples = (sample for family in metric.collect() for sample in family.samples)
    return Counter({value: int(sample.value) for sample in samples for value in sample.labels.values()})


async def test_a_log_that_may_not_be_read_any_more_is_not_looked_for_again(ward: Ward) -> None:
    (job,) = await without_log(ward)
    ward.house.github.rest.scripted_faults.add(ServerError(403), operation=LOG)
    await ward.house.clock.advance(FIRST)
    assert await ward.examine() == 1
    failure = await ward.told(job)
    assert failure is not None
    assert failure.has_no_log
    assert (await ward.row(job))["due_at"] is None


async def test_one_that_is_there_and_says_nothing_excuses_nothing(ward: Ward) -> None:
    (job,) = await without_log(ward)
    ward.house.github.world.logs[job.id] = ""
    let_there_be_logs(ward)
    before = await ward.summary(job)
    for delay in LATER_DELAYS:
        assert (await told_without_log(ward, job)).awaits_log
        await ward.house.clock.advance(delay)
        assert await ward.examine() == 1
    failure = await ward.told(job)
    assert failure is not None
    assert (failure.source, failure.has_no_log, failure.exit_code) == (Source.STEP, False, 1)
    assert (await ward.summary(job))["revision"] == before["revision"] + 1


async def test_later_looks_wait_for_first_ones_and_are_few_at_once(ward: Ward) -> None:
    jobs = await without_log(ward, AT_ONCE + 2)
    assert {(await ward.row(job))["urgency"] for job in jobs} == {AWAITED}
    await ward.house.clock.advance(FIRST)
    base, head = await ward.fail(causes.tsc(), causes.tsc("src/a.ts"), branch="new")
    let_there_be_logs(ward)
    await ward.want([base], BASES)
    await ward.want([head])
    assert await ward.examine(at_most=1) == 1
    assert await ward.told(head) is not None
    assert [await ward.examine() for _ in range(4)] == [1, AT_ONCE, 2, 0]
    assert await ward.told(base) is not None
    told = [await ward.told(job) for job in jobs]
    assert [None if failure is None else failure.source for failure in told] == [Source.LOG for _ in jobs]


async def test_two_that_look_again_at_once_tell_it_once(ward: Ward) -> None:
    (job,) = await without_log(ward)
    let_there_be_logs(ward)
    before = await ward.summary(job)
    await ward.house.clock.advance(FIRST)
    await asyncio.gather(ward.examine(), ward.examine())
    assert (await ward.summary(job))["revision"] == before["revision"] + 1


async def test_a_slower_look_that_found_nothing_does_not_touch_what_is_known(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    await ward.want([job])
    database = ward.tools.database
    (slower,) = await due_failures(database.reader, ward.house.installation_id, ward.now, 1)
    assert await ward.examine() == 1
    known = await ward.row(job)
    await postpone_failure(database, slower, ward.now)
    assert await ward.row(job) == known


# On GitHub


async def failing_without_log(house: Harness, *, has_log: bool, after: float = 90) -> Job:
    """Let a job fail as the last of its run, of which GitHub has no log, or has one after so many seconds."""
    await push_to_main(house)
    (run,) = start(house, house.stage.open())
    await house.passes(10)
    jobs = house.github.actions.jobs
    for name in ("lint", "unit"):
        jobs.start(run.get_job(name))
    await house.passes(60)
    house.github.rest.logs.ready_after = after
    jobs.complete(run.get_job("lint"))
    jobs.complete(run.get_job("unit"), "failure", cause=replace(RESUMES, has_log=has_log))
    return run.get_job("unit")


def newest(house: Harness, job: Job) -> CheckRun:
    check = newest_check(house.github, job.run.repository, job.run.head.sha)
    assert check is not None
    return check


def comments(house: Harness) -> list[str]:
    (pull,) = house.github.world.pull_requests.values()
    return [comment.body for comment in house.github.comments.of(pull)]


async def test_a_log_that_comes_late_ends_as_a_new_failure_with_a_comment(database: Database) -> None:
    async with harnessed(database) as house:
        job = await failing_without_log(house, has_log=True)
        await house.passes(100)
        waiting = newest(house, job)
        assert (waiting.status, waiting.conclusion, comments(house)) == ("in_progress", None, [])
        assert waiting.title == "3 of 3 jobs done, 1 failed, waiting for the log of 1 job"
        await house.passes(60)
        assert (newest(house, job).id, newest(house, job).conclusion) == (waiting.id, "failure")
        (said,) = comments(house)
        assert "test_resumes" in said
        await house.settle()
        assert comments(house) == [said]
        assert house.github.rest.ledger.counts[LOG] == len(DELAYS) + 2
        assert house.github.rest.journal.unchanged() == []


@pytest.mark.parametrize(
    ("after", "expected"), [(90, {"new": 1}), (600, {"infra": 1, "new": 1})], ids=["while it is awaited", "later"]
)
async def test_a_class_is_counted_again_only_where_another_was_told(
    database: Database, after: float, expected: dict[str, int]
) -> None:
    async with harnessed(database) as house:
        before = counted(metrics.FAILURES_CLASSIFIED)
        job = await failing_without_log(house, has_log=True, after=after)
        await house.settle()
        assert newest(house, job).conclusion == "failure"
        assert counted(metrics.FAILURES_CLASSIFIED) - before == expected
        assert len(comments(house)) == 1


async def test_a_log_that_never_comes_is_asked_for_twice_more(database: Database) -> None:
    async with harnessed(database) as house:
        job = await failing_without_log(house, has_log=False)
        await house.passes(100)
        asked = house.github.rest.ledger.counts
        assert (newest(house, job).conclusion, asked[LOG]) == (None, len(DELAYS) + 1)
        await house.passes(FIRST)
        written = len(house.github.rest.journal.writes)
        assert (newest(house, job).conclusion, asked[LOG]) == ("neutral", len(DELAYS) + 2)
        await house.settle()
        assert asked[LOG] == len(DELAYS) + 3
        assert (newest(house, job).conclusion, comments(house)) == ("neutral", [])
        assert len(house.github.rest.journal.writes) == written
