"""Who works for which installation, and when: shown with work that does nothing but what a test tells it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot.dispatcher import LONGEST_PAUSE, Assignment, Dispatcher
from bot.github.errors import GitHubUnavailable, InstallationGone, RateLimited
from bot.history import Tools
from bot.store.database import Database
from tests.history.house import House, housed


class Clerk(Dispatcher):
    """Does as told: `faults` are what goes wrong, one after the other; a None is work that goes well.

    So often as `finds_nothing` says it can't find out what is due.
    """

    name = "clerk"
    look_again = 1.0
    first_pause = 10.0

    def __init__(self, tools: Tools, *due: Assignment) -> None:
        super().__init__(tools.database, tools.github, tools.clock, tools.leases)
        self.due = due
        self.begun: list[float] = []
        self.faults: list[Exception | None] = []
        self.finds_nothing = 0
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def find_due(self) -> tuple[Assignment, ...]:
        if self.finds_nothing:
            self.finds_nothing -= 1
            message = "the database is away"
            raise OSError(message)
        return self.due

    async def work(self, assignment: Assignment) -> None:
        self.begun.append(self._clock.time())
        await self.goes_on.wait()
        if self.faults and (fault := self.faults.pop(0)) is not None:
            raise fault

    async def begin(self) -> int:
        """Begin what is due, and let it come as far as it can."""
        begun = await self.start_what_is_due()
        if self.goes_on.is_set():
            await asyncio.gather(*self._working.values())
        return begun


@pytest.fixture
async def house(database: Database) -> AsyncIterator[House]:
    async with housed(database) as made:
        yield made


def away() -> GitHubUnavailable:
    return GitHubUnavailable("GitHub is away", maybe_taken=False)


async def rests(house: House, clerk: Clerk) -> float:
    """Return for how many seconds nothing is begun, to the second."""
    for seconds in range(2_000):
        if await clerk.begin():
            return seconds
        await house.clock.advance(1)
    pytest.fail("it never begins again")


async def test_each_assignment_is_worked_on_once_at_a_time(house: House) -> None:
    answers, history = (Assignment(what, house.installation_id) for what in ("answers", "history"))
    clerk = Clerk(house.tools, answers, history)
    clerk.goes_on.clear()
    assert (await clerk.begin(), await clerk.begin()) == (2, 0)
    while len(clerk.begun) < 2:
        await asyncio.sleep(0)
    assert await house.database.fetch("SELECT name FROM lease WHERE holder IS NOT NULL ORDER BY name") == [
        {"name": answers.lease},
        {"name": history.lease},
    ]
    await clerk.stop()
    assert await house.database.fetch("SELECT name FROM lease WHERE holder IS NOT NULL") == []


async def test_after_trouble_it_rests_twice_as_long_each_time_until_all_is_well(house: House) -> None:
    clerk = Clerk(house.tools, Assignment("work", house.installation_id))
    clerk.faults = [away(), ValueError("a fault of ours"), away(), None, away()]
    await clerk.begin()
    assert [await rests(house, clerk) for _ in range(5)] == [10, 20, 40, 0, 10]


async def test_trouble_after_a_long_peace_is_another_trouble(house: House) -> None:
    clerk = Clerk(house.tools, Assignment("work", house.installation_id))
    clerk.faults = [away(), away(), away()]
    await clerk.begin()
    assert await rests(house, clerk) == 10
    await house.clock.advance(20 + LONGEST_PAUSE + 1)
    assert await clerk.begin() == 1
    assert await rests(house, clerk) == 10


async def test_a_limit_of_rate_is_waited_for_as_long_as_it_lasts(house: House) -> None:
    clerk = Clerk(house.tools, Assignment("work", house.installation_id))
    clerk.faults = [RateLimited(house.clock.now() + timedelta(seconds=77))]
    await clerk.begin()
    assert await rests(house, clerk) == 77


async def test_what_another_works_on_is_looked_at_again_soon(house: House) -> None:
    assignment = Assignment("work", house.installation_id)
    clerk = Clerk(house.tools, assignment)
    async with house.tools.leases.trying(assignment.lease) as held:
        assert held
        assert await clerk.begin() == 1
        assert clerk.begun == []
    assert await rests(house, clerk) == clerk.look_again
    assert len(clerk.begun) == 1


async def test_an_installation_that_is_gone_is_asked_about_before_long(house: House) -> None:
    await house.database.execute("UPDATE installation SET sync_due_at = ?", house.clock.now() + timedelta(hours=1))
    clerk = Clerk(house.tools, Assignment("work", house.installation_id))
    clerk.faults = [InstallationGone("it is gone")]
    await clerk.begin()
    assert await house.database.fetch("SELECT sync_due_at FROM installation") == [{"sync_due_at": None}]


async def test_a_database_that_is_away_ends_nothing(house: House) -> None:
    clerk = Clerk(house.tools, Assignment("work", house.installation_id))
    clerk.finds_nothing = 2
    running = asyncio.create_task(clerk.run())
    while not clerk.begun:
        await house.clock.advance(0.5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert clerk.finds_nothing == 0
