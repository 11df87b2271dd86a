"""The clock that tests wind by hand, and the machine's own."""

import asyncio
from datetime import UTC, datetime, timedelta

from bot.clock import Clock, ManualClock

START = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)


async def test_it_stands_still_until_told_to_move() -> None:
    clock = ManualClock(START)
    await asyncio.sleep(0.01)
    assert clock.now() == START
    assert clock.time() == START.timestamp()
    await clock.advance(90)
    assert clock.now() == START + timedelta(seconds=90)
    assert clock.monotonic() - START.timestamp() == 90


async def test_it_starts_at_an_aware_moment_of_its_own() -> None:
    assert ManualClock().now().utcoffset() == timedelta(0)


async def _sleep(clock: ManualClock, woken: list[tuple[str, float]], name: str, seconds: float) -> None:
    await clock.sleep(seconds)
    woken.append((name, (clock.now() - START).total_seconds()))


async def test_sleepers_wake_at_their_own_moments_and_in_order() -> None:
    clock = ManualClock(START)
    woken: list[tuple[str, float]] = []
    async with asyncio.TaskGroup() as tasks:
        for name, seconds in (("third", 60), ("first", 5), ("second", 5), ("fourth", 3600.5)):
            tasks.create_task(_sleep(clock, woken, name, seconds))
        await asyncio.sleep(0)
        await clock.advance(4.9)
        assert woken == []
        await clock.advance(0.1)
        assert woken == [("first", 5), ("second", 5)]
        await clock.advance(5000)
    assert woken[2:] == [("third", 60), ("fourth", 3600.5)]


async def test_days_of_a_loop_pass_in_one_step() -> None:
    clock = ManualClock(START)
    beats: list[datetime] = []

    async def beat() -> None:
        while True:
            beats.append(clock.now())
            await clock.sleep(3600)

    beating = asyncio.create_task(beat())
    await asyncio.sleep(0)
    await clock.advance(3 * 24 * 3600)
    beating.cancel()
    assert beats == [START + timedelta(hours=hour) for hour in range(73)]


async def test_whoever_slept_through_a_leap_wakes_after_it() -> None:
    clock = ManualClock(START)
    woken: list[tuple[str, float]] = []
    async with asyncio.TaskGroup() as tasks:
        for name, seconds in (("second", 60), ("first", 5), ("third", 4000)):
            tasks.create_task(_sleep(clock, woken, name, seconds))
        await asyncio.sleep(0)
        await clock.leap(3600)
        assert woken == [("first", 3600), ("second", 3600)]
        await clock.advance(400)
    assert woken[2:] == [("third", 4000)]


async def test_no_time_at_all_is_only_a_turn_of_the_loop() -> None:
    clock = ManualClock(START)
    await asyncio.wait_for(clock.sleep(0), 1)
    await asyncio.wait_for(clock.sleep(-1), 1)
    assert clock.now() == START


async def test_a_sleeper_that_gave_up_does_no_harm() -> None:
    clock = ManualClock(START)
    leaving, staying = asyncio.create_task(clock.sleep(10)), asyncio.create_task(clock.sleep(10))
    await asyncio.sleep(0)
    leaving.cancel()
    await clock.advance(10)
    assert leaving.cancelled()
    assert staying.done()


async def test_the_machines_clock_is_in_utc_and_sleeps() -> None:
    clock = Clock()
    before = clock.monotonic()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.now().utcoffset() == timedelta(0)
    await clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.009
    assert abs(clock.time() - clock.now().timestamp()) < 5
