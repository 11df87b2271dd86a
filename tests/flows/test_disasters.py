"""Whole after disaster: whatever broke, and for however long, the record ends as GitHub's own."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from bot.clock import ManualClock
from bot.demo.github import NeverSent
from bot.demo.github.faults import Fault
from bot.demo.github.webhooks.deliveries import Delivery
from bot.demo.scenario import compare, run_disasters, run_tour, staged
from tests.demo.conformance import AnswersHeld
from tests.flows.disasters import tried

Kind = tuple[str, str, str | None]
FOREVER = timedelta(days=365)
A_WHILE, TOO_LONG = timedelta(hours=60), timedelta(days=5)
# GitHub lists deliveries for so long.
LISTED = timedelta(days=3)
# What is redelivered comes within minutes; in a day and a bit every timed job has run.
SOON, CYCLE = timedelta(hours=1), timedelta(hours=26)


async def test_after_github_was_down_for_60_hours(migrated_url: str) -> None:
    async with tried(migrated_url) as trial:
        await trial.begin()
        trial.github.outages.add(FOREVER)
        await trial.live(A_WHILE)
        await trial.begin()
        assert trial.lost() > 40
        assert len(await trial.unknown_runs()) > 3
        trial.github.outages.clear()
        await trial.pass_time(SOON)
        assert await trial.faults() == []


async def test_after_the_service_was_down_for_60_hours(migrated_url: str) -> None:
    async with tried(migrated_url) as trial:
        await trial.begin()
        await trial.stage.service.stop()
        await trial.live(A_WHILE)
        await trial.begin()
        assert trial.lost() > 40
        assert len(await trial.unknown_runs()) > 3
        await trial.stage.service.start()
        await trial.pass_time(SOON)
        assert await trial.faults() == []


async def test_after_the_service_was_down_for_5_days(migrated_url: str) -> None:
    async with tried(migrated_url) as trial:
        await trial.begin()
        await trial.stage.service.stop()
        await trial.live(TOO_LONG)
        listed = f"{trial.stage.clock.now() - LISTED:%Y-%m-%dT%H:%M:%SZ}"
        unknown = [run["created_at"] for run in await trial.unknown_runs()]
        assert min(unknown) < listed < max(unknown)
        await trial.stage.service.start()
        await trial.pass_time(SOON)
        assert await trial.faults() == []


# Events that are never sent.


# Of these the second each.
LOST = (
    ("pull_request", "opened", None),
    ("workflow_run", "requested", None),
    ("workflow_run", "completed", "success"),
    ("workflow_run", "completed", "failure"),
    ("workflow_job", "completed", "success"),
    ("workflow_job", "completed", "skipped"),
)


@dataclass
class Losing:
    """Loses more than one event in a hundred, and all that would tell of the `silent`th run."""

    silent: int
    window: int = 1
    lost: list[Kind] = field(default_factory=list)
    met: Counter[Kind] = field(default_factory=Counter)
    runs: dict[int, int] = field(default_factory=dict)

    def faults_for(self, delivery: Delivery, *, redelivery: bool) -> Sequence[Fault]:
        told = json.loads(delivery.body)
        run = told.get("workflow_run", {}).get("id") or told.get("workflow_job", {}).get("run_id")
        if run is not None and self.runs.setdefault(run, len(self.runs) + 1) == self.silent:
            return (NeverSent(),)
        kind = (delivery.event, delivery.action or "", told.get(delivery.event, {}).get("conclusion"))
        self.met[kind] += not redelivery
        if (kind in LOST and self.met[kind] == 2) or self.met.total() % 100 == 0:
            self.lost.append(kind)
            return (NeverSent(),)
        return ()


async def test_after_one_event_in_a_hundred_was_never_sent(migrated_url: str) -> None:
    async with tried(migrated_url) as trial:
        trial.github.webhooks.faults = losing = Losing(silent=4)
        for _ in range(2):
            await trial.begin()
            await trial.live(timedelta(minutes=15))
        assert len(losing.lost) >= losing.met.total() / 100
        assert set(LOST) <= set(losing.lost)
        assert len(await trial.unknown_runs()) == 1
        await trial.pass_time(CYCLE)
        assert await trial.faults() == []


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(1, 6))
async def test_after_all_of_it_on_any_seed(migrated_url: str, seed: int) -> None:
    async with staged(ManualClock(), seed=seed, port=0, database_url=migrated_url) as stage:
        stage.github.rest.on_answer = held = AnswersHeld(every=5)
        for act in (run_tour, run_disasters):
            async for _ in act(stage):
                pass
        agreement = await compare(stage)
        assert agreement.differences == []
        assert held.faults == []
        assert stage.github.rest.ledger.violations == []
