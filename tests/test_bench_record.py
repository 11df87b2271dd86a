"""The record that benchmarks ask questions of is what the recorder would have made of it."""

import contextlib
import sqlite3
from pathlib import Path

from bench import record

RUNS = 170
TABLES = (
    "workflow_run",
    "workflow_run_attempt",
    "workflow_job",
    "workflow_job_label",
    "workflow_job_label_set",
    "run_pull_request",
)


def rows(database: Path, table: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != "id"]
        return connection.execute(f"SELECT {', '.join(names)} FROM {table} ORDER BY {', '.join(names)}").fetchall()


def indexes(database: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}


async def test_rows_put_in_beside_the_recorder_are_those_it_would_have_made(tmp_path: Path) -> None:
    beside, recorded = tmp_path / "beside.sqlite3", tmp_path / "recorded.sqlite3"
    await record.fill(beside, RUNS, 3)
    await record.fill(recorded, RUNS, 3, recorded=RUNS)
    for table in TABLES:
        assert rows(beside, table) == rows(recorded, table) != [], table
    assert indexes(beside) == indexes(recorded)
