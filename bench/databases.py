"""Empty databases to measure on: SQLite in a folder, and PostgreSQL on the core of the servers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import servers
from tests.postgres_server import PostgresServer, running_postgres

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
# As it is shipped, so that every commit reaches the disk.
POSTGRESQL_OPTIONS = "-c shared_buffers=64MB"


@dataclass
class Databases:
    """Empty databases, on SQLite in a folder and on a PostgreSQL server."""

    folder: Path
    server: PostgresServer
    _number: int = 0

    @contextmanager
    def empty(self, kind: str) -> Iterator[str]:
        """Give the URL of another one."""
        if kind == POSTGRESQL:
            with self.server.database() as url:
                yield url
            return
        self._number += 1
        yield f"sqlite://{self.folder / f'{self._number}.sqlite3'}"


@contextmanager
def postgres() -> Iterator[PostgresServer]:
    """Run PostgreSQL on the core of the servers."""
    here = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {servers.cores()[0]})
    with running_postgres(POSTGRESQL_OPTIONS) as server:
        os.sched_setaffinity(0, here)
        yield server
