"""How work goes in time: runs and jobs as generators that yield the seconds that pass between what they do.

A play yields `float` for time that goes by, and a `Moment` when something worth telling has happened. Plays that
happen at once are interleaved by `together`; `perform` gives every act its own stamp.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.demo.github.state.causes import Cause

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Collection, Iterator
    from datetime import datetime

    from bot.demo.github.simulation import SimulatedGitHub
    from bot.demo.github.state.accounts import Account
    from bot.demo.github.state.actions import Job, WorkflowRun
    from bot.demo.github.state.repositories import PullRequest, Repository

# No story takes longer than this; each begins so far back that its last stamps are not in the future.
LONGEST_STORY = timedelta(minutes=40)


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that has just happened: one line for people, and what it is about.

    `kind` is opened, pushed, run, rerun, approved, cancelled, merged or closed, and `story` on the line that ends one.
    """

    at: datetime
    story: str
    kind: str
    text: str
    repository: Repository
    pull: PullRequest | None = None
    run: WorkflowRun | None = None


Beat = float | Moment
# Why a job fails: True for whatever fits its last step, None or False for one that passes.
Failing = Callable[["Job"], "Cause | bool | None"]


def together(*plays: Iterator[Beat]) -> Iterator[Beat]:
    """Let several plays go on at once, each in its own time."""
    passed = 0.0
    turns = [(0.0, number, play) for number, play in enumerate(plays)]
    heapq.heapify(turns)
    while turns:
        due, number, play = heapq.heappop(turns)
        if due > passed:
            yield due - passed
            passed = due
        for beat in play:
            if isinstance(beat, Moment):
                yield beat
            else:
                heapq.heappush(turns, (passed + beat, number, play))
                break


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, drawn from one source of chance; all in seconds."""

    random: random.Random

    def queue(self) -> float:
        return self.random.uniform(2, 20)

    def job(self) -> float:
        return self.random.uniform(35, 240)

    def review(self) -> float:
        return self.random.uniform(30, 180)


def play_run(
    github: SimulatedGitHub,
    run: WorkflowRun,
    pace: Pace,
    *,
    failing: Failing = lambda _: None,
    reviewer: Account | None = None,
) -> Iterator[Beat]:
    """Play the open jobs of the newest attempt to their end, also those that appear on the way."""
    attempt, played = run.latest, set[int]()
    while fresh := [job for job in attempt.open_jobs() if job.id not in played]:
        played |= {job.id for job in fresh}
        yield from together(*(_play_job(github, job, pace, failing, reviewer or run.actor) for job in fresh))


def _play_job(github: SimulatedGitHub, job: Job, pace: Pace, failing: Failing, reviewer: Account) -> Iterator[Beat]:
    jobs = github.actions.jobs
    if job.status == "waiting":
        yield pace.review()
        if job.status == "waiting":
            jobs.approve_deployment(job, reviewer)
    yield pace.queue()
    if job.status == "queued":
        jobs.start(job)
        yield pace.job()
    # Somebody may have cancelled the run in the meantime.
    if job.status == "in_progress":
        why = failing(job)
        jobs.complete(job, "failure" if why else "success", cause=why if isinstance(why, Cause) else None)


def fails_in(*names: str, cause: Cause | None = None) -> Failing:
    """Return the rule by which exactly the jobs of these names fail, of one cause if it is given."""
    chosen: Collection[str] = frozenset(names)
    return lambda job: (cause or True) if job.name in chosen else None


async def perform(
    github: SimulatedGitHub, play: Iterator[Beat], *, ago: timedelta = timedelta(0), speed: float | None = None
) -> AsyncIterator[Moment]:
    """Play to the end, yielding its moments as they happen.

    With no `speed` no time of the clock passes: the play is told as having ended some minutes before `ago`. With one
    (1 or more), the clock's time passes at `1 / speed` of the play's (1: as long as it takes on GitHub), and stamps
    come closer to the present as it goes on.
    """
    share = 0.0 if speed is None else 1 / speed
    begin, elapsed = github.clock.now() - ago - LONGEST_STORY * (1 - share), 0.0
    while True:
        with github.at(min(begin + timedelta(seconds=elapsed), github.clock.now())):
            beat = next(play, None)
        if beat is None:
            return
        if isinstance(beat, Moment):
            yield beat
            continue
        elapsed += beat
        await (github.clock.sleep(beat * share) if share else asyncio.sleep(0))
