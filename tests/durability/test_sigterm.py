"""SIGTERM: gone within ten seconds with exit code 0, whatever is going on, and nothing acknowledged is lost."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.settings import Dialect, dialect_of
from tests.durability.audit import install_audit
from tests.durability.books import Findings, balance, until_empty
from tests.durability.posts import GitHub, posts
from tests.durability.processes import Deployment
from tests.durability.test_kills import ALONE, APART
from tests.inbox.sessions import other_session


@pytest.mark.timeout(180)
@pytest.mark.parametrize("signals", [pytest.param(1, marks=pytest.mark.deep), 2])
async def test_under_load(signals: int, migrated_url: str, tmp_path: Path) -> None:
    commands = ALONE if dialect_of(migrated_url) is Dialect.SQLITE else APART
    await install_audit(migrated_url)
    deployment = Deployment(migrated_url, tmp_path, *commands)
    github = GitHub(deployment.address)
    try:
        await deployment.start()
        async with github.posting():
            await github.until_acknowledged(200)
            assert await deployment.stop(signals=signals) == [0] * len(commands)
            await deployment.start()
            await github.until_acknowledged(50)
        await until_empty(migrated_url)
        assert await deployment.stop() == [0] * len(commands)
    finally:
        await deployment.kill()
    assert await balance(migrated_url, github.acknowledged) == Findings(lost=0, unhandled=0, doubled=0, wrong=0)
    assert "Traceback" not in deployment.log.read_text()


@asynccontextmanager
async def _somebody_holds(url: str) -> AsyncIterator[None]:
    """Let another process keep the database to itself for longer than a stop may take."""
    if dialect_of(url) is Dialect.SQLITE:
        other = sqlite3.connect(url.removeprefix("sqlite://"), isolation_level=None, timeout=5)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()
        return
    async with other_session(url) as session, session.connection.transaction():
        await session.connection.execute("LOCK TABLE delivery, heartbeat IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.mark.deep
async def test_while_the_database_answers_nobody(migrated_url: str, tmp_path: Path) -> None:
    await install_audit(migrated_url)
    deployment = Deployment(migrated_url, tmp_path, *ALONE)
    github = GitHub(deployment.address)
    try:
        await deployment.start()
        async with github.posting(8):
            await github.until_acknowledged(20)
            async with _somebody_holds(migrated_url):
                await asyncio.sleep(0.3)
                assert await deployment.stop(signals=2) == [1]
            await deployment.start()
        await until_empty(migrated_url)
        await deployment.stop()
    finally:
        await deployment.kill()
    assert await balance(migrated_url, github.acknowledged) == Findings(lost=0, unhandled=0, doubled=0, wrong=0)


@pytest.mark.deep
async def test_while_a_body_is_stuck_half_way(migrated_sqlite: str, tmp_path: Path) -> None:
    deployment = Deployment(migrated_sqlite, tmp_path, *ALONE)
    post = next(posts())
    try:
        await deployment.start()
        _, writer = await asyncio.open_connection("127.0.0.1", deployment.port)
        headers = "".join(f"{name}: {value}\r\n" for name, value in post.headers().items())
        length = f"Content-Length: {len(post.body)}\r\n\r\n"
        writer.write(f"POST /api/github/webhooks HTTP/1.1\r\nHost: here\r\n{headers}{length}".encode() + post.body[:50])
        await writer.drain()
        await asyncio.sleep(0.2)
        assert await deployment.stop() == [0]
        writer.close()
    finally:
        await deployment.kill()
