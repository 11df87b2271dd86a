"""Lets the shared clock's time pass no faster than what is under way on real sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.clock import ManualClock
    from bot.demo.github.simulation import SimulatedGitHub

_MACHINE = Clock()
_LOOK_AGAIN_SECONDS = 0.001
_QUIET_LOOKS = 3
_TURNS = 20


async def let_pass(
    github: SimulatedGitHub,
    clock: ManualClock,
    seconds: float,
    *,
    step: float = 1.0,
    busy: Callable[[], bool] = lambda: False,
    until: Callable[[], bool] = lambda: False,
) -> bool:
    """Advance a manual clock by `seconds` in steps, each once no request or delivery is in flight any more.

    `busy` tells of other work that has to end before the next step; when `until` is true no more time passes. Returns
    whether it is.
    """
    passed = 0.0
    while not until() and passed < seconds:
        await _quiet(github, busy)
        if until():
            break
        await clock.advance(min(step, seconds - passed))
        passed += step
    await _quiet(github, busy)
    return until()


async def _quiet(github: SimulatedGitHub, busy: Callable[[], bool]) -> None:
    quiet, served = 0, github.served
    while quiet < _QUIET_LOOKS:
        # What an answer sets off needs some of the machine's time before it is seen here, and what was sent some turns
        # of the loop, each of which may be long where the machine has other things to do.
        for _ in range(_TURNS):
            await _MACHINE.sleep(0)
        await _MACHINE.sleep(_LOOK_AGAIN_SECONDS)
        before, served = served, github.served
        # Between two looks a request may have come and gone, and whoever sent it may send another.
        quiet = 0 if github.busy or busy() or served != before else quiet + 1
