"""What GitHub was asked to make is made once and is true in the end, however late it is made and whoever is gone."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from bot.demo.github.plays import fails_in
from bot.demo.github.rest.faults import Cut, Late, RestFault, ServerError
from bot.demo.github.state.actions import WorkflowRun
from bot.demo.github.state.repositories import PullRequest
from bot.feedback import Publisher
from bot.github import exchange
from bot.store import leases
from bot.store.database import Database
from bot.store.leases import Leases
from tests.feedback.harness import Harness, Process, harnessed
from tests.feedback.moves import RESUMES, finish, push_to_main, start
from tests.feedback.test_one_writer import checks, comments, fail, faults

CHECK, COMMENT = "checks/create", "issues/create-comment"
Ending = Callable[[Harness, Process, pytest.MonkeyPatch], Awaitable[None]]


async def killed(house: Harness, victim: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a process end as by SIGKILL: its connections are closed, and it gives nothing back; that shows at once."""
    dead, give_back = victim.history.leases, Leases._give_back

    async def of_the_living(one: Leases, name: str) -> None:
        if one is not dead:
            await give_back(one, name)

    monkeypatch.setattr(Leases, "_give_back", of_the_living)
    monkeypatch.setattr(leases, "is_dead", lambda holder: holder == dead._holder)
    await cut_short(house, victim, monkeypatch)


async def cut_short(house: Harness, victim: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a process end as by SIGTERM, while GitHub takes longer than it may."""
    with monkeypatch.context() as patch:
        patch.setattr(exchange, "LAST_SECONDS", 0)
        await stop(house, victim)


async def stopped(house: Harness, victim: Process, _: pytest.MonkeyPatch) -> None:
    """Let a process end as by SIGTERM, with the time that a process has for it."""
    ending = asyncio.ensure_future(stop(house, victim))
    while not ending.done():
        await house.passes(1)
    await ending


async def stop(house: Harness, victim: Process) -> None:
    house.processes.remove(victim)
    for task in victim.tasks.values():
        task.cancel()
    assert isinstance(victim.publisher, Publisher)
    await victim.publisher.stop()
    await victim.historian.stop()


def at_work(house: Harness) -> Process:
    """Return the process that tells anything now."""
    (found,) = (each for each in house.processes if isinstance(each.publisher, Publisher) and each.publisher._working)
    return found


async def until_asked(house: Harness, operation: str) -> None:
    """Let time pass until a request meets its fault."""
    while not any(call.fault for call in house.github.rest.ledger.of(operation)):
        await house.passes(1)


async def begun(house: Harness, operation: str, fault: RestFault) -> tuple[PullRequest, WorkflowRun]:
    """Let time pass until GitHub is asked for a comment that is worth making, or a check run, which meets a fault."""
    await push_to_main(house)
    faults(house).add(fault, operation=operation)
    pull = house.stage.open()
    (run,) = start(house, pull)
    if operation == COMMENT:
        await finish(house, run, failing=fails_in("unit", cause=RESUMES))
    await until_asked(house, operation)
    return pull, run


def made(house: Harness, operation: str) -> int:
    kind = "check" if operation == CHECK else "comment"
    return sum((write.kind, write.action) == (kind, "create") for write in house.github.rest.journal.writes)


async def mended(house: Harness, pull: PullRequest) -> None:
    house.github.pulls.push(pull, "Mend it")
    await finish(house, *start(house, pull))
    await house.passes(300)


async def is_true(house: Harness, pull: PullRequest, run: WorkflowRun, operation: str) -> None:
    """Hold what stands there against what happens to the pull request from now on."""
    if operation == CHECK:
        await finish(house, run)
        await house.passes(300)
        assert checks(house, pull.head.sha) == [("completed", "success")]
    else:
        (red,) = comments(house, pull)
        assert "❌" in red
        await mended(house, pull)
        (green,) = comments(house, pull)
        assert "✅" in green


@pytest.mark.parametrize("seconds", [6, 60])
@pytest.mark.parametrize("end", [killed, cut_short, stopped])
@pytest.mark.parametrize("operation", [CHECK, COMMENT])
async def test_whoever_goes_on_makes_no_second_one(
    database: Database, monkeypatch: pytest.MonkeyPatch, operation: str, end: Ending, seconds: float
) -> None:
    async with harnessed(database, workers=2) as house:
        pull, run = await begun(house, operation, Late(seconds))
        await end(house, at_work(house), monkeypatch)
        await house.passes(240)
        assert made(house, operation) == 1
        await is_true(house, pull, run, operation)
        assert made(house, operation) == 1


@pytest.mark.parametrize("end", [killed, cut_short])
@pytest.mark.parametrize("operation", [CHECK, COMMENT])
async def test_what_was_never_made_is_made_after_two_minutes(
    database: Database, monkeypatch: pytest.MonkeyPatch, operation: str, end: Ending
) -> None:
    async with harnessed(database, workers=2) as house:
        pull, run = await begun(house, operation, Late(10**6))
        await end(house, at_work(house), monkeypatch)
        # GitHub has lost it, and waits for nothing more.
        house.github.rest.ledger._open_writes.clear()
        await house.passes(125)
        await is_true(house, pull, run, operation)


@pytest.mark.parametrize("operation", [CHECK, COMMENT])
@pytest.mark.parametrize(
    ("fault", "waits"),
    [(Late(30, cut=True), False), (Cut(), True), (ServerError(504), True), (ServerError(502), False)],
)
async def test_nobody_has_to_end_for_it(database: Database, operation: str, fault: RestFault, waits: bool) -> None:
    async with harnessed(database) as house:
        pull, run = await begun(house, operation, fault)
        await house.passes(45)
        assert made(house, operation) == (not waits)
        await house.passes(75)
        await is_true(house, pull, run, operation)
        assert made(house, operation) == 1


async def test_a_comment_that_comes_when_all_is_well_again_says_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with harnessed(database, workers=2) as house:
        await push_to_main(house)
        faults(house).add(Late(60), operation=COMMENT)
        pull = house.stage.open()
        await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))
        await until_asked(house, COMMENT)
        await cut_short(house, at_work(house), monkeypatch)
        await mended(house, pull)
        (comment,) = comments(house, pull)
        assert "✅" in comment


async def test_a_second_comment_that_comes_when_all_is_well_again_says_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with harnessed(database, workers=2) as house:
        await push_to_main(house)
        pull = await fail(house)
        await mended(house, pull)
        faults(house).add(Late(60), operation=COMMENT)
        house.github.pulls.push(pull, "Break it once more")
        await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))
        await until_asked(house, COMMENT)
        await cut_short(house, at_work(house), monkeypatch)
        # It is not known either what the first one says.
        await database.execute("UPDATE failure_comment SET body_hash = NULL")
        await mended(house, pull)
        former, newest = comments(house, pull)
        assert ("✅" in former, "✅" in newest) == (True, True)


@pytest.mark.parametrize("is_muted", [False, True])
async def test_a_check_run_of_a_rerun_that_has_ended_meanwhile_is_ended(
    database: Database, monkeypatch: pytest.MonkeyPatch, is_muted: bool
) -> None:
    async with harnessed(database, workers=2) as house:
        await push_to_main(house)
        pull = await fail(house)
        (run,) = house.github.world.runs.at_commit(house.stage.repository, pull.head.sha)
        faults(house).add(Late(60), operation=CHECK)
        house.github.actions.rerun(run, house.people["hubot"], failed_only=True)
        await until_asked(house, CHECK)
        await cut_short(house, at_work(house), monkeypatch)
        if is_muted:
            sql = "INSERT INTO repository_settings (repository_id, muted, changed_at) VALUES (?, ?, ?)"
            await database.execute(sql, house.stage.repository.id, True, house.clock.now())
        await finish(house, run, failing=fails_in("unit", cause=RESUMES))
        await house.passes(300)
        assert checks(house, pull.head.sha) == [("completed", "failure"), ("completed", "failure")]


async def test_what_github_refuses_is_not_looked_for(database: Database) -> None:
    async with harnessed(database) as house:
        ledger = house.github.rest.ledger
        await push_to_main(house)
        house.stage.repository.archived = True
        start(house, house.stage.open())
        while not ledger.counts["status 403"]:
            await house.passes(1)
        house.stage.repository.archived = False
        await house.passes(timedelta(minutes=11).total_seconds())
        assert [call.status for call in ledger.of(CHECK)] == [403, 201]
        assert not list(ledger.of("checks/list-for-ref"))
