"""What is played: what came before, one story of each kind, the disasters, and more stories without end."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from bot.demo.github.activity import TOUR, activity
from bot.demo.github.plays import LONGEST_STORY
from bot.demo.scenario.agreement import differences
from bot.demo.scenario.stage import Stage, usual_faults

# As if the stories had happened over the last day.
SPREAD = timedelta(hours=24)
# A story of half an hour passes in about two minutes.
SPEED = 15.0
# In a day and a bit every timed job has run, the nightly look back included.
CYCLE = timedelta(hours=26)
A_WHILE, TOO_LONG = timedelta(hours=60), timedelta(days=5)
MEANWHILE = ("green", "flaky", "many_failing", "fork", "broken_base", "superseded")


async def run_tour(stage: Stage) -> AsyncIterator[str]:
    """Let history be fetched, then play one story of each kind, as fast as the service takes it."""
    yield f"The App is installed on {stage.team}; history is fetched …"
    await stage.until_backfilled()
    yield f"{stage.backfilled_runs} runs from before are recorded."
    await stage.seen_for(SPREAD + LONGEST_STORY)
    stage.github.webhooks.faults = usual_faults(stage.github.seed)
    async for moment in activity(stage.github, stage.company, TOUR, over=SPREAD):
        yield moment.text
    await stage.settle()


async def run_disasters(stage: Stage) -> AsyncIterator[str]:
    """Let one thing after another break for days, and hold the record against GitHub's own after each."""
    async for line in _repaired(stage, "on a day like any other"):
        yield line
    yield f"GitHub can't be reached, nor reach us, for {_told(A_WHILE)} …"
    stage.github.outages.add(A_WHILE)
    await _go_on(stage, A_WHILE)
    async for line in _repaired(stage, "after GitHub was away"):
        yield line
    for lasting in (A_WHILE, TOO_LONG):
        yield f"The service is down for {_told(lasting)} …"
        await stage.service.stop()
        await _go_on(stage, lasting)
        await stage.service.start()
        async for line in _repaired(stage, f"after {_told(lasting)} without the service"):
            yield line


async def trickle(stage: Stage) -> AsyncIterator[str]:
    """Play on until nobody listens any more."""
    async for moment in activity(stage.github, stage.company, speed=SPEED):
        yield moment.text


async def _go_on(stage: Stage, lasting: timedelta, stories: Sequence[str] = MEANWHILE) -> None:
    """Let time go by, and life go on in it."""
    for story in stories:
        await stage.pass_time(lasting / len(stories))
        async for _ in activity(stage.github, stage.company, [story]):
            pass
    await stage.awaiting(stage.github.settle())


async def _repaired(stage: Stage, when: str) -> AsyncIterator[str]:
    await stage.pass_time(CYCLE)
    await stage.settle()
    found = [f"{when}: {difference}" async for difference in differences(stage)]
    stage.differences += found
    yield f"{when[0].upper()}{when[1:]}: {'the record is whole.' if not found else f'{len(found)} differences'}"


def _told(lasting: timedelta) -> str:
    hours = int(lasting.total_seconds() // 3600)
    return f"{hours} hours" if hours < 72 else f"{hours // 24} days"
