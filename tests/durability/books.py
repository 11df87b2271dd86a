"""What stands in the database, read past the service: on SQLite by the standard library, else by asyncpg."""

import asyncio
import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import asyncpg

from bot.settings import Dialect, dialect_of
from tests.durability.posts import Post


async def rows_of(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    if dialect_of(url) is Dialect.SQLITE:
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite://"), timeout=20)) as connection:
            return connection.execute(sql).fetchall()
    session = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await session.fetch(sql)]
    finally:
        await session.close()


async def count_waiting(url: str) -> int:
    """Return how many deliveries are acknowledged, or about to be, and not handled."""
    ((waiting, journaled),) = await rows_of(
        url,
        "SELECT (SELECT count(*) FROM delivery WHERE state = 'waiting'),"
        " (SELECT COALESCE(sum(deliveries), 0) FROM journal_entry)",
    )
    return int(waiting + journaled)


async def until_empty(url: str) -> None:
    """Wait until nothing waits to be handled."""
    async with asyncio.timeout(60):
        while await count_waiting(url):
            await asyncio.sleep(0.1)


@dataclass
class Findings:
    """What came of the acknowledged deliveries: each should be 0."""

    lost: int
    unhandled: int
    doubled: int
    wrong: int


async def balance(url: str, acknowledged: dict[str, Post]) -> Findings:
    """Hold the database against what was acknowledged."""
    inbox = {row[0]: row[1:] for row in await rows_of(url, "SELECT guid, state, handlings FROM delivery")}
    transitions = Counter(row[0] for row in await rows_of(url, "SELECT guid FROM audit"))
    rows = {
        (table, key, status, conclusion)
        for table, column in (("workflow_run", "run_id"), ("workflow_job", "job_id"))
        for key, status, conclusion in await rows_of(url, f"SELECT {column}, status, conclusion FROM {table}")
    }
    return Findings(
        lost=sum(guid not in inbox for guid in acknowledged),
        unhandled=sum(inbox.get(guid, ("handled", 1)) != ("handled", 1) for guid in acknowledged),
        doubled=sum(number != 1 for number in transitions.values()) + len(set(acknowledged) - set(transitions)),
        wrong=len(_expected(acknowledged.values()) - rows),
    )


def _expected(posts: Iterable[Post]) -> set[tuple[str, int, str, str | None]]:
    # What was completed stays so, whichever delivery came last.
    told = sorted((post.makes for post in posts), key=lambda makes: makes[2] == "completed")
    return set({makes[:2]: makes for makes in told}.values())
