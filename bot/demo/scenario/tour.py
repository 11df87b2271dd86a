"""What is played: one story of each kind, then more of them without end."""

from collections.abc import AsyncIterator
from datetime import timedelta

from bot.demo.github.activity import TOUR, activity
from bot.demo.github.plays import Moment
from bot.demo.scenario.stage import Stage

# As if the stories had happened over the last day.
SPREAD = timedelta(hours=24)
# A story of half an hour passes in about two minutes.
SPEED = 15.0


async def run_tour(stage: Stage) -> AsyncIterator[Moment]:
    """Play one story of each kind, as fast as the service takes it."""
    async for moment in activity(stage.github, stage.company, TOUR, over=SPREAD):
        yield moment


async def trickle(stage: Stage) -> AsyncIterator[Moment]:
    """Play on until nobody listens any more."""
    async for moment in activity(stage.github, stage.company, speed=SPEED):
        yield moment
