"""What an installation says itself: whose it is, which may have been mistaken, and that it is there again."""

import asyncio
from datetime import timedelta

import pytest

from bot.access.teams import link_installation
from bot.domain import facts, ordering
from bot.history.requests import Kind, ask_of_installation, ask_where_new
from bot.recorder import repositories
from bot.store import connected
from bot.store.database import Database
from tests.domain.sent import NOON
from tests.oracle.guids import timed_guid
from tests.recorder.arrived import handle
from tests.recorder.company import (
    HELLO,
    OCTO,
    OTHER,
    START,
    WORLD,
    Owner,
    account_renamed,
    chosen,
    edited,
    installed,
    ran,
    tell,
    tell_all,
    tell_together,
    transferred,
)

MINE = Owner(50, "mine", 8)
# As GitHub tells it, by the installation of the account that has given it away.
GIVEN_AWAY = transferred(OTHER._replace(installation_id=5), HELLO, OCTO)
TEAM = "SELECT team.slug FROM installation JOIN team ON team.id = installation.team_id WHERE installation_id = 5"


async def is_gone(database: Database, at: int, owner: Owner = OCTO) -> None:
    """Record that GitHub has not found an installation that is known to be `owner`'s."""
    made = ordering.made_at(timed_guid(NOON + at * 1_000_000, 0, 1))
    version = ordering.entity_version(None, made, ordering.digest("deleted"))
    account = facts.Account(owner.account_id, owner.login, "Organization")
    fact = facts.Installation(installation_id=5, account=account, state="deleted", version=version)
    async with database.transaction() as tx:
        await handle(tx, [fact], START)


async def test_it_is_on_the_account_that_it_says(database: Database) -> None:
    await tell_all(database, [(1, GIVEN_AWAY)])
    assert await database.fetch(TEAM) == [{"slug": "other-org"}]
    await tell_all(database, [(2, installed("created", OCTO, [WORLD]))])
    assert await database.fetch(TEAM) == [{"slug": "octo-org"}]


async def test_its_backfill_goes_along(database: Database) -> None:
    await tell_all(database, [(1, GIVEN_AWAY), (1.5, transferred(OTHER._replace(installation_id=5), WORLD, OCTO))])
    async with database.transaction() as tx:
        await ask_of_installation(tx, Kind.GAP, 5, START - timedelta(days=1), START, START)
    await tell_all(database, [(2, installed("created", OCTO))])
    sql = "SELECT DISTINCT team.slug FROM backfill JOIN team ON team.id = backfill.team_id"
    assert await database.fetch(sql) == [{"slug": "octo-org"}]


async def test_a_team_that_an_operator_has_linked_it_to_stays(database: Database) -> None:
    await tell_all(database, [(0, ran(MINE, HELLO._replace(id=50, name="m"), run_id=50)), (1, GIVEN_AWAY)])
    await link_installation(5, "mine", now=START)
    await tell_all(database, [(2, installed("created", OCTO, [WORLD]))])
    assert await database.fetch(TEAM) == [{"slug": "mine"}]


async def test_what_only_repeats_whose_it_was_taken_to_be_corrects_nothing(database: Database) -> None:
    await tell_all(database, [(1, GIVEN_AWAY), (2, installed("created", OCTO, [WORLD])), (4, installed("deleted"))])
    await is_gone(database, 3, OTHER)
    assert await database.fetch("SELECT account_id FROM installation") == [{"account_id": OCTO.account_id}]
    (world,) = await database.fetch("SELECT hidden_at FROM repository WHERE repository_id = 12")
    assert world["hidden_at"] is not None


@pytest.mark.parametrize("is_told_late", [False, True])
async def test_what_was_gone_for_a_moment_is_seen_again(database: Database, is_told_late: bool) -> None:
    await tell_all(database, [(0, installed("created", OCTO, [HELLO]))])
    if is_told_late:
        await tell_all(database, [(2, installed("unsuspend"))])
        await is_gone(database, 1)
    else:
        await is_gone(database, 1)
        (gone,) = await database.fetch("SELECT hidden_at FROM repository")
        assert gone["hidden_at"] is not None
        await tell_all(database, [(2, installed("unsuspend"))])
    assert await database.fetch("SELECT hidden_at FROM repository") == [{"hidden_at": None}]


async def test_a_batch_is_compared_with_itself_as_well(database: Database) -> None:
    new = OCTO._replace(login="new-org")
    await tell_all(database, [(3, ran()), (9, account_renamed(OCTO)), (4, account_renamed(new))])
    await tell_together(database, [(7, ran(new, run_id=101)), (10, ran(run_id=102))])
    (row,) = await database.fetch("SELECT full_name, html_url FROM repository")
    assert row["html_url"] == f"https://github.com/{row['full_name']}" == "https://github.com/octo-org/hello"


async def test_what_history_notes_meanwhile_is_kept(migrated_postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reached, go, settle = asyncio.Event(), asyncio.Event(), repositories.settle

    async def settle_later(*arguments: object) -> None:
        reached.set()
        await go.wait()
        await settle(*arguments)  # type: ignore[arg-type]

    async with connected(migrated_postgres) as database:
        await tell_all(database, [(1, chosen(OCTO, added=[HELLO]))])
        monkeypatch.setattr(repositories, "settle", settle_later)
        telling = asyncio.create_task(tell(database, edited(OCTO, HELLO._replace(archived=True), "archived"), 2))
        await reached.wait()
        assert await ask_where_new(5, START) == 1
        go.set()
        await telling
        (row,) = await database.fetch("SELECT archived, history_asked_at FROM repository")
        assert (row["archived"], row["history_asked_at"]) == (True, START)
