"""What the database hears while something is asked, and what it holds before and after."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import aiosqlite
import asyncpg
from tortoise import Model

from bot.store import models
from bot.store.database import current

# What a request notes of its own credential, and what processes write by themselves.
NOISE = {"used_at", "last_used_at"}
HOUSEKEEPING = {"heartbeat", "lease", "timed_job"}
# What asyncpg's pool sends by itself when a connection comes back.
POOL_RESET = "SELECT pg_advisory_unlock_all()"


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """Note each statement that the database is sent meanwhile, without its parameters."""
    statements: list[str] = []
    with contextlib.ExitStack() as patches:
        for kind, names in (
            (aiosqlite.Connection, ("execute", "execute_insert", "execute_fetchall", "executemany", "executescript")),
            (asyncpg.Connection, ("execute", "executemany", "fetch", "fetchrow", "fetchval", "prepare")),
        ):
            for name in names:
                patches.enter_context(patch.object(kind, name, _noting(getattr(kind, name), statements)))
        yield statements


def _noting(function: Callable[..., Any], statements: list[str]) -> Callable[..., Any]:
    def note(self: Any, sql: str, *parameters: Any, **options: Any) -> Any:
        if not sql.startswith(POOL_RESET):
            statements.append(sql)
        return function(self, sql, *parameters, **options)

    return note


async def rows() -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table, but for what a request notes of its credential, and housekeeping."""
    found = {}
    for table in sorted(_tables() - HOUSEKEEPING):
        kept = await current().fetch(f'SELECT * FROM "{table}" ORDER BY id')
        found[table] = [{name: value for name, value in row.items() if name not in NOISE} for row in kept]
    return found


def _tables() -> set[str]:
    kept = [each for each in vars(models).values() if isinstance(each, type) and issubclass(each, Model)]
    return {model._meta.db_table for model in kept}
