"""How soon failures are told while many installations send events at an even rate and half of the logs can't be had."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.deployments import Deployed
from bench.told import Told, told, urgencies
from bench.town import ASKED_FOR, WARM_UP_SECONDS, Brisk, HalfTheLogs, Town
from bot.demo.github.plays import Pace
from bot.domain.feedback.pacing import Urgency

LOOK_AGAIN_SECONDS = 0.5
Figures = dict[str, Any]


@dataclass(frozen=True)
class Load:
    """So many events a second that the App asks for, on so many installations, for so many seconds.

    Rates are taken after `ramp` seconds, when the first jobs have come to their ends. After the last event all is
    waited for, at most for `patience` seconds; without any, first failures alone.
    """

    installations: int = 50
    events: float = 50.0
    seconds: float = 180.0
    ramp: float = 40.0
    patience: float = 300.0
    warm_up: float = WARM_UP_SECONDS
    pace: type[Pace] = Brisk


async def measure(service: Deployed, load: Load) -> Figures:
    """Play it on an empty deployment, and return rates and latencies."""
    github = service.github
    github.rest.faults = logs = HalfTheLogs()
    town = Town(github)
    places = [town.found(f"team-{number}") for number in range(load.installations)]
    await town.until_quiet(load.warm_up)
    cpu, began = service.cpu_seconds(), github.clock.now()
    async with asyncio.TaskGroup() as tasks:
        rates = tasks.create_task(_rates(service, load))
        tasks.create_task(town.live(places, load.events, load.seconds, load.pace))
    await _until_told(town, load)
    seconds = (github.clock.now() - began).total_seconds()
    return {
        **rates.result(),
        **_latencies(town, told(github.rest.journal.writes)),
        "pull_requests": len(town.pulls),
        "failures": len(town.failed),
        "logs_asked_for": logs.asked,
        "logs_refused": logs.refused,
        "processor_share_in_all": (service.cpu_seconds() - cpu) / seconds,
        "deliveries_not_taken": github.webhooks.log.counts["failed"],
        "load_average_after": round(os.getloadavg()[0], 2),
        **written(service),
    }


async def _rates(service: Deployed, load: Load) -> Figures:
    """Return what happens a second, from the ramp to the last pull request that is opened."""
    github = service.github
    await asyncio.sleep(load.ramp)
    since, cpu, requests = github.clock.now(), service.cpu_seconds(), len(github.rest.ledger.calls)
    await asyncio.sleep(load.seconds - load.ramp)
    until, cpu = github.clock.now(), service.cpu_seconds() - cpu
    seconds = (until - since).total_seconds()
    requests = len(github.rest.ledger.calls) - requests
    made = Counter(one.event for one in github.deliveries if since <= one.made_at < until)
    attempts = [one for one in github.webhooks.log.attempts if since <= one.delivery.made_at < until]
    return {
        "events_per_second": sum(made[name] for name in ASKED_FOR) / seconds,
        "deliveries_per_second": made.total() / seconds,
        "handed_over_seconds": spread((one.delivered_at - one.delivery.made_at).total_seconds() for one in attempts),
        "requests_per_second": requests / seconds,
        "writes_per_second": sum(since <= one.at < until for one in github.rest.journal.writes) / seconds,
        "processor_share": cpu / seconds,
    }


async def _until_told(town: Town, load: Load) -> None:
    clock = town.github.clock
    last = clock.time() + (load.patience or 10.0)
    while clock.time() < last and not _is_told(town, told(town.github.rest.journal.writes), load):
        await clock.sleep(LOOK_AGAIN_SECONDS)


def _is_told(town: Town, first: Told, load: Load) -> bool:
    failed = [each.pull for each in town.failed]
    if not all(pull.head.sha in first.failure for pull in failed):
        return False
    ended = all(pull.head.sha in first.completion for pull in town.pulls)
    return not load.patience or (ended and all(first.comment_on(pull) for pull in failed))


def _latencies(town: Town, first: Told) -> Figures:
    """Return the seconds from a failure's delivery to its check run and to its comment, and how many were not told."""
    checks = [(each.at, first.failure.get(each.pull.head.sha)) for each in town.failed]
    comments = [(each.at, first.comment_on(each.pull)) for each in town.failed]
    return {
        "check_seconds": spread((at - failed).total_seconds() for failed, at in checks if at),
        "checks_missing": sum(at is None for _, at in checks),
        "comment_seconds": spread((at - failed).total_seconds() for failed, at in comments if at),
        "comments_missing": sum(at is None for _, at in comments),
    }


def spread(values: Iterable[float]) -> dict[str, float]:
    """Return how many values there are, and their median, 95th percentile and maximum; none of these for no value."""
    ordered = sorted(values)
    if not ordered:
        return {"count": 0}
    places = {"p50": len(ordered) // 2, "p95": len(ordered) * 95 // 100, "max": len(ordered) - 1}
    return {"count": len(ordered), **{name: ordered[place] for name, place in places.items()}}


def written(service: Deployed) -> Figures:
    """Return how many writes there were of each urgency, in vain, and too soon for GitHub."""
    rest = service.github.rest
    counts = Counter(urgencies(rest.journal.writes))
    return {
        "writes": {urgency.name.lower(): counts[urgency] for urgency in of_writes()},
        "unchanged": len(rest.journal.unchanged()),
        "violations": dict(Counter(each.kind for each in rest.ledger.violations)),
    }


def of_writes() -> Sequence[Urgency]:
    """Return the urgencies of what writes anything."""
    return [urgency for urgency in Urgency if urgency is not Urgency.LOOK]
