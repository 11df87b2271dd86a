"""Whose is it: teams, installations and repositories, whatever order their events come in."""

import asyncio
import itertools
from typing import Any

import pytest

from bot.access.teams import link_installation
from bot.errors import NotFound
from bot.recorder import directory
from bot.store import connected, models
from bot.store.database import Database
from bot.store.queries import find_scope, get_backfill, get_workflow_runs, list_jobs, list_repositories, list_teams
from bot.store.queries.filters import JobsQuery
from tests.recorder.company import (
    HELLO,
    OCTO,
    OTHER,
    REINSTALLED,
    START,
    WORLD,
    Owner,
    Repo,
    Told,
    account_renamed,
    chosen,
    edited,
    in_every_order,
    installed,
    ran,
    renamed,
    runs_of,
    tell,
    tell_all,
    transferred,
    worked,
)


async def jobs_of(team: str) -> list[int]:
    scope = await find_scope(team)
    assert scope is not None
    return [job.job_id for job in (await list_jobs(scope, JobsQuery(team=team))).jobs]


async def names_of(team: str) -> list[str]:
    scope = await find_scope(team)
    assert scope is not None
    return [repository.full_name for repository in (await list_repositories(scope)).repositories]


async def slugs(database: Database) -> list[str]:
    return [row["slug"] for row in await database.fetch("SELECT slug FROM team ORDER BY id")]


async def installation(database: Database, installation_id: int = 5) -> dict[str, Any]:
    rows = await database.fetch("SELECT * FROM installation WHERE installation_id = ?", installation_id)
    return rows[0]


# Teams.


async def test_an_installation_not_heard_of_gets_its_row_and_its_team(database: Database) -> None:
    await tell(database, ran(), 1)
    assert await runs_of("octo-org") == [100]
    page = await get_workflow_runs("octo-org")
    assert (page.runs[0].installation_id, page.runs[0].repo_full_name) == (5, "octo-org/hello")
    row = await installation(database)
    assert (row["state"], row["account_login"], row["permissions"]) == ("active", "octo-org", None)
    # What comes late still tells the rest.
    await tell(database, installed("created", repos=[HELLO]), 0)
    row = await installation(database)
    assert (row["state"], row["repository_selection"]) == ("active", "selected")
    assert len(await slugs(database)) == 1


async def test_a_body_without_installation_is_the_owners(database: Database) -> None:
    await tell(database, ran(OCTO._replace(installation_id=None)), 1)
    page = await get_workflow_runs("octo-org")
    assert [(run.run_id, run.installation_id, run.team) for run in page.runs] == [(100, None, "octo-org")]
    assert await database.fetch("SELECT * FROM installation") == []
    # Once the App is installed, it is the same team's.
    await tell(database, ran(run_id=101), 2)
    assert await runs_of("octo-org") == [100, 101]
    assert {run.installation_id for run in (await get_workflow_runs("octo-org")).runs} == {5}


async def test_a_reused_login_never_joins_the_others_team(database: Database) -> None:
    newcomer = Owner(98, "Octo-Org", 8)
    await tell(database, ran(), 1)
    await tell(database, ran(newcomer, Repo(77, "hello"), 500), 2)
    assert await slugs(database) == ["octo-org", "octo-org-98"]
    assert await runs_of("octo-org") == [100]
    assert await runs_of("octo-org-98") == [500]
    assert await runs_of("octo-org", "octo-org/hello") == [100]


async def test_no_login_can_stand_in_another_teams_way(database: Database) -> None:
    # Whoever knows an account's id may have taken the slug that it would fall back on.
    for at, account in enumerate((Owner(1, "octo-org", 1), Owner(2, "octo-org-98", 2), Owner(98, "octo-org", 3))):
        await tell(database, ran(account, Repo(50 + at), 500 + at), at)
    found = await slugs(database)
    assert len(set(found)) == 3
    assert [await runs_of(slug) for slug in found] == [[500], [501], [502]]


async def test_logins_that_make_no_slug(database: Database) -> None:
    for at, login in enumerate(("octo.cat", "octo-cat", "--", "x" * 200, "42", "mona_acme")):
        await tell(database, ran(Owner(1000 + at, login, 1000 + at), Repo(50 + at), 500 + at), at)
    assert await slugs(database) == ["octo-cat", "octo-cat-1001", "team", "x" * 80, "42", "mona_acme"]
    assert await runs_of("42") == [504]


# Names.


async def test_a_renamed_repository_is_found_by_every_name(database: Database) -> None:
    new = HELLO._replace(name="new")
    happened: list[tuple[float, Told]] = [(1, ran()), (2, renamed(OCTO, new, "hello")), (3, ran(repo=new, run_id=101))]
    async for _ in in_every_order(database, happened):
        for name in ("octo-org/hello", "octo-org/new", "OCTO-ORG/Hello"):
            assert await runs_of("octo-org", name) == [100, 101]
        assert await runs_of("octo-org", "octo-org/old") == []
        assert await names_of("octo-org") == ["octo-org/new"]


async def test_there_and_back_again(database: Database) -> None:
    away = HELLO._replace(name="away")
    await tell_all(database, [(1, ran()), (2, renamed(OCTO, away, "hello")), (3, renamed(OCTO, HELLO, "away"))])
    assert await names_of("octo-org") == ["octo-org/hello"]
    assert await runs_of("octo-org", "octo-org/away") == [100]
    await tell(database, renamed(OCTO, away, "hello"), 2)
    assert await names_of("octo-org") == ["octo-org/hello"]


async def test_a_name_taken_again_means_the_one_who_has_it_now(database: Database) -> None:
    new = HELLO._replace(name="new")
    await tell_all(database, [(1, ran()), (2, renamed(OCTO, new, "hello")), (3, ran(repo=Repo(77), run_id=500))])
    assert await runs_of("octo-org", "octo-org/hello") == [500]
    assert await runs_of("octo-org", "octo-org/new") == [100]


async def test_an_account_with_a_new_login(database: Database) -> None:
    new = OCTO._replace(login="new-org")
    await tell_all(database, [(0, installed("created", repos=[HELLO])), (1, ran()), (2, account_renamed(new))])
    assert await names_of("octo-org") == ["new-org/hello"]
    for name in ("octo-org/hello", "new-org/hello"):
        assert await runs_of("octo-org", name) == [100]
    assert (await installation(database))["account_login"] == "new-org"
    # An older event must not bring the old login back.
    await tell_all(database, [(1.5, ran(run_id=101)), (0.5, installed("unsuspend"))])
    assert await names_of("octo-org") == ["new-org/hello"]
    assert (await installation(database))["account_login"] == "new-org"
    assert await slugs(database) == ["octo-org"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
async def test_a_new_login_and_a_suspension_in_either_order(database: Database, order: tuple[int, ...]) -> None:
    new = OCTO._replace(login="new-org")
    await tell(database, installed("created", repos=[HELLO]), 0)
    happened = [(1.0, installed("suspend", suspended=True)), (2.0, account_renamed(new))]
    await tell_all(database, [happened[place] for place in order])
    row = await installation(database)
    assert (row["account_login"], row["state"]) == ("new-org", "suspended")


@pytest.mark.parametrize(
    ("told", "is_asked_again"),
    [
        (renamed(OCTO, HELLO._replace(name="new"), "hello"), True),
        (account_renamed(OCTO._replace(login="new-org")), True),
        (account_renamed(OCTO), False),
        (edited(OCTO, HELLO, "edited"), False),
    ],
    ids=["renamed", "account renamed", "account as it was", "edited"],
)
async def test_what_was_refused_is_asked_for_again_under_another_name(
    database: Database, told: Told, is_asked_again: bool
) -> None:
    await tell(database, installed("created", repos=[HELLO]), 0)
    await database.execute("UPDATE repository SET refused_until = ?", START)
    await tell(database, told, 1)
    (row,) = await database.fetch("SELECT refused_until FROM repository")
    assert (row["refused_until"] is None) == is_asked_again


# Transfers.


async def test_a_transfer_moves_the_record(database: Database) -> None:
    happened: list[tuple[float, Told]] = [
        (1, ran()),
        (2, worked()),
        (3, transferred(OTHER, HELLO, OCTO)),
        (4, ran(OTHER, run_id=101)),
    ]
    async for _ in in_every_order(database, happened):
        assert await runs_of("other-org") == [100, 101]
        assert await jobs_of("other-org") == [200]
        assert await runs_of("octo-org") == []
        for name in ("octo-org/hello", "other-org/hello"):
            assert await runs_of("other-org", name) == [100, 101]
            assert await runs_of("octo-org", name) == []


async def test_a_transfer_moves_what_was_asked_for(database: Database) -> None:
    await tell(database, ran(), 1)
    before = await find_scope("octo-org")
    assert before is not None
    told = {"team_id": before.team_id, "repository_id": HELLO.id, "state": "running", "created_at": START}
    asked = await models.Backfill.create(**told, using_db=database.client)
    await tell(database, transferred(OTHER, HELLO, OCTO), 2)
    after = await find_scope("other-org")
    assert after is not None
    assert (await get_backfill(after, asked.id)).repo_full_name == "other-org/hello"
    with pytest.raises(NotFound):
        await get_backfill(before, asked.id)


async def test_a_transfer_to_where_the_app_is_not(database: Database) -> None:
    # The old owner's installation tells of it: it no longer owns what it tells of.
    nowhere = OTHER._replace(installation_id=5)
    await tell_all(database, [(1, ran()), (2, transferred(nowhere, HELLO, OCTO))])
    assert await runs_of("octo-org") == []
    page = await get_workflow_runs("other-org")
    assert [(run.run_id, run.installation_id) for run in page.runs] == [(100, None)]


@pytest.mark.parametrize("farewell", [chosen(OCTO, removed=[HELLO]), installed("deleted", repos=[HELLO])])
async def test_the_old_owner_lets_go_after_a_transfer(database: Database, farewell: Told) -> None:
    await tell_all(database, [(1, ran()), (2, transferred(OTHER, HELLO, OCTO)), (3, farewell)])
    assert await runs_of("other-org", "other-org/hello") == [100]
    assert await runs_of("octo-org") == []


# Which repositories an installation sees.


async def test_added_and_removed_in_any_order(database: Database) -> None:
    happened: list[tuple[float, Told]] = [
        (1, chosen(OCTO, added=[HELLO, WORLD])),
        (2, ran()),
        (3, chosen(OCTO, removed=[HELLO])),
        (4, chosen(OCTO, added=[Repo(13, "third")], removed=[WORLD])),
    ]
    async for _ in in_every_order(database, happened):
        assert await names_of("octo-org") == ["octo-org/third"]
        assert await runs_of("octo-org") == []
        await tell(database, chosen(OCTO, added=[HELLO]), 5)
        assert await runs_of("octo-org") == [100]


async def test_a_deleted_repository_is_hidden(database: Database) -> None:
    await tell_all(database, [(1, ran()), (3, edited(OCTO, HELLO, "deleted")), (2, ran(run_id=101))])
    assert await runs_of("octo-org") == []


# The state of an installation.


async def test_the_last_state_counts(database: Database) -> None:
    happened: list[tuple[float, Told]] = [
        (1, installed("created")),
        (2, installed("suspend", suspended=True)),
        (3, installed("unsuspend")),
        (4, installed("suspend", suspended=True)),
    ]
    async for _ in in_every_order(database, happened):
        assert (await installation(database))["state"] == "suspended"


async def test_deleted_is_final(database: Database) -> None:
    # A GUID may tell a later time where two clocks of GitHub's disagree: deleted stays deleted.
    happened: list[tuple[float, Told]] = [
        (1, installed("created", repos=[HELLO])),
        (2, ran()),
        (3, installed("deleted", repos=[HELLO])),
        (3.5, installed("unsuspend")),
    ]
    async for _ in in_every_order(database, happened):
        row = await installation(database)
        assert row["state"] == "deleted"
        assert row["deleted_at"] is not None
        assert await runs_of("octo-org") == []
        scope = await find_scope("octo-org")
        assert scope is not None
        assert (await list_teams([scope.team_id])).teams[0].installations == []


async def test_deleted_hides_at_once_also_what_it_does_not_list(database: Database) -> None:
    await tell_all(database, [(1, ran()), (2, ran(repo=WORLD, run_id=101)), (3, installed("deleted"))])
    assert await runs_of("octo-org") == []
    assert await jobs_of("octo-org") == []
    # A late event of it does not show it again, nor does a repository that was never heard of.
    await tell_all(database, [(2.5, ran(run_id=102)), (2.6, ran(repo=Repo(13, "third"), run_id=103))])
    assert await runs_of("octo-org") == []


async def test_installed_again_under_a_new_id(database: Database) -> None:
    async for _ in in_every_order(database, REINSTALLED):
        assert await slugs(database) == ["octo-org"]
        page = await get_workflow_runs("octo-org")
        assert sorted((run.run_id, run.installation_id) for run in page.runs) == [(100, 7), (101, 7)]
        # A late event of the old installation neither hides it nor moves it back.
        await tell_all(database, [(1.5, worked()), (2, installed("deleted", repos=[HELLO])), (1.2, ran(run_id=102))])
        assert await runs_of("octo-org") == [100, 101, 102]
        assert {run.installation_id for run in (await get_workflow_runs("octo-org")).runs} == {7}


async def test_more_are_looked_up_than_a_statement_takes_parameters(database: Database) -> None:
    await tell(database, ran(), 1)
    known = await database.converse(directory._look(range(40_000)))
    assert known.keys() == {HELLO.id}


async def test_whoever_links_waits_for_news_of_whose_anything_is(migrated_postgres: str) -> None:
    async with connected(migrated_postgres) as database:
        await tell(database, ran(), 1)
        async with database.transaction() as tx:
            await directory.hold_directory(tx)
            linking = asyncio.create_task(link_installation(OCTO.installation_id or 0, "octo-org", now=START))
            await asyncio.wait([linking], timeout=0.3)
            assert not linking.done()
        await linking
