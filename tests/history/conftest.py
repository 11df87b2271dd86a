"""What several tests of installations share."""

from collections.abc import AsyncIterator

import pytest

from bot.store.database import Database
from tests.history.settled import Settled
from tests.history.town import Town, founded


@pytest.fixture
async def town(database: Database) -> AsyncIterator[Town]:
    async with founded(database) as opened_town:
        yield opened_town


@pytest.fixture
async def settled(town: Town) -> Settled:
    made = Settled(town)
    await town.sync()
    return made
