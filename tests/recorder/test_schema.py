"""The schema as it really is after migrating, and migrating itself: twice, and by several at once."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from types import ModuleType

import pytest
from tortoise import Model, fields
from tortoise.exceptions import IntegrityError
from tortoise.indexes import Index
from tortoise.migrations.recorder import MigrationRecorder

from bot.clock import Clock
from bot.store import connected, connections, models
from bot.store.database import Database
from bot.store.migrate import drift, migrate, pending_migrations
from tests.recorder.schema import (
    MODELS,
    PARTIAL,
    migrate_to,
    promised_columns,
    promised_indexes,
    real_columns,
    real_indexes,
)

AT_ONCE = 3
ALL = [
    "0001_initial",
    "0002_history",
    "0003_feedback",
    "0004_people",
    "0005_query_indexes",
    "0006_told_conclusions",
    "0007_journal",
    "0008_late_jobs",
    "0009_runs_without_jobs",
    "0010_job_labels",
    "0011_told_apart",
]


async def test_every_index_and_unique_key_is_there_and_no_other(database: Database) -> None:
    promised = promised_indexes()
    assert await real_indexes(database) == promised
    # What is promised is not nothing.
    assert promised >= PARTIAL
    assert {"workflow_run_by_team", "run_pull_request_by_pull_request"} <= {index.name for index in promised}
    keys = {(index.table, index.columns) for index in promised if index.unique}
    assert {("workflow_run", ("run_id",)), ("workflow_run_attempt", ("run_id", "run_attempt"))} <= keys
    assert {("workflow_job", ("job_id",)), ("delivery", ("guid",)), ("team", ("slug",))} <= keys


async def test_a_missing_index_would_be_seen(database: Database) -> None:
    await database.execute("DROP INDEX delivery_dead")
    await database.execute("DROP INDEX workflow_run_by_team")
    missing = promised_indexes() - await real_indexes(database)
    assert {index.name for index in missing} == {"delivery_dead", "workflow_run_by_team"}


async def test_every_column_is_there_and_no_other(database: Database) -> None:
    assert len(MODELS) > 15
    assert await real_columns(database) == promised_columns()


async def test_a_key_is_kept(database: Database) -> None:
    insert = "INSERT INTO repository_name (repository_id, name, full_name) VALUES (1, 'a/b', 'A/b')"
    await database.execute(insert)
    with pytest.raises(IntegrityError):
        await database.execute(insert)


# Models and migrations agree.


class Heartbeat(Model):
    """The model of that name with a field and an index more, of which the migrations know nothing."""

    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=models.NAME, unique=True)
    at = fields.DatetimeField()
    mood = fields.TextField(null=True)

    class Meta:
        table = "heartbeat"
        indexes = (Index(fields=["at"], name="heartbeat_by_time"),)


class Mood(Model):
    """A table that the migrations know nothing of."""

    id = fields.IntField(primary_key=True)

    class Meta:
        table = "mood"


def models_with(monkeypatch: pytest.MonkeyPatch, *others: type[Model]) -> None:
    """Let these stand in for the models of the same names."""
    module = ModuleType("models_of_tomorrow")
    for model in (*MODELS, *others):
        setattr(module, model.__name__, model)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(connections, "MODELS", module.__name__)


async def test_the_migrations_make_what_the_models_say() -> None:
    assert await drift() == []


async def test_what_no_migration_makes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    models_with(monkeypatch, Heartbeat, Mood)
    told = "\n".join(await drift())
    for missing in ("Add field mood to Heartbeat", "Add index to Heartbeat", "Create model Mood"):
        assert missing in told


def test_the_command_agrees() -> None:
    done = subprocess.run([sys.executable, "-m", "bot.store.drift"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# Migrating.


async def test_a_new_database_lacks_all_of_it_and_twice_is_once(database_url: str) -> None:
    assert await pending_migrations(database_url) == ALL
    assert await migrate(database_url) == ALL
    assert await pending_migrations(database_url) == []
    async with connected(database_url) as database:
        await database.execute("INSERT INTO heartbeat (name, at) VALUES ('w', '2026-01-01 00:00:00+00:00')")
    assert await migrate(database_url) == []
    async with connected(database_url) as database:
        assert len(await database.fetch("SELECT name FROM heartbeat")) == 1


async def check_whole(url: str) -> None:
    async with connected(url) as database:
        assert await real_indexes(database) == promised_indexes()
        assert await real_columns(database) == promised_columns()
        applied = await database.fetch("SELECT name FROM tortoise_migrations ORDER BY id")
        assert [row["name"] for row in applied] == ALL


@pytest.mark.parametrize("cut", ["0003_feedback"])
async def test_one_that_is_cut_short_leaves_nothing_that_the_next_one_stumbles_over(
    database_url: str, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    note = MigrationRecorder.record_applied

    async def end_here(recorder: MigrationRecorder, app: str, name: str) -> None:
        if name == cut:
            raise RuntimeError
        await note(recorder, app, name)

    with monkeypatch.context() as patched:
        patched.setattr(MigrationRecorder, "record_applied", end_here)
        with pytest.raises(RuntimeError):
            await migrate(database_url)
    assert await pending_migrations(database_url) == ALL
    assert await migrate(database_url) == ALL
    await check_whole(database_url)


async def test_one_that_waits_for_very_long_is_not_turned_away(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite://"), isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN IMMEDIATE")

        async def let_go(_clock: Clock, _seconds: float) -> None:
            other.rollback()

        monkeypatch.setattr(Clock, "sleep", let_go)
        assert await migrate(f"{sqlite_url}?busy_timeout=0") == ALL


async def test_several_at_once_in_one_process(database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(database_url) for _ in range(AT_ONCE)))
    assert sorted(applied, key=len) == [[], [], ALL]
    await check_whole(database_url)


# Says when it is ready to migrate, and waits to be told to.
PROGRAM = """
import asyncio, sys
from bot.store.migrate import migrate
print("ready", flush=True)
sys.stdin.readline()
print(*asyncio.run(migrate(sys.argv[1])))
"""


def started(url: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", PROGRAM, url], stdin=pipe, stdout=pipe, stderr=pipe, text=True)


async def test_several_processes_at_once(database_url: str) -> None:
    processes = [started(database_url) for _ in range(AT_ONCE)]
    for process in processes:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    told = []
    for process in processes:
        out, err = await asyncio.to_thread(process.communicate, timeout=50)
        assert (process.returncode, err) == (0, "")
        told += out.split()
    assert told == ALL
    await check_whole(database_url)


async def test_a_migration_goes_on_where_it_waits_for_who_waits_for_it(postgres_url: str) -> None:
    await migrate_to(postgres_url, "0008_late_jobs")
    async with connected(postgres_url) as database:
        async with database.transaction() as tx:
            await tx.fetch("SELECT count(*) FROM workflow_job")
            migrating = asyncio.create_task(migrate(postgres_url))
            await asyncio.sleep(0.5)
            # By now it holds the runs, and waits for the jobs.
            await tx.fetch("SELECT count(*) FROM workflow_run")
        assert await migrating == ALL[ALL.index("0009_runs_without_jobs") :]
