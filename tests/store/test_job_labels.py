"""Jobs of all but the first sets of labels have a row for each label, whatever becomes of them."""

import asyncio
import importlib
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.domain.facts.base import json_text
from bot.recorder import label_jobs
from bot.recorder.job_labels import LOOKED_BACK, MOST_SETS
from bot.recorder.repositories import move_record
from bot.settings import Dialect
from bot.store import connected, migrations
from bot.store.database import Database, to_moment
from bot.store.migrate import migrate
from bot.store.queries import JobsQuery, Scope, list_jobs
from tests import builders as make
from tests.recorder.records import clear
from tests.recorder.schema import migrate_to
from tests.store.recording import NOON, record, stamp

ALONE, LONG, TOO_LONG = "ubuntu-24.04", "é" * 250, "x" * 256
# A quote takes two letters of JSON.
LONG_IN_JSON = '"' * 255
SETS = [
    [],
    [ALONE],
    [LONG],
    [LONG_IN_JSON],
    [TOO_LONG],
    [ALONE, "large"],
    ["large", "large"],
    ["self-hosted", 'say "hi"', "a,b"],
    [TOO_LONG, "large"],
    ['a","b'],
    # More sets than an index leads to.
    *(["self-hosted", f"run-{number}"] for number in range(9)),
]
MIGRATION = importlib.import_module(f"{migrations.__name__}.0010_job_labels")
Kept = set[tuple[int, str, datetime, int]]


async def kept(database: Database) -> Kept:
    """Return the rows that there are."""
    rows = await database.fetch("SELECT team_id, label, listed_at, job_id FROM workflow_job_label")
    return {(row["team_id"], row["label"], _moment(row["listed_at"]), row["job_id"]) for row in rows}


async def sets_of(database: Database) -> set[tuple[int, str]]:
    """Return the sets of labels that an index leads to, of each team."""
    found = await database.fetch("SELECT team_id, labels FROM workflow_job_label_set")
    return {(row["team_id"], row["labels"]) for row in found}


async def wanted(database: Database) -> Kept:
    """Return the rows that the jobs are to have."""
    sets = await sets_of(database)
    rows = await database.fetch("SELECT team_id, labels, listed_at, job_id FROM workflow_job")
    return {
        (row["team_id"], label, _moment(row["listed_at"]), row["job_id"])
        for row in rows
        if (row["team_id"], row["labels"]) not in sets
        and (len(labels := json.loads(row["labels"])) > 1 or len(row["labels"]) > 500)
        for label in labels
        if len(label) <= 255
    }


def _moment(value: Any) -> datetime:
    moment = to_moment(value)
    assert moment is not None
    return moment


async def _jobs_by(scope: Scope, label: str) -> list[int]:
    shown: list[int] = []
    cursor = None
    while True:
        page = await list_jobs(scope, JobsQuery(team="octo-org", label=label, limit=2, cursor=cursor))
        shown += [job.job_id for job in page.jobs]
        if (cursor := page.next_cursor) is None:
            assert (page.total, page.total_is_exact) == (len(shown), True)
            return shown


job_states = st.lists(
    st.tuples(st.integers(1, 15), st.sampled_from(SETS), st.sampled_from([None, 0, 1, 7200])), min_size=1, max_size=30
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=job_states)
async def test_the_rows_are_those_of_the_jobs(
    database: Database, states: list[tuple[int, list[str], int | None]]
) -> None:
    await clear(database)
    await database.execute("DELETE FROM workflow_job_label_set")
    for minute, (job_id, labels, created) in enumerate(states):
        created_at = None if created is None else stamp(created)
        job = make.job(job_id, 1, labels=labels, created_at=created_at, started_at=stamp(60))
        scope = await record(database, make.repository(), jobs=[job], minute=minute)
    assert await kept(database) == await wanted(database)
    assert len(await sets_of(database)) <= MOST_SETS
    jobs = await list_jobs(scope, JobsQuery(team="octo-org"))
    for label in {label for each in SETS for label in each if len(label) <= 255}:
        assert await _jobs_by(scope, label) == [job.job_id for job in jobs.jobs if label in job.labels]


@pytest.fixture
async def some(database: Database) -> Scope:
    """Record a job of each set of labels."""
    jobs = [make.job(number, 1, labels=labels, created_at=stamp(number)) for number, labels in enumerate(SETS, 1)]
    return await record(database, make.repository(), jobs=jobs)


async def test_the_sets_that_come_first_need_no_rows(database: Database, some: Scope) -> None:
    several = [json_text(labels) for labels in SETS if len(labels) > 1]
    assert await sets_of(database) == {(some.team_id, labels) for labels in several[:MOST_SETS]}
    assert {job_id for *_, job_id in await kept(database)} == {
        number
        for number, labels in enumerate(SETS, 1)
        if labels == [LONG_IN_JSON] or json_text(labels) in several[MOST_SETS:]
    }


async def test_they_move_with_the_jobs(database: Database, some: Scope) -> None:
    before = await kept(database)
    async with database.transaction() as tx:
        await move_record(tx, 9, some.team_id + 1)
    # Which sets come first where they move together is for the database to choose.
    moved = await kept(database)
    assert moved == await wanted(database)
    assert {team_id for team_id, *_ in moved} == {some.team_id + 1}
    assert len({job_id for *_, job_id in moved}) == len({job_id for *_, job_id in before})
    assert len({labels for team_id, labels in await sets_of(database) if team_id == some.team_id + 1}) == MOST_SETS


async def test_they_go_with_the_jobs(database: Database, some: Scope) -> None:
    assert len(await kept(database)) > MOST_SETS
    await database.execute("DELETE FROM workflow_job WHERE job_id <> ?", len(SETS))
    assert len(await kept(database)) == 2
    assert await kept(database) == await wanted(database)
    await database.execute("DELETE FROM workflow_job")
    assert await kept(database) == set()


async def test_an_end_writes_none_anew_on_postgresql(migrated_postgres: str) -> None:
    async with connected(migrated_postgres) as opened:
        jobs = [make.job(number, 1, labels=labels, created_at=stamp(number)) for number, labels in enumerate(SETS, 1)]
        await record(opened, make.repository(), jobs=jobs)
        await opened.execute("DELETE FROM workflow_job_label")
        ended = [{**job, "status": "completed", "conclusion": "failure"} for job in jobs]
        await record(opened, make.repository(), jobs=ended, minute=9)
        assert await kept(opened) == set()


def test_sqlite_inserts_jobs_without_a_trigger_and_so_without_a_journal_of_the_statement() -> None:
    kinds = [sql.split(" WHEN ")[0].split(" AFTER ")[1] for sql in MIGRATION._sqlite()]
    assert kinds == ["UPDATE OF team_id, labels, listed_at ON workflow_job", "DELETE ON workflow_job"]
    assert MOST_SETS == MIGRATION.MOST_SETS


async def test_two_that_bring_new_sets_at_once_agree_on_which_come_first(migrated_postgres: str) -> None:
    async with connected(migrated_postgres) as opened:
        scope = await record(opened, make.repository())

        async def bring(first: int) -> None:
            for number in range(first, first + 10):
                labels = ["self-hosted", f"run-{number % 12}"]
                await record(opened, make.repository(), jobs=[make.job(number, 1, labels=labels)])

        await asyncio.gather(*(bring(103 * writer) for writer in range(4)))
        assert len(await sets_of(opened)) == MOST_SETS
        assert await kept(opened) == await wanted(opened)
        assert len(await _jobs_by(scope, "self-hosted")) == 40


async def test_they_are_made_of_the_jobs_that_there_were(database_url: str) -> None:
    await migrate_to(database_url, "0009_runs_without_jobs")
    # One set has more jobs than any other.
    sets = [*SETS, SETS[-1]]
    async with connected(database_url) as database:
        await database.execute("INSERT INTO team (id, slug, name, created_at) VALUES (1, 'acme', 'Acme', ?)", NOON)
        await _insert(database, enumerate(sets, 1))
    assert (await migrate(database_url))[0] == "0010_job_labels"
    async with connected(database_url) as database:
        assert (1, json_text(SETS[-1])) in await sets_of(database)
        assert len(await sets_of(database)) == MOST_SETS
        made = await kept(database)
        assert made == await wanted(database)
        assert len(made) > MOST_SETS
        # A version from before goes on writing. On SQLite the rows of what it writes follow within the hour.
        await _insert(database, enumerate(sets, 1 + len(sets)))
        lacking = len({job_id for *_, job_id in made}) if database.dialect is Dialect.SQLITE else 0
        assert await label_jobs(NOON + LOOKED_BACK - timedelta(minutes=1)) == lacking
        assert await kept(database) == await wanted(database)
        assert len(await kept(database)) == 2 * len(made)


async def test_a_set_that_an_older_version_has_brought_is_of_the_first_as_well(database: Database) -> None:
    scope = await record(database, make.repository())
    labels = ["self-hosted", "gpu"]
    await _insert(database, [(1, labels)], scope.team_id)
    await label_jobs(NOON + timedelta(hours=1))
    await record(database, make.repository(), jobs=[make.job(2, 1, labels=labels, created_at=stamp(2))])
    assert await sets_of(database) == {(scope.team_id, json_text(labels))}
    assert await kept(database) == await wanted(database) == set()
    assert await _jobs_by(scope, "gpu") == [2, 1]


async def _insert(database: Database, jobs: Iterable[tuple[int, list[str]]], team_id: int = 1) -> None:
    for number, labels in jobs:
        row = {
            "job_id": number,
            "repository_id": 9,
            "team_id": team_id,
            "run_id": 1,
            "name": "build",
            "steps": "[]",
            "labels": json_text(labels),
            "status": "completed",
            "version": b"1",
            "listed_at": NOON + timedelta(seconds=number),
        }
        places = ", ".join("?" * len(row))
        await database.execute(f"INSERT INTO workflow_job ({', '.join(row)}) VALUES ({places})", *row.values())
