"""What a delivery tells of a repository is kept although a later one, which tells of something else, came before it."""

import itertools
from typing import Any

import pytest

from bot.store import connected
from bot.store.database import Database
from bot.store.migrate import migrate
from tests.recorder.company import (
    HELLO,
    OCTO,
    OTHER,
    START,
    Told,
    account_renamed,
    chosen,
    edited,
    installed,
    ran,
    renamed,
    tell_all,
    transferred,
)
from tests.recorder.records import clear
from tests.recorder.schema import migrate_to

Row = dict[str, Any]
Happened = list[Told]

NEW = OCTO._replace(login="new-org")
ARCHIVED, PRIVATE = HELLO._replace(archived=True), HELLO._replace(private=True)
WORLD = HELLO._replace(name="world")
UNARCHIVED = edited(OCTO, HELLO, "unarchived")
LETS_GO = chosen(OCTO, removed=[HELLO])

AS_IT_WAS = {"full_name": "octo-org/hello", "account_id": 11, "installation_id": 5}
AS_IT_WAS |= {"private": False, "archived": False, "is_hidden": False}
RENAMED = {"full_name": "new-org/hello"}
GIVEN_AWAY = {"full_name": "other-org/hello", "account_id": 99, "installation_id": 6}

CASES: dict[str, tuple[Happened, Row]] = {
    "removed, account renamed": ([ran(), LETS_GO, account_renamed(NEW)], RENAMED | {"is_hidden": True}),
    "deleted, account renamed": (
        [ran(), edited(OCTO, HELLO, "deleted"), account_renamed(NEW)],
        RENAMED | {"is_hidden": True},
    ),
    "privatized, account renamed": (
        [ran(), edited(OCTO, PRIVATE, "privatized"), account_renamed(NEW)],
        RENAMED | {"private": True},
    ),
    "renamed, account renamed": (
        [ran(), renamed(OCTO, WORLD, "hello"), account_renamed(NEW)],
        {"full_name": "new-org/world"},
    ),
    "account renamed, renamed": (
        [ran(), account_renamed(NEW), renamed(NEW, WORLD, "hello")],
        {"full_name": "new-org/world"},
    ),
    "archived, added": (
        [ran(), edited(OCTO, ARCHIVED, "archived"), chosen(OCTO, added=[HELLO])],
        {"archived": True},
    ),
    "archived, removed, added": (
        [ran(), edited(OCTO, ARCHIVED, "archived"), LETS_GO, chosen(OCTO, added=[HELLO])],
        {"archived": True},
    ),
    "transferred, let go": ([ran(), transferred(OTHER, HELLO, OCTO), LETS_GO], GIVEN_AWAY),
    "transferred and told so by the former owner's, let go": (
        [installed("created"), ran(), transferred(OTHER._replace(installation_id=5), HELLO, OCTO), LETS_GO],
        GIVEN_AWAY | {"installation_id": None},
    ),
    "transferred, let go by both": (
        [ran(), transferred(OTHER, HELLO, OCTO), chosen(OTHER, removed=[HELLO]), LETS_GO],
        GIVEN_AWAY | {"is_hidden": True},
    ),
    "transferred, account renamed": (
        [ran(), transferred(OTHER, HELLO, OCTO), account_renamed(OTHER._replace(login="new-org"))],
        GIVEN_AWAY | RENAMED,
    ),
    "archived and not any more, installed": (
        [
            ran(),
            edited(OCTO, ARCHIVED, "archived"),
            edited(OCTO, HELLO, "unarchived"),
            installed("created", OCTO, [HELLO]),
        ],
        {},
    ),
    "archived and not any more, added": (
        [ran(), edited(OCTO, ARCHIVED, "archived"), UNARCHIVED, chosen(OCTO, added=[HELLO])],
        {},
    ),
    "removed, told of without installation": (
        [ran(), LETS_GO, ran(OCTO._replace(installation_id=None), run_id=101)],
        {"is_hidden": True},
    ),
    "there and back again": (
        [ran(), transferred(OTHER, HELLO, OCTO), LETS_GO, transferred(OCTO, HELLO, OTHER)],
        {},
    ),
}


async def repository(database: Database) -> Row:
    (row,) = await database.fetch(
        "SELECT full_name, account_id, installation_id, private, archived, hidden_at IS NOT NULL AS is_hidden"
        " FROM repository"
    )
    return {**row, **{name: bool(row[name]) for name in ("private", "archived", "is_hidden")}}


@pytest.mark.parametrize("name", CASES)
async def test_whatever_order_they_come_in(database: Database, name: str) -> None:
    happened, differences = CASES[name]
    for order in itertools.permutations(enumerate(happened)):
        await clear(database)
        await tell_all(database, order)
        assert await repository(database) == AS_IT_WAS | differences


async def test_what_changed_back_untold_is_known_by_the_next_list(database: Database) -> None:
    # It was made private again while the installation was suspended.
    told = [ran(repo=PRIVATE), edited(OCTO, HELLO, "publicized"), ran(repo=PRIVATE, run_id=101)]
    for order, private in (((0, 1, 2), True), ((0, 2, 1), False)):
        await clear(database)
        await tell_all(database, [(number, told[number]) for number in order])
        assert (await repository(database))["private"] is private
    await tell_all(database, [(3, chosen(OCTO, added=[PRIVATE]))])
    assert (await repository(database))["private"] is True


async def test_an_account_is_found_by_every_login_that_it_had(database: Database) -> None:
    newest = OCTO._replace(login="newest-org")
    for order in itertools.permutations(enumerate([ran(), account_renamed(NEW), account_renamed(newest)])):
        await clear(database)
        await tell_all(database, order)
        names = await database.fetch("SELECT name FROM repository_name ORDER BY name")
        assert [row["name"] for row in names] == ["new-org/hello", "newest-org/hello", "octo-org/hello"]
        (installation,) = await database.fetch("SELECT account_login FROM installation")
        assert installation["account_login"] == "newest-org"


# Beside a version of the program that knows one version for all of a row, and after it.


async def test_what_an_older_version_of_the_program_has_hidden_stays_so(database: Database) -> None:
    await tell_all(database, [(1, ran()), (9, chosen(OCTO, removed=[HELLO]))])
    # It gave the row the version of whatever it took, and kept nothing else.
    (newest,) = await database.fetch("SELECT version FROM repository_sight")
    await tell_all(database, [(1.5, chosen(OCTO, added=[HELLO]))])
    await database.execute("DELETE FROM repository_sight")
    await database.execute("UPDATE repository SET version = ?", newest["version"])
    late = [(2.0, chosen(OCTO, added=[HELLO])), (3.0, edited(OCTO, ARCHIVED, "archived")), (4.0, ran(run_id=101))]
    await tell_all(database, late)
    assert await repository(database) == AS_IT_WAS | {"is_hidden": True}
    await tell_all(database, [(10, chosen(OCTO, added=[HELLO])), (9.5, edited(OCTO, ARCHIVED, "archived"))])
    assert await repository(database) == AS_IT_WAS | {"archived": True}


async def test_a_login_that_an_older_version_of_the_program_has_taken_stays(database: Database) -> None:
    await tell_all(database, [(1, installed("created", repos=[HELLO])), (5, account_renamed(NEW))])
    await database.execute("DELETE FROM account_login")
    await tell_all(database, [(2, ran()), (3, installed("suspend", suspended=True))])
    assert await repository(database) == AS_IT_WAS | RENAMED


async def test_logins_from_before_they_were_kept_apart_are_known(database_url: str) -> None:
    await migrate_to(database_url, "0008_late_jobs")
    async with connected(database_url) as database:
        await database.execute("INSERT INTO team (id, slug, name, created_at) VALUES (1, 'o', 'o', ?)", START)
        for id, login, version in ((5, "octo-org", b"1"), (7, "new-org", b"3")):
            await database.execute(
                "INSERT INTO installation (installation_id, team_id, account_id, account_login, state, version,"
                " login_version, created_at) VALUES (?, 1, 11, ?, 'active', ?, ?, ?)",
                *(id, login, b"", version, START),
            )
        for id, full_name, version in ((10, "octo-org/hello", b"2"), (12, "other-org/world", b"4")):
            await database.execute(
                "INSERT INTO repository (repository_id, team_id, account_id, full_name, private, archived, version,"
                " created_at) VALUES (?, 1, ?, ?, ?, ?, ?, ?)",
                *(id, 11 if id == 10 else 99, full_name, False, False, version, START),
            )
    await migrate(database_url)
    async with connected(database_url) as database:
        rows = await database.fetch("SELECT account_id, login, version FROM account_login ORDER BY version")
    found = [(row["account_id"], row["login"], bytes(row["version"])) for row in rows]
    assert found == [(11, "octo-org", b"2"), (11, "new-org", b"3"), (99, "other-org", b"4")]
