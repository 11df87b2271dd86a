"""Several worker processes on one PostgreSQL share the work, and do none of it twice."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot import events
from bot.clock import Clock
from bot.inbox import Inbox
from bot.store import connected
from bot.store.database import Database
from tests.durability.audit import install_audit
from tests.inbox.deliveries import count, delivery, job_body, rows_by_guid, run_body

WORKERS = 4
RUNS = 1_000


@asynccontextmanager
async def _worker_processes(url: str, folder: Path) -> AsyncIterator[None]:
    root = Path(__file__).parents[2]
    environment = os.environ | {"DATABASE_URL": url, "LOG_LEVEL": "warning", "PYTHONPATH": str(root)}
    command = (sys.executable, "-m", "bot", "worker")
    log = (folder / "workers.log").open("wb")
    processes = [
        await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stdout=log, stderr=log)
        for _ in range(WORKERS)
    ]
    try:
        yield
        for process in processes:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert [await process.wait() for process in processes] == [0] * WORKERS
    finally:
        log.close()
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _post_all(database: Database) -> None:
    async with Inbox(database, Clock(), events.ACTED_ON) as inbox:
        for first in range(1, RUNS + 1, 100):
            runs = range(first, first + 100)
            posts = [inbox.append(delivery(f"run {run}", run_body(run))) for run in runs]
            posts += [inbox.append(delivery(f"job {run}", job_body(run, run), "workflow_job")) for run in runs]
            await asyncio.gather(*posts)


@pytest.mark.timeout(120)
async def test_four_processes_share_two_thousand_deliveries(migrated_postgres: str, tmp_path: Path) -> None:
    async with connected(migrated_postgres) as database:
        await install_audit(migrated_postgres)
        async with _worker_processes(migrated_postgres, tmp_path), asyncio.timeout(60):
            while len(await database.fetch("SELECT name FROM heartbeat")) < WORKERS:
                await asyncio.sleep(0.05)
            await _post_all(database)
            while await count(database, "waiting"):
                await asyncio.sleep(0.05)
        rows = await rows_by_guid(database)
        audit = await database.fetch("SELECT guid, process FROM audit")
        assert len(await database.fetch("SELECT run_id FROM workflow_run WHERE status = 'completed'")) == RUNS
        assert len(await database.fetch("SELECT job_id FROM workflow_job")) == RUNS
        assert await database.fetch("SELECT name FROM heartbeat") == []
    assert len(rows) == 2 * RUNS
    assert {(row["state"], row["handlings"], row["tries"]) for row in rows.values()} == {("handled", 1, 0)}
    assert Counter(entry["guid"] for entry in audit) == dict.fromkeys(rows, 1)
    assert len({entry["process"] for entry in audit}) > 1
    assert (tmp_path / "workers.log").read_text() == ""
