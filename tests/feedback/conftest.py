"""What several rooms of this house share."""

from collections.abc import AsyncIterator

import pytest

from bot.feedback.tools import Tools
from bot.store.database import Database
from tests import builders as make
from tests.feedback.past import HOME, MONA, OWN, OWN_BEFORE, Past, stamp
from tests.feedback.ward import Ward
from tests.history.house import housed
from tests.store.recording import NOON, record


@pytest.fixture
async def ward(database: Database) -> AsyncIterator[Ward]:
    async with housed(database) as house:
        history, github = house.tools, house.github
        tools = Tools(database, history.github, house.clock, history.leases, github.app.id, github.world.addresses.html)
        yield Ward(house, tools)


@pytest.fixture
async def past(database: Database) -> Past:
    """Give a repository in which pull request 1, by mona, has had two heads and fails now."""
    past = Past(database)
    own = make.run(5, head_sha=OWN, created_at=stamp(NOON), conclusion="failure")
    await past.pull(1, MONA, OWN_BEFORE, updated_at="2026-01-05T08:00:00Z")
    await past.pull(1, MONA, OWN)
    await record(database, HOME, runs=[own], jobs=[make.job(6, 5, name="test", conclusion="failure", head_sha=OWN)])
    return past
