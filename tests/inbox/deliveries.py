"""Small deliveries of our own, and a look at what the inbox keeps of them."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.inbox import NewDelivery
from bot.inbox.bodies import decompress
from bot.inbox.journal import find_told
from bot.store.database import Executor

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
OWNER = {"id": 71, "login": "octo-org", "type": "Organization"}
REPOSITORY = {"id": 701, "full_name": "octo-org/hello-world", "owner": OWNER, "private": False}
INSTALLATION_ID = 7001


def run_body(run_id: int, status: str = "completed", conclusion: str | None = "success", **fields: Any) -> bytes:
    """Return a `workflow_run` body; a completed run was updated a minute after it was created."""
    updated = NOW + timedelta(seconds=60 if status == "completed" else 0)
    run = {
        "id": run_id,
        "run_attempt": 1,
        "run_number": run_id,
        "workflow_id": 9,
        "name": "CI",
        "path": ".github/workflows/ci.yml",
        "event": "push",
        "status": status,
        "conclusion": conclusion if status == "completed" else None,
        "head_branch": "main",
        "head_sha": f"{run_id:040x}",
        "created_at": NOW.isoformat(),
        "updated_at": updated.isoformat(),
    }
    return _envelope(status, workflow_run=run | fields)


def job_body(job_id: int, run_id: int, conclusion: str = "success") -> bytes:
    """Return a `workflow_job` body of a completed job."""
    times = {"created_at": NOW.isoformat(), "started_at": NOW.isoformat(), "completed_at": NOW.isoformat()}
    job = {
        "id": job_id,
        "run_id": run_id,
        "run_attempt": 1,
        "name": f"job {job_id}",
        "status": "completed",
        "conclusion": conclusion,
        "head_sha": f"{run_id:040x}",
        "labels": ["ubuntu-latest"],
        "steps": [],
    }
    return _envelope("completed", workflow_job=job | times)


def _envelope(action: str, **subject: Any) -> bytes:
    about = {"repository": REPOSITORY, "installation": {"id": INSTALLATION_ID}}
    return json.dumps({"action": action, **subject, **about}).encode()


def delivery(guid: str, body: bytes = b"{}", event: str = "workflow_run", received_at: datetime = NOW) -> NewDelivery:
    return NewDelivery(guid, event, body, received_at)


async def until_recorded(executor: Executor) -> None:
    """Wait until nothing is in the journal any more."""
    async with asyncio.timeout(20):
        while await executor.fetch("SELECT 1 FROM journal_entry LIMIT 1"):
            await asyncio.sleep(0.01)


async def rows_by_guid(executor: Executor) -> dict[str, dict[str, Any]]:
    """Return every row of the inbox once it is there, with its body as it was posted, or what it tells."""
    await until_recorded(executor)
    rows = await executor.fetch("SELECT * FROM delivery ORDER BY id")
    for row in rows:
        if row["body"] is not None:
            row["body"] = find_told(row["body"]) or decompress(row["body"])
    return {row["guid"]: row for row in rows}


async def count(executor: Executor, state: str | None = None) -> int:
    """Return how many rows the inbox has, all or in one state, once they are there."""
    await until_recorded(executor)
    where, parameters = ("WHERE state = ?", [state]) if state else ("", [])
    rows = await executor.fetch(f"SELECT count(*) AS rows FROM delivery {where}", *parameters)
    total: int = rows[0]["rows"]
    return total
