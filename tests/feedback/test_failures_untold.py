"""What can't be found out about a failed job, or not yet, and what ends a look for all."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.demo.github.rest import RateLimited as TooMuch
from bot.demo.github.rest import ServerError
from bot.demo.github.state import causes
from bot.domain.excerpts import find_excerpt
from bot.domain.feedback.report import Source
from bot.feedback import examining
from bot.feedback.failures import annotations_of, failures_of
from bot.github.errors import InstallationSuspended, RateLimited
from tests.feedback.ward import (
    ANNOTATIONS,
    FAILED,
    LAST,
    LOG,
    SCRIPT,
    STEP,
    Ward,
    answered,
    give_up,
    log_host,
)

# What is not there, or not yet


async def test_a_log_is_waited_for(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    ward.house.github.rest.logs.ready_after = 2
    await ward.want([job])
    assert await ward.examine() == 1
    row = await ward.row(job)
    assert (row["source"], row["tries"], row["due_at"]) == (None, 1, ward.now + timedelta(seconds=2))
    assert await ward.told(job) is None
    assert await ward.examine() == 0
    await ward.house.clock.advance(2)
    assert await ward.examine() == 1
    failure = await ward.told(job)
    assert failure is not None
    assert failure.source is Source.LOG
    assert (ward.asked(ANNOTATIONS), ward.asked(LOG)) == (1, 2)


async def test_a_log_that_never_comes_leaves_the_step(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    ward.house.github.rest.logs.ready_after = 1e9
    await ward.want([job])
    assert await give_up(ward, job) == [0, 2, 7, 22]
    failure = await ward.told(job)
    assert failure is not None
    assert (failure.source, failure.step, failure.exit_code) == (Source.STEP, STEP, 1)
    assert (failure.anchor, failure.lines, failure.is_generic) == (None, (), True)
    assert failure.has_no_log


async def test_a_log_that_was_deleted_is_not_asked_for_again(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    ward.house.github.rest.scripted_faults.add(ServerError(410), operation=LOG)
    assert (await ward.look_into(job)).has_no_log
    assert (await ward.row(job))["due_at"] is None
    assert ward.asked(LOG) == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [("404 Not Found", True), ("410 Gone", True), ("403 Forbidden", False), ("503 Service Unavailable", False)],
)
async def test_only_what_is_not_there_is_no_log(ward: Ward, status: str, expected: bool) -> None:
    (job,) = await ward.fail(causes.pytest())
    async with log_host(ward, answered(b"", status=status)):
        await ward.want([job])
        assert await give_up(ward, job) == [0, 2, 7, 22]
    failure = await ward.told(job)
    assert failure is not None
    assert (failure.source, failure.has_no_log) == (Source.STEP, expected)


async def test_it_is_the_last_answer_on_the_log_that_counts(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    async with log_host(ward, *[answered(b"", status="404 Not Found")] * 3, answered(b"", status="502 Bad Gateway")):
        await ward.want([job])
        await give_up(ward, job)
    failure = await ward.told(job)
    assert failure is not None
    assert not failure.has_no_log


async def test_who_may_not_read_what_is_noted_does_not_know_that_there_is_no_log(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    ward.house.github.rest.scripted_faults.add(ServerError(404), operation=ANNOTATIONS, times=4)
    ward.house.github.rest.logs.ready_after = 1e9
    await ward.want([job])
    assert await give_up(ward, job) == [0, 2, 7, 22]
    failure = await ward.told(job)
    assert failure is not None
    assert (failure.source, failure.has_no_log) == (Source.STEP, False)
    assert await annotations_of(ward.tools.database, [job.id]) == {job.id: ()}


async def test_a_step_that_took_too_long_is_not_excused_by_a_log_that_is_not_there(ward: Ward) -> None:
    too_slow = "The action 'Run tests' has timed out after 5 minutes."
    (job,) = await ward.fail(replace(causes.pytest(), error=too_slow, has_log=False))
    await ward.want([job])
    await give_up(ward, job)
    failure = await ward.told(job)
    assert failure is not None
    assert (failure.source, failure.anchor) == (Source.ANNOTATIONS, too_slow)


async def test_an_empty_log_is_none_yet(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    ward.house.github.world.logs[job.id] = ""
    await ward.want([job])
    await ward.examine()
    assert (await ward.row(job))["tries"] == 1


async def test_a_log_that_breaks_off_is_read_again(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    log = (SCRIPT + FAILED + LAST).encode()
    half = answered(log[: len(log) // 2], length=len(log))
    async with log_host(ward, half, answered(b"no", status="503 Unavailable"), answered(log)) as host:
        await ward.want([job])
        assert await give_up(ward, job) == [0, 2, 7]
    assert len(host.heard) == 3
    failure = await ward.told(job)
    assert failure is not None
    assert (failure.source, failure.test) == (Source.LOG, "tests/test_a.py::test_b")


async def test_a_log_that_is_forbidden_is_not_asked_for_again(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    ward.house.github.rest.scripted_faults.add(ServerError(403), operation=LOG)
    assert (await ward.look_into(job)).source is Source.STEP
    assert ward.asked(LOG) == 1


async def test_while_github_is_away_a_try_is_counted(ward: Ward) -> None:
    (job,) = await ward.fail(causes.tsc())
    ward.house.github.rest.scripted_faults.add(ServerError(503), operation=ANNOTATIONS, times=4)
    await ward.want([job])
    await ward.house.while_time_passes(ward.examine(), step=1)
    row = await ward.row(job)
    assert (row["tries"], row["source"], row["annotations"]) == (1, None, None)
    await ward.house.clock.advance(2)
    assert await ward.examine() == 1
    failure = await ward.told(job)
    assert failure is not None
    assert failure.source is Source.ANNOTATIONS


# What ends a look for all


async def test_a_limit_of_rate_is_the_callers_affair_and_no_try(ward: Ward) -> None:
    jobs = await ward.fail(causes.tsc(), causes.tsc("src/a.ts"), causes.tsc("src/b.ts"))
    ward.house.github.rest.scripted_faults.add(TooMuch(429, retry_after=300), operation=ANNOTATIONS)
    await ward.want(jobs)
    with pytest.raises(RateLimited):
        await ward.examine()
    assert {(await ward.row(job))["tries"] for job in jobs} == {0}
    await ward.house.clock.advance(301)
    await ward.examine()
    assert len(await failures_of(ward.tools.database, [job.id for job in jobs])) == 3


async def test_a_suspended_installation_is_the_callers_affair(ward: Ward) -> None:
    (job,) = await ward.fail(causes.tsc())
    await ward.want([job])
    ward.house.github.installations.suspend(ward.house.stage.installation)
    ward.tools.github.forget(ward.house.installation_id)
    with pytest.raises(InstallationSuspended):
        await ward.examine()
    assert (await ward.row(job))["tries"] == 0


async def test_what_can_not_be_read_harms_no_neighbour(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    poison, *others = await ward.fail(causes.pytest("tests/test_poison.py::test_it"), *[causes.pytest()] * 5)

    def find(log: str, step_started_at: datetime | None) -> Any:
        if "test_poison" in log:
            raise IndexError
        return find_excerpt(log, step_started_at)

    monkeypatch.setattr(examining, "find_excerpt", find)
    await ward.want([poison, *others])
    assert await ward.examine() == 6
    assert (await failures_of(ward.tools.database, [job.id for job in others])).keys() == {job.id for job in others}
    await give_up(ward, poison)
    failure = await ward.told(poison)
    assert failure is not None
    assert (failure.source, failure.step) == (Source.STEP, STEP)
