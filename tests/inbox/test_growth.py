"""What a delivery costs does not grow with the record, whatever PostgreSQL knew of its size when it planned."""

import asyncio

import pytest

from bot import events
from bot.clock import ManualClock
from bot.handling import EventHandler
from bot.inbox import Inbox
from bot.store import connected
from bot.store.database import Database
from tests.inbox.deliveries import NOW, delivery, job_body, run_body, until_recorded

GROUPS, TOGETHER = 24, 25
ROWS_READ = (
    "SELECT relname, seq_tup_read AS read FROM pg_stat_user_tables WHERE relname IN"
    " ('delivery', 'workflow_run', 'workflow_run_attempt', 'workflow_job', 'run_pull_request', 'check_summary')"
)


@pytest.mark.postgres
async def test_a_record_that_was_empty_when_its_statements_were_planned_is_not_read_through(
    migrated_postgres: str,
) -> None:
    clock = ManualClock(NOW)
    # One connection, whose statements are planned once and for all after the sixth group.
    async with connected(f"{migrated_postgres}?maxsize=1") as database:
        # Other tests have had this database before.
        before = await _rows_read(database)
        async with Inbox(database, clock, events.ACTED_ON, events.may_tell, EventHandler(clock)) as opened:
            for first in range(1, GROUPS * TOGETHER, TOGETHER):
                numbers = range(first, first + TOGETHER)
                await asyncio.gather(*(opened.append(delivery(f"run-{n}", run_body(n))) for n in numbers))
                await asyncio.gather(
                    *(opened.append(delivery(f"job-{n}", job_body(n, n), "workflow_job")) for n in numbers)
                )
                await until_recorded(database)
        read = {table: rows - before[table] for table, rows in (await _rows_read(database)).items()}
    assert len(read) == 6
    assert {table: rows for table, rows in read.items() if rows > TOGETHER} == {}


async def _rows_read(database: Database) -> dict[str, int]:
    await database.fetch("SELECT pg_stat_force_next_flush()")
    return {row["relname"]: row["read"] for row in await database.fetch(ROWS_READ)}
