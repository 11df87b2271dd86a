"""Databases at the newest schema, copied from one that was migrated once: migrating takes a second each time."""

import asyncio
import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bot.store import connected
from bot.store.database import Database
from bot.store.migrate import migrate
from tests.postgres_copies import Copies
from tests.postgres_server import PostgresServer


def _migrate(url: str) -> None:
    # In a thread, because the loop that pytest keeps for its tests belongs to this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, migrate(url)).result()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a SQLite file at the newest schema that all processes of the suite share: copy it, don't write to it."""
    base = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    path = folder / "template.sqlite3"
    with (folder / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            unfinished = folder / "unfinished.sqlite3"
            _migrate(f"sqlite://{unfinished}")
            unfinished.rename(path)
    return path


@pytest.fixture(scope="session")
def postgres_copies(postgres_server: PostgresServer) -> Iterator[Copies]:
    """Give copies of a PostgreSQL database at the newest schema."""
    with postgres_server.database() as url:
        _migrate(url)
        copies = Copies(postgres_server, url.rpartition("/")[2])
        postgres_server.wait(copies.learn())
        yield copies


@pytest.fixture
def migrated_sqlite(sqlite_template: Path, tmp_path: Path) -> str:
    """Give the URL of a SQLite database at the newest schema."""
    path = tmp_path / "runledger.sqlite3"
    shutil.copy(sqlite_template, path)
    return f"sqlite://{path}"


@pytest.fixture
def migrated_postgres(postgres_copies: Copies) -> Iterator[str]:
    """Give the URL of a PostgreSQL database at the newest schema."""
    with postgres_copies.one() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def migrated_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of a database at the newest schema, once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue(f"migrated_{request.param}")
    return url


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """Open a database at the newest schema, once on SQLite and once on PostgreSQL."""
    async with connected(quick(migrated_url)) as opened:
        yield opened


def quick(url: str) -> str:
    """Return the URL of the same database, which on SQLite need not outlive a power cut."""
    return f"{url}?synchronous=OFF" if url.startswith("sqlite:") else url
