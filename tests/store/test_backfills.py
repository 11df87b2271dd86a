"""How far a backfill is, from the rows that say what is left of it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.access.teams import link_installation
from bot.errors import NotFound
from bot.store import models
from bot.store.database import Database
from bot.store.queries import Scope, get_backfill, scopes_that_name
from bot.store.views import BackfillProgress
from tests import builders as make
from tests.store.recording import NOON, record

SINCE, UNTIL = NOON - timedelta(days=90, microseconds=5), NOON - timedelta(microseconds=7)


@pytest.fixture
async def scope(database: Database) -> Scope:
    return await record(database, make.repository())


async def add_backfill(database: Database, scope: Scope, **changes: Any) -> int:
    told = {
        "team_id": scope.team_id,
        "installation_id": make.INSTALLATION,
        "repository_id": make.repository()["id"],
        "kind": "request",
        "state": "running",
        "since": SINCE,
        "until": UNTIL,
        "created_at": NOON,
    }
    backfill = await models.Backfill.create(**told | changes, using_db=database.client)
    return backfill.id


async def add_window(
    database: Database, backfill_id: int, since: datetime, until: datetime, page: int = 1, what: str = "runs"
) -> None:
    await models.BackfillWindow.create(
        backfill_id=backfill_id,
        installation_id=make.INSTALLATION,
        repository_id=make.repository()["id"],
        what=what,
        urgency=5,
        since=since.replace(microsecond=0),
        until=until.replace(microsecond=0),
        page=page,
        due_at=NOON,
        tries=0,
        using_db=database.client,
    )


async def want_runs(database: Database, backfill_id: int, *run_ids: int) -> None:
    for run_id in run_ids:
        await models.RunWanted.create(
            run_id=run_id,
            installation_id=make.INSTALLATION,
            repository_id=make.repository()["id"],
            backfill_id=backfill_id,
            urgency=2,
            with_jobs=True,
            run_created_at=NOON,
            due_at=NOON,
            tries=0,
            using_db=database.client,
        )


async def test_one_that_has_not_begun(database: Database, scope: Scope) -> None:
    asked = await add_backfill(database, scope, state="waiting")
    await add_window(database, asked, SINCE, UNTIL)
    await add_window(database, asked, SINCE, UNTIL, what="pulls")
    progress = await get_backfill(scope, asked)
    assert progress == BackfillProgress(
        id=asked,
        kind="request",
        state="waiting",
        installation_id=make.INSTALLATION,
        repo_full_name="octo-org/hello",
        since=SINCE,
        until=UNTIL,
        created_at=NOON,
        finished_at=None,
        runs_at_github=None,
        runs_stored=0,
        jobs_stored=0,
        jobs_pending=0,
        requests_left=2,
        error=None,
    )


async def test_one_under_way_tells_what_is_left(database: Database, scope: Scope) -> None:
    asked, other = await add_backfill(database, scope, runs_at_github=950, runs_stored=300), 4711
    middle = NOON - timedelta(days=30)
    await add_window(database, asked, middle, UNTIL, page=4)
    await add_window(database, asked, SINCE, middle - timedelta(seconds=1))
    await add_window(database, other, SINCE, UNTIL)
    await want_runs(database, asked, 1, 2, 3)
    await want_runs(database, other, 4)
    progress = await get_backfill(scope, asked)
    # Seven pages of the one that is begun, and as many as fill the other, which was cut out of the whole.
    assert (progress.jobs_pending, progress.requests_left) == (3, 7 + 9 + 3)


async def test_one_that_has_ended_takes_nothing_more(database: Database, scope: Scope) -> None:
    asked = await add_backfill(database, scope, state="failed", finished_at=NOON, runs_at_github=9, error="gone")
    progress = await get_backfill(scope, asked)
    assert (progress.state, progress.error, progress.finished_at) == ("failed", "gone", NOON)
    assert (progress.jobs_pending, progress.requests_left) == (0, 0)


async def test_one_of_all_that_an_installation_sees(database: Database, scope: Scope) -> None:
    asked = await add_backfill(database, scope, kind="nightly", repository_id=None)
    progress = await get_backfill(scope, asked)
    assert (progress.kind, progress.repo_full_name, progress.installation_id) == ("nightly", None, make.INSTALLATION)
    with pytest.raises(NotFound):
        await get_backfill(Scope(scope.team_id, scope.slug, frozenset({9})), asked)


async def test_what_is_not_to_be_seen_is_not_there(database: Database, scope: Scope) -> None:
    stranger = await record(database, make.repository("stranger/x", 90, 91), installation=92)
    asked = await add_backfill(database, scope)
    narrow = Scope(scope.team_id, scope.slug, frozenset({90}))
    for whose, which in ((stranger, asked), (narrow, asked), (scope, asked + 1)):
        with pytest.raises(NotFound, match="no such backfill"):
            await get_backfill(whose, which)


async def test_what_became_of_one_of_a_repository_that_is_hidden_is_told(database: Database, scope: Scope) -> None:
    asked = await add_backfill(database, scope, state="failed", error="the App is not installed any more")
    await database.execute("UPDATE repository SET hidden_at = ?", NOON)
    assert (await get_backfill(scope, asked)).error == "the App is not installed any more"


async def test_one_of_a_repository_that_is_anothers_by_now_is_not_there(database: Database, scope: Scope) -> None:
    asked = await add_backfill(database, scope)
    # As an older version left it, which let a backfill be where it was.
    stranger = await record(database, make.repository("stranger/x", 90, 91), installation=92)
    await database.execute("UPDATE repository SET team_id = ?", stranger.team_id)
    with pytest.raises(NotFound, match="no such backfill"):
        await get_backfill(scope, asked)


async def test_all_of_an_installation_go_with_it(database: Database, scope: Scope) -> None:
    kinds: dict[str, dict[str, Any]] = {"request": {}, "nightly": {"repository_id": None}}
    asked = [await add_backfill(database, scope, kind=kind, **changes) for kind, changes in kinds.items()]
    stranger = await record(database, make.repository("stranger/x", 90, 91), installation=92)
    await link_installation(make.INSTALLATION, stranger.slug, now=NOON)
    for each in asked:
        assert (await get_backfill(stranger, each)).id == each
        with pytest.raises(NotFound, match="no such backfill"):
            await get_backfill(scope, each)


async def test_teams_are_found_by_what_a_repository_is_called(database: Database, scope: Scope) -> None:
    assert await scopes_that_name("octo-org/nothing") == []
    assert await scopes_that_name("Octo-Org/Hello") == [scope]
    await record(database, make.repository("octo-org/renamed"), minute=1)
    assert await scopes_that_name("octo-org/hello") == await scopes_that_name("octo-org/renamed") == [scope]
    # Who has the name now outdoes who had it.
    await record(database, make.repository("octo-org/hello", 90, 91), installation=92, minute=2)
    (found,) = await scopes_that_name("octo-org/hello")
    assert found.slug == "octo-org-91"
    assert await scopes_that_name("octo-org/renamed") == [scope]
