"""Tortoise's SQLite client, with transactions that take the write lock at the first thing done in them.

SQLite lets a transaction that reads first and writes later fail at once with "database is locked", whatever
`busy_timeout` says (https://sqlite.org/lang_transaction.html, "Deferred, Immediate, and Exclusive Transactions").
"""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar, cast

import aiosqlite
from tortoise.backends.base.client import ConnectionWrapper, TransactionContext
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionContext, SqliteTransactionWrapper
from tortoise.connection import get_connections
from tortoise.exceptions import IntegrityError, OperationalError, TransactionManagementError

from bot.clock import Clock

T = TypeVar("T")

# The first connection to a file turns its journal over to WAL; whoever comes meanwhile is refused at once, whatever
# `busy_timeout` says.
TRIES_TO_OPEN, OPEN_AGAIN_SECONDS = 40, 0.05


class ImmediateTransaction(SqliteTransactionWrapper):
    """A transaction that takes the write lock as it begins, which is with the first thing that is done in it.

    A turn of the connection's thread costs more than most statements, so the begin goes along with one. `bench/ingest`
    shows what it is worth.
    """

    has_begun = False

    async def begin(self) -> None:
        await in_one_go(self, lambda _: None)

    def acquire_connection(self) -> ConnectionWrapper[aiosqlite.Connection]:
        return _BegunFirst(self._lock, self)

    async def execute_script(self, query: str) -> None:
        # The driver's own way to run a script commits what was done before it.
        await in_one_go(self, lambda connection: _run_script(connection, query))

    def begin_at_once(self, connection: sqlite3.Connection) -> None:
        """Take the write lock if it isn't held yet; called on the connection's own thread."""
        if self._finalized:
            message = "the transaction is over"
            raise TransactionManagementError(message)
        if not self.has_begun:
            connection.execute("BEGIN IMMEDIATE")
            self.has_begun = True

    def commit_at_once(self, connection: sqlite3.Connection) -> None:
        """Commit; called on the connection's own thread."""
        connection.commit()
        self._finalized = True


def _run_script(connection: sqlite3.Connection, script: str) -> None:
    statement = ""
    for part in script.split(";"):
        statement += part + ";"
        # A text, a comment or a trigger may hold a semicolon of its own.
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""


class _BegunFirst(ConnectionWrapper[aiosqlite.Connection]):
    """Hands out the connection for whatever Tortoise itself does in a transaction."""

    async def __aenter__(self) -> aiosqlite.Connection:
        connection = await super().__aenter__()
        try:
            transaction = cast(ImmediateTransaction, self.client)
            if transaction._finalized or not transaction.has_begun:
                await connection._execute(transaction.begin_at_once, connection._conn)  # type: ignore[no-untyped-call]
        except BaseException:
            self._lock.release()
            raise
        return connection


class ImmediateContext(SqliteTransactionContext):
    """Enters such a transaction, for what Tortoise begins itself, as migrations do."""

    async def __aenter__(self) -> ImmediateTransaction:
        # A begin that fails must leave nothing behind, or whatever comes after runs outside of any transaction.
        try:
            return cast(ImmediateTransaction, await super().__aenter__())
        except BaseException:
            if hasattr(self, "token"):
                get_connections().reset(self.token)
            self._trxlock.release()
            raise


class ImmediateSqliteClient(SqliteClient):
    """A connection whose transactions are of that kind."""

    async def create_connection(self, with_db: bool) -> None:
        if not self._connection:
            # Where the file can't be opened, aiosqlite's thread outlives the loop and ends with a traceback.
            sqlite3.connect(self.filename).close()
        for _ in range(TRIES_TO_OPEN - 1):
            try:
                await super().create_connection(with_db)
            except sqlite3.OperationalError as error:
                if not is_locked(error):
                    raise
                await self.close()
                await Clock().sleep(OPEN_AGAIN_SECONDS)
            else:
                return
        await super().create_connection(with_db)

    def _in_transaction(self) -> TransactionContext:
        return ImmediateContext(ImmediateTransaction(self), self._lock)


@asynccontextmanager
async def begun(client: ImmediateSqliteClient) -> AsyncIterator[ImmediateTransaction]:
    """Hold a transaction open while inside; whatever goes wrong, also at its begin or commit, none is left open."""
    async with client._lock:
        transaction = ImmediateTransaction(client)
        try:
            # Whoever is cancelled here has begun all the same: the connection's thread hears of no cancellation.
            yield transaction
            if transaction.has_begun and not transaction._finalized:
                await transaction.commit()
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                await transaction._connection.rollback()
            raise


async def in_one_go(client: SqliteClient, work: Callable[[sqlite3.Connection], T], *, commit: bool = False) -> T:
    """Run `work` on the connection's own thread: many statements for one turn of it, where each alone costs a turn.

    In a transaction its begin goes along, and if `commit` its commit. `work` must not touch anything that the event
    loop's thread may touch meanwhile.
    """

    def turn(connection: sqlite3.Connection) -> T:
        if isinstance(client, ImmediateTransaction):
            client.begin_at_once(connection)
        done = work(connection)
        if commit and isinstance(client, ImmediateTransaction):
            client.commit_at_once(connection)
        return done

    async with ConnectionWrapper[aiosqlite.Connection](client._lock, client) as opened:
        try:
            return cast(T, await opened._execute(turn, opened._conn))  # type: ignore[no-untyped-call]
        except sqlite3.OperationalError as error:
            raise OperationalError(error) from error
        except sqlite3.IntegrityError as error:
            raise IntegrityError(error) from error


def is_locked(error: OperationalError | sqlite3.OperationalError) -> bool:
    """Tell whether an error means that somebody else has held a lock for longer than one waits for it."""
    cause = error.args[0] if isinstance(error, OperationalError) else error
    code: int = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF == sqlite3.SQLITE_BUSY


def is_working(client: SqliteClient) -> bool:
    """Tell whether a statement is under way, or a transaction open."""
    return client._lock.locked()


client_class = ImmediateSqliteClient
