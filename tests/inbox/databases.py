"""Databases at the newest schema, copied from one that was migrated once: migrating takes half a second each time."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.store import connected
from bot.store.database import Database
from bot.store.migrate import migrate
from tests.postgres_server import PostgresServer


def _migrate(url: str) -> None:
    # In a thread, because the loop that pytest keeps for its tests belongs to this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, migrate(url)).result()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "runledger.sqlite3"
    _migrate(f"sqlite://{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as url:
        _migrate(url)
        yield url.rpartition("/")[2]


@pytest.fixture
def migrated_sqlite(sqlite_template: Path, tmp_path: Path) -> str:
    """Give the URL of a SQLite database at the newest schema."""
    path = tmp_path / "runledger.sqlite3"
    shutil.copy(sqlite_template, path)
    return f"sqlite://{path}"


@pytest.fixture
def migrated_postgres(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """Give the URL of a PostgreSQL database at the newest schema."""
    with postgres_server.database(postgres_template) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def migrated_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of a database at the newest schema, once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue(f"migrated_{request.param}")
    return url


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """Open a database at the newest schema, once on SQLite and once on PostgreSQL."""
    async with connected(migrated_url) as opened:
        yield opened
