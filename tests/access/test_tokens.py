"""Tokens: whom they stand for, how long, and that only their hash is kept."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from bot.access import (
    Actor,
    Caller,
    TooManyTokens,
    create_token,
    get_scope,
    list_teams,
    list_tokens,
    revoke_own_token,
    revoke_token,
)
from bot.access.audit import OPERATOR, AuditLine, list_audit
from bot.access.people import People
from bot.access.teams import link_installation, rename_team
from bot.access.tokens import LONGEST_OF_A_PERSON, MOST_OF_A_PERSON
from bot.clock import ManualClock
from bot.errors import NotFound, RunledgerError
from bot.recorder import upsert_workflow_run
from bot.settings import Settings
from bot.store import queries
from bot.store.database import Database
from bot.store.leases import Leases
from bot.store.registration import Configuration
from tests import builders as make

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
Find = Callable[..., Awaitable[Caller | None]]


@pytest.fixture
async def teams(database: Database) -> None:
    await upsert_workflow_run(make.run(), make.repository())
    await upsert_workflow_run(make.run(200), make.repository("second/x", 20, 25))


@pytest.fixture
async def find(database: Database) -> AsyncIterator[Find]:
    """Give what finds a token's caller, at a time."""
    clock = ManualClock(NOW)
    configuration = Configuration(Settings(_env_file=None), clock)
    async with People(configuration, clock, database, Leases(database, clock, "here")) as people:

        async def find(token: str, now: datetime = NOW) -> Caller | None:
            clock._now = now
            return await people.find_caller(token)

        yield find


async def _caller(find: Find, token: str) -> Caller:
    caller = await find(token)
    assert caller is not None
    return caller


async def team_id(slug: str) -> int:
    return (await queries.get_scope(slug)).team_id


async def noted(team: str) -> list[AuditLine]:
    return await list_audit(await queries.get_scope(team), OPERATOR)


@pytest.mark.usefixtures("teams")
async def test_a_token_reads_its_own_team_and_no_other(find: Find) -> None:
    caller = await _caller(find, await create_token("Octo-Org", "ci", NOW))
    scope = await get_scope(caller, "octo-org")
    assert (scope.slug, scope.repositories, caller.actor.name) == ("octo-org", None, "ci")
    assert await get_scope(caller, str(scope.team_id)) == scope
    assert [team.slug for team in (await list_teams(caller)).teams] == ["octo-org"]
    refusals = []
    for name in ("second", str(await team_id("second")), "nobody", "999"):
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
async def test_a_token_ends_when_it_expires(find: Find) -> None:
    token = await create_token("octo-org", "ci", NOW, expires_days=1)
    end = NOW + timedelta(days=1)
    assert await find(token, end - timedelta(microseconds=1))
    assert await find(token, end) is None
    assert await find(await create_token("octo-org", "for good", NOW), NOW + timedelta(days=36_500))


@pytest.mark.usefixtures("teams")
async def test_a_revoked_token_ends_at_once(find: Find) -> None:
    first, second = [await create_token("octo-org", name, NOW) for name in ("first", "second")]
    revoked = await revoke_token("first", NOW)
    assert (revoked.name, revoked.team) == ("first", "octo-org")
    assert await find(first) is None
    assert await find(second)
    assert [line.is_in_force(NOW) for line in await list_tokens()] == [False, True]
    with pytest.raises(NotFound) as again:
        await revoke_token(first, NOW)
    assert first not in str(again.value)


@pytest.mark.usefixtures("teams")
async def test_what_is_no_token_stands_for_nobody(find: Find) -> None:
    token = await create_token("octo-org", "ci", NOW)
    kept = hashlib.sha256(token.encode()).hexdigest()
    for wrong in ("", "rlt_", token[:-1], token + "a", token.upper(), kept, "\ud800", "ü", "' OR 1=1 --", "\0"):
        assert await find(wrong) is None


async def test_a_token_needs_a_team(database: Database) -> None:
    with pytest.raises(NotFound, match="no team exists"):
        await create_token("octo-org", "ci", NOW)
    await upsert_workflow_run(make.run(), make.repository())
    with pytest.raises(NotFound, match="the teams are octo-org"):
        await create_token("octo", "ci", NOW)


@pytest.mark.usefixtures("teams")
async def test_a_token_has_a_name_that_both_databases_keep() -> None:
    for name in ("", " ", "  \t\u2003", "x" * 201, "a\0b", "\ud800"):
        with pytest.raises(RunledgerError, match="name"):
            await create_token("octo-org", name, NOW)
        with pytest.raises(RunledgerError, match="name"):
            await rename_team("octo-org", "platform", name, now=NOW)
    for team in ("a\0b", "\ud800"):
        with pytest.raises(NotFound):
            await create_token(team, "ci", NOW)
        assert await list_tokens(team) == []
    assert await list_tokens() == []
    assert await create_token("octo-org", "x" * 200, NOW)


@pytest.mark.usefixtures("teams")
async def test_what_the_operator_does_is_noted() -> None:
    await create_token("octo-org", "ci", NOW, 30)
    await revoke_token("ci", NOW)
    await rename_team("octo-org", "platform", "The platform", now=NOW)
    notes = [(each.actor_kind, each.action, each.subject, each.details) for each in await noted("platform")]
    (token,) = await list_tokens()
    assert notes == [
        ("operator", "team.renamed", "octo-org", {"slug": "platform", "name": "The platform"}),
        ("operator", "token.revoked", "ci", {"token": token.id}),
        ("operator", "token.created", "ci", {"token": token.id, "days": 30}),
    ]


async def test_a_link_is_noted_and_one_that_fails_is_not(database: Database) -> None:
    await upsert_workflow_run(make.run(), make.repository(), installation_id=71)
    await link_installation(71, "octo-org", now=NOW)
    with pytest.raises(NotFound):
        await link_installation(72, "octo-org", now=NOW)
    (told,) = await noted("octo-org")
    assert (told.action, told.details) == ("team.linked", {"installation": 71})


# A person's


def person(team: int, user_id: int = 6, login: str = "mona") -> Caller:
    return Caller(Actor("person", login, user_id), f"session {user_id}", {team: frozenset()}, frozenset(), user_id)


@pytest.mark.usefixtures("teams")
async def test_a_person_makes_tokens_of_their_teams_alone() -> None:
    mona = person(await team_id("octo-org"))
    assert await create_token("octo-org", "mine", NOW, 1, maker=mona)
    refused = []
    for team in ("second", "nobody"):
        with pytest.raises(NotFound) as error:
            await create_token(team, "mine", NOW, 1, maker=mona)
        refused.append(str(error.value))
    assert refused[0] == refused[1]
    for days in (None, 0, -1, LONGEST_OF_A_PERSON + 1):
        with pytest.raises(RunledgerError, match="1 to 365 days"):
            await create_token("octo-org", "mine", NOW, days, maker=mona)
    token = Caller(Actor("token", "ci", 1), "token 1", mona.teams, frozenset(), 6)
    with pytest.raises(RunledgerError, match="only a person"):
        await create_token("octo-org", "mine", NOW, 1, maker=token)


@pytest.mark.usefixtures("teams")
async def test_a_person_has_so_many_tokens_of_a_team_and_no_more(database: Database) -> None:
    mona, second = person(await team_id("octo-org")), await team_id("second")
    insert = "INSERT INTO person (user_id, login, created_at) VALUES (6, 'mona', ?)"
    await database.execute(insert, NOW)
    for _ in range(MOST_OF_A_PERSON - 2):
        await create_token("octo-org", "mine", NOW, 1, maker=mona)
    several = [create_token("octo-org", "mine", NOW, 1, maker=mona) for _ in range(4)]
    made = await asyncio.gather(*several, return_exceptions=True)
    assert sorted(type(each).__name__ for each in made) == ["TooManyTokens"] * 2 + ["str"] * 2
    # Neither another's nor those of another team count, nor those that have ended.
    assert await create_token("octo-org", "hers", NOW, 1, maker=person(await team_id("octo-org"), 7, "hubot"))
    assert await create_token("second", "mine", NOW, 1, maker=person(second))
    with pytest.raises(TooManyTokens, match="50"):
        await create_token("octo-org", "mine", NOW, 1, maker=mona)
    assert await create_token("octo-org", "mine", NOW + timedelta(days=1), 1, maker=mona)


@pytest.mark.usefixtures("teams")
async def test_a_person_lists_and_revokes_their_own(database: Database) -> None:
    octo, second = await team_id("octo-org"), await team_id("second")
    mona, hubot = person(octo), person(octo, 7, "hubot")
    await database.execute("INSERT INTO person (user_id, login, created_at) VALUES (6, 'mona', ?)", NOW)
    await create_token("octo-org", "of all", NOW)
    for maker, name in ((mona, "mine"), (hubot, "his")):
        await create_token("octo-org", name, NOW, 1, maker=maker)
    lines = {line.name: line for line in await list_tokens("octo-org")}
    assert {name: line.maker for name, line in lines.items()} == {"of all": None, "mine": "mona", "his": "user 7"}
    assert [line.name for line in await list_tokens("octo-org", user_id=6)] == ["mine"]
    assert await list_tokens("second", user_id=6) == []
    for caller, team, line in (
        (mona, octo, lines["his"]),
        (mona, octo, lines["of all"]),
        (mona, second, lines["mine"]),
        (hubot, octo, lines["mine"]),
        (Caller(Actor("token", "x", 1), "token 1"), octo, lines["of all"]),
    ):
        with pytest.raises(NotFound):
            await revoke_own_token(caller, team, line.id, NOW)
    assert (await revoke_own_token(mona, octo, lines["mine"].id, NOW)).name == "mine"
    with pytest.raises(NotFound):
        await revoke_own_token(mona, octo, lines["mine"].id, NOW)
    (last, *_) = await noted("octo-org")
    assert (last.actor_kind, last.actor, last.action, last.subject) == ("person", "mona", "token.revoked", "mine")
