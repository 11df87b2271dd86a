"""Empty databases at the newest schema to measure on: SQLite in a folder, and PostgreSQL on the core of the servers.

Migrating takes longer than many a measurement, so one database of each kind is migrated and the others are its copies.
"""

import asyncio
import atexit
import contextlib
import functools
import os
import shutil
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import psutil

from bench import servers
from bot.store.migrate import migrate
from tests.postgres_server import PostgresServer, running_postgres

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
# As it is shipped, so that every commit reaches the disk.
POSTGRESQL_OPTIONS = "-c shared_buffers=64MB"


@dataclass
class Databases:
    """Databases with no rows, on SQLite in a folder and on a PostgreSQL server."""

    folder: Path
    server: PostgresServer
    _number: int = 0

    @contextmanager
    def empty(self, kind: str) -> Iterator[str]:
        """Give the URL of another one."""
        if kind == POSTGRESQL:
            with self.server.database(_template(self.server)) as url:
                yield url
            return
        self._number += 1
        yield f"sqlite://{copy_empty(self.folder / f'{self._number}.sqlite3')}"


def copy_empty(path: Path) -> Path:
    """Make a SQLite file at the newest schema there, and return its path."""
    shutil.copy(Path(_migrated().name) / "empty.sqlite3", path)
    return path


@functools.cache
def _migrated() -> "TemporaryDirectory[str]":
    folder: TemporaryDirectory[str] = TemporaryDirectory(prefix="bench-migrated-")
    _migrate(f"sqlite://{Path(folder.name) / 'empty.sqlite3'}")
    return folder


@functools.cache
def _template(server: PostgresServer) -> str:
    name = server.create("template1")
    _migrate(server.url(name))
    return name


def _migrate(url: str) -> None:
    # In a thread, because whoever asks for a database is on a loop of its own already.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, migrate(url)).result()


@contextmanager
def postgres(cores: Collection[int] = ()) -> Iterator[PostgresServer]:
    """Give PostgreSQL, on these cores or on that of the servers; the first who asks starts it, and it ends with all."""
    server = _started()
    PostgresProcesses(server).let_run_on(cores or servers.cores()[:1])
    yield server


@functools.cache
def _started() -> PostgresServer:
    running = running_postgres(POSTGRESQL_OPTIONS)
    atexit.register(running.__exit__, None, None, None)
    return running.__enter__()


class PostgresProcesses:
    """The processes of a PostgreSQL server on this machine."""

    def __init__(self, server: PostgresServer) -> None:
        # The file in which the server says who it is.
        told = server.wait(query(server.url("postgres"), "SELECT pg_read_file('postmaster.pid')"))
        self._postmaster = psutil.Process(int(told[0][0].split()[0]))

    def let_run_on(self, cores: Iterable[int]) -> None:
        """Choose the cores, also for those to come."""
        for process in (self._postmaster, *self._postmaster.children()):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(process.pid, cores)

    def cpu_seconds(self) -> float:
        """Return the processor time used so far, by those that have ended too."""
        ended = self._postmaster.cpu_times()
        seconds = float(ended.children_user + ended.children_system) + servers.cpu_seconds(self._postmaster.pid)
        for process in self._postmaster.children():
            with contextlib.suppress(OSError):
                seconds += servers.cpu_seconds(process.pid)
        return seconds


async def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Return what is in a database, beside whoever works on it."""
    if url.startswith("postgres"):
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(sql)]
        finally:
            await connection.close()
    path = url.removeprefix("sqlite://").partition("?")[0]
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return reader.execute(sql).fetchall()
    finally:
        reader.close()
