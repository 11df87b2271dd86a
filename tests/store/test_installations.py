"""Which installations, and of which teams, a person is told of: those that GitHub showed them, and no other."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from bot.store import models
from bot.store.database import Database
from bot.store.queries import Scope, list_seen_installations, list_teams
from bot.store.queries.teams import administers_all
from tests import builders as make
from tests.store.recording import NOON, record, record_installation

ADA, EVE = 501, 502
OTHER = 72


async def see(database: Database, user_id: int, installation_id: int, **more: Any) -> None:
    told = {"user_id": user_id, "installation_id": installation_id} | more
    await models.PersonInstallation.create(**told, using_db=database.client)


@pytest.fixture
async def scope(database: Database) -> Scope:
    """Give a team that was joined of two installations, of which Ada sees the first and Eve both."""
    await record_installation(database, "created", 0)
    scope = await record(database, make.repository())
    await record(database, make.repository("globex/x", 20, 21), installation=OTHER)
    await database.execute("UPDATE installation SET team_id = ?", scope.team_id)
    await database.execute("UPDATE repository SET team_id = ?", scope.team_id)
    await see(database, ADA, make.INSTALLATION)
    await see(database, EVE, make.INSTALLATION)
    await see(database, EVE, OTHER)
    return scope


async def test_only_what_a_person_sees_is_told_of(database: Database, scope: Scope) -> None:
    for user_id, ids in ((ADA, [make.INSTALLATION]), (EVE, [OTHER, make.INSTALLATION]), (503, [])):
        seen = await list_seen_installations(user_id)
        assert [each.installation_id for each in seen] == ids
        assert {each.team for each in seen} <= {scope.slug}
        (team,) = (await list_teams([scope.team_id], user_id)).teams
        assert [each.installation_id for each in team.installations] == ids
    (whole,) = (await list_teams([scope.team_id])).teams
    assert len(whole.installations) == 2


async def test_a_deleted_one_is_nowhere(database: Database, scope: Scope) -> None:
    await database.execute("UPDATE installation SET state = 'deleted' WHERE installation_id = ?", OTHER)
    assert [each.installation_id for each in await list_seen_installations(EVE)] == [make.INSTALLATION]


@pytest.mark.parametrize(
    ("minutes", "state", "is_silent"),
    [((0, None), "active", True), ((5, 4), "active", True), ((5, 6), "active", False), ((5, None), "suspended", False)],
)
async def test_it_says_when_nothing_comes(
    database: Database, scope: Scope, minutes: Sequence[int | None], state: str, is_silent: bool
) -> None:
    silent, last = (None if each is None else NOON + timedelta(minutes=each) for each in minutes)
    await database.execute("UPDATE installation SET silent_since = ?, last_delivery_at = ?", silent, last)
    await database.execute("UPDATE installation SET state = ?", state)
    (seen,) = await list_seen_installations(ADA)
    assert (seen.is_silent, seen.is_suspended) == (is_silent, state == "suspended")
    assert (seen.silent_since, seen.last_delivery_at) == (silent, last)


@pytest.mark.parametrize(
    ("seen", "administered", "all_of_it"),
    [
        (None, None, True),
        ({9, 20}, {9, 20}, True),
        ({9, 20, 4711}, {9, 20, 4711}, True),
        ({9, 20}, {9}, False),
        # What one administers but does not see any more does not count.
        ({9}, {9, 20}, False),
        (set(), set(), False),
    ],
)
async def test_who_administers_all_of_a_team(
    database: Database, scope: Scope, seen: set[int] | None, administered: set[int] | None, all_of_it: bool
) -> None:
    narrowed = (None if each is None else frozenset(each) for each in (seen, administered))
    assert await administers_all(Scope(scope.team_id, scope.slug, *narrowed)) is all_of_it


async def test_nobody_administers_all_of_nothing(database: Database, scope: Scope) -> None:
    await database.execute("UPDATE repository SET hidden_at = ?", NOON)
    assert not await administers_all(Scope(scope.team_id, scope.slug, frozenset(), frozenset()))
