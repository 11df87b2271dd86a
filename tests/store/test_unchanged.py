"""Answers that are given again while nothing was committed, and the connection that tells whether anything was."""

import asyncio
import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from bot.settings import Dialect
from bot.store import connected
from bot.store.conversation import Conversation, Question
from bot.store.database import Database
from bot.store.glances import Glances, NotAtOnce
from bot.store.queries import RunsQuery, get_scope, list_runs, remember
from bot.store.remembered import Remembered
from tests import builders as make
from tests.store.recording import record

HOME = make.repository()


class Asked:
    """Something to find out, and how often that was done."""

    def __init__(self) -> None:
        self.times = 0

    async def runs(self) -> list[int]:
        self.times += 1
        page = await list_runs(await get_scope("octo-org"), RunsQuery(team="octo-org"))
        return [run.run_id for run in page.runs]

    async def again(self, question: str = "runs") -> list[int]:
        return await remember(question, self.runs, len)


async def test_an_answer_is_found_out_anew_once_anything_is_committed(database: Database) -> None:
    await record(database, HOME, runs=[make.run(1)])
    asked = Asked()
    assert [await asked.again() for _ in range(3)] == [[1]] * 3
    # PostgreSQL does not tell at no cost whether anything has changed.
    assert asked.times == (1 if database.dialect is Dialect.SQLITE else 3)
    await record(database, HOME, runs=[make.run(2)])
    asked.times = 0
    assert [await asked.again() for _ in range(3)] == [[2, 1]] * 3
    assert asked.times == (1 if database.dialect is Dialect.SQLITE else 3)
    assert await asked.again("another question") == [2, 1]
    assert asked.times == (2 if database.dialect is Dialect.SQLITE else 4)


async def test_another_process_that_commits_is_noticed(migrated_url: str) -> None:
    async with connected(migrated_url) as database:
        await record(database, HOME, runs=[make.run(1)])
        asked = Asked()
        assert await asked.again() == [1]
        await database.execute("DELETE FROM workflow_run")
        assert await asked.again() == []
        if database.dialect is Dialect.SQLITE:
            other = sqlite3.connect(migrated_url.removeprefix("sqlite://"))
            revision = database.revision
            other.execute("UPDATE team SET name = 'x'")
            # What is not committed yet nobody sees.
            assert database.revision == revision
            other.commit()
            assert database.revision != revision
            other.close()


async def test_what_is_committed_while_an_answer_is_found_out_is_not_missed(database: Database) -> None:
    await record(database, HOME, runs=[make.run(1)])
    asked = Asked()

    async def slowly() -> list[int]:
        found = await asked.runs()
        await record(database, HOME, runs=[make.run(2)])
        return found

    assert await remember("runs", slowly, len) == [1]
    assert await asked.again() == [2, 1]


def test_no_more_is_kept_than_there_is_room_for() -> None:
    remembered = Remembered(10)
    remembered.keep("large", "x" * 11, 11, 1)
    assert remembered.find("large", 1) is None
    for name in "abc":
        remembered.keep(name, name * 4, 4, 1)
    assert [remembered.find(name, 1) for name in "abc"] == [None, "bbbb", "cccc"]
    # Of another revision nothing is known, and of none that nobody knows.
    assert remembered.find("c", 2) is None
    assert remembered.find("c", None) is None
    remembered.keep("d", "d", 1, 2)
    assert [remembered.find("c", 1), remembered.find("c", 2), remembered.find("d", 2)] == [None, None, "d"]


async def test_a_locked_file_is_left_to_those_who_may_wait(migrated_url: str) -> None:
    if not migrated_url.startswith("sqlite"):
        pytest.skip("PostgreSQL has no such connection")
    path = migrated_url.removeprefix("sqlite://")
    glances = Glances(path)
    assert glances.find("SELECT 1 AS one", ()) is not None
    assert glances.revision is not None
    glances.close()
    with sqlite3.connect(path, isolation_level=None) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        locked = Glances(path)
        assert locked.find("SELECT count(*) FROM team", ()) is None
        assert locked.revision is None
        with pytest.raises(NotAtOnce):
            locked.read(lambda connection: connection.execute("SELECT count(*) FROM team").fetchall())
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            Glances(":memory:").find("SELECT * FROM team", ())
        locked.close()
        holder.execute("COMMIT")
    holder.close()


COUNTED = (
    "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number LIMIT 100000) SELECT max(n) FROM number"
)


def test_what_takes_longer_is_left_to_those_who_may_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    glances = Glances(str(tmp_path / "empty.sqlite3"))
    with pytest.raises(NotAtOnce):
        glances.read(lambda connection: connection.execute(COUNTED).fetchall())
    # The next one has all of its time again.
    assert glances.read(lambda connection: connection.execute("SELECT 1").fetchone()[0]) == 1
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        glances.read(lambda connection: connection.execute("SELECT * FROM team").fetchall())
    # SQLite asks after so many instructions of a statement, of all times that it is run together, also of a COMMIT.
    monkeypatch.setattr("bot.store.glances.MOST_INSTRUCTIONS", 0)
    for _ in range(1500):
        with pytest.raises(NotAtOnce):
            glances.read(lambda connection: connection.execute(COUNTED).fetchall())
    glances.close()


async def test_a_list_that_takes_longer_is_answered_by_the_reader(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await record(database, HOME, runs=[make.run(number) for number in range(1, 60)])
    at_once = await list_runs(scope, RunsQuery(team="octo-org"))
    assert len(at_once.runs) == 50
    monkeypatch.setattr("bot.store.glances.MOST_INSTRUCTIONS", 0)
    assert await list_runs(scope, RunsQuery(team="octo-org")) == at_once


async def test_lists_that_are_asked_for_together_let_others_in_between(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = await record(database, HOME, runs=[make.run(1)])
    if database.dialect is not Dialect.SQLITE:
        pytest.skip("PostgreSQL is not read on the loop's own thread")
    turns, read = [0], Glances.read
    seen: list[int] = []

    def watched(glances: Glances, work: Any) -> Any:
        seen.append(turns[0])
        return read(glances, work)

    async def turn() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(Glances, "read", watched)
    turning = asyncio.create_task(turn())
    await asyncio.gather(*(list_runs(scope, RunsQuery(team="octo-org")) for _ in range(5)))
    turning.cancel()
    assert len(set(seen)) == 5


async def test_a_glance_does_not_write(database: Database) -> None:
    await record(database, HOME)
    if database.dialect is Dialect.SQLITE:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await database.glance("DELETE FROM team")
    rows = await database.glance("SELECT slug FROM team WHERE slug = ?", "octo-org")
    assert [row["slug"] for row in rows] == ["octo-org"]


def test_an_error_that_ends_the_transaction_is_told_as_it_is(tmp_path: Path) -> None:
    glances = Glances(str(tmp_path / "x.sqlite3"))

    def fail(connection: sqlite3.Connection) -> None:
        # As SQLite does by itself where the disk fails (https://sqlite.org/lang_transaction.html).
        connection.execute("ROLLBACK")
        message = "disk I/O error"
        raise sqlite3.OperationalError(message)

    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        glances.read(fail)
    assert glances.read(lambda connection: connection.execute("SELECT 1").fetchone()[0]) == 1
    glances.close()


@pytest.mark.parametrize("most", [0, 10**9])
async def test_all_of_a_list_is_as_of_one_moment(migrated_url: str, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    if not migrated_url.startswith("sqlite"):
        pytest.skip("PostgreSQL answers each question as of its own moment")
    monkeypatch.setattr("bot.store.glances.MOST_INSTRUCTIONS", most)
    monkeypatch.setattr("bot.store.glances.MOST_SECONDS", 60)
    asked_by: list[threading.Thread] = []

    def asking() -> Conversation[int]:
        # It takes so long that the loop's thread leaves it to the other, but where it may take any time.
        yield Question(f"SELECT count(*) FROM workflow_run, ({COUNTED})")
        asked_by.append(threading.current_thread())
        with contextlib.closing(sqlite3.connect(migrated_url.removeprefix("sqlite://"))) as other, other:
            other.execute("DELETE FROM workflow_run")
        ((runs,),) = yield Question("SELECT count(*) FROM workflow_run")
        return int(runs)

    async with connected(migrated_url) as database:
        await record(database, HOME, runs=[make.run(1)])
        assert [await database.read(asking) for _ in range(2)] == [1, 0]
    assert {thread is threading.main_thread() for thread in asked_by} == {most > 0}
