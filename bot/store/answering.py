"""Conversations answered, on SQLite in one turn of the connection's thread, on PostgreSQL with a round trip a step.

Its one reason is what such a turn costs beside a statement; `bench/ingest` and `bench/backfill` show what it is worth.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Coroutine, Generator, Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, TypeVar

import msgspec
from tortoise.backends.base.client import BaseDBAsyncClient

from bot.store.conversation import Among, Conversation, Question, Rows, Step
from bot.store.engines import postgresql
from bot.store.writes import ForEach, Row, Statement, Upsert

T = TypeVar("T")

_AMONG_ON_SQLITE, _AMONG_ON_POSTGRESQL = "IN (SELECT value FROM json_each(?))", "= ANY (CAST(? AS {}[]))"


def to_text(moment: datetime) -> str:
    """Return a time as Tortoise keeps it on SQLite: `2026-11-02 08:00:00+00:00`."""
    # In a third of the time that isoformat takes, which every row has several of.
    written: str = msgspec.to_builtins(moment if moment.tzinfo is UTC else moment.astimezone(UTC))
    return f"{written[:10]} {written[11:-1]}+00:00"


def texts(row: Row) -> list[Any]:
    """Return a row as SQLite takes it, its times as texts."""
    return [to_text(value) if isinstance(value, datetime) else value for value in row]


@lru_cache(maxsize=1024)
def numbered(sql: str) -> str:
    """Return SQL with PostgreSQL's numbered parameters in place of each `?`."""
    parts = sql.split("?")
    return "".join(f"{part}${number}" for number, part in enumerate(parts[:-1], 1)) + parts[-1]


def answer_on_sqlite(conversation: Conversation[T], connection: sqlite3.Connection) -> T:
    """Take every step of `conversation` and return what it comes to; called on the connection's own thread."""
    cursor = connection.cursor()
    # Tortoise has rows with names; plain tuples are made in half the time.
    cursor.row_factory = None
    asked = _asked(conversation)
    try:
        step = next(asked)
        while True:
            step = asked.send(_take(cursor, step))
    except StopIteration as end:
        result: T = end.value
        return result


def answer_as_of_one_moment(conversation: Conversation[T], connection: sqlite3.Connection) -> T:
    """Do so outside of a transaction, with all that is asked answered as of the same moment."""
    connection.execute("BEGIN")
    try:
        return answer_on_sqlite(conversation, connection)
    finally:
        # SQLite ends it by itself where the disk fails.
        if connection.in_transaction:
            connection.execute("COMMIT")


def _take(cursor: sqlite3.Cursor, step: Step) -> Rows | None:
    match step:
        case Question(sql, parameters):
            return cursor.execute(sql, texts(parameters)).fetchall()
        case Among(sql, values, parameters):
            asked = sql.format(among=_AMONG_ON_SQLITE)
            return cursor.execute(asked, [*texts(parameters), json.dumps(values)]).fetchall()
        case Statement(sql, rows):
            cursor.executemany(sql, map(texts, rows))
        case ForEach(pattern, rows):
            cursor.executemany(pattern.from_values, map(texts, rows))
        case Upsert(form, rows):
            form.write(cursor, [_with_texts(row, form.moments) for row in rows])
    return None


def _with_texts(row: Row, moments: Sequence[int]) -> list[Any]:
    adapted = list(row)
    for place in moments:
        if adapted[place] is not None:
            adapted[place] = to_text(adapted[place])
    return adapted


async def answer_on_postgresql(conversation: Conversation[T], client: BaseDBAsyncClient) -> T:
    """Take every step of `conversation` and return what it comes to.

    A write tells nothing, so that what comes after it is made ready while PostgreSQL is busy with it.
    """
    asked = _asked(conversation)
    under_way: asyncio.Future[Any] | None = None
    try:
        step = next(asked)
        while True:
            send = _made_ready(client, step)
            if under_way is not None:
                await under_way
            if isinstance(step, Question | Among):
                step = asked.send(await send())
            else:
                under_way = await _begun(send())
                step = next(asked)
    except StopIteration as end:
        result: T = end.value
    finally:
        # Nothing is left under way, and of two things that went wrong the first is told.
        if under_way is not None:
            await under_way
    return result


async def _begun(sending: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
    task = asyncio.ensure_future(sending)
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task])
        raise
    return task


def _made_ready(client: BaseDBAsyncClient, step: Step) -> Callable[[], Coroutine[Any, Any, Any]]:
    match step:
        case Question(sql, parameters):
            return partial(postgresql.fetch, client, numbered(sql), parameters)
        case Among(sql, values, parameters):
            kind = "TEXT" if isinstance(values[0], str) else "BIGINT"
            asked = sql.format(among=_AMONG_ON_POSTGRESQL.format(kind))
            return partial(postgresql.fetch, client, numbered(asked), [*parameters, list(values)])
        case Statement(sql, rows):
            return partial(client.execute_many, numbered(sql), [list(row) for row in rows])
        case ForEach() | Upsert():
            return partial(postgresql.fetch, client, numbered(step.from_arrays), step.arrays)


def _asked(conversation: Conversation[T]) -> Generator[Step, Rows | None, T]:
    """Pass a conversation's steps on, but for writes of no rows and questions about nothing."""
    rows: Rows | None = None
    try:
        while True:
            step = conversation.send(rows)  # type: ignore[arg-type]  # what begins and what writes has no rows
            match step:
                case Among(values=[]):
                    rows = []
                case ForEach(rows=[]) | Statement(rows=[]) | Upsert(rows=[]):
                    rows = None
                case _:
                    rows = yield step
    except StopIteration as end:
        result: T = end.value
        return result
