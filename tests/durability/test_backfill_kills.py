"""kill -9 at random moments while history is fetched: all of it is there in the end, and few pages are fetched twice.

GitHub is the simulated one, in this process and on the machine's clock. SQLite runs as it is deployed, one process;
PostgreSQL as a service with two workers, of which one at a time works on an installation.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import events
from bot.clock import Clock
from bot.demo.github import Past, SimulatedGitHub
from bot.demo.github.rest.answers import Answer
from bot.demo.github.rest.ledger import Call
from bot.demo.scenario.agreement import differences_from
from bot.domain.wanting import FAILED, JOBS_SPAN, WITHOUT_JOBS
from bot.history import ask_for_backfill
from bot.recorder import record
from bot.settings import Dialect, dialect_of
from bot.store import connected, queries
from tests.demo.stage import Stage, set_stage
from tests.durability.books import rows_of
from tests.durability.processes import Deployment

LIST_RUNS, LIST_JOBS = "actions/list-workflow-runs-for-repo", "actions/list-jobs-for-workflow-run"
ABOUT_HISTORY = {LIST_RUNS, LIST_JOBS, "actions/get-workflow-run-attempt"}
ALONE = (("serve", "--worker"),)
APART = (("serve", "--no-worker"), ("worker",), ("worker",))
SPAN, PER_PAGE = timedelta(days=80), 100
# Of GitHub's limits the client's own are the lower ones.
WITHOUT_LIMIT = 10**9


class Asked:
    """Set as `on_answer` of the simulated GitHub: which pages of runs were asked for, and how much of history."""

    def __init__(self) -> None:
        self.requests = 0
        self.pages: Counter[str] = Counter()

    def __call__(self, call: Call, _: Answer) -> None:
        self.requests += call.operation in ABOUT_HISTORY
        if call.operation == LIST_RUNS:
            self.pages[call.query] += 1

    @property
    def pages_again(self) -> int:
        """Return how often a page was asked for that had been asked for before."""
        return self.pages.total() - len(self.pages)

    async def until(self, requests: int) -> None:
        async with asyncio.timeout(120):
            while self.requests < requests:
                await asyncio.sleep(0.001)


@asynccontextmanager
async def github_with_past(runs: int) -> AsyncIterator[tuple[Stage, str, Asked]]:
    """Give a GitHub of so many runs, its address, and what it is asked for."""
    clock = Clock()
    async with SimulatedGitHub(clock, seed=7) as github, github.serve() as api:
        stage = set_stage(github)
        until = clock.now() - timedelta(hours=5)
        github.add_history(Past(stage.repository, [stage.workflow], [stage.person], runs, until - SPAN, until))
        limits = github.rest.limits
        limits.an_hour = limits.points_a_minute = limits.at_once = WITHOUT_LIMIT
        github.rest.on_answer = asked = Asked()
        yield stage, api, asked


async def ask_for_all(stage: Stage, url: str) -> None:
    """Record what GitHub's deliveries tell of the installation, and ask for its history."""
    now = stage.github.clock.now()
    async with connected(url) as database:
        for delivery in stage.github.deliveries:
            news = await events.read(delivery.guid, delivery.event, delivery.body, now)
            async with database.transaction() as tx:
                await record(tx, news.told, now)
        scope = await queries.get_scope(stage.organization.login)
        await ask_for_backfill(scope, stage.repository.full_name, now - SPAN - timedelta(days=1), None, now)


def moments(runs: int, kills: int) -> list[int]:
    """Return after how many requests to kill: half of the kills come while runs are listed, the others later."""
    pages = runs // PER_PAGE
    while_listing = [random.randint(1, pages) for _ in range((kills + 1) // 2)]
    # At least one run in six has failed, and is asked about.
    return sorted(while_listing + [random.randint(pages, runs // 6) for _ in range(kills // 2)])


async def until_fetched(url: str) -> None:
    async with asyncio.timeout(300):
        while await rows_of(url, "SELECT 1 FROM backfill WHERE finished_at IS NULL"):
            await asyncio.sleep(0.05)


async def run(url: str, folder: Path, *, runs: int, kills: int) -> None:
    commands = ALONE if dialect_of(url) is Dialect.SQLITE else APART
    async with github_with_past(runs) as (stage, api, asked):
        github = stage.github
        app = {"APP_ID": str(github.app.id), "PRIVATE_KEY": github.private_key_pem, "GITHUB_API_URL": api}
        deployment = Deployment(url, folder, *commands, **app)
        await ask_for_all(stage, url)
        try:
            for moment in moments(runs, kills):
                await deployment.start()
                await asked.until(moment)
                await asyncio.sleep(random.uniform(0, 0.02))
                await deployment.kill()
            await deployment.start()
            await until_fetched(url)
            assert await deployment.stop() == [0] * len(commands)
        finally:
            await deployment.kill()
        print(  # noqa: T201
            f"\n{dialect_of(url)}, {len(commands)} process(es): {runs} runs, {kills} kills, {asked.requests} requests"
            f" for history, {asked.pages_again} pages again"
        )
        assert asked.pages_again <= kills * len(commands)
        await assert_whole(stage, url, runs)


async def assert_whole(stage: Stage, url: str, runs: int) -> None:
    truth, recent = stage.github.truth(), stage.github.clock.now() - JOBS_SPAN

    def jobs_are_fetched(run: Mapping[str, Any]) -> bool:
        is_recent = datetime.fromisoformat(run["run_started_at"]) >= recent
        return run["conclusion"] in FAILED or (is_recent and run["conclusion"] != WITHOUT_JOBS)

    async with connected(url) as database:
        told = "SELECT state, error, runs_at_github, runs_stored FROM backfill WHERE kind = 'request'"
        whole = {"state": "done", "error": None, "runs_at_github": runs, "runs_stored": runs}
        assert await database.fetch(told) == [whole]
        found = differences_from(truth, stage.organization.login, jobs_are_fetched)
        assert [each async for each in found] == []
        for table, records in (("workflow_run", "runs"), ("workflow_run_attempt", "attempts")):
            (row,) = await database.fetch(f"SELECT count(*) AS count FROM {table}")
            assert row["count"] == len(truth[records])


@pytest.mark.timeout(180)
async def test_two_kills(migrated_url: str, tmp_path: Path) -> None:
    await run(migrated_url, tmp_path, runs=600, kills=2)


@pytest.mark.deep
@pytest.mark.timeout(1800)
async def test_twenty_kills(migrated_url: str, tmp_path: Path) -> None:
    await run(migrated_url, tmp_path, runs=4000, kills=20)
