"""How whole each repository's record is, from the rows that say what was fetched and what is still to come."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.settings import Dialect
from bot.store import models
from bot.store.database import Database
from bot.store.queries import Scope, coverage, list_coverage
from bot.store.queries.coverage import Coverage, Hole
from tests import builders as make
from tests.store.recording import NOON, record, record_installation, stamp
from tests.store.test_backfills import add_window

HELLO, WORLD = make.repository(), make.repository("octo-org/world", 10)
LATER = NOON + timedelta(days=2)


@pytest.fixture
async def scope(database: Database) -> Scope:
    await record_installation(database, "created", 0)
    runs = [make.run(100 + number, created_at=stamp(60 * number)) for number in range(3)]
    runs[2] |= {"status": "in_progress", "conclusion": None}
    await record(database, WORLD)
    return await record(database, HELLO, runs=runs)


async def add_history(database: Database, scope: Scope, state: str, since: float, until: float, **more: Any) -> int:
    """Add history from so many days before noon until so many days before it."""
    told = {
        "team_id": scope.team_id,
        "installation_id": make.INSTALLATION,
        "repository_id": HELLO["id"],
        "kind": "installation",
        "state": state,
        "since": NOON - timedelta(days=since),
        "until": NOON - timedelta(days=until),
        "created_at": NOON,
    }
    backfill = await models.Backfill.create(**told | more, using_db=database.client)
    return backfill.id


async def asked(database: Database) -> None:
    await database.execute("UPDATE repository SET history_asked_at = ?", NOON)


async def of_hello(scope: Scope, kept_since: datetime | None = None) -> Coverage:
    hello, _ = await list_coverage(scope, LATER, kept_since)
    return hello


async def test_the_newest_and_the_oldest_run_are_told(database: Database, scope: Scope) -> None:
    hello, world = await list_coverage(scope, LATER)
    assert (hello.full_name, hello.oldest_run_at) == ("octo-org/hello", NOON)
    assert hello.last_run is not None
    assert (hello.last_run.run_id, hello.last_run.status, hello.last_run.conclusion) == (102, "in_progress", None)
    assert hello.last_run.created_at == NOON + timedelta(minutes=2)
    assert (world.full_name, world.last_run, world.oldest_run_at) == ("octo-org/world", None, None)


async def test_only_what_is_seen_is_told(database: Database, scope: Scope) -> None:
    narrow = Scope(scope.team_id, scope.slug, frozenset({WORLD["id"], 4711}))
    assert [each.full_name for each in await list_coverage(narrow, LATER)] == ["octo-org/world"]
    assert await list_coverage(Scope(scope.team_id, scope.slug, frozenset()), LATER) == []
    await database.execute("UPDATE repository SET hidden_at = ? WHERE repository_id = ?", NOON, WORLD["id"])
    assert await list_coverage(narrow, LATER) == []


async def test_what_was_fetched_makes_the_record_whole_from_then_on(database: Database, scope: Scope) -> None:
    await asked(database)
    assert (await of_hello(scope)).whole_since == NOON
    await add_history(database, scope, "done", 90, -1)
    assert (await of_hello(scope)).whole_since == NOON - timedelta(days=90)
    await add_history(database, scope, "done", 365, 80, kind="request")
    assert (await of_hello(scope)).whole_since == NOON - timedelta(days=365)
    # Of what was let go of nothing is there.
    kept = NOON - timedelta(days=30)
    assert (await of_hello(scope, kept)).whole_since == kept
    assert (await of_hello(scope)).holes == []


async def test_history_that_is_to_come_or_did_not_is_a_hole(database: Database, scope: Scope) -> None:
    assert [hole.kind for hole in (await of_hello(scope)).holes] == ["not_asked"]
    await asked(database)
    await add_history(database, scope, "running", 90, 0, runs_at_github=950, runs_stored=300)
    await add_history(database, scope, "failed", 400, 200, kind="request", error="GitHub answers 403")
    fetching, failed = (await of_hello(scope)).holes
    assert (fetching.kind, fetching.runs_stored, fetching.runs_at_github) == ("fetching", 300, 950)
    assert (failed.kind, failed.error) == ("failed", "GitHub answers 403")
    assert (failed.since, failed.until) == (NOON - timedelta(days=400), NOON - timedelta(days=200))
    # What another fetched later is missing no more.
    await add_history(database, scope, "done", 300, 100, kind="request")
    _, failed = (await of_hello(scope)).holes
    assert (failed.since, failed.until) == (NOON - timedelta(days=400), NOON - timedelta(days=300))
    await add_history(database, scope, "done", 500, 100, kind="request")
    assert [hole.kind for hole in (await of_hello(scope)).holes] == ["fetching"]


async def test_what_got_lost_on_the_way_is_a_hole_until_it_is_fetched(database: Database, scope: Scope) -> None:
    await asked(database)
    gap = await add_history(database, scope, "running", 1, 0, kind="gap", repository_id=None)
    routine = await add_history(database, scope, "running", 1, 0, kind="nightly", repository_id=None)
    assert (await of_hello(scope)).holes == []
    since, until = NOON - timedelta(days=1), NOON
    await add_window(database, routine, since, until)
    await add_window(database, gap, since, until)
    assert (await of_hello(scope)).holes == [Hole(kind="gap", since=since, until=until)]


async def test_deliveries_that_are_to_be_sent_again_are_a_hole(database: Database, scope: Scope) -> None:
    await asked(database)
    for number, (repository, settled) in enumerate([(9, None), (9, None), (9, NOON), (10, None), (None, None)]):
        await models.MissedDelivery.create(
            guid=f"guid {number}",
            delivery_id=number,
            event="workflow_run",
            installation_id=make.INSTALLATION,
            repository_id=repository,
            delivered_at=NOON - timedelta(minutes=number),
            redeliveries=0,
            settled_at=settled,
            using_db=database.client,
        )
    hello, world = await list_coverage(scope, LATER)
    assert hello.holes == [Hole(kind="missed", since=NOON - timedelta(minutes=1), deliveries=2)]
    assert world.holes == [Hole(kind="missed", since=NOON - timedelta(minutes=3), deliveries=1)]


async def test_a_silent_installation_is_a_hole_in_all_it_sees(database: Database, scope: Scope) -> None:
    await asked(database)
    await database.execute("UPDATE installation SET silent_since = ?, last_delivery_at = NULL", NOON)
    assert [each.holes for each in await list_coverage(scope, LATER)] == [[Hole(kind="silent", since=NOON)]] * 2
    await database.execute("UPDATE installation SET last_delivery_at = ?", NOON + timedelta(minutes=1))
    assert [each.holes for each in await list_coverage(scope, LATER)] == [[], []]


async def test_no_run_is_looked_at_but_the_newest_and_the_oldest(database: Database, scope: Scope) -> None:
    """A million runs must not make the page slow: each is found in the index."""
    await _multiply_runs(database, scope)
    explain = "EXPLAIN " if database.dialect is Dialect.POSTGRESQL else "EXPLAIN QUERY PLAN "
    condition = "repository.team_id = ? AND repository.hidden_at IS NULL"
    for sql, parameters in (
        (coverage._REPOSITORIES.format(condition), [scope.team_id]),
        (coverage._LAST_RUNS.format("run.run_id IN (?, ?)"), [100, 102]),
    ):
        rows = await database.fetch(explain + sql, *parameters)
        plan = "\n".join(str(value) for row in rows for value in row.values())
        assert "workflow_run" in plan
        assert "Seq Scan on workflow_run" not in plan
        assert "SCAN run" not in plan


async def _multiply_runs(database: Database, scope: Scope) -> None:
    columns = "repository_id, run_attempt, status, created_at, updated_at, version, run_id, team_id"
    rows = [(9, 1, "completed", NOON, NOON, b"", 10**6 + number, scope.team_id) for number in range(3000)]
    async with database.transaction() as tx:
        places = ", ".join("?" * len(rows[0]))
        await tx.execute_many(f"INSERT INTO workflow_run ({columns}) VALUES ({places})", rows)
    await database.execute("ANALYZE")
