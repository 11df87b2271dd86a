"""A database at the newest schema, open, on each of the two engines; the schema is made once and then copied."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.store import connected
from bot.store.database import Database
from bot.store.migrate import migrate
from tests.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a SQLite file that holds the schema and nothing else: copy it, don't write to it."""
    path = Path(tmp_path_factory.mktemp("migrated"), "runledger.sqlite3")
    asyncio.run(migrate(f"sqlite://{path}"))
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the name of a PostgreSQL database that holds the schema and nothing else, to be a template."""
    with postgres_server.database() as url:
        asyncio.run(migrate(url))
        yield url.rpartition("/")[2]


@pytest.fixture
def postgres_copy(postgres_server: PostgresServer, migrated_postgres: str) -> Iterator[str]:
    """Give the URL of a PostgreSQL database with an empty record."""
    with postgres_server.database(migrated_postgres) as url:
        yield url


@pytest.fixture
def sqlite_copy(migrated_sqlite: Path, tmp_path: Path) -> str:
    """Give the URL of a SQLite database with an empty record; that it survives a power cut is not tested here."""
    path = shutil.copy(migrated_sqlite, tmp_path / "copy.sqlite3")
    return f"sqlite://{path}?synchronous=OFF"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def migrated_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of a database with an empty record, once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_copy")
    return url


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """Give an open, empty record, once on SQLite and once on PostgreSQL."""
    async with connected(migrated_url) as opened:
        yield opened


@pytest.fixture
async def postgres(postgres_copy: str) -> AsyncIterator[Database]:
    """Give an open, empty record on PostgreSQL."""
    async with connected(postgres_copy) as opened:
        yield opened
