"""What is recorded lets its commit, and its pull request's comment, be looked at: where it is news, and recent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot import events
from bot.domain import facts
from bot.recorder import Marks, record
from bot.recorder.due import NEWS_SPAN
from bot.store.database import Database, to_moment
from tests import builders as make

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


async def told(event: str, body: bytes) -> list[facts.Facts]:
    return (await events.read(make.guid(), event, body, NOW)).told


async def of_run(sha: str = make.SHA, at: datetime = NOW) -> list[facts.Facts]:
    moment = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    run = make.run(head_sha=sha, created_at=moment, updated_at=moment, run_started_at=moment)
    return await told("workflow_run", make.event("requested", workflow_run=run))


async def of_pull_request(number: int = 1, sha: str = make.SHA) -> list[facts.Facts]:
    pull = make.pull_request(number, head_sha=sha, updated_at=NOW.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return await told("pull_request", make.event("opened", pull_request=pull))


async def write(database: Database, news: list[facts.Facts], now: datetime = NOW, marks: Marks = Marks.ALWAYS) -> None:
    async with database.transaction() as tx:
        await record(tx, news, now, marks=marks)


async def commits(database: Database) -> list[tuple[str, int]]:
    """Return the commits that are due, and how often each was marked."""
    rows = await database.fetch("SELECT head_sha, revision FROM check_summary WHERE due_at IS NOT NULL ORDER BY 1")
    return [(row["head_sha"], row["revision"]) for row in rows]


async def settle(database: Database) -> None:
    await database.execute("UPDATE check_summary SET due_at = NULL, urgency = 3, tries = 2")


async def mark_of(database: Database, table: str = "check_summary") -> dict[str, Any]:
    (row,) = await database.fetch(f"SELECT * FROM {table}")
    return row | {name: to_moment(row[name]) for name in ("due_at", "changed_at")}


@pytest.mark.parametrize("news", [of_run, of_pull_request], ids=["run", "pull request"])
async def test_what_a_delivery_tells_lets_its_commit_be_looked_at_now(database: Database, news: Any) -> None:
    await write(database, await news())
    row = await mark_of(database)
    assert (row["head_sha"], row["due_at"], row["changed_at"]) == (make.SHA, NOW, NOW)
    assert (row["revision"], row["urgency"], row["tries"], row["generation"]) == (1, 0, 0, 0)


async def test_a_mark_is_renewed_and_never_put_off(database: Database) -> None:
    await write(database, await of_run())
    await write(database, await of_run(), LATER)
    row = await mark_of(database)
    assert (row["revision"], row["due_at"], row["changed_at"]) == (2, NOW, LATER)
    await settle(database)
    await write(database, await of_run(), LATER)
    row = await mark_of(database)
    assert (row["revision"], row["due_at"], row["urgency"], row["tries"]) == (3, LATER, 0, 0)


async def test_a_comment_that_is_there_is_looked_at_with_its_pull_request(database: Database) -> None:
    await write(database, await of_pull_request())
    assert await database.fetch("SELECT id FROM failure_comment") == []
    insert = "INSERT INTO failure_comment (repository_id, number, changed_at) VALUES (?, ?, ?)"
    await database.execute(insert, 9, 1, NOW)
    await write(database, await of_pull_request(number=2))
    assert (await mark_of(database, "failure_comment"))["due_at"] is None
    await write(database, await of_pull_request(), LATER)
    row = await mark_of(database, "failure_comment")
    assert (row["due_at"], row["changed_at"], row["revision"]) == (LATER, LATER, 2)


async def test_what_was_long_ago_is_no_news(database: Database) -> None:
    await write(database, await of_run("b" * 40, NOW - NEWS_SPAN - timedelta(seconds=1)))
    await write(database, await of_run("c" * 40, NOW - NEWS_SPAN))
    assert await commits(database) == [("c" * 40, 1)]


async def test_history_tells_of_nothing_that_is_known(database: Database) -> None:
    first = [*await of_run(), *await of_pull_request()]
    await write(database, first, marks=Marks.NEVER)
    assert await commits(database) == []
    await write(database, first, marks=Marks.IF_NEW)
    assert await commits(database) == []
    newer = [*await of_run(at=NOW + timedelta(seconds=5)), *await of_run("d" * 40)]
    run = next(fact for fact in newer if isinstance(fact, facts.WorkflowRun))
    await write(database, [*first, *newer[:2]], marks=Marks.IF_NEW)
    assert (await commits(database), run.head_sha) == ([(make.SHA, 1)], make.SHA)
