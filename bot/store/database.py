"""Connections: one that writes, one that only reads and so never waits behind a writer.

Models, migrations and whatever is not hot go through Tortoise; hot rooms send SQL of their own through `Database`,
written with `?` for a parameter, in the words that SQLite and PostgreSQL share.
"""

import asyncio
import contextlib
import functools
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import asyncpg
from tortoise import Model
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException, DBConnectionError, OperationalError

from bot.errors import DatabaseUnavailable
from bot.settings import Dialect, dialect_of
from bot.store.answering import answer_as_of_one_moment, answer_on_postgresql, answer_on_sqlite, numbered, texts
from bot.store.connections import READER, WRITER, configuration
from bot.store.conversation import Conversation, written
from bot.store.engines import postgresql, sqlite
from bot.store.glances import Glances, NotAtOnce
from bot.store.remembered import Remembered
from bot.store.writes import Write
from bot.store.written import Written

T = TypeVar("T")

# Some hundreds of pages of lists.
REMEMBERED_BYTES = 16 * 1024 * 1024
# Some thousand rows of lists, be they runs or jobs.
WRITTEN_BYTES = 6 * 1024 * 1024
# PostgreSQL ends one of two transactions that wait for each other; the other is through a moment later.
Locked = asyncpg.LockNotAvailableError
COLLISIONS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, Locked)
TRIES_AFTER_COLLISION = 5


def to_moment(value: Any) -> datetime | None:
    """Return a time as either database gives it back, aware and in UTC."""
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    if value is None or value.tzinfo is not None:
        return cast("datetime | None", value)
    # The first moment that Python knows is PostgreSQL's infinite past, which comes back without an offset.
    return cast(datetime, value.replace(tzinfo=UTC))


class Executor:
    """Sends SQL over one client; `dialect` tells which database hears it."""

    def __init__(self, client: BaseDBAsyncClient, dialect: Dialect) -> None:
        self.client = client
        self.dialect = dialect

    def _adapted(self, sql: str, parameters: Sequence[Any]) -> tuple[str, list[Any]]:
        if self.dialect is Dialect.POSTGRESQL:
            return numbered(sql), list(parameters)
        return sql, texts(parameters)

    async def fetch(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Return the rows of a query, or of a statement with RETURNING."""
        return await self.client.execute_query_dict(*self._adapted(sql, parameters))

    async def execute(self, sql: str, *parameters: Any) -> int:
        """Run one statement and return how many rows it changed."""
        changed, _ = await self.client.execute_query(*self._adapted(sql, parameters))
        return changed

    async def in_one_go(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Let `work` send many statements in one turn of the connection's thread; on SQLite only."""
        return await sqlite.in_one_go(cast(SqliteClient, self.client), work)

    async def converse(self, conversation: Conversation[T]) -> T:
        """Take every step of `conversation`, and return what it comes to."""
        if self.dialect is Dialect.SQLITE:
            return await self.in_one_go(functools.partial(answer_on_sqlite, conversation))
        return await answer_on_postgresql(conversation, self.client)

    async def write(self, writes: Iterable[Write]) -> None:
        """Write all of these, one after another."""
        await self.converse(written(writes))

    async def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement once for each row of parameters, in order."""
        if not rows:
            return
        adapted = [self._adapted("", row)[1] for row in rows]
        statement = numbered(sql) if self.dialect is Dialect.POSTGRESQL else sql
        await self.client.execute_many(statement, adapted)


class Transaction(Executor):
    """An open transaction; hand `client` to Tortoise as `using_db` to take part in it."""

    async def finish(self, conversation: Conversation[T]) -> T:
        """Take every step of `conversation` as the last ones of the transaction, and return what it comes to.

        Where the database is SQLite, the commit goes along. It is left out if the conversation raises.
        """
        if self.dialect is Dialect.POSTGRESQL:
            return await self.converse(conversation)
        answer = functools.partial(answer_on_sqlite, conversation)
        return await sqlite.in_one_go(cast(SqliteClient, self.client), answer, commit=True)


class Database(Executor):
    """The writer; `reader` reads."""

    def __init__(self, writer: BaseDBAsyncClient, reader: BaseDBAsyncClient, dialect: Dialect) -> None:
        super().__init__(writer, dialect)
        self.reader = Executor(reader, dialect)
        self.remembered = Remembered(REMEMBERED_BYTES)
        self.written_runs, self.written_jobs = Written(WRITTEN_BYTES), Written(WRITTEN_BYTES)
        self._turn = asyncio.Lock()
        self._glances = Glances(writer.filename) if isinstance(writer, SqliteClient) else None

    async def glance(self, sql: str, *parameters: Any) -> Sequence[Mapping[str, Any]]:
        """Return the few rows that a unique index leads to, as `reader.fetch` does but at once where that can be."""
        found = self._glances.find(*self._adapted(sql, parameters)) if self._glances else None
        return await self.reader.fetch(sql, *parameters) if found is None else found

    async def read(self, ask: Callable[[], Conversation[T]]) -> T:
        """Return what a conversation comes to that only asks, at once where that can be, else from the reader.

        `ask` begins it, and may be called twice. On SQLite it is all answered as of one moment.
        """
        if self._glances:
            await self._turn.acquire()
            # The next one's turn comes when whatever else is ready has had its own.
            asyncio.get_running_loop().call_soon(self._turn.release)
            with contextlib.suppress(NotAtOnce):
                return self._glances.read(functools.partial(answer_on_sqlite, ask()))
            return await self.reader.in_one_go(functools.partial(answer_as_of_one_moment, ask()))
        return await self.reader.converse(ask())

    @property
    def revision(self) -> int | None:
        """A number that changes with every commit, of whichever process; None where that can't be known at once."""
        return self._glances.revision if self._glances else None

    def close(self) -> None:
        """Close what the database itself has opened."""
        if self._glances:
            self._glances.close()

    @property
    def is_working(self) -> bool:
        """Whether a statement is under way or a transaction open: a clock that is moved by hand has to wait for it."""
        engine: Any = postgresql if self.dialect is Dialect.POSTGRESQL else sqlite
        return any(engine.is_working(client) for client in (self.client, self.reader.client))

    async def is_away_by(self, error: BaseException) -> bool:
        """Tell whether an error means that the database can't take any work now, asking it where that is not plain."""
        if not is_unavailable(error):
            return False
        if not _may_be_of_the_work(error):
            return True
        try:
            with database_errors():
                await self.fetch("SELECT 1")
        except DatabaseUnavailable:
            return True
        return False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commit what happens inside, or nothing of it."""
        # Tortoise finds the open transaction by a context variable, which outlives a begin that failed; here it is
        # handed on, so that nothing can be written outside of it by mistake.
        engine: Any = postgresql if self.dialect is Dialect.POSTGRESQL else sqlite
        async with engine.begun(self.client) as client:
            yield Transaction(client, self.dialect)

    async def transact(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Commit what `work` does in a transaction, or nothing of it, and return what it returns.

        It is called again, with nothing done, where PostgreSQL ended it in favour of another writer.
        """
        for _ in range(TRIES_AFTER_COLLISION - 1):
            with contextlib.suppress(*COLLISIONS):
                return await self._once(work)
        return await self._once(work)

    async def _once(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self.transaction() as tx:
            return await work(tx)


class _Current:
    database: Database | None = None


def current() -> Database:
    """Return the database that `connected` opened.

    Raises RuntimeError outside of it.
    """
    if _Current.database is None:
        message = "no database is open: use this inside `async with bot.store.connected(DATABASE_URL):`"
        raise RuntimeError(message)
    return _Current.database


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Database]:
    """Open the database at `url` for the functions of `bot.store`, `bot.recorder` and the rest.

    Raises SettingsError for a URL that names no database, DatabaseUnavailable when it can't be reached.
    """
    # Tortoise keeps the SQL it has made for a connection's name, also when the name comes to mean another database.
    EXECUTOR_CACHE.clear()
    context = TortoiseContext()
    with context:
        try:
            with database_errors():
                await context.init(config=configuration(url), _enable_global_fallback=True)
                writer, reader = context.connections.get(WRITER), context.connections.get(READER)
                for client in (writer, reader):
                    await client.create_connection(with_db=True)
                _Current.database = Database(writer, reader, dialect_of(url))
            yield _Current.database
        finally:
            if _Current.database is not None:
                _Current.database.close()
            _Current.database = None
            await context.close_connections()


_UNAVAILABLE = (
    DBConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # Its own reckoning of a connection that was ended in the middle of something.
    asyncpg.InternalClientError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
    OSError,
    TimeoutError,
)
# So fails, too, what takes longer than a statement may, where a database is there.
_MAYBE_OF_THE_WORK = (asyncpg.QueryCanceledError, TimeoutError)
# https://sqlite.org/rescode.html; the words of an error may quote the very work that was wrong.
_SQLITE_FAULTS = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)


def is_unavailable(error: BaseException) -> bool:
    """Tell whether an error means that the database can't take the work now, rather than that the work is wrong."""
    return isinstance(error, _UNAVAILABLE) or _sqlite_code(error) in _SQLITE_FAULTS


def _may_be_of_the_work(error: BaseException) -> bool:
    if isinstance(error, asyncpg.InterfaceError):
        # Of all that the driver says itself, the rest is about connections.
        return "query arguments" in str(error)
    return isinstance(error, _MAYBE_OF_THE_WORK)


def _sqlite_code(error: BaseException) -> int | None:
    # Tortoise wraps some of them. The low byte is the kind of error, the rest of the code the details.
    cause = error.args[0] if isinstance(error, OperationalError) and error.args else error
    code: int | None = getattr(cause, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


_OF_A_DATABASE = (
    BaseORMException,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    sqlite3.Error,
    OSError,
)


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn a database that can't be used into DatabaseUnavailable; what the work itself got wrong passes."""
    try:
        yield
    except _OF_A_DATABASE as error:
        if is_unavailable(error):
            message = f"the database can't be used now ({type(error).__name__})"
            raise DatabaseUnavailable(message) from error
        raise


def columns_of(model: type[Model], *without: str) -> list[str]:
    """Return a table's column names from the model itself, so that each is named in one place only."""
    fields = model._meta.fields_db_projection
    return [column for name, column in fields.items() if name not in without]
