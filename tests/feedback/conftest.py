"""What several rooms of this house share."""

from collections.abc import AsyncIterator

import pytest

from bot.feedback.tools import Tools
from bot.store.database import Database
from tests.feedback.ward import Ward
from tests.history.house import housed


@pytest.fixture
async def ward(database: Database) -> AsyncIterator[Ward]:
    async with housed(database) as house:
        history, github = house.tools, house.github
        tools = Tools(database, history.github, house.clock, history.leases, github.app.id, github.world.addresses.html)
        yield Ward(house, tools)
