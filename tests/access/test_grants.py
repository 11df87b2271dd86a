"""Renewing what a person has granted: once, whoever wants it, and with one good grant in the end."""

import asyncio
from datetime import timedelta

import pytest
from pydantic import SecretStr

from bot.access import create_token, sessions
from bot.access.people import People
from bot.demo.github.rest.faults import Cut, ServerError
from bot.errors import GitHubAway
from bot.store.leases import Leases, new_holder
from bot.store.registration import Configuration
from tests.access.office import SECRET_KEY, Office

ALL = {"rocket", "hidden", "vault"}
HOUR = 3600.0


@pytest.fixture
async def session(office: Office) -> sessions.Session:
    office.github.people.add_member(office.acme, office.ada)
    session = await office.sign_in()
    assert await office.sees(session) == ALL
    return session


def good_tokens(office: Office) -> tuple[int, int]:
    """Return how many tokens there are at GitHub to ask with, and to renew with."""
    kept = office.github.rest.authorizations
    return len(kept._tokens), len(kept._refresh_tokens)


async def test_it_is_renewed_shortly_before_it_ends(office: Office, session: sessions.Session) -> None:
    before = await office.person()
    await office.clock.advance(8 * HOUR - 301)
    assert await office.sees(session) == ALL
    assert (await office.person())["access_token"] == before["access_token"]
    await office.clock.advance(300)
    assert await office.sees(session) == ALL
    after = await office.person()
    assert after["access_token"] != before["access_token"]
    assert after["granted_at"] == before["granted_at"]
    assert good_tokens(office) == (1, 1)
    # The one that was renewed is as good as the first.
    await office.clock.advance(9 * HOUR)
    assert await office.sees(session) == ALL


async def test_two_processes_at_once_end_with_one_good_grant(office: Office, session: sessions.Session) -> None:
    other = await office.other_people()
    await office.clock.advance(9 * HOUR)
    both = asyncio.gather(office.people.caller_of_session(session), other.caller_of_session(session))
    for caller in await office.while_time_passes(both):
        assert await office.shown(caller) == ALL
    assert good_tokens(office) == (1, 1)
    await office.clock.advance(301)
    assert await office.sees(session) == ALL
    assert await office.shown(await other.caller_of_session(session)) == ALL


async def test_whoever_leaves_does_not_take_the_answer_along(office: Office, session: sessions.Session) -> None:
    await office.clock.advance(9 * HOUR)
    before, answered = await office.person(), office.next_answer()
    leaving = asyncio.create_task(office.sees(session))
    await answered.wait()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert await office.sees(session) == ALL
    assert (await office.person())["access_token"] != before["access_token"]


async def test_a_token_that_github_takes_no_more_is_replaced(office: Office, session: sessions.Session) -> None:
    kept = office.github.rest.authorizations
    kept._tokens.clear()
    await office.clock.advance(301)
    assert await office.while_time_passes(office.sees(session)) == ALL
    assert len(kept._tokens) == 1


async def test_what_was_renewed_and_lost_on_its_way_asks_for_a_sign_in(
    office: Office, session: sessions.Session
) -> None:
    await office.clock.advance(9 * HOUR)
    office.github.rest.faults.add(Cut(answered=True))  # type: ignore[attr-defined]
    with pytest.raises(GitHubAway):
        await office.sees(session)
    await office.clock.advance(60)
    assert await office.sees(session) is None
    assert await sessions.find_session(session.secret, office.clock.now()) is None
    assert await office.sees(await office.sign_in()) == ALL


async def test_github_away_while_renewing_loses_nothing(office: Office, session: sessions.Session) -> None:
    await office.clock.advance(9 * HOUR)
    office.github.rest.faults.add(ServerError(503))  # type: ignore[attr-defined]
    with pytest.raises(GitHubAway):
        await office.sees(session)
    await office.clock.advance(60)
    assert await office.sees(session) == ALL


async def test_after_half_a_year_without_use_one_has_to_sign_in_again(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    session = await office.sign_in()
    caller = await office.people.caller_of_session(session)
    assert caller is not None
    token = await create_token("acme", "seldom", office.clock.now(), 365, maker=caller)
    await office.clock.advance(timedelta(days=184).total_seconds())
    assert await office.people.find_caller(token) is None
    await office.sign_in()
    assert await office.shown(await office.people.find_caller(token)) == ALL


async def people_under(office: Office, **changes: object) -> People:
    settings = office.settings.model_copy(update=changes)
    configuration = Configuration(settings, office.clock)
    leases = Leases(office.database, office.clock, new_holder())
    return await office.parts.enter_async_context(People(configuration, office.clock, office.database, leases))


async def test_another_key_opens_nothing_and_a_rotated_one_does(office: Office, session: sessions.Session) -> None:
    await office.clock.advance(301)
    stranger = await people_under(office, secret_key=SecretStr("another key of the operator's, and no other"))
    assert await stranger.caller_of_session(session) is None
    # Nothing was thrown away for it.
    rotated = await people_under(
        office,
        secret_key=SecretStr("another key of the operator's, and no other"),
        secret_key_previous=SecretStr(SECRET_KEY),
    )
    assert await office.shown(await rotated.caller_of_session(session)) == ALL


async def test_a_wrong_client_secret_ends_nobodys_grant(
    office: Office, session: sessions.Session, caplog: pytest.LogCaptureFixture
) -> None:
    await office.clock.advance(9 * HOUR)
    wrong = await people_under(office, github_client_secret=SecretStr("not-the-secret"))
    with pytest.raises(GitHubAway):
        await wrong.caller_of_session(session)
    assert "not-the-secret" not in caplog.text
    assert "client_id and/or client_secret" in caplog.text
    assert await office.sees(session) == ALL


async def test_what_nobody_wants_is_ended_even_if_it_can_not_be_opened(
    office: Office, session: sessions.Session
) -> None:
    stranger = await people_under(office, secret_key=SecretStr("another key of the operator's, and no other"))
    await sessions.revoke_session(session.id, office.clock.now())
    await office.clock.advance(301)
    assert await stranger.forget_grants() == 1
    assert (await office.person())["access_token"] is None
    assert await office.count("person_repository") == 0
