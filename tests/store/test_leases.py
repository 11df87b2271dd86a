"""Leases: of all tasks of all processes one has it, until it gives it back or has been dead for a while."""

import asyncio
import os
import socket
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.clock import Clock, ManualClock
from bot.errors import UNANSWERED
from bot.store.database import Database, to_moment
from bot.store.leases import LASTS, RENEWED_EVERY, WRITE_LASTS, LeaseLost, Leases, WriteLeases, is_dead, new_holder

HOLDS = """
import asyncio
from bot.clock import Clock
from bot.store import connected
from bot.store.leases import Leases, new_holder

async def hold():
    async with connected({url!r}) as database, Leases(database, Clock(), {holder}).trying("work") as held:
        print(held, flush=True)
        await asyncio.sleep(60)

asyncio.run(hold())
"""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ours(database: Database, clock: ManualClock) -> Leases:
    return Leases(database, clock, "ours")


@pytest.fixture
def theirs(database: Database, clock: ManualClock) -> Leases:
    return Leases(database, clock, "theirs")


async def is_free(leases: Leases, name: str = "work") -> bool:
    async with leases.trying(name) as held:
        return held


async def test_one_of_many_processes_has_it(database: Database, clock: ManualClock) -> None:
    everybody = [Leases(database, clock, f"process {number}") for number in range(8)]
    have_looked = asyncio.Barrier(len(everybody))

    async def try_once(leases: Leases) -> bool:
        async with leases.trying("work") as held:
            await have_looked.wait()
            return held

    for _ in range(3):
        assert sum(await asyncio.gather(*map(try_once, everybody))) == 1


async def test_one_of_many_tasks_of_a_process_has_it(ours: Leases, theirs: Leases) -> None:
    async with ours.trying("work") as held:
        assert held
        assert not await is_free(ours)
        # Whoever failed to get it has nothing to give back.
        assert not await is_free(theirs)
        assert await is_free(ours, "something else")
    assert await is_free(ours)


async def test_it_is_free_as_soon_as_it_is_given_back_whatever_happened(ours: Leases, theirs: Leases) -> None:
    with pytest.raises(LookupError):
        async with ours.trying("work"):
            raise LookupError
    assert await is_free(theirs)
    begun = asyncio.Event()

    async def hang() -> None:
        async with ours.trying("work"):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await begun.wait()
    assert not await is_free(theirs)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await is_free(theirs)


@pytest.mark.parametrize("operation", ["fetch", "execute"])
@pytest.mark.parametrize("way", ["trying", "waiting"])
async def test_a_task_that_is_ended_as_it_takes_or_leaves_it_keeps_nothing(
    way: str, operation: str, database: Database, ours: Leases, theirs: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(database, operation)

    async def hold() -> None:
        async with ours.trying("work") if way == "trying" else ours.waiting("work", LASTS):
            pass

    async def end_meanwhile(*arguments: Any) -> Any:
        monkeypatch.setattr(database, operation, real)
        # It has been taken, or is not yet given back, when the task is told to end.
        taken = await real(*arguments) if operation == "fetch" else None
        task.cancel()
        await asyncio.sleep(0)
        return taken or await real(*arguments)

    monkeypatch.setattr(database, operation, end_meanwhile)
    task = asyncio.create_task(hold())
    await asyncio.wait([task])
    assert task.cancelled()
    assert await is_free(theirs)
    assert await is_free(ours)


async def until_lease_ends(database: Database, seconds_from: Clock) -> timedelta:
    (row,) = await database.fetch("SELECT until FROM lease WHERE name = 'work'")
    until = to_moment(row["until"])
    assert until is not None
    return until - seconds_from.now()


async def test_while_its_holder_lives_it_never_ends(
    database: Database, clock: ManualClock, ours: Leases, theirs: Leases
) -> None:
    async with ours.trying("work"):
        begun = await until_lease_ends(database, clock)
        for _ in range(4 * int(LASTS.total_seconds())):
            await clock.advance(1)
            await asyncio.sleep(0.002)
            assert not await is_free(theirs)
        assert begun - timedelta(seconds=RENEWED_EVERY + 2) < await until_lease_ends(database, clock) <= begun
    assert await is_free(theirs)


async def holding(url: str, holder: str) -> asyncio.subprocess.Process:
    """Start a process that has the lease; `holder` is Python for its name."""
    program = HOLDS.format(url=url, holder=holder)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"True\n"
    return process


async def test_whoever_was_killed_on_another_machine_loses_it(migrated_url: str, database: Database) -> None:
    process = await holding(migrated_url, "'another machine-17-abcdef'")
    process.kill()
    await process.wait()
    clock = ManualClock(Clock().now())
    survivor = Leases(database, clock, new_holder())
    left = (await until_lease_ends(database, clock)).total_seconds()
    assert 0 < left <= LASTS.total_seconds()
    await clock.advance(left - 0.001)
    assert not await is_free(survivor)
    await clock.advance(0.001)
    assert await is_free(survivor)


async def test_whoever_was_killed_on_this_machine_loses_it_at_once(migrated_url: str, database: Database) -> None:
    process = await holding(migrated_url, "new_holder()")
    survivor = Leases(database, ManualClock(Clock().now()), new_holder())
    assert not await is_free(survivor)
    process.kill()
    await process.wait()
    assert await is_free(survivor)


def named(pid: int) -> str:
    """Return the name that a process of this machine would have."""
    return new_holder().replace(f"-{os.getpid()}-", f"-{pid}-")


@pytest.fixture
async def dead() -> str:
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()
    return named(process.pid)


async def test_one_of_many_heirs_has_it(database: Database, clock: ManualClock, dead: str) -> None:
    heirs = [Leases(database, clock, f"heir {number}") for number in range(8)]
    have_looked = asyncio.Barrier(len(heirs))

    async def try_once(leases: Leases) -> bool:
        async with leases.trying("work") as held:
            await have_looked.wait()
            return held

    async with Leases(database, clock, dead).trying("work") as held:
        assert held
        assert sum(await asyncio.gather(*map(try_once, heirs))) == 1


async def test_nobody_inherits_the_right_to_write(
    database: Database, clock: ManualClock, ours: Leases, dead: str
) -> None:
    async with Leases(database, clock, dead).waiting("write", timedelta(seconds=3)):
        waiting = asyncio.create_task(waited_for(ours, clock))
        assert not await passes(clock, waiting, 2)
        assert await passes(clock, waiting, 3)


async def test_only_a_process_that_was_numbered_here_is_known_to_be_dead(dead: str) -> None:
    assert is_dead(dead)
    # It lives, or its number has gone to another process, be it one that is not ours.
    assert not is_dead(new_holder())
    assert not is_dead(named(1))
    # Another machine, or another container that has the same name as this one.
    place, pid, token = dead.rsplit("-", 2)
    assert not is_dead(f"{socket.gethostname()}-{'0' * 12}-{pid}-{token}")
    assert not is_dead(f"elsewhere{place}-{pid}-{token}")
    assert not is_dead(f"{socket.gethostname()}-{pid}-{token}")
    assert not is_dead("a name of old")


async def test_where_nobody_tells_who_numbers_processes_no_death_is_certain(
    dead: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: Path) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", away)
    assert not is_dead(dead)
    assert new_holder().startswith(f"{socket.gethostname()}-{os.getpid()}-")


async def test_whoever_comes_back_from_the_dead_takes_nothing_from_the_living(
    clock: ManualClock, ours: Leases, theirs: Leases, caplog: pytest.LogCaptureFixture
) -> None:
    # Ours is suspended: nothing renews the lease, and another process takes it.
    async def work_for_too_long() -> None:
        async with ours.trying("work"):
            taken.set()
            await asyncio.sleep(5)

    taken = asyncio.Event()
    working = asyncio.create_task(work_for_too_long())
    await taken.wait()
    clock._now += LASTS
    async with theirs.trying("work") as held:
        assert held
        await clock.advance(RENEWED_EVERY)
        with pytest.raises(LeaseLost):
            await working
        assert "a lease was lost to another process" in caplog.messages
        assert not await is_free(Leases(ours._database, clock, "a third"))
    assert await is_free(theirs)


async def test_what_could_not_be_given_back_is_taken_again_by_its_own_process(
    database: Database, clock: ManualClock, ours: Leases, theirs: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> int:
        raise ConnectionError

    async with ours.trying("work"):
        monkeypatch.setattr(Database, "execute", away)
    monkeypatch.undo()
    assert not await is_free(theirs)
    assert await is_free(ours)
    assert await is_free(theirs)


async def waited_for(leases: Leases, clock: ManualClock) -> float | None:
    """Wait for the right to write, and return how long ago its last holder left it."""
    async with leases.waiting("write", WRITE_LASTS) as left_at:
        return None if left_at is None else (clock.now() - left_at).total_seconds()


async def test_whoever_waits_hears_when_it_was_left(clock: ManualClock, ours: Leases, theirs: Leases) -> None:
    assert await waited_for(ours, clock) is None
    await clock.advance(7)
    assert await waited_for(theirs, clock) == 7.0
    assert await waited_for(ours, clock) == 0.0


async def passes(clock: ManualClock, task: "asyncio.Task[object]", seconds: float) -> bool:
    """Let time pass in small steps until a task is done; return whether it is."""
    for _ in range(int(seconds / 0.2)):
        await clock.advance(0.2)
        await asyncio.sleep(0.003)
        if task.done():
            return True
    return False


async def test_waiting_ends_when_the_holder_leaves(clock: ManualClock, ours: Leases, theirs: Leases) -> None:
    async with ours.waiting("write", WRITE_LASTS):
        waiting = asyncio.create_task(waited_for(theirs, clock))
        assert not await passes(clock, waiting, 5)
    assert await passes(clock, waiting, 1)
    assert 0 <= (await waiting or 0) <= 1


async def test_waiting_ends_when_the_holder_has_been_dead_for_its_time(
    clock: ManualClock, ours: Leases, theirs: Leases
) -> None:
    async with ours.waiting("write", timedelta(seconds=3)):
        waiting = asyncio.create_task(waited_for(theirs, clock))
        assert not await passes(clock, waiting, 2)
        assert await passes(clock, waiting, 3)


async def test_what_is_unanswered_is_not_given_back_before_its_time(
    clock: ManualClock, ours: Leases, theirs: Leases
) -> None:
    with pytest.raises(asyncio.CancelledError):
        async with ours.waiting("write", timedelta(seconds=3)):
            raise asyncio.CancelledError(UNANSWERED)
    waiting = asyncio.create_task(waited_for(theirs, clock))
    assert not await passes(clock, waiting, 2)
    assert await passes(clock, waiting, 3)
    # Whoever held it may have it again.
    with pytest.raises(asyncio.CancelledError):
        async with ours.waiting("write", WRITE_LASTS):
            raise asyncio.CancelledError(UNANSWERED)
    assert await waited_for(ours, clock) is not None


async def test_whoever_gives_up_waiting_holds_up_nobody(clock: ManualClock, ours: Leases, theirs: Leases) -> None:
    async with ours.waiting("write", WRITE_LASTS):
        waiting = asyncio.create_task(waited_for(theirs, clock))
        assert not await passes(clock, waiting, 1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert await waited_for(ours, clock) == 0.0


async def test_a_silence_is_its_installations_own_and_lasts_as_long_as_the_longest(
    clock: ManualClock, ours: Leases, theirs: Leases
) -> None:
    here, there = WriteLeases(ours), WriteLeases(theirs)
    now = clock.time()
    assert await there.silent_until(7) is None
    await here.ask_for_silence(7, now + 90)
    await there.ask_for_silence(7, now + 60)
    assert [await each.silent_until(7) for each in (here, there)] == [now + 90] * 2
    assert await there.silent_until(8) is None
    # The right itself is as free as before, and who takes it and leaves it does not end the silence.
    async with there.hold(7):
        await here.ask_for_silence(7, now + 120)
    assert await here.silent_until(7) == now + 120
