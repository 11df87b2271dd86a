"""An office on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from bot.store.database import Database
from tests.access.office import Office, opened


@pytest.fixture
async def office(database: Database) -> AsyncIterator[Office]:
    async with opened(database) as office:
        yield office
