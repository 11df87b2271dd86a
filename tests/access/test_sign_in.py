"""Signing in and out: what is kept of it, and that nothing is left at GitHub that nobody wants."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from bot.access import Caller, create_token, sessions
from bot.access.audit import Actor
from bot.access.people import People, Person
from bot.access.secrets import new_secret
from bot.clock import ManualClock
from bot.demo.github.rest import oauth
from bot.demo.github.rest.authorizations import RefreshToken
from bot.demo.github.rest.faults import Cut, ServerError
from bot.errors import GitHubAway, SettingsError, SignInRefused
from bot.settings import Settings
from bot.store.database import Database
from bot.store.leases import Leases
from bot.store.registration import Configuration
from tests.access.office import CALLBACK, Office


async def caller_of(office: Office, session: sessions.Session) -> Caller:
    caller = await office.people.caller_of_session(session)
    assert caller is not None
    return caller


async def test_whoever_comes_back_with_a_code_is_known(office: Office) -> None:
    verifier = new_secret()
    person = await office.people.sign_in(await office.code_of(office.ada, verifier), verifier, CALLBACK)
    assert person == Person(office.ada.id, "ada")
    session = await sessions.open_session(person.user_id, office.clock.now())
    caller = await caller_of(office, session)
    assert (caller.actor, caller.credential) == (Actor("person", "ada", office.ada.id), f"session {session.id}")
    assert (caller.user_id, dict(caller.teams), caller.administers) == (office.ada.id, {}, frozenset())


async def test_the_tokens_are_kept_sealed_each_in_its_place(office: Office) -> None:
    await office.sign_in()
    kept = await office.person()
    tokens = office.github.rest.authorizations._tokens
    assert len(tokens) == 1
    for value in kept.values():
        assert not any(token.encode() in bytes(value) for token in tokens if isinstance(value, bytes | memoryview))
    # What is moved to another person's row opens nowhere.
    eve = office.github.add_user("eve")
    session = await office.sign_in(eve)
    row = await office.person()
    await office.database.execute(
        "UPDATE person SET access_token = ?, refresh_token = ? WHERE user_id = ?",
        row["access_token"],
        row["refresh_token"],
        eve.id,
    )
    assert await office.people.caller_of_session(session) is None


@pytest.mark.parametrize("wrong", ["code", "verifier", "redirect"])
async def test_a_code_that_github_does_not_take_signs_nobody_in(office: Office, wrong: str) -> None:
    verifier = new_secret()
    code = await office.code_of(office.ada, verifier)
    asked = {"code": code, "verifier": verifier, "redirect": CALLBACK}
    asked[wrong] = "http://127.0.0.1/other" if wrong == "redirect" else new_secret()
    with pytest.raises(SignInRefused) as refused:
        await office.people.sign_in(asked["code"], asked["verifier"], asked["redirect"])
    assert code not in str(refused.value)
    assert await office.count("person") == 0


async def test_a_code_is_good_once(office: Office) -> None:
    verifier = new_secret()
    code = await office.code_of(office.ada, verifier)
    await office.people.sign_in(code, verifier, CALLBACK)
    with pytest.raises(SignInRefused):
        await office.people.sign_in(code, verifier, CALLBACK)


@pytest.mark.parametrize("fault", [ServerError(502), Cut(), Cut(answered=True)])
async def test_github_away_signs_nobody_in_and_asks_once(office: Office, fault: ServerError | Cut) -> None:
    verifier = new_secret()
    code = await office.code_of(office.ada, verifier)
    office.github.rest.faults.add(fault)  # type: ignore[attr-defined]
    with pytest.raises(GitHubAway):
        await office.people.sign_in(code, verifier, CALLBACK)
    assert await office.count("person") == 0


async def test_what_was_granted_to_nobody_that_is_known_is_ended(office: Office) -> None:
    verifier = new_secret()
    code = await office.code_of(office.ada, verifier)
    office.github.rest.faults.add(ServerError(500), operation="users/get-authenticated", times=10)  # type: ignore[attr-defined]
    signing_in = office.people.sign_in(code, verifier, CALLBACK)
    with pytest.raises(GitHubAway):
        await office.while_time_passes(signing_in)
    assert not office.is_granted()


async def test_a_newer_sign_in_replaces_the_older_grant_and_ends_it(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    first, second = await office.sign_in(), await office.sign_in()
    assert len(office.github.rest.authorizations._tokens) == 1
    assert await office.sees(first) == await office.sees(second) == {"rocket", "hidden", "vault"}
    assert await office.count("person") == 1


async def test_signing_out_ends_the_grant_when_nothing_else_rests_on_it(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    first, second = await office.sign_in(), await office.sign_in()
    await office.sees(first)
    await office.people.sign_out(second)
    assert office.is_granted()
    assert await sessions.find_session(second.secret, office.clock.now()) is None
    await office.people.sign_out(first)
    assert not office.is_granted()
    kept = await office.person()
    assert (kept["access_token"], kept["refresh_token"], kept["looked_at"]) == (None, None, None)
    assert (await office.count("person_repository"), await office.count("person_installation")) == (0, 0)
    notes = await office.database.fetch("SELECT action, actor, actor_id, actor_kind FROM audit_entry ORDER BY id")
    assert [row["action"] for row in notes] == ["person.signed_in"] * 2 + ["person.signed_out"] * 2
    assert {(row["actor"], row["actor_id"], row["actor_kind"]) for row in notes} == {("ada", office.ada.id, "person")}


async def test_a_grant_lives_on_for_a_token(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    session = await office.sign_in()
    await create_token("acme", "ci", office.clock.now(), 2, maker=await caller_of(office, session))
    await office.people.sign_out(session)
    assert office.is_granted()
    assert await office.people.forget_grants() == 0
    await office.clock.advance(timedelta(days=2).total_seconds())
    assert await office.people.forget_grants() == 1
    # The token to ask with ran out days ago; what would have renewed it for months is ended all the same.
    assert not office.is_granted()


async def test_signing_out_does_not_wait_for_github(office: Office) -> None:
    session = await office.sign_in()
    office.github.outages.add(timedelta(hours=2))
    await office.while_time_passes(office.people.sign_out(session), seconds=10)
    assert await sessions.find_session(session.secret, office.clock.now()) is None
    assert office.is_granted()
    office.github.outages.clear()
    await office.clock.advance(60)
    assert await office.people.forget_grants() == 1
    assert not office.is_granted()


async def test_a_session_that_ran_out_leaves_no_grant(office: Office) -> None:
    await office.sign_in()
    assert await office.people.forget_grants() == 0
    await office.clock.advance(sessions.IDLE_LASTS.total_seconds())
    assert await office.people.forget_grants() == 1
    assert not office.is_granted()


async def test_a_grant_whose_session_is_yet_to_come_is_left_alone(office: Office) -> None:
    former = await office.sign_in()
    await office.clock.advance(3600)
    verifier = new_secret()
    person = await office.people.sign_in(await office.code_of(office.ada, verifier), verifier, CALLBACK)
    await office.people.sign_out(former)
    assert await office.people.forget_grants() == 0
    session = await sessions.open_session(person.user_id, office.clock.now())
    assert await office.people.caller_of_session(session) is not None


async def test_an_app_whose_tokens_do_not_expire(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    expiring = oauth._tokens

    def lasting(refresh: RefreshToken) -> dict[str, Any]:
        told = expiring(refresh)
        return {name: told[name] for name in ("access_token", "scope", "token_type")}

    monkeypatch.setattr(oauth, "_tokens", lasting)
    session = await office.sign_in()
    kept = await office.person()
    assert (kept["access_expires_at"], kept["refresh_token"], kept["refresh_expires_at"]) == (None, None, None)
    assert await office.sees(session) == set()
    office.github.revoke_authorization(office.ada)
    await office.clock.advance(301)
    assert await office.while_time_passes(office.sees(session)) is None
    assert await sessions.find_session(session.secret, office.clock.now()) is None


@pytest.mark.parametrize(
    ("missing", "named"),
    [("secret_key", "SECRET_KEY"), ("github_client_secret", "GITHUB_CLIENT"), ("github_client_id", "GITHUB_CLIENT")],
)
async def test_without_what_signing_in_needs_it_says_so(database: Database, missing: str, named: str) -> None:
    whole = Settings(
        _env_file=None,
        github_client_id="Iv1",
        github_client_secret=SecretStr("secret"),
        secret_key=SecretStr("k" * 40),
    )
    settings, clock = whole.model_copy(update={missing: None}), ManualClock()
    async with People(Configuration(settings, clock), clock, database, Leases(database, clock, "here")) as people:
        with pytest.raises(SettingsError, match=named):
            people.authorize_url("state", "challenge", CALLBACK)
        with pytest.raises(SettingsError, match=named):
            await people.sign_in("code", "verifier", CALLBACK)
