"""Our client against the simulated GitHub, which checks every signature and counts every request."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.clock import ManualClock
from bot.demo.github import SimulatedGitHub, let_pass
from bot.github import GitHub, repositories
from bot.github.ledger import Figures
from tests.demo.conformance import AnswersHeld
from tests.demo.stage import Stage, set_stage

MINT = "apps/create-installation-access-token"
# As much as the simulated GitHub takes at all.
AT_ONCE = 100


@pytest.fixture
async def stage(clock: ManualClock) -> AsyncIterator[Stage]:
    simulated = SimulatedGitHub(clock)
    simulated.rest.on_answer = held = AnswersHeld(every=10)
    simulated.rest.limits.points_a_minute = 5_000
    async with simulated, simulated.serve():
        yield set_stage(simulated)
    assert held.faults == []
    assert simulated.rest.ledger.violations == []


@pytest.fixture
async def asking(stage: Stage, clock: ManualClock) -> AsyncIterator[GitHub]:
    api = stage.github.world.addresses.api
    figures = Figures(at_once=AT_ONCE, points=5_000, points_of_reads=5_000)
    key = stage.github.private_key_pem
    async with GitHub(stage.github.app.id, key, api_url=api, clock=clock, figures=figures) as github:
        yield github


async def test_a_thousand_uses_after_expiry_ask_for_one_token(stage: Stage, asking: GitHub, clock: ManualClock) -> None:
    client, counts = asking.installation(stage.installation.id), stage.github.rest.ledger.counts
    await repositories.get_repository(client, "acme/rocket")
    assert counts[MINT] == 1
    await clock.advance(3600)
    using = asyncio.gather(*(repositories.get_repository(client, "acme/rocket") for _ in range(1000)))
    assert await let_pass(stage.github, clock, 60, until=using.done)
    assert {answer.data["full_name"] for answer in await using} == {"acme/rocket"}
    assert counts[MINT] == 2
    assert counts["repos/get"] == 1001
    assert counts["status 401"] == 0


async def test_a_token_that_not_all_of_github_knows_yet_is_not_asked_for_again(
    stage: Stage, asking: GitHub, clock: ManualClock
) -> None:
    client, counts = asking.installation(stage.installation.id), stage.github.rest.ledger.counts
    stage.github.rest.credentials.fresh_for = timedelta(seconds=4)
    using = asyncio.gather(*(repositories.get_repository(client, "acme/rocket") for _ in range(50)))
    assert await let_pass(stage.github, clock, 60, until=using.done)
    await using
    assert counts["status 401"] > 0
    assert counts[MINT] == 1
