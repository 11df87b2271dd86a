"""What the database hears while something is asked, and what it holds before and after."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import aiosqlite
import asyncpg
from tortoise import Model

from bot.store import database, models
from bot.store.answering import answer_on_sqlite
from bot.store.conversation import Conversation
from bot.store.database import current
from bot.store.glances import Glances

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
        patches.enter_context(patch.object(Glances, "find", _noting(Glances.find, statements)))
        noted = _noting_questions(answer_on_sqlite, statements)
        patches.enter_context(patch.object(database, "answer_on_sqlite", noted))
        yield statements


def _noting(function: Callable[..., Any], statements: list[str]) -> Callable[..., Any]:
    def note(self: Any, sql: str, *parameters: Any, **options: Any) -> Any:
        if not sql.startswith(POOL_RESET):
            statements.append(sql)
        return function(self, sql, *parameters, **options)

    return note


def _noting_questions(answer: Callable[..., Any], statements: list[str]) -> Callable[..., Any]:
    """Note what a conversation with SQLite asks; what one with PostgreSQL does, its connection notes."""

    def noted(conversation: Conversation[Any]) -> Conversation[Any]:
        rows: Any = None
        while True:
            try:
                step = conversation.send(rows)
            except StopIteration as end:
                return end.value
            statements.append(getattr(step, "sql", "") or repr(step))
            rows = yield step

    def answer_noted(conversation: Conversation[Any], connection: Any) -> Any:
        return answer(noted(conversation), connection)

    return answer_noted


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
