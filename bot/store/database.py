"""Connections: one that writes, one that only reads and so never waits behind a writer.

Models, migrations and whatever is not hot go through Tortoise; hot rooms send SQL of their own through `Database`,
written with `?` for a parameter, in the words that SQLite and PostgreSQL share.
"""

import asyncio
import contextlib
import functools
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import asyncpg
from tortoise import Model
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException, ConfigurationError, DBConnectionError, OperationalError

from bot.errors import DatabaseUnavailable, SettingsError
from bot.settings import Dialect, dialect_of
from bot.store.answering import answer_on_postgresql, answer_on_sqlite, numbered, texts
from bot.store.conversation import Conversation, written
from bot.store.engines import postgresql, sqlite
from bot.store.glances import Glances, NotAtOnce
from bot.store.remembered import Remembered
from bot.store.writes import Write

T = TypeVar("T")

WRITER, READER = "default", "reader"
APP = "models"
MODELS, MIGRATIONS = "bot.store.models", "bot.store.migrations"

# Every commit reaches the disk before it is acknowledged. Tortoise's journal_size_limit of 16 KiB truncates the
# log at each checkpoint, which costs more than the space it saves.
SQLITE_OPTIONS = {
    "busy_timeout": "8000",
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "journal_size_limit": "67108864",
    "wal_autocheckpoint": "8000",
    "cache_size": "-32000",
    "foreign_keys": "ON",
}
_INT32, _INT64 = range(-(2**31), 2**31), range(-(2**63), 2**63)
_SWITCH = frozenset({"ON", "OFF", "YES", "NO", "TRUE", "FALSE", "1", "0"})
# Options that a URL may bring along, and what they take (https://sqlite.org/pragma.html): SQLite itself passes over
# what it does not know, and takes a word that it does not know for another.
SQLITE_OPTION_VALUES: dict[str, range | frozenset[str]] = {
    "busy_timeout": _INT32,
    "cache_size": _INT32,
    "foreign_keys": _SWITCH,
    "journal_mode": frozenset({"DELETE", "TRUNCATE", "PERSIST", "MEMORY", "WAL", "OFF"}),
    "journal_size_limit": _INT64,
    "max_page_count": _INT32,
    "mmap_size": _INT64,
    "secure_delete": _SWITCH | {"FAST"},
    "synchronous": frozenset({"OFF", "NORMAL", "FULL", "EXTRA", "0", "1", "2", "3"}),
    "temp_store": frozenset({"DEFAULT", "FILE", "MEMORY", "0", "1", "2"}),
    "wal_autocheckpoint": _INT32,
}
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")
# Some hundreds of pages of lists.
REMEMBERED_BYTES = 16 * 1024 * 1024
POSTGRESQL_OPTIONS = {"minsize": 1, "maxsize": 4}
# Options that a URL may bring along, and what they are; asyncpg takes no others, and numbers not as text.
POSTGRESQL_OPTION_TYPES: dict[str, type[str | int | float]] = {
    "application_name": str,
    "command_timeout": float,
    "host": str,
    "max_cached_statement_lifetime": int,
    "max_inactive_connection_lifetime": float,
    "max_queries": int,
    "maxsize": int,
    "minsize": int,
    "port": int,
    "schema": str,
    "statement_cache_size": int,
    "target_session_attrs": str,
    "timeout": float,
}
# What libpq calls sslmode, asyncpg takes as `ssl` in the same words.
SSL_MODES = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
# PostgreSQL ends one of two transactions that wait for each other; the other is through a moment later.
Locked = asyncpg.LockNotAvailableError
COLLISIONS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, Locked)
TRIES_AFTER_COLLISION = 5


def to_moment(value: Any) -> datetime | None:
    """Return a time as either database gives it back, aware and in UTC."""
    if value is None or isinstance(value, datetime):
        return value
    return datetime.fromisoformat(value)


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
        self._turn = asyncio.Lock()
        self._glances = Glances(writer.filename) if isinstance(writer, SqliteClient) else None

    async def glance(self, sql: str, *parameters: Any) -> Sequence[Mapping[str, Any]]:
        """Return the few rows that a unique index leads to, as `reader.fetch` does but at once where that can be."""
        found = self._glances.find(*self._adapted(sql, parameters)) if self._glances else None
        return await self.reader.fetch(sql, *parameters) if found is None else found

    async def read(self, ask: Callable[[], Conversation[T]]) -> T:
        """Return what a conversation comes to that only asks, at once where that can be, else from the reader.

        `ask` begins it, and may be called twice.
        """
        if self._glances:
            async with self._turn:
                # One at a time, and whatever else is ready comes in between.
                await asyncio.sleep(0)
                with contextlib.suppress(NotAtOnce):
                    return self._glances.read(functools.partial(answer_on_sqlite, ask()))
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


def configuration(url: str) -> dict[str, Any]:
    """Return Tortoise's configuration for `url`.

    Raises SettingsError, without the URL in it, when it can't be understood.
    """
    try:
        writer, reader = _connections(url)
    except (ConfigurationError, ValueError) as error:
        message = f"DATABASE_URL is wrong: {error}" if isinstance(error, ValueError) else "DATABASE_URL is wrong"
        raise SettingsError(message) from None
    return {
        "connections": {WRITER: writer, READER: reader},
        "apps": {APP: {"models": [MODELS], "default_connection": WRITER, "migrations": MIGRATIONS}},
        "use_tz": True,
        "timezone": "UTC",
    }


def _connections(url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    if dialect_of(url) is Dialect.POSTGRESQL:
        return _postgresql(url), _postgresql(url)
    file_path = expand_db_url(url.partition("?")[0])["credentials"]["file_path"]
    if file_path == ":memory:":
        message = "it must name a file, because every connection would have a memory of its own"
        raise ValueError(message)
    options = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    given = {name: _sqlite_option(name, value) for name, value in options}
    credentials = {"file_path": file_path, **SQLITE_OPTIONS, **given}
    engine = "bot.store.engines.sqlite"
    read_only = {"engine": engine, "credentials": {**credentials, "query_only": "ON"}}
    return {"engine": engine, "credentials": credentials}, read_only


def _sqlite_option(name: str, value: str) -> str:
    taken = SQLITE_OPTION_VALUES.get(name)
    if taken is None:
        message = f"the option {name} is not known"
        raise ValueError(message)
    if isinstance(taken, frozenset) and value.upper() not in taken:
        message = f"the option {name} must be one of {', '.join(sorted(taken))}"
        raise ValueError(message)
    if isinstance(taken, range) and not (_WHOLE_NUMBER.fullmatch(value) and int(value) in taken):
        message = f"the option {name} must be a whole number from {taken[0]} to {taken[-1]}"
        raise ValueError(message)
    return value


def _postgresql(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    mode = options.pop("sslmode", None)
    if mode is not None and mode not in SSL_MODES:
        message = f"sslmode must be one of {', '.join(sorted(SSL_MODES))}"
        raise ValueError(message)
    expanded = expand_db_url(urlunsplit(parts._replace(scheme="postgres", query="")))
    given = {name: _option(name, value) for name, value in options.items()}
    # Times are compared and shown in UTC whatever the server's own time zone is.
    defaults = {
        **POSTGRESQL_OPTIONS,
        "server_settings": {"timezone": "UTC"},
        "connection_class": postgresql.UnchangedConnection,
    }
    credentials = {**defaults, **expanded["credentials"], **given, **({"ssl": mode} if mode else {})}
    return {"engine": expanded["engine"], "credentials": credentials}


def _option(name: str, value: str) -> str | int | float:
    if name not in POSTGRESQL_OPTION_TYPES:
        message = f"the option {name} is not known"
        raise ValueError(message)
    try:
        return POSTGRESQL_OPTION_TYPES[name](value)
    except ValueError:
        message = f"the option {name} must be a number"
        raise ValueError(message) from None


_UNAVAILABLE = (
    DBConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.PostgresSystemError,
    OSError,
    TimeoutError,
)
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


def _sqlite_code(error: BaseException) -> int | None:
    # Tortoise wraps some of them. The low byte is the kind of error, the rest of the code the details.
    cause = error.args[0] if isinstance(error, OperationalError) and error.args else error
    code: int | None = getattr(cause, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn a database that can't be used into DatabaseUnavailable; what the work itself got wrong passes."""
    try:
        yield
    except (BaseORMException, asyncpg.PostgresError, asyncpg.InterfaceError, sqlite3.Error, OSError) as error:
        if is_unavailable(error):
            message = f"the database can't be used now ({type(error).__name__})"
            raise DatabaseUnavailable(message) from error
        raise


def columns_of(model: type[Model], *without: str) -> list[str]:
    """Return a table's column names from the model itself, so that each is named in one place only."""
    fields = model._meta.fields_db_projection
    return [column for name, column in fields.items() if name not in without]
