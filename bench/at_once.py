"""How writes queue up behind the second that GitHub wants between them, when many pull requests fail at once."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from bench.deployments import Deployed
from bench.told import Told, out_of_order, told
from bench.town import CULPRIT, WARM_UP_SECONDS, Town
from bench.under_load import written
from bot.demo.github.rest.journal import Write
from bot.demo.github.state.actions import WorkflowRun
from bot.demo.github.state.repositories import PullRequest

LOOK_AGAIN_SECONDS = 0.25
SECONDS_A_WRITE = 1.0
MILESTONES = ("check shows its failure", "check is completed", "comment stands")
"""In the order in which they are to come."""
Figures = dict[str, Any]


@dataclass(frozen=True)
class Queue:
    """So many pull requests of one installation that fail and end, while others go on.

    All is waited for, at most for `patience` seconds; without any, first failures alone.
    """

    pulls: int = 40
    others: int = 10
    patience: float = 300.0
    warm_up: float = WARM_UP_SECONDS


async def measure(service: Deployed, queue: Queue) -> Figures:
    """Let it happen on an empty deployment, and return how long it takes until all is told."""
    github, town = service.github, Town(service.github)
    place = town.found("team")
    await town.until_quiet(queue.warm_up)
    runs = [town.open(place, number)[1] for number in range(queue.pulls + queue.others)]
    _play_until_failure(town, runs)
    await _until(town, queue, lambda first: len(first.check) == len(runs))
    await town.until_quiet()
    before, cpu, began = len(github.rest.journal.writes), service.cpu_seconds(), github.clock.now()
    _fail_at_once(town, runs, queue)
    culprits = town.pulls[: queue.pulls]
    await _until(town, queue, lambda first: _is_told(first, culprits, queue))
    seconds = (github.clock.now() - began).total_seconds()
    since = github.rest.journal.writes[before:]
    return {
        "milestones": _milestones(since, culprits, began),
        "out_of_order": len(out_of_order(since, {each.pull.number: each.at for each in town.failed})),
        "writes_since": len(since),
        "seconds_a_write": _seconds_a_write(since),
        "processor_share": (service.cpu_seconds() - cpu) / seconds,
        "load_average_after": round(os.getloadavg()[0], 2),
        **written(service),
    }


def _play_until_failure(town: Town, runs: Iterable[WorkflowRun]) -> None:
    jobs = town.github.actions.jobs
    for run in runs:
        for job in run.jobs:
            if job.name != CULPRIT:
                jobs.start(job)
                jobs.complete(job)


def _fail_at_once(town: Town, runs: Sequence[WorkflowRun], queue: Queue) -> None:
    """Fail those that are to fail; of the others the job only begins."""
    for run in runs:
        town.github.actions.jobs.start(run.get_job(CULPRIT))
    for pull, run in zip(town.pulls[: queue.pulls], runs, strict=False):
        town.fail(pull, run)


async def _until(town: Town, queue: Queue, condition: Callable[[Told], bool]) -> None:
    clock = town.github.clock
    last = clock.time() + (queue.patience or 10.0)
    while clock.time() < last and not condition(told(town.github.rest.journal.writes)):
        await clock.sleep(LOOK_AGAIN_SECONDS)


def _is_told(first: Told, culprits: Iterable[PullRequest], queue: Queue) -> bool:
    return all(all(first.of(pull)) if queue.patience else first.of(pull)[0] for pull in culprits)


def _milestones(since: Sequence[Write], culprits: Sequence[PullRequest], began: datetime) -> dict[str, Figures]:
    """Return when the last pull request was told so far, and the least that so many writes take by their spacing."""
    first = told(since)
    found: dict[str, Figures] = {}
    for place, name in enumerate(MILESTONES):
        moments = [at for pull in culprits if (at := first.of(pull)[place]) is not None]
        if len(moments) == len(culprits):
            found[name] = {
                "seconds": (max(moments) - began).total_seconds(),
                "writes": (writes := sum(write.at <= max(moments) for write in since)),
                "least_seconds": (writes - 1) * SECONDS_A_WRITE,
            }
    return found


def _seconds_a_write(since: Sequence[Write]) -> float | None:
    gaps = [(later.at - earlier.at).total_seconds() for earlier, later in pairwise(since)]
    return sum(gaps) / len(gaps) if gaps else None
