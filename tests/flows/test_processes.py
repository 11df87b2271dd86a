"""Web and worker processes from the Procfile's own lines, on one PostgreSQL, ended and started again as life goes on.

Nothing is lost and nothing is doubled, on either side; and while a process is away no other refuses anything.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import aiohttp
import pytest

from bot import access
from bot.clock import Clock
from bot.demo.github import FaultRates, SimulatedGitHub
from bot.demo.github.activity import TOUR, activity
from bot.demo.github.company import Company, found
from bot.demo.github.plays import LONGEST_STORY
from bot.demo.scenario import Stage, compare
from bot.demo.scenario.stage import WEBHOOK_PATH, with_past
from bot.demo.scenario.tour import SPREAD
from bot.store import connected
from bot.store.database import current
from tests.durability.audit import install_audit
from tests.flows.disasters import doubled
from tests.flows.fleet import Fleet, deployed
from tests.flows.router import Router, routing

# GitHub shuffles, doubles and delays; what nobody takes is as lost as it is.
FAULTS: dict[str, Any] = {"duplicate": 0.1, "delay": 0.1, "longest_delay": 0.5, "window": 6}
# Nothing is recorded of other Apps' check runs, so a lost one is not asked for again.
NOT_ASKED_FOR = {"check_run", "check_suite"}
_SCAN = "UPDATE timed_job SET due_at = ? WHERE name = 'recover-deliveries'"


@dataclass(frozen=True)
class Life:
    """What happens: which stories, a moment at most so many seconds after the other, and how often all is restarted."""

    stories: Sequence[str]
    longest_pause: float
    rounds: int
    seed: int


@dataclass
class Reader:
    """Somebody who asks the API all the time."""

    stage: Stage
    answers: Counter[int] = field(default_factory=Counter)

    async def read_on(self) -> None:
        token = await access.create_token(self.stage.team, "reader", Clock().now())
        url = f"{self.stage.address}/api/integrations/github/workflow-runs?limit=5&team={self.stage.team}"
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
            while True:
                async with session.get(url) as answer:
                    self.answers[answer.status] += 1
                await asyncio.sleep(0.1)


def _settings(github: SimulatedGitHub, api: str, public_url: str) -> dict[str, str]:
    return {
        "HOST": "127.0.0.1",
        "LOG_FORMAT": "json",
        "PUBLIC_URL": public_url,
        "WEBHOOK_SECRET": github.webhook_secret,
        "APP_ID": str(github.app.id),
        "PRIVATE_KEY": github.private_key_pem,
        "GITHUB_API_URL": api,
        "GITHUB_SERVER_URL": github.world.addresses.html,
        "API_RATE_LIMIT": "0",
    }


@asynccontextmanager
async def _staged(
    url: str,
    folder: Path,
    names: Sequence[str],
    founding: Callable[[SimulatedGitHub], Company],
    seed: int,
    instead: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[tuple[Stage, Fleet]]:
    """Give the stage with the fleet in the service's place, and the past fetched."""
    async with (
        routing() as router,
        SimulatedGitHub(Clock(), seed=seed) as github,
        github.serve("127.0.0.1", 0) as api,
        deployed(Fleet(url, folder, router, _settings(github, api, router.address), instead)) as fleet,
    ):
        await fleet.release()
        await install_audit(url)
        await asyncio.gather(*map(fleet.start, names))
        github.webhooks.url = router.address + WEBHOOK_PATH
        company = founding(github)
        installation = github.installations.install(company.organization)
        async with connected(url):
            # Of the service the stage asks only where it is.
            stage = Stage(github.clock, github, company, installation, cast(Any, router), api)
            # The installation makes the team; where there is no past, nothing else is waited for.
            await (stage.settle() if founding is found else stage.until_backfilled())
            await stage.seen_for(SPREAD + LONGEST_STORY)
            github.webhooks.faults = FaultRates(seed, **FAULTS)
            yield stage, fleet


async def _play(stage: Stage, life: Life) -> None:
    chance = random.Random(f"play {life.seed}")
    async for _ in activity(stage.github, stage.company, life.stories, over=SPREAD):
        await asyncio.sleep(chance.uniform(0, life.longest_pause))


async def _restart(fleet: Fleet, life: Life) -> None:
    """Restart each process so many times, one after the other as it happens, told once or twice to end.

    Where there is only one web process, the next one starts before it ends, as hosts do that let nothing be lost.
    """
    chance = random.Random(f"restarts {life.seed}")
    webs = sum(name.startswith("web") for name in fleet.running)
    for _ in range(life.rounds):
        for name in chance.sample(sorted(fleet.running), len(fleet.running)):
            await asyncio.sleep(chance.uniform(0, life.longest_pause))
            way = fleet.replace if webs == 1 and name == "web.1" else chance.choice((fleet.restart, fleet.replace))
            await way(name, signals=chance.choice((1, 2)))


async def _brought_over(stage: Stage) -> None:
    """Wait until every delivery has come, those too that no process took: GitHub's list is gone through for them."""
    await stage.github.settle()
    async with asyncio.timeout(300):
        while any(each.event not in NOT_ASKED_FOR for each in stage.github.webhooks.log.undelivered()):
            await current().execute(_SCAN, Clock().now())
            await asyncio.sleep(1)
            await stage.github.settle()


async def _live(stage: Stage, fleet: Fleet, life: Life) -> Reader:
    reader = Reader(stage)
    reading = asyncio.create_task(reader.read_on())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_play(stage, life))
        tasks.create_task(_restart(fleet, life))
    assert not reading.done(), reading
    reading.cancel()
    await _brought_over(stage)
    await stage.settle()
    return reader


async def _hold(stage: Stage, fleet: Fleet, reader: Reader, restarts: int) -> None:
    """Hold what is recorded and told against GitHub, and what was refused against the restarts."""
    agreement = await compare(stage)
    assert agreement.differences == []
    assert [each async for each in doubled(fleet.url)] == []
    assert stage.github.rest.ledger.violations == []
    assert fleet.unexcused() == []
    assert fleet.stops == restarts
    await fleet.stop()
    assert fleet.tracebacks() == []
    assert reader.answers.keys() <= {200, 503}
    assert reader.answers[503] <= len(fleet.router.refusals)
    router: Router = fleet.router
    print(  # noqa: T201
        f"\n{fleet.stops} processes ended, {router.taken.total()} requests taken, {len(router.refusals)} refused"
        f" {dict(Counter(refusal.why for refusal in router.refusals))}; {agreement.deliveries} deliveries,"
        f" {agreement.runs} runs, {agreement.check_runs} check runs, {agreement.comments} comments"
    )


@pytest.mark.timeout(180)
async def test_a_web_and_a_worker(postgres_url: str, tmp_path: Path) -> None:
    names = ("web.1", "worker.1")
    async with _staged(postgres_url, tmp_path, names, found, seed=1) as (stage, fleet):
        reader = await _live(stage, fleet, Life(("green",), 0.2, 1, seed=1))
        assert fleet.router.refusals == []
        await _hold(stage, fleet, reader, len(names))


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(1, 7))
async def test_two_webs_and_three_workers(postgres_url: str, tmp_path: Path, seed: int) -> None:
    names = ("web.1", "web.2", "worker.1", "worker.2", "worker.3")
    # Whether the web processes handle deliveries too makes no difference.
    instead = {"--worker": "--no-worker"} if seed % 2 == 0 else {}
    async with _staged(postgres_url, tmp_path, names, with_past, seed, instead) as (stage, fleet):
        reader = await _live(stage, fleet, Life(TOUR, 0.6, 3, seed))
        await _hold(stage, fleet, reader, 3 * len(names))
        assert min(fleet.router.taken[name] for name in ("web.1", "web.2")) > 100
