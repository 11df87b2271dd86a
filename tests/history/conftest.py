"""A town, and a watch over a repository's history, for the tests that share them."""

from collections.abc import AsyncIterator

import pytest

from bot.store.database import Database
from tests.history.settled import Settled
from tests.history.town import Town, founded
from tests.history.watch import Watch, watching


@pytest.fixture
async def town(database: Database) -> AsyncIterator[Town]:
    async with founded(database) as opened_town:
        yield opened_town


@pytest.fixture
async def settled(town: Town) -> Settled:
    made = Settled(town)
    await town.sync()
    return made


@pytest.fixture
async def watch(database: Database) -> AsyncIterator[Watch]:
    async with watching(database) as opened:
        yield opened
