"""What a delivery costs does not grow with the record, whatever PostgreSQL knew of its size when it planned."""

import asyncio

import pytest

from bot import events
from bot.clock import ManualClock
from bot.handling import EventHandler
from bot.inbox import Inbox
from bot.store import connected
from tests.inbox.deliveries import NOW, delivery, job_body, run_body, until_recorded
from tests.rows_read import grown, leave_unanalyzed, rows_read

GROUPS, TOGETHER = 16, 25


@pytest.mark.postgres
@pytest.mark.parametrize("learning", ["SELECT 1", "ANALYZE workflow_run"], ids=["unknown", "known to be empty"])
async def test_a_record_that_was_empty_when_its_statements_were_planned_is_not_read_through(
    migrated_postgres: str, learning: str
) -> None:
    clock = ManualClock(NOW)
    # One connection, whose statements are planned once and for all after the sixth group.
    async with connected(f"{migrated_postgres}?maxsize=1") as database:
        await leave_unanalyzed(database)
        await database.fetch(learning)
        counts = []
        async with Inbox(database, clock, events.ACTED_ON, events.may_tell, EventHandler(clock)) as opened:
            for group in range(GROUPS):
                if group % (GROUPS // 2) == 0:
                    counts.append(await rows_read(database))
                numbers = range(group * TOGETHER + 1, (group + 1) * TOGETHER + 1)
                await asyncio.gather(*(opened.append(delivery(f"run-{n}", run_body(n))) for n in numbers))
                await asyncio.gather(
                    *(opened.append(delivery(f"job-{n}", job_body(n, n), "workflow_job")) for n in numbers)
                )
                await until_recorded(database)
        counts.append(await rows_read(database))
    assert sum(counts[2].values()) > sum(counts[0].values())
    assert grown(counts, TOGETHER) == {}
