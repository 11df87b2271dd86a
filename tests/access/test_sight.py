"""What people see: what GitHub shows them, no older than it may be, and nothing where that is not known."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bot import metrics
from bot.access import Caller, create_token, get_scope, list_tokens, sessions
from bot.demo.github.rest.faults import RateLimited, ServerError, Slow
from bot.errors import GitHubAway, NotFound
from bot.github.client import PER_PAGE
from bot.store import queries
from tests.access.office import Office

ALL = {"rocket", "hidden", "vault"}
MINUTE, HOUR = 60.0, 3600.0
REPOSITORIES = "apps/list-installation-repos-for-authenticated-user"


async def token_of(office: Office, session: sessions.Session, days: int = 300) -> str:
    caller = await office.people.caller_of_session(session)
    assert caller is not None
    return await create_token("acme", "ci", office.clock.now(), days, maker=caller)


async def token_sees(office: Office, token: str) -> set[str] | None:
    return await office.shown(await office.people.find_caller(token))


Act = Callable[[Office], Any]


@pytest.mark.parametrize(
    ("act", "seen", "administered"),
    [
        (lambda office: None, set(), 0),
        (lambda office: office.github.people.add_owner(office.acme, office.ada), ALL, 3),
        (lambda office: office.github.people.add_member(office.acme, office.ada, "read"), ALL, 0),
        (lambda office: office.github.people.add_collaborator(office.repositories[1], office.ada), {"hidden"}, 0),
        (
            lambda office: office.github.people.add_collaborator(office.repositories[2], office.ada, "admin"),
            {"vault"},
            1,
        ),
    ],
)
async def test_a_person_sees_what_github_shows_them(
    office: Office, act: Act, seen: set[str], administered: int
) -> None:
    act(office)
    session = await office.sign_in()
    assert await office.sees(session) == seen
    caller = await office.people.caller_of_session(session)
    assert caller is not None
    assert len(caller.administers or ()) == administered
    assert bool(caller.teams) == bool(seen)


async def test_all_pages_are_read(office: Office) -> None:
    for number in range(PER_PAGE + 2):
        office.github.repositories.create(office.acme, f"one-{number}", private=True)
    office.github.people.add_member(office.acme, office.ada)
    await office.hear()
    seen = await office.sees(await office.sign_in())
    assert seen is not None
    assert len(seen) == PER_PAGE + 2 + len(ALL)


async def test_github_is_asked_again_after_five_minutes(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    session = await office.sign_in()
    assert await office.sees(session) == ALL
    office.github.people.remove_member(office.acme, office.ada)
    await office.clock.advance(5 * MINUTE - 1)
    assert (await office.sees(session), office.looks) == (ALL, 1)
    await office.clock.advance(1)
    assert (await office.sees(session), office.looks) == (set(), 2)
    assert (await office.count("person_repository"), await office.count("person_installation")) == (0, 0)
    office.github.people.add_collaborator(office.repositories[0], office.ada, "admin")
    await office.clock.advance(5 * MINUTE)
    assert await office.sees(session) == {"rocket"}


async def test_many_at_once_ask_github_once(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    session = await office.sign_in()
    asking = [asyncio.create_task(office.sees(session)) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()
    seen = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(seen[0], asyncio.CancelledError)
    assert all(each == ALL for each in seen[1:])
    assert office.looks == 1


async def test_the_rights_in_a_repository_change_too(office: Office) -> None:
    office.github.people.add_owner(office.acme, office.ada)
    session = await office.sign_in()
    before = await office.people.caller_of_session(session)
    office.github.people.set_role(office.acme, office.ada, "write")
    await office.clock.advance(5 * MINUTE)
    after = await office.people.caller_of_session(session)
    assert before is not None
    assert after is not None
    assert (len(before.administers or ()), after.administers, after.teams) == (3, frozenset(), before.teams)


async def test_a_look_that_fails_half_way_changes_nothing(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    office.github.installations.install(other := office.github.add_organization("other"))
    session = await office.sign_in()
    assert await office.sees(session) == ALL
    office.github.people.add_member(other, office.ada)
    office.github.people.remove_member(office.acme, office.ada)
    office.github.people.add_collaborator(office.repositories[0], office.ada)
    office.github.rest.faults.add(ServerError(500), operation=REPOSITORIES, times=None)  # type: ignore[attr-defined]
    await office.clock.advance(5 * MINUTE)
    assert await office.while_time_passes(office.sees(session)) == ALL
    assert office.asked(REPOSITORIES) > 1


async def test_with_github_away_a_session_goes_by_the_last_hour(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    session = await office.sign_in()
    assert await office.sees(session) == ALL
    office.github.outages.add(timedelta(hours=9))
    await office.clock.advance(HOUR - 10)
    assert await office.while_time_passes(office.sees(session), seconds=8) == ALL
    await office.clock.advance(10)
    with pytest.raises(GitHubAway):
        await office.while_time_passes(office.sees(session), seconds=30)
    # For some seconds nobody waits for what has just failed.
    began, looks = office.clock.now(), office.looks
    with pytest.raises(GitHubAway):
        await office.sees(session)
    assert (office.clock.now(), office.looks) == (began, looks)
    office.github.outages.clear()
    await office.clock.advance(MINUTE)
    assert await office.sees(session) == ALL


async def test_a_github_that_is_slow_is_waited_for_shortly(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    session = await office.sign_in()
    assert await office.sees(session) == ALL
    office.github.rest.faults.add(Slow(8))  # type: ignore[attr-defined]
    await office.clock.advance(5 * MINUTE)
    began = office.clock.now()
    assert await office.while_time_passes(office.sees(session), seconds=7) == ALL
    assert office.clock.now() - began < timedelta(seconds=7)
    await office.clock.advance(10)


async def test_a_rate_limit_is_no_reason_to_show_less_or_more(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    session = await office.sign_in()
    assert await office.sees(session) == ALL
    office.github.rest.faults.add(RateLimited(403, retry_after=120))  # type: ignore[attr-defined]
    await office.clock.advance(5 * MINUTE)
    assert await office.while_time_passes(office.sees(session)) == ALL
    await office.clock.advance(130)
    assert await office.while_time_passes(office.sees(session)) == ALL


async def test_a_token_is_asked_about_from_half_a_day_on_and_shut_after_one(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    token = await token_of(office, await office.sign_in())
    looks = office.looks
    await office.clock.advance(12 * HOUR - 1)
    assert (await token_sees(office, token), office.looks) == (ALL, looks)
    await office.clock.advance(1)
    office.github.people.remove_member(office.acme, office.ada)
    office.github.people.add_collaborator(office.repositories[1], office.ada)
    assert (await token_sees(office, token), office.looks) == ({"hidden"}, looks + 1)
    office.github.outages.add(timedelta(days=3))
    await office.clock.advance(24 * HOUR - 60)
    assert await office.while_time_passes(token_sees(office, token), seconds=10) == {"hidden"}
    await office.clock.advance(60)
    with pytest.raises(GitHubAway):
        await office.while_time_passes(token_sees(office, token), seconds=30)


async def test_makers_of_tokens_are_looked_for_by_the_hour(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    token = await token_of(office, await office.sign_in())
    other = await office.sign_in(eve := office.github.add_user("eve"))
    assert await office.sees(other) == set()
    assert await office.people.look_again() == 0
    await office.clock.advance(12 * HOUR)
    looks = office.looks
    assert (await office.people.look_again(), office.looks) == (1, looks + 1)
    assert await office.people.look_again() == 0
    office.github.people.add_member(office.acme, eve)
    # The eyes stay open for as long as the token, though nobody signs in for months.
    for _ in range(20):
        await office.clock.advance(12 * 24 * HOUR)
        assert await office.people.look_again() == 1
    assert (await token_sees(office, token), await office.people.look_again()) == (ALL, 0)


@pytest.mark.parametrize("event", ["suspend", "delete", "remove", "transfer"])
async def test_what_is_taken_away_is_not_shown_any_more(office: Office, event: str) -> None:
    office.github.people.add_member(office.acme, office.ada)
    session = await office.sign_in()
    token = await token_of(office, session)
    assert (await office.sees(session), await token_sees(office, token)) == (ALL, ALL)
    installations, vault = office.github.installations, office.repositories[2]
    if event == "remove":
        installations.select(office.installation, office.repositories[:2])
    elif event == "transfer":
        office.github.repositories.transfer(vault, office.github.add_organization("elsewhere"))
    else:
        getattr(installations, event)(office.installation)
    await office.hear()
    left = {"remove": ALL - {"vault"}, "transfer": ALL - {"vault"}}.get(event, set())
    assert (await office.sees(session), await token_sees(office, token)) == (left, left)
    if event == "suspend":
        await office.clock.advance(1)
        installations.unsuspend(office.installation)
        await office.hear()
        assert (await office.sees(session), await token_sees(office, token)) == (ALL, ALL)


async def test_what_is_added_is_seen_at_once(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    session = await office.sign_in()
    assert await office.sees(session) == ALL
    office.github.repositories.create(office.acme, "fresh", private=True)
    await office.hear()
    assert await office.sees(session) == ALL | {"fresh"}
    other = office.github.add_organization("other")
    office.github.repositories.create(other, "theirs", private=True)
    office.github.people.add_owner(other, office.ada)
    office.github.installations.install(other)
    await office.hear()
    assert await office.sees(session) == ALL | {"fresh", "theirs"}


async def test_a_look_that_an_event_overtakes_is_not_taken_for_a_newer_one(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    session = await office.sign_in()
    assert await office.sees(session) == ALL
    await office.clock.advance(5 * MINUTE)
    office.github.rest.faults.add(Slow(2), operation=REPOSITORIES)  # type: ignore[attr-defined]
    answered = office.next_answer()
    looking = asyncio.create_task(office.sees(session))
    await answered.wait()
    # What GitHub says from here on is under way while the event is recorded.
    office.github.installations.select(office.installation, office.repositories[:2])
    await office.hear()
    assert not looking.done()
    looks = office.looks
    assert await office.while_time_passes(looking) == {"rocket", "hidden"}
    assert office.looks == looks + 1
    assert (await office.person())["looked_at"] is not None


async def test_with_github_away_what_may_have_changed_is_not_shown(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    session = await office.sign_in()
    token = await token_of(office, session)
    assert await office.sees(session) == ALL
    office.github.installations.select(office.installation, office.repositories[:2])
    await office.hear()
    office.github.outages.add(timedelta(minutes=2))
    with pytest.raises(GitHubAway):
        await office.while_time_passes(office.sees(session), seconds=30)
    with pytest.raises(GitHubAway):
        await office.while_time_passes(token_sees(office, token), seconds=30)


async def test_a_suspended_installation_hides_nothing_of_another(office: Office) -> None:
    other = office.github.add_organization("other")
    office.github.repositories.create(other, "theirs", private=True)
    second = office.github.installations.install(other)
    await office.hear()
    for organization in (office.acme, other):
        office.github.people.add_member(organization, office.ada)
    # GitHub has suspended it, and its event has not come yet.
    office.github.installations.suspend(second)
    session = await office.sign_in()
    assert await office.sees(session) == ALL
    assert await _listed(office) == {"acme": (False, "active"), "other": (True, "active")}
    office.github.installations.unsuspend(second)
    await office.clock.advance(5 * MINUTE)
    assert await office.sees(session) == ALL | {"theirs"}
    assert await _listed(office) == {"acme": (False, "active"), "other": (False, "active")}


async def _listed(office: Office) -> dict[str, tuple[bool, str]]:
    seen = await queries.list_seen_installations(office.ada.id)
    return {each.account_login: (each.is_suspended, each.state) for each in seen}


async def test_of_a_suspended_installation_its_people_know_that_it_is(office: Office) -> None:
    office.github.people.add_owner(office.acme, office.ada)
    session = await office.sign_in()
    office.github.installations.suspend(office.installation)
    await office.clock.advance(5 * MINUTE)
    caller = await office.people.caller_of_session(session)
    assert caller is not None
    assert caller.teams == {}
    assert await _listed(office) == {"acme": (True, "active")}
    assert (await office.count("person_repository"), caller.administers) == (0, frozenset())
    office.github.people.remove_member(office.acme, office.ada)
    await office.clock.advance(5 * MINUTE)
    await office.people.caller_of_session(session)
    assert await _listed(office) == {}


async def test_what_becomes_of_it_when_a_person_withdraws(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    session = await office.sign_in()
    token = await token_of(office, session)
    office.github.revoke_authorization(office.ada)
    await office.hear()
    assert (await office.sees(session), await token_sees(office, token)) == (None, None)
    assert await sessions.find_session(session.secret, office.clock.now()) is None
    assert (await office.count("person_repository"), await office.count("person_installation")) == (0, 0)
    assert (await office.person())["access_token"] is None
    looks = office.looks
    assert (await office.people.look_again(), office.looks) == (0, looks)
    # What somebody meant to end is not brought back by signing in again.
    await office.sign_in()
    assert await token_sees(office, token) is None
    (line,) = [each for each in await list_tokens() if each.user_id == office.ada.id]
    assert line.revoked_at is not None


async def test_a_grant_that_github_takes_no_more_ends_no_token_for_good(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    session = await office.sign_in()
    token = await token_of(office, session)
    # Nothing is heard of it, as where the grant was not used for half a year.
    office.github.revoke_authorization(office.ada)
    await office.clock.advance(12 * HOUR)
    assert await office.while_time_passes(token_sees(office, token)) is None
    assert (await office.person())["access_token"] is None
    await office.sign_in()
    assert await token_sees(office, token) == ALL


async def test_a_withdrawal_that_is_told_again_later_ends_nothing_newer(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    await office.sign_in()
    office.github.revoke_authorization(office.ada)
    await office.clock.advance(HOUR)
    session = await office.sign_in()
    assert await office.sees(session) == ALL
    await office.hear()
    assert await office.sees(session) == ALL


async def test_a_withdrawal_that_no_event_told_of_is_found_out(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    session = await office.sign_in()
    assert await office.sees(session) == ALL
    office.github.revoke_authorization(office.ada)
    await office.clock.advance(5 * MINUTE)
    assert await office.while_time_passes(office.sees(session)) is None
    assert await sessions.find_session(session.secret, office.clock.now()) is None
    assert await office.count("person_repository") == 0


async def test_looks_are_counted_and_no_person_is_named(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    before = metrics.LOOKS.labels("seen")._value.get()
    await office.sees(await office.sign_in())
    assert metrics.LOOKS.labels("seen")._value.get() == before + 1
    told = metrics.render([])[0].decode()
    assert str(office.ada.id) not in [line.partition("{")[2].partition("}")[0] for line in told.splitlines()]
    assert 'installation="people"' in told
    assert 'remaining{installation="-2"}' not in told


async def test_nobody_is_there_for_the_set_up_page(office: Office) -> None:
    session = await sessions.open_session(None, office.clock.now())
    assert await office.people.caller_of_session(session) is None
    await office.people.sign_out(session)
    assert await sessions.find_session(session.secret, office.clock.now()) is None


async def test_what_is_not_seen_is_not_there(office: Office) -> None:
    office.github.people.add_collaborator(office.repositories[0], office.ada)
    session = await office.sign_in()
    caller = await office.people.caller_of_session(session)
    assert caller is not None
    assert (await get_scope(caller, "acme")).repositories == frozenset({office.repositories[0].id})
    refused = []
    for somebody, team in ((caller, "nobody"), (Caller(caller.actor, caller.credential), "acme")):
        with pytest.raises(NotFound) as error:
            await get_scope(somebody, team)
        refused.append(str(error.value))
    assert len(set(refused)) == 1
