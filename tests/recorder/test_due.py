"""What is recorded lets its commit, and its pull request's comment, be looked at: where it is news, and recent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from bot import events
from bot.domain import facts, ordering
from bot.recorder import Marks, ending_unlisted_jobs, marking_gone, record
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


async def of_pull_request(number: int = 1, sha: str = make.SHA, at: datetime = NOW) -> list[facts.Facts]:
    pull = make.pull_request(number, head_sha=sha, updated_at=at.strftime("%Y-%m-%dT%H:%M:%SZ"))
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


async def test_a_pull_request_that_stands_as_it_stood_is_no_news_when_asked_for_again(database: Database) -> None:
    *others, first = await of_pull_request()
    assert isinstance(first, facts.PullRequest)
    states = [(1, b"the same"), (2, b"the same"), (3, b"another.")]
    revisions = []
    for made, state in states:
        fact = structs.replace(first, version=ordering.entity_version(first.updated_at, made, state))
        await write(database, [*others, fact], marks=Marks.IF_NEW)
        revisions += [revision for _, revision in await commits(database)]
    assert revisions == [1, 1, 2]


async def test_history_tells_of_nothing_that_is_known(database: Database) -> None:
    first = [*await of_run(), *await of_pull_request()]
    await write(database, first, marks=Marks.IF_TOLD)
    assert await commits(database) == []
    await write(database, first, marks=Marks.IF_NEW)
    assert await commits(database) == []
    newer = [*await of_run(at=NOW + timedelta(seconds=5)), *await of_run("d" * 40)]
    run = next(fact for fact in newer if isinstance(fact, facts.WorkflowRun))
    await write(database, [*first, *newer[:2]], marks=Marks.IF_NEW)
    assert (await commits(database), run.head_sha) == ([(make.SHA, 1)], make.SHA)


async def test_history_lets_nothing_be_looked_at_again_that_is_told_as_it_is_known(database: Database) -> None:
    first, other = await of_run(), [fact for fact in await of_run("d" * 40) if isinstance(fact, facts.WorkflowRun)]
    await write(database, [*first, *(structs.replace(fact, run_id=2) for fact in other)])
    await database.execute(
        "UPDATE check_summary SET due_at = NULL, status = 'in_progress' WHERE head_sha = ?", make.SHA
    )
    await database.execute("UPDATE check_summary SET due_at = NULL WHERE head_sha <> ?", make.SHA)
    await write(database, first, marks=Marks.IF_TOLD)
    assert await commits(database) == []
    # Of the two only the first is told anything of.
    at = NOW + timedelta(seconds=5)
    newer = [fact for fact in await of_run("d" * 40, at) if isinstance(fact, facts.WorkflowRun)]
    news = [*await of_run(at=at), *(structs.replace(fact, run_id=2) for fact in newer)]
    await write(database, news, marks=Marks.IF_TOLD)
    assert await commits(database) == [(make.SHA, 2)]


LONG_AGO = NOW - NEWS_SPAN - timedelta(hours=1)


async def test_a_pull_request_does_not_move_what_quiet_is_measured_by(database: Database) -> None:
    await write(database, await of_pull_request(at=NOW - timedelta(hours=1)))
    assert (await mark_of(database))["changed_at"] == NOW - timedelta(hours=1)
    await write(database, [*await of_run(), *await of_pull_request()])
    assert (await mark_of(database))["changed_at"] == NOW
    await settle(database)
    await write(database, await of_pull_request(at=LATER), LATER)
    row = await mark_of(database)
    assert (row["changed_at"], row["due_at"], row["revision"], row["urgency"]) == (NOW, LATER, 3, 0)


@pytest.mark.parametrize(
    ("told_already", "is_marked"),
    [
        ("status = 'in_progress'", True),
        ("status = 'completed'", True),
        ("creating_since = '2026-11-01 00:00:00+00:00'", True),
        ("tries = 0", False),
    ],
)
@pytest.mark.parametrize(("at", "marks"), [(LONG_AGO, Marks.ALWAYS), (NOW, Marks.IF_TOLD)], ids=["old", "history"])
async def test_what_is_no_news_still_keeps_true_what_is_told(
    database: Database, told_already: str, is_marked: bool, at: datetime, marks: Marks
) -> None:
    await write(database, await of_run(at=LONG_AGO - timedelta(hours=1)), marks=Marks.IF_TOLD)
    insert = "INSERT INTO check_summary (repository_id, head_sha, changed_at) VALUES (?, ?, ?)"
    await database.execute(insert, 9, make.SHA, LONG_AGO)
    await database.execute(f"UPDATE check_summary SET {told_already}")
    await write(database, await of_run(at=at), marks=marks)
    row = await mark_of(database)
    assert (row["due_at"], row["changed_at"]) == ((NOW, NOW) if is_marked else (None, LONG_AGO))


@pytest.mark.parametrize(("state", "is_marked"), [("red", True), ("green", False), ("none", False)])
async def test_an_old_pull_request_lets_a_red_comment_be_looked_at(
    database: Database, state: str, is_marked: bool
) -> None:
    insert = "INSERT INTO failure_comment (repository_id, number, changed_at, state, head_sha) VALUES (?, ?, ?, ?, ?)"
    await database.execute(insert, 9, 1, LONG_AGO, state, make.SHA)
    insert = "INSERT INTO check_summary (repository_id, head_sha, changed_at) VALUES (?, ?, ?)"
    await database.execute(insert, 9, make.SHA, LONG_AGO)
    await write(database, await of_pull_request(at=LONG_AGO))
    expected = NOW if is_marked else None
    assert (await mark_of(database, "failure_comment"))["due_at"] == expected
    row = await mark_of(database)
    assert (row["due_at"], row["changed_at"]) == (expected, LONG_AGO)


async def test_marks_of_both_kinds_are_made_at_once(database: Database) -> None:
    shas = [letter * 40 for letter in "abcd"]
    news = [
        *await of_run(shas[2]),
        *await of_pull_request(1, shas[1], at=NOW - timedelta(minutes=5)),
        *await of_pull_request(2, shas[3], at=LONG_AGO),
        *await of_run(shas[0], at=LONG_AGO),
    ]
    await write(database, news)
    assert await commits(database) == [(shas[1], 1), (shas[2], 1)]


async def test_the_same_state_told_later_is_no_news(database: Database) -> None:
    first = [*await of_run(), *await of_pull_request()]
    await write(database, first)
    await settle(database)
    again = [*await of_run(), *await of_pull_request()]
    assert [fact.version for fact in again[1:]] != [fact.version for fact in first[1:]]  # type: ignore[union-attr]
    await write(database, again, LATER, marks=Marks.IF_NEW)
    assert await commits(database) == []


async def test_a_run_that_is_gone_lets_its_commit_be_looked_at_once(database: Database) -> None:
    run = await of_run()
    run_id = next(fact.run_id for fact in run if isinstance(fact, facts.WorkflowRun))
    await write(database, run)
    await settle(database)
    for now in (LATER, LATER + timedelta(hours=1)):
        async with database.transaction() as tx:
            await tx.converse(marking_gone(run_id, now))
    row = await mark_of(database)
    assert (row["due_at"], row["changed_at"], row["revision"]) == (LATER, LATER, 2)


async def test_jobs_that_are_not_listed_let_their_commit_be_looked_at(database: Database) -> None:
    run = await of_run()
    run_id = next(fact.run_id for fact in run if isinstance(fact, facts.WorkflowRun))
    job = await told("workflow_job", make.event("queued", workflow_job=make.job(7, run_id, status="queued")))
    await write(database, [*run, *job])
    await settle(database)
    for now in (LATER, LATER + timedelta(hours=1)):
        async with database.transaction() as tx:
            await tx.converse(ending_unlisted_jobs(run_id, 1, now))
    assert (await mark_of(database))["due_at"] == LATER
