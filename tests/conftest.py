"""Fixtures that every test may ask for: databases, and an environment without the machine's own settings.

A test that takes `database_url` runs twice, on SQLite and on PostgreSQL; `make test-fast` leaves the second out.
"""

import asyncio
import functools
import gc
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import uvloop
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tortoise.backends.base.executor import EXECUTOR_CACHE

import bot.github.auth
import bot.settings
from tests.databases import (
    database,
    migrated_postgres,
    migrated_sqlite,
    migrated_url,
    postgres_copies,
    sqlite_template,
)
from tests.postgres_server import PostgresServer, running_postgres

__all__ = [
    "database",
    "migrated_postgres",
    "migrated_sqlite",
    "migrated_url",
    "postgres_copies",
    "sqlite_template",
]

ROOT = Path(__file__).parent.parent
ON_UVLOOP = {"feedback", "flows", "history"}
# What takes longest begins first, so that in the end no process works on alone.
LONG = (
    "test_new_user.py",
    "test_bench.py",
    "test_scenes.py",
    "test_backfill.py",
    "test_kills.py",
    "test_backfill_kills.py",
)

# Two busy cores make single examples slow at random, which says nothing about the code.
hypothesis.settings.register_profile("runledger", deadline=None, print_blob=True)
hypothesis.settings.load_profile("runledger")


@pytest.fixture(scope="session", autouse=True)
def _each_key_is_read_once() -> Iterator[None]:
    """Keep the keys that were read: OpenSSL tests their primes anew each time, for 20 milliseconds."""
    with pytest.MonkeyPatch.context() as patch:
        read = functools.lru_cache(load_pem_private_key)
        patch.setattr(bot.settings, "load_pem_private_key", read)
        patch.setattr(bot.github.auth, "load_pem_private_key", read)
        yield


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start every test without settings, whatever the shell that runs it has exported."""
    for name in re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("DYNO", raising=False)


@pytest.fixture(autouse=True)
def _no_statements_of_another_database() -> None:
    """Forget the SQL that Tortoise keeps per model and connection name for the whole process, whatever the dialect."""
    EXECUTOR_CACHE.clear()


@pytest.fixture(autouse=True)
def _no_log_level_of_another_test() -> Iterator[None]:
    """Put the levels of our loggers back, which commands that run inside a test set for the whole process."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for name, logger in root.manager.loggerDict.items():
        if name.partition(".")[0] == "bot" and isinstance(logger, logging.Logger):
            logger.setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Give the suite's PostgreSQL, started at the first test that asks for it."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Give the URL of a SQLite file that does not exist yet: `sqlite:///absolute/path`."""
    return f"sqlite://{tmp_path / 'runledger.sqlite3'}"


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the URL of an empty PostgreSQL database: `postgres://postgres@127.0.0.1:PORT/NAME`."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty database, once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def pytest_configure(config: pytest.Config) -> None:
    """Let xdist hand out files in our order, and not those with the most tests first."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses PostgreSQL without going through `database_url`, so that nobody has to remember to."""
    for item in items:
        if "postgres_server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the garbage collector never look again at what was imported and collected, which is most there ever is."""
    gc.collect()
    gc.freeze()


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run what is dear on the loop that the service runs on, which does with a third less of the machine's time.

    Elsewhere some time-outs are so short that it matters to them in which order a loop that was held up goes on.
    """
    return {"loop": _loop if item.path.parent.name in ON_UVLOOP else asyncio.new_event_loop}


def _loop() -> asyncio.AbstractEventLoop:
    loop = uvloop.new_event_loop()
    loop.set_exception_handler(_end_at_timeout)
    return loop


def _end_at_timeout(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """End a test that has run out of time: what a signal raises in uvloop while it waits, it hands to this alone."""
    if isinstance(context.get("exception"), pytest.fail.Exception):
        for task in asyncio.all_tasks(loop):
            task.cancel(str(context["exception"]))
    else:
        loop.default_exception_handler(context)
