"""History as a client of the API has it fetched: the real service and its worker, beside the simulated GitHub."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from bot import access
from bot.app import create_app
from bot.clock import Clock
from bot.demo.github import Past, SimulatedGitHub
from bot.demo.github.rest.faults import Slow
from bot.demo.scenario.agreement import differences_from
from bot.inbox import get_statistics
from bot.settings import load_settings
from bot.store.database import current
from tests.demo.stage import Stage, set_stage
from tests.flows import programs
from tests.real_input import API

JOBS = "actions/list-jobs-for-workflow-run"
Json = dict[str, Any]


@dataclass
class Town:
    """The organisation `acme` with its repository `rocket`, the service that hears of it, and a client with a token."""

    stage: Stage
    client: TestClient[Any, Any]
    environment: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def github(self) -> SimulatedGitHub:
        return self.stage.github

    def add_past(self, runs: int, *, days: int) -> None:
        stage, until = self.stage, self.github.clock.now() - timedelta(hours=5)
        since = until - timedelta(days=days)
        self.github.add_history(Past(stage.repository, [stage.workflow], [stage.person], runs, since, until))

    async def ask(self, method: str, path: str, team: str = "acme", **options: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.tokens[team]}"}
        answer = await self.client.request(method, API + path, headers=headers, **options)
        return answer.status, await answer.json()

    async def backfill(self, days: int = 100) -> int:
        """Ask for the repository's history, and return the id."""
        since = f"{self.github.clock.now() - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
        asked = {"team": "acme", "repoFullName": "acme/rocket", "since": since}
        status, told = await self.ask("POST", "/backfills", json=asked)
        assert status == 202, told
        backfill_id: int = told["id"]
        return backfill_id

    async def until_done(self, backfill_id: int) -> Json:
        async def is_done() -> bool:
            return (await self.progress(backfill_id))["finishedAt"] is not None

        await until(is_done)
        return await self.progress(backfill_id)

    async def progress(self, backfill_id: int) -> Json:
        status, told = await self.ask("GET", f"/backfills/{backfill_id}?team=acme")
        assert status == 200
        return dict(told)

    async def settle(self) -> None:
        """Wait until the service has heard, and handled, what happened."""

        async def is_settled() -> bool:
            return (await get_statistics()).waiting == 0

        await self.github.settle()
        await until(is_settled)

    def runs(self, *conclusions: str, older_than: timedelta) -> list[Json]:
        """Return what the simulated GitHub knows of old runs that ended so."""
        before = f"{self.github.clock.now() - older_than:%Y-%m-%dT%H:%M:%SZ}"
        told = self.github.truth()["runs"]
        return [each for each in told if each["created_at"] < before and each["conclusion"] in conclusions]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def living(url: str, **settings: Any) -> AsyncIterator[Town]:
    clock = Clock()
    github = SimulatedGitHub(clock)
    async with github, github.serve() as api:
        an_app = {"app_id": github.app.id, "private_key": github.private_key_pem, "api_rate_limit": 0} | settings
        chosen = load_settings(database_url=url, webhook_secret=github.webhook_secret, github_api_url=api, **an_app)
        async with TestClient(TestServer(create_app(chosen, clock, with_worker=True))) as client:
            github.webhooks.url = str(client.make_url("/api/github/webhooks"))
            environment = {
                "DATABASE_URL": url,
                "APP_ID": str(github.app.id),
                "PRIVATE_KEY": github.private_key_pem,
                "GITHUB_API_URL": api,
            }
            town = Town(set_stage(github), client, environment)
            github.installations.install(github.add_organization("other"))
            github.repositories.create(github.add_organization("stranger"), "rocket")
            await town.settle()
            for team in ("acme", "other"):
                town.tokens[team] = await access.create_token(team, "test", clock.now())
            yield town
    assert github.rest.ledger.violations == []


@pytest.fixture
async def town(migrated_url: str) -> AsyncIterator[Town]:
    async with living(migrated_url) as opened:
        yield opened


async def test_history_that_is_asked_for_is_fetched_whole(town: Town) -> None:
    town.add_past(60, days=12)
    asked = await town.backfill()
    told = await town.until_done(asked)
    assert (told["kind"], told["state"], told["error"]) == ("request", "done", None)
    assert (told["runsAtGithub"], told["runsStored"]) == (60, 60)
    assert (told["jobsPending"], told["requestsLeft"]) == (0, 0)
    truth = town.github.truth(town.stage.installation)
    assert told["jobsStored"] >= len(truth["jobs"])
    assert [each async for each in differences_from(truth, "acme")] == []


async def test_the_same_asked_again_is_the_same_until_it_is_done(town: Town) -> None:
    town.add_past(5, days=3)
    town.github.rest.scripted_faults.add(Slow(2.0), operation=JOBS, times=None)
    since = f"{town.github.clock.now() - timedelta(days=30):%Y-%m-%d}"
    asked = {"team": "acme", "repoFullName": "acme/rocket", "since": since}
    answers = await asyncio.gather(*(town.ask("POST", "/backfills", json=asked) for _ in range(6)))
    assert {status for status, _ in answers} == {202}
    (first,) = {told["id"] for _, told in answers}
    assert (await town.ask("POST", "/backfills", params=asked | {"until": f"{town.github.clock.now():%Y-%m-%d}"}))[1][
        "id"
    ] == first
    wider = asked | {"since": f"{town.github.clock.now() - timedelta(days=200):%Y-%m-%d}"}
    assert (await town.ask("POST", "/backfills", json=wider))[1]["id"] != first
    await town.until_done(first)
    assert (await town.ask("POST", "/backfills", json=asked))[1]["id"] != first


async def test_the_command_watches_what_a_worker_does(town: Town, tmp_path: Path) -> None:
    town.add_past(40, days=12)
    town.github.rest.scripted_faults.add(Slow(0.2), operation=JOBS, times=None)
    asked = await town.backfill(days=50)
    command = ("backfill", "--repo", "acme/rocket", "--since", (await town.progress(asked))["since"])
    code, out, err = await asyncio.to_thread(programs.run, tmp_path, *command, **town.environment)
    told = await town.progress(asked)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"acme/rocket: 40 of 40 runs, {told['jobsStored']} jobs"
    # One of the two processes has asked, and not both.
    runs = [each for each in town.github.truth()["runs"] if each["conclusion"] != "startup_failure"]
    assert town.github.rest.ledger.counts[JOBS] == len(runs)


async def test_what_is_not_yours_is_the_bytes_of_what_is_not_there(town: Town) -> None:
    asked = await town.backfill()
    repository = {"repoFullName": "acme/rocket"}
    answers = [
        await town.ask("POST", "/backfills", team="other", json={"team": "acme"} | repository),
        await town.ask("POST", "/backfills", team="other", json={"team": "other"} | repository),
        await town.ask("POST", "/backfills", team="other", json={"team": "other", "repoFullName": "other/nothing"}),
        await town.ask("POST", "/backfills", json={"team": "acme", "repoFullName": "stranger/rocket"}),
        await town.ask("GET", f"/backfills/{asked}?team=other", team="other"),
        await town.ask("GET", "/backfills/4711?team=acme"),
    ]
    town.github.installations.remove_repositories(town.stage.installation, [town.stage.repository])
    await town.settle()
    answers.append(await town.ask("POST", "/backfills", json={"team": "acme"} | repository))
    assert answers[0][0] == 404
    assert answers == [answers[0]] * len(answers)
    rows = await current().reader.fetch("SELECT count(*) AS backfills FROM backfill WHERE kind = 'request'")
    assert rows == [{"backfills": 1}]


async def test_a_span_that_ends_before_it_begins_is_named(town: Town) -> None:
    asked = {"team": "acme", "repoFullName": "acme/rocket", "since": "2026-01-02", "until": "2026-01-01"}
    status, problem = await town.ask("POST", "/backfills", json=asked)
    assert (status, [each["parameter"] for each in problem["errors"]]) == (400, ["since"])


async def test_a_suspended_installation_is_not_asked(town: Town) -> None:
    town.github.installations.suspend(town.stage.installation)
    await town.settle()
    status, problem = await town.ask("POST", "/backfills", json={"team": "acme", "repoFullName": "acme/rocket"})
    assert (status, [each["parameter"] for each in problem["errors"]]) == (400, ["repoFullName"])


# Runs whose jobs are not there.

OLD = timedelta(days=20)


async def test_jobs_of_an_old_run_are_fetched_when_somebody_looks(town: Town) -> None:
    town.add_past(30, days=60)
    await town.until_done(await town.backfill())
    run = next(each for each in town.runs("success", older_than=OLD) if each["run_attempt"] == 1)
    before = town.github.rest.ledger.counts[JOBS]
    address = f"/workflow-runs/{run['id']}?team=acme"
    first = (await town.ask("GET", address))[1]
    assert (first["jobsPending"], town.github.rest.ledger.counts[JOBS]) == (False, before + 1)
    truth = {each["id"] for each in town.github.truth()["jobs"] if each["run_id"] == run["id"]}
    assert {job["jobId"] for job in first["jobs"]} == truth != set()
    # Once they are there nobody is asked again.
    assert await town.ask("GET", address) == (200, first)
    assert town.github.rest.ledger.counts[JOBS] == before + 1


async def test_jobs_that_take_long_are_pending_and_come_later(migrated_sqlite: str) -> None:
    async with living(migrated_sqlite) as town:
        town.add_past(30, days=60)
        await town.until_done(await town.backfill())
        run = next(each for each in town.runs("success", older_than=OLD))
        town.github.rest.scripted_faults.add(Slow(2.5), operation=JOBS)
        address = f"/workflow-runs/{run['id']}?team=acme"
        first = (await town.ask("GET", address))[1]
        assert (first["jobs"], first["jobsPending"]) == ([], True)
        later = (await town.ask("GET", address))[1]
        assert (later["jobs"] != [], later["jobsPending"]) == (True, False)


async def test_a_run_that_never_began_has_no_jobs_to_ask_for(migrated_sqlite: str) -> None:
    async with living(migrated_sqlite) as town:
        town.add_past(200, days=60)
        await town.until_done(await town.backfill())
        run = next(each for each in town.runs("startup_failure", older_than=OLD))
        before = town.github.rest.ledger.counts[JOBS]
        told = (await town.ask("GET", f"/workflow-runs/{run['id']}?team=acme"))[1]
        assert (told["jobs"], told["jobsPending"], town.github.rest.ledger.counts[JOBS]) == ([], False, before)


async def test_a_run_that_github_has_no_more_says_so(town: Town) -> None:
    town.add_past(30, days=60)
    await town.until_done(await town.backfill())
    run = next(each for each in town.runs("success", older_than=OLD))
    deleted = town.github.world.runs.find(run["id"])
    assert deleted is not None
    town.github.actions.delete_run(deleted)
    address = f"/workflow-runs/{run['id']}?team=acme"
    await town.ask("GET", address)

    async def is_gone() -> bool:
        return (await town.ask("GET", address))[1]["run"]["goneAt"] is not None

    await until(is_gone)
    told = (await town.ask("GET", address))[1]
    assert (told["jobs"], told["jobsPending"]) == ([], False)
    assert {each["goneAt"] for each in told["attempts"]} == {told["run"]["goneAt"]}
    assert (told["run"]["status"], told["run"]["conclusion"]) == ("completed", "success")


async def test_without_an_app_nothing_is_promised(migrated_sqlite: str) -> None:
    async with living(migrated_sqlite, app_id=None, private_key=None) as town:
        status, problem = await town.ask("POST", "/backfills", json={"team": "acme", "repoFullName": "acme/rocket"})
        assert (status, "APP_ID" in problem["detail"]) == (503, True)
        assert await current().reader.fetch("SELECT id FROM backfill") == []
