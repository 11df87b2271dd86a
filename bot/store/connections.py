"""What DATABASE_URL comes to: where the two connections lead, with which options, and what Tortoise is told of it."""

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from tortoise.backends.base.config_generator import expand_db_url
from tortoise.exceptions import ConfigurationError

from bot.errors import SettingsError
from bot.settings import Dialect, dialect_of
from bot.store.engines import postgresql

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
        writer, reader = _postgresql(url), _postgresql(url)
        writer["credentials"]["init"] = postgresql.plan_by_key
        reader["credentials"]["init"] = postgresql.read_by_index
        return writer, reader
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
    given = {name: _postgresql_option(name, value) for name, value in options.items()}
    # Times are compared and shown in UTC whatever the server's own time zone is.
    defaults = {
        **POSTGRESQL_OPTIONS,
        "server_settings": {"timezone": "UTC"},
        "connection_class": postgresql.UnchangedConnection,
    }
    credentials = {**defaults, **expanded["credentials"], **given, **({"ssl": mode} if mode else {})}
    return {"engine": expanded["engine"], "credentials": credentials}


def _postgresql_option(name: str, value: str) -> str | int | float:
    if name not in POSTGRESQL_OPTION_TYPES:
        message = f"the option {name} is not known"
        raise ValueError(message)
    try:
        return POSTGRESQL_OPTION_TYPES[name](value)
    except ValueError:
        message = f"the option {name} must be a number"
        raise ValueError(message) from None
