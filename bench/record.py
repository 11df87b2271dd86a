"""A record to ask questions of: runs, jobs and links of most of a year.

The first runs, of each workflow one at least, go through the recorder, and bring team, repositories and workflows
along. The rest is put beside them in the recorder's own columns with the indexes made afterwards, which is what fills a
million rows in minutes; a test holds the two ways to the same rows.
"""

import contextlib
import itertools
import operator
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from tortoise import Model

from bot import access
from bot.domain import facts, ordering
from bot.domain.facts.base import json_text
from bot.domain.lateness import on_time_since
from bot.domain.wanting import are_jobs_wanted
from bot.recorder import record
from bot.recorder.job_labels import labelling
from bot.settings import Dialect
from bot.store import connected, models
from bot.store.answering import answer_on_sqlite, to_text
from bot.store.database import columns_of
from bot.store.migrate import migrate

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 1, tzinfo=UTC)
OWNER = facts.Account(7_340_001, "northwind-traders", "Organization")
TEAM, INSTALLATION_ID = "northwind-traders", 51_200_345
REPOSITORIES, WORKFLOWS, BRANCHES, PEOPLE = 20, 60, 400, 50
# Another installation, in whose repositories hardly anything runs.
QUIET_INSTALLATION_ID, QUIET_REPOSITORIES = 51_200_346, 12
# GitHub calls a workflow that has no name by its path.
UNNAMED = 11
# Three workflows more: one that few runs are of, one that many were of at the beginning and none has been since, and
# one whose runs, by an event and a person of its own, have no jobs but for a few.
RARE, RETIRED, JOBLESS = WORKFLOWS, WORKFLOWS + 1, WORKFLOWS + 2
JOBLESS_EVENT, JOBLESS_PERSON = "dynamic", "robot"
# What jobs ask their runner for: some for the first label alone, others beside it for a larger one, or for a label of
# their run's own; one label few ask for, and one has not been asked for since the beginning.
LABEL, LARGE, OWN, FEW, PAST = "ubuntu-24.04", "large", "run-{}", "gpu", "old-runner"
RUNS_AT_ONCE = 2000
STEPS = (
    "Set up job",
    "Run actions/checkout@v5",
    "Set up the language",
    "Install dependencies",
    "Build",
    "Run the tests of this part",
    "Post Run actions/checkout@v5",
    "Complete job",
)


def repository_name(number: int) -> str:
    return f"{OWNER.login}/service-{number:02}"


def make_repositories() -> list[facts.Facts]:
    return [
        facts.Repository(
            repository_id=1000 + number,
            full_name=repository_name(number),
            owner=OWNER,
            installation_id=INSTALLATION_ID if number < REPOSITORIES else QUIET_INSTALLATION_ID,
            private=True,
            version=ordering.entity_version(None, 1, b""),
        )
        for number in range(REPOSITORIES + QUIET_REPOSITORIES)
    ]


def _repository(number: int) -> int:
    """Return the number of the repository in which a run is."""
    is_quiet = number % 20_011 == 5
    return REPOSITORIES + number // 20_011 % QUIET_REPOSITORIES if is_quiet else number % REPOSITORIES


def _run(number: int, runs: int, chance: Random) -> facts.WorkflowRun:
    created = BEGIN + (NOW - BEGIN) * number / runs
    created = created.replace(microsecond=0)
    updated = created + timedelta(seconds=chance.randrange(60, 1800))
    home, actor, branch = _repository(number), chance.randrange(PEOPLE), chance.randrange(BRANCHES)
    repository, workflow = 1000 + home, _workflow(number, runs)
    login = JOBLESS_PERSON if workflow == JOBLESS else f"developer-{actor:02}"
    path = f".github/workflows/workflow-{workflow}.yml"
    conclusion = chance.choice(("success", "success", "success", "failure", "cancelled"))
    if workflow == JOBLESS:
        conclusion = "success"
    sha = f"{chance.getrandbits(160):040x}"
    version = ordering.run_version("completed", conclusion, updated, 1, b"")
    run_id = 11_000_000_000 + number
    event = JOBLESS_EVENT if workflow == JOBLESS else "pull_request" if branch else "push"
    link = facts.RunPullRequest(run_id, repository, 1 + branch, sha, "main", created, version)
    return facts.WorkflowRun(
        repository_id=repository,
        run_id=run_id,
        run_attempt=1,
        run_number=1 + number // WORKFLOWS,
        workflow_id=5000 + workflow,
        workflow_name=path if workflow == UNNAMED else f"Workflow {workflow}",
        workflow_path=path,
        display_title=f"Make change {number} of the service safer and faster",
        event=event,
        status="completed",
        conclusion=conclusion,
        head_branch=f"change-{branch}" if branch else "main",
        head_sha=sha,
        head_repository_id=repository,
        head_repo_full_name=repository_name(home),
        html_url=f"https://github.com/{repository_name(home)}/actions/runs/{run_id}",
        created_at=created,
        updated_at=updated,
        run_started_at=created + timedelta(seconds=2),
        actor_id=9000 + actor,
        actor_login=login,
        triggering_actor_login=login,
        version=version,
        pull_requests=(link,) if event == "pull_request" else (),
    )


def _workflow(number: int, runs: int) -> int:
    if number % 121 == 7:
        return RARE
    if number % 25 == 9:
        return JOBLESS
    return RETIRED if number % 19 == 3 and number < runs // 5 else number % WORKFLOWS


def _steps(run: facts.WorkflowRun) -> str:
    """Return steps as the recorder keeps them; made for each job they would be most of the time that filling takes."""
    began, ended = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (run.created_at, run.updated_at) if moment)
    steps = (
        f'{{"number":{number},"name":"{name}","status":"completed","conclusion":"success",'
        f'"startedAt":"{began}","completedAt":"{ended}"}}'
        for number, name in enumerate(STEPS, 1)
    )
    return f"[{','.join(steps)}]"


def _held_up(run: facts.WorkflowRun, number: int) -> timedelta:
    """Return how long a job waited for approval: the third one of each 50th run did, for up to 30 days."""
    waited = timedelta(days=1 + run.run_id // 50 % 30)
    is_held_up = number == 2 and run.run_id % 50 == 11 and run.created_at + waited <= NOW
    return waited if is_held_up else timedelta()


def _has_jobs(run: facts.WorkflowRun) -> bool:
    return run.event != JOBLESS_EVENT or run.run_id % 100_000 == 9


def _labels(run: facts.WorkflowRun, number: int) -> list[str]:
    """Return what a job asks its runner for: of each three, one for one label."""
    if number % 3 == 0:
        return [LABEL]
    if run.created_at < BEGIN + (NOW - BEGIN) / 5 and run.run_id % 20 == 3:
        return [LABEL, PAST]
    if run.run_id % 50_000 == 11:
        return [LABEL, FEW]
    return [LABEL, LARGE] if number % 3 == 1 else [LABEL, OWN.format(run.run_id)]


def _job(run: facts.WorkflowRun, number: int, steps: str) -> facts.WorkflowJob:
    job_id = run.run_id * 10 + number
    held_up = _held_up(run, number)
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
        created_at=run.created_at + held_up,
        started_at=run.run_started_at and run.run_started_at + held_up,
        completed_at=run.updated_at + held_up,
        runner_id=job_id % 97,
        runner_name=f"runner-{job_id % 97:03}",
        runner_group_id=3,
        runner_group_name="Large runners",
        labels=json_text(_labels(run, number)),
        steps=steps,
        version=ordering.job_version("completed", run.conclusion, 1, b""),
    )


def make_runs(runs: int) -> Iterator[facts.WorkflowRun]:
    chance = Random(1)
    return (_run(number, runs, chance) for number in range(runs))


def make_jobs(runs: Iterable[facts.WorkflowRun], jobs_of_each: int) -> list[facts.WorkflowJob]:
    with_steps = ((run, _steps(run)) for run in runs if _has_jobs(run))
    return [_job(run, number, steps) for run, steps in with_steps for number in range(jobs_of_each)]


async def fill(database: Path, runs: int, jobs_of_each: int, *, recorded: int = 2 * WORKFLOWS) -> str:
    """Make a database with so many runs of one team, and return a token that reads it; `recorded` go by the recorder.

    At least the first run of each workflow has to be recorded: what is put beside it names no new one.
    """
    url, made = f"sqlite://{database}", make_runs(runs)
    first = list(itertools.islice(made, recorded))
    await migrate(url)
    async with connected(url) as opened:
        async with opened.transaction() as tx:
            # Whatever is recorded comes with its repository; that is how its team is known.
            await record(tx, [*make_repositories(), *first, *make_jobs(first, jobs_of_each)], NOW)
        token = await access.create_token(TEAM, "bench", NOW)
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        _put_beside(connection, made, jobs_of_each)
    return token


def _put_beside(connection: sqlite3.Connection, runs: Iterator[facts.WorkflowRun], jobs_of_each: int) -> None:
    (team,) = connection.execute("SELECT id FROM team").fetchone()
    # Nothing is lost with a file that is thrown away; in a log all of it would be written twice.
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -200000")
    connection.execute("BEGIN")
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    while batch := list(itertools.islice(runs, RUNS_AT_ONCE)):
        jobs = make_jobs(batch, jobs_of_each)
        links = [link for run in batch for link in run.pull_requests]
        _insert(connection, models.WorkflowRunAttempt, [(run, {}) for run in batch])
        late = _late_jobs(batch, jobs)
        _insert(connection, models.WorkflowRun, [(run, _beside(run, team, late)) for run in batch])
        _insert(connection, models.WorkflowJob, [(job, {"team_id": team, "listed_at": job.listed_at}) for job in jobs])
        answer_on_sqlite(labelling(Dialect.SQLITE, jobs), connection)
        _insert(connection, models.RunPullRequest, [(link, {}) for link in links])
    for _, sql in indexes:
        connection.execute(sql)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode = WAL")


def _begun(run: facts.WorkflowRun) -> datetime:
    return run.run_started_at or run.created_at


def _beside(run: facts.WorkflowRun, team: int, late: Mapping[int, datetime]) -> dict[str, Any]:
    jobless = {"without_jobs": not _has_jobs(run) and not are_jobs_wanted(run.conclusion, _begun(run), 1, NOW)}
    return {"team_id": team, "jobs_attempt": 0, "late_job_at": late.get(run.run_id), **jobless}


def _late_jobs(runs: Iterable[facts.WorkflowRun], jobs: Iterable[facts.WorkflowJob]) -> dict[int, datetime]:
    # A run has one late job at the most.
    created = {run.run_id: run.created_at for run in runs}
    return {job.run_id: job.listed_at for job in jobs if created[job.run_id] < on_time_since(job.listed_at)}


def _insert(connection: sqlite3.Connection, model: type[Model], rows: Sequence[tuple[Any, dict[str, Any]]]) -> None:
    """Insert facts as rows of `model`, each with what its row has beside what the fact tells."""
    if not rows:
        return
    beside = [*rows[0][1]]
    told = [column for column in columns_of(model, "id", *beside) if hasattr(rows[0][0], column)]
    values = operator.attrgetter(*told)
    connection.executemany(
        f"INSERT INTO {model._meta.db_table} ({', '.join([*told, *beside])})"
        f" VALUES ({', '.join('?' * (len(told) + len(beside)))})",
        (
            [to_text(each) if isinstance(each, datetime) else each for each in (*values(fact), *more.values())]
            for fact, more in rows
        ),
    )
