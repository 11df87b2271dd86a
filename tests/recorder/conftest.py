"""What these tests are given besides what all are."""

from collections.abc import AsyncIterator

import pytest

from bot.store import connected
from bot.store.database import Database
from tests.databases import quick


@pytest.fixture
async def postgres(migrated_postgres: str) -> AsyncIterator[Database]:
    """Give an open, empty record on PostgreSQL."""
    async with connected(migrated_postgres) as opened:
        yield opened


@pytest.fixture
def quick_url(migrated_url: str) -> str:
    """Give the URL of a database with an empty record, once on SQLite and once on PostgreSQL, for many examples."""
    return quick(migrated_url)
