"""Who may know what was done: nobody reads there of a repository, or of somebody's token, that is hidden from them."""

from datetime import timedelta

import pytest

from bot.access import Actor, Change, change_settings
from bot.access.audit import OPERATOR, list_audit, note
from bot.store.database import Database
from bot.store.queries import Scope
from tests import builders as make
from tests.store.recording import NOON, record

MONA, ADA = Actor("person", "mona", 1), Actor("person", "ada", 2)
HELLO, VAULT = 9, 10


@pytest.fixture
async def team(database: Database) -> Scope:
    """Give the scope of a team in which the settings of two repositories were changed, and tokens made."""
    scope = await record(database, make.repository())
    await record(database, make.repository("octo-org/vault", VAULT))
    await change_settings(scope, HELLO, Change(muted=True), MONA, NOON)
    await change_settings(scope, VAULT, Change(comments=False), MONA, NOON)
    await note(MONA, "token.created", "mona's laptop", NOON, team_id=scope.team_id, details={"days": 30})
    await note(OPERATOR, "token.created", "dashboard", NOON, team_id=scope.team_id)
    await note(ADA, "token.created", "ada's laptop", NOON, team_id=scope.team_id)
    await note(MONA, "token.created", "elsewhere", NOON, team_id=scope.team_id + 1)
    await note(MONA, "person.signed_in", "mona", NOON)
    return scope


@pytest.mark.parametrize(
    ("seen", "administered", "reader", "told"),
    [
        ({HELLO}, set(), ADA, ["ada's laptop", "octo-org/hello"]),
        ({HELLO}, {HELLO}, ADA, ["ada's laptop", "octo-org/hello"]),
        (set(), set(), ADA, ["ada's laptop"]),
        # A token of that number is not the person of that number.
        (set(), set(), Actor("token", "x", 2), []),
        ({HELLO, VAULT}, {HELLO}, ADA, ["ada's laptop", "octo-org/vault", "octo-org/hello"]),
        ({HELLO}, set(), MONA, ["mona's laptop", "octo-org/hello"]),
        (
            {HELLO, VAULT},
            {HELLO, VAULT},
            ADA,
            ["ada's laptop", "dashboard", "mona's laptop", "octo-org/vault", "octo-org/hello"],
        ),
    ],
)
async def test_what_a_person_may_know(
    database: Database, team: Scope, seen: set[int], administered: set[int], reader: Actor, told: list[str]
) -> None:
    scope = Scope(team.team_id, team.slug, frozenset(seen), frozenset(administered))
    assert [each.subject for each in await list_audit(scope, reader)] == told


async def test_what_was_done_is_told_with_who_and_how(database: Database, team: Scope) -> None:
    *_, vault, hello = await list_audit(team, OPERATOR)
    assert (hello.at, hello.actor_kind, hello.actor) == (NOON, "person", "mona")
    assert (hello.action, hello.details) == ("settings.changed", {"muted": True})
    assert vault.details == {"comments": False}


async def test_only_the_newest_are_told(database: Database, team: Scope) -> None:
    for number in range(3):
        await note(MONA, "token.created", f"number {number}", NOON + timedelta(hours=number), team_id=team.team_id)
    assert [each.subject for each in await list_audit(team, MONA, limit=2)] == ["number 2", "number 1"]


async def test_a_change_that_changes_nothing_is_not_noted(database: Database, team: Scope) -> None:
    before = await list_audit(team, MONA)
    await change_settings(team, HELLO, Change(muted=True, excerpts=True), MONA, NOON)
    assert await list_audit(team, MONA) == before


async def test_a_repository_that_was_renamed_stays_hidden(database: Database, team: Scope) -> None:
    await record(database, make.repository("octo-org/hello-2", VAULT), minute=5)
    narrow = Scope(team.team_id, team.slug, frozenset({HELLO}), frozenset())
    assert [each.subject for each in await list_audit(narrow, ADA)] == ["ada's laptop", "octo-org/hello"]
