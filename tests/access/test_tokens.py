"""Tokens: whom they stand for, how long, and that only their hash is kept."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from bot.access import Caller, create_token, find_caller, get_scope, list_teams, list_tokens, revoke_token
from bot.access.teams import rename_team
from bot.errors import NotFound, RunledgerError
from bot.recorder import upsert_workflow_run
from bot.store import models
from bot.store.database import Database
from tests import builders as make

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
async def teams(database: Database) -> None:
    await upsert_workflow_run(make.run(), make.repository())
    await upsert_workflow_run(make.run(200), make.repository("second/x", 20, 25))


async def _caller(token: str, now: datetime = NOW) -> Caller:
    caller = await find_caller(token, now)
    assert caller is not None
    return caller


@pytest.mark.usefixtures("teams")
async def test_a_token_reads_its_own_team_and_no_other(database: Database) -> None:
    caller = await _caller(await create_token("Octo-Org", "ci", NOW))
    scope = await get_scope(caller, "octo-org")
    assert (scope.slug, scope.repositories, caller.actor.name) == ("octo-org", None, "ci")
    assert await get_scope(caller, str(scope.team_id)) == scope
    assert [team.slug for team in (await list_teams(caller)).teams] == ["octo-org"]
    second = await models.Team.get(slug="second", using_db=database.client)
    refusals = []
    for name in ("second", str(second.id), "nobody", "999"):
        with pytest.raises(NotFound) as refused:
            await get_scope(caller, name)
        refusals.append(str(refused.value))
    assert len(set(refusals)) == 1


@pytest.mark.usefixtures("teams")
async def test_only_the_hash_is_kept(database: Database) -> None:
    tokens = [await create_token("octo-org", "ci", NOW) for _ in range(20)]
    assert len(set(tokens)) == 20
    assert all(token.startswith("rlt_") and len(token) >= 47 for token in tokens)
    rows = await database.fetch("SELECT * FROM api_token ORDER BY id")
    for token, row in zip(tokens, rows, strict=True):
        assert row["hash"] == hashlib.sha256(token.encode()).hexdigest()
        assert not any(token in str(value) or token[16:] in str(value) for value in row.values())


@pytest.mark.usefixtures("teams")
async def test_a_token_ends_when_it_expires(database: Database) -> None:
    token = await create_token("octo-org", "ci", NOW, expires_days=1)
    end = NOW + timedelta(days=1)
    assert await find_caller(token, end - timedelta(microseconds=1))
    assert await find_caller(token, end) is None
    assert await find_caller(await create_token("octo-org", "for good", NOW), NOW + timedelta(days=36_500))


@pytest.mark.usefixtures("teams")
async def test_a_revoked_token_ends_at_once(database: Database) -> None:
    first, second = [await create_token("octo-org", name, NOW) for name in ("first", "second")]
    revoked = await revoke_token("first", NOW)
    assert (revoked.name, revoked.team) == ("first", "octo-org")
    assert await find_caller(first, NOW) is None
    assert await find_caller(second, NOW)
    assert [line.revoked_at is None for line in await list_tokens()] == [False, True]
    with pytest.raises(NotFound) as again:
        await revoke_token(first, NOW)
    assert first not in str(again.value)


@pytest.mark.usefixtures("teams")
async def test_what_is_no_token_stands_for_nobody(database: Database) -> None:
    token = await create_token("octo-org", "ci", NOW)
    kept = hashlib.sha256(token.encode()).hexdigest()
    for wrong in ("", "rlt_", token[:-1], token + "a", token.upper(), kept, "\ud800", "ü", "' OR 1=1 --", "\0"):
        assert await find_caller(wrong, NOW) is None


async def test_a_token_needs_a_team(database: Database) -> None:
    with pytest.raises(NotFound, match="no team exists"):
        await create_token("octo-org", "ci", NOW)
    await upsert_workflow_run(make.run(), make.repository())
    with pytest.raises(NotFound, match="the teams are octo-org"):
        await create_token("octo", "ci", NOW)


@pytest.mark.usefixtures("teams")
async def test_a_token_has_a_name_that_both_databases_keep() -> None:
    for name in ("", "x" * 201, "a\0b", "\ud800"):
        with pytest.raises(RunledgerError, match="name"):
            await create_token("octo-org", name, NOW)
        with pytest.raises(RunledgerError, match="name"):
            await rename_team("octo-org", "platform", name)
    for team in ("a\0b", "\ud800"):
        with pytest.raises(NotFound):
            await create_token(team, "ci", NOW)
        assert await list_tokens(team) == []
    assert await list_tokens() == []
    assert await create_token("octo-org", "x" * 200, NOW)
