"""A record to ask questions of: runs, jobs and links of some years, written through the recorder itself."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from bot import access
from bot.domain import facts, ordering
from bot.recorder import record
from bot.store import connected
from bot.store.migrate import migrate

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
OWNER = facts.Account(7_340_001, "northwind-traders", "Organization")
TEAM, INSTALLATION_ID = "northwind-traders", 51_200_345
REPOSITORIES, WORKFLOWS, BRANCHES, PEOPLE = 20, 60, 400, 50
RUNS_AT_ONCE = 2000
STEPS = (
    '[{"number":1,"name":"Set up job","status":"completed","conclusion":"success","startedAt":null,"completedAt":null}]'
)


class Filled(NamedTuple):
    """A filled database: a token for it, and how many rows a second went in."""

    token: str
    rows_per_second: float


def repository_name(number: int) -> str:
    return f"{OWNER.login}/service-{number:02}"


def _repositories() -> list[facts.Facts]:
    return [
        facts.Repository(
            repository_id=1000 + number,
            full_name=repository_name(number),
            owner=OWNER,
            installation_id=INSTALLATION_ID,
            private=True,
            version=ordering.entity_version(None, 1, b""),
        )
        for number in range(REPOSITORIES)
    ]


def _run(number: int, runs: int, chance: Random) -> facts.WorkflowRun:
    created = BEGIN + (NOW - BEGIN) * number / runs
    created = created.replace(microsecond=0)
    updated = created + timedelta(seconds=chance.randrange(60, 1800))
    repository, actor, branch = 1000 + number % REPOSITORIES, chance.randrange(PEOPLE), chance.randrange(BRANCHES)
    workflow = number % WORKFLOWS
    conclusion = chance.choice(("success", "success", "success", "failure", "cancelled"))
    sha = f"{chance.getrandbits(160):040x}"
    version = ordering.run_version("completed", conclusion, updated, 1, b"")
    run_id = 11_000_000_000 + number
    event = "pull_request" if branch else "push"
    link = facts.RunPullRequest(run_id, repository, 1 + branch, sha, "main", created, version)
    return facts.WorkflowRun(
        repository_id=repository,
        run_id=run_id,
        run_attempt=1,
        run_number=1 + number // WORKFLOWS,
        workflow_id=5000 + workflow,
        workflow_name=f"Workflow {workflow}",
        workflow_path=f".github/workflows/workflow-{workflow}.yml",
        display_title=f"Make change {number} of the service safer and faster",
        event=event,
        status="completed",
        conclusion=conclusion,
        head_branch=f"change-{branch}" if branch else "main",
        head_sha=sha,
        head_repository_id=repository,
        head_repo_full_name=repository_name(number % REPOSITORIES),
        html_url=f"https://github.com/{repository_name(number % REPOSITORIES)}/actions/runs/{run_id}",
        created_at=created,
        updated_at=updated,
        run_started_at=created + timedelta(seconds=2),
        actor_id=9000 + actor,
        actor_login=f"developer-{actor:02}",
        triggering_actor_login=f"developer-{actor:02}",
        version=version,
        pull_requests=(link,) if event == "pull_request" else (),
    )


def _job(run: facts.WorkflowRun, number: int) -> facts.WorkflowJob:
    job_id = run.run_id * 10 + number
    return facts.WorkflowJob(
        repository_id=run.repository_id,
        job_id=job_id,
        run_id=run.run_id,
        run_attempt=1,
        name=f"test (part {number})",
        workflow_name=run.workflow_name,
        status="completed",
        conclusion=run.conclusion,
        head_branch=run.head_branch,
        head_sha=run.head_sha,
        html_url=f"{run.html_url}/job/{job_id}",
        created_at=run.created_at,
        started_at=run.run_started_at,
        completed_at=run.updated_at,
        runner_id=job_id % 97,
        runner_name=f"runner-{job_id % 97:03}",
        runner_group_id=3,
        runner_group_name="Large runners",
        labels='["ubuntu-24.04"]',
        steps=STEPS,
        version=ordering.job_version("completed", run.conclusion, 1, b""),
    )


def _batches(runs: int, jobs_of_each: int) -> Iterator[list[facts.Facts]]:
    chance = Random(1)
    for begin in range(0, runs, RUNS_AT_ONCE):
        batch: list[Any] = [_run(number, runs, chance) for number in range(begin, min(runs, begin + RUNS_AT_ONCE))]
        yield batch + [_job(run, number) for run in batch for number in range(jobs_of_each)]


async def fill(database: Path, runs: int, jobs_of_each: int) -> Filled:
    """Make a database with so many runs of one team, a year long, and return a token that reads it."""
    url = f"sqlite://{database}"
    await migrate(url)
    rows, seconds = 0, 0.0
    async with connected(url) as opened:
        repositories = _repositories()
        for batch in _batches(runs, jobs_of_each):
            began = time.perf_counter()
            async with opened.transaction() as tx:
                # Whatever is recorded comes with its repository; that is how its team is known.
                await record(tx, repositories + batch, NOW)
            rows, seconds = rows + len(batch), seconds + time.perf_counter() - began
        await opened.execute("ANALYZE")
        return Filled(await access.create_token(TEAM, "bench", NOW), rows / seconds)
