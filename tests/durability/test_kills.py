"""kill -9 at random moments, under load: nothing acknowledged is lost, and nothing is handled twice.

SQLite runs as it is deployed, one process; PostgreSQL as one process, and as a service with a worker beside it.
"""

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.settings import Dialect, dialect_of
from tests.durability.audit import install_audit
from tests.durability.books import Findings, balance, count_waiting, until_empty
from tests.durability.posts import GitHub
from tests.durability.processes import Deployment

ALONE = (("serve", "--worker"),)
APART = (("serve", "--no-worker"), ("worker",))
# Without a worker all that is acknowledged is still unhandled when the kill comes.
WITHOUT_WORKER = ("serve", "--no-worker")
LEAST_IN_FLIGHT = 32


@dataclass
class Story:
    """What the kills met."""

    kills: int = 0
    in_flight: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)

    @property
    def between_commits(self) -> int:
        """Return how many kills came between the inbox's commit and the worker's."""
        return sum(rows > 0 for rows in self.waiting)


async def _kill_again_and_again(
    url: str, deployment: Deployment, github: GitHub, *, kills: int, forced_every: int
) -> Story:
    story = Story()
    async with github.posting():
        for number in range(kills):
            forced = number % forced_every == 0
            await deployment.start(*([WITHOUT_WORKER] if forced else []))
            await github.until_acknowledged(1)
            await asyncio.sleep(random.uniform(0, 0.4))
            while github.in_flight < LEAST_IN_FLIGHT:
                await asyncio.sleep(0)
            story.in_flight.append(github.in_flight)
            await deployment.kill()
            story.kills += 1
            story.waiting.append(await count_waiting(url))
        await deployment.start()
    return story


async def _run(
    url: str, folder: Path, commands: tuple[tuple[str, ...], ...], *, kills: int, forced_every: int
) -> Story:
    await install_audit(url)
    deployment = Deployment(url, folder, *commands)
    github = GitHub(deployment.address)
    try:
        story = await _kill_again_and_again(url, deployment, github, kills=kills, forced_every=forced_every)
        await until_empty(url)
        assert await deployment.stop() == [0] * len(commands)
        found = await balance(url, github.acknowledged)
    finally:
        await deployment.kill()
    print(  # noqa: T201
        f"\n{dialect_of(url)}, {len(commands)} process(es): {story.kills} kills, {story.between_commits} of them with"
        f" acknowledged deliveries unhandled; {github.posted} posts, {len(github.acknowledged)} acknowledged,"
        f" {found.lost} lost, {found.doubled} doubled; answers {dict(github.answers)}"
    )
    assert found == Findings(lost=0, unhandled=0, doubled=0, wrong=0)
    assert story.kills == kills
    assert min(story.in_flight) >= LEAST_IN_FLIGHT
    assert github.answers["no answer"] >= kills
    return story


@pytest.mark.timeout(180)
async def test_three_kills_on_sqlite(migrated_sqlite: str, tmp_path: Path) -> None:
    story = await _run(migrated_sqlite, tmp_path, ALONE, kills=3, forced_every=3)
    assert story.between_commits >= 1


@pytest.mark.timeout(180)
async def test_three_kills_on_postgresql(migrated_postgres: str, tmp_path: Path) -> None:
    story = await _run(migrated_postgres, tmp_path, APART, kills=3, forced_every=3)
    assert story.between_commits >= 1


@pytest.mark.deep
@pytest.mark.timeout(1800)
async def test_sixty_kills(migrated_url: str, tmp_path: Path) -> None:
    story = await _run(migrated_url, tmp_path, ALONE, kills=60, forced_every=5)
    assert story.between_commits >= 10


@pytest.mark.deep
@pytest.mark.timeout(1800)
async def test_sixty_kills_of_two_processes(migrated_postgres: str, tmp_path: Path) -> None:
    assert dialect_of(migrated_postgres) is Dialect.POSTGRESQL
    story = await _run(migrated_postgres, tmp_path, APART, kills=60, forced_every=5)
    assert story.between_commits >= 10
