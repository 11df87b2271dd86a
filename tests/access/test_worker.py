"""A worker looks for those whose tokens are in force, and ends what nobody wants."""

from bot.access import create_token
from bot.store.queries import get_scope
from bot.worker import Worker
from tests.access.office import Office


async def test_a_worker_sees_to_people(office: Office) -> None:
    office.github.people.add_member(office.acme, office.ada)
    eve = office.github.add_user("eve")
    session, other = await office.sign_in(), await office.sign_in(eve)
    caller = await office.people.caller_of_session(session)
    token = await create_token("acme", "ci", office.clock.now(), 365, maker=caller)
    for each in (session, other):
        await office.people.caller_of_session(each)
    worker = Worker(office.database, office.clock, office.settings, people=office.people)
    assert {"look-again-for-people", "forget-grants"} <= set(await worker.run_timed_jobs())
    looks = office.looks
    await office.clock.advance(8 * 24 * 3600)
    await worker.run_timed_jobs()
    # Both sessions are over; Ada's token is in force.
    assert office.looks == looks + 1
    granted = await office.database.fetch("SELECT login FROM person WHERE access_token IS NOT NULL")
    assert [row["login"] for row in granted] == ["ada"]
    found = await office.people.find_caller(token)
    assert found is not None
    assert len(found.teams[(await get_scope("acme")).team_id] or ()) == 3
