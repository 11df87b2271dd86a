"""What the URL of a database asks for reaches the database; what can't be understood is named."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from bot.errors import DatabaseUnavailable, SettingsError
from bot.store import connected
from bot.store.connections import READER, WRITER, configuration


def _credentials(url: str, name: str = WRITER) -> dict[str, Any]:
    credentials: dict[str, Any] = configuration(url)["connections"][name]["credentials"]
    return credentials


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])
@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_each_sslmode_reaches_the_driver(scheme: str, mode: str) -> None:
    for name in (WRITER, READER):
        credentials = _credentials(f"{scheme}://u:p@h:6000/n?sslmode={mode}", name)
        assert credentials["ssl"] == mode
        assert "sslmode" not in credentials
        assert (credentials["host"], credentials["port"], credentials["database"]) == ("h", 6000, "n")


def test_no_sslmode_leaves_it_to_the_driver() -> None:
    assert "ssl" not in _credentials("postgres://u:p@h/n")


def test_other_options_reach_the_driver_as_what_they_are() -> None:
    credentials = _credentials("postgres://u@/n?host=/run/postgresql&port=77&statement_cache_size=0&timeout=2.5")
    assert (credentials["host"], credentials["port"]) == ("/run/postgresql", 77)
    assert (credentials["statement_cache_size"], credentials["timeout"]) == (0, 2.5)


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
async def test_a_server_without_tls_is_reached_where_tls_is_not_asked_for(mode: str, postgres_url: str) -> None:
    async with connected(f"{postgres_url}?sslmode={mode}") as database:
        assert await database.fetch("SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_a_server_without_tls_is_refused_where_tls_is_asked_for(
    mode: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = ssl.get_default_verify_paths().cafile
    assert certificates is not None
    monkeypatch.setenv("PGSSLROOTCERT", certificates)
    with pytest.raises(DatabaseUnavailable):
        async with connected(f"{postgres_url}?sslmode={mode}"):
            pytest.fail("it was connected without TLS")


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("postgres://u:canary@h/n?sslmode=sometimes", "sslmode"),
        ("postgres://u:canary@h/n?channel_binding=require", "channel_binding"),
        ("postgres://u:canary@h/n?maxsize=canary", "maxsize"),
        ("postgres://u:canary@h:canary/n", "DATABASE_URL"),
        ("mysql://u:canary@h/n", "DATABASE_URL"),
        ("sqlite://", "DATABASE_URL"),
        ("sqlite://:memory:", "must name a file"),
        ("sqlite://:memory:?busy_timeout=1", "must name a file"),
        ("sqlite://x?busy_timeuot=1", "busy_timeuot"),
        ("sqlite://x?query_only=ON", "query_only"),
        ("sqlite://x?busy_timeout=", "busy_timeout"),
        ("sqlite://x?busy_timeout=canary", "busy_timeout"),
        ("sqlite://x?busy_timeout=1.5", "busy_timeout"),
        ("sqlite://x?busy_timeout=1_0", "busy_timeout"),
        ("sqlite://x?busy_timeout=2147483648", "busy_timeout"),
        ("sqlite://x?cache_size=" + "9" * 5000, "cache_size"),
        ("sqlite://x?journal_mode=canary", "journal_mode"),
        ("sqlite://x?journal_size_limit=64k", "journal_size_limit"),
        ("sqlite://x?synchronous=canary", "synchronous"),
        ("sqlite://x?synchronous=4", "synchronous"),
        ("sqlite://x?wal_autocheckpoint=ON", "wal_autocheckpoint"),
        ("sqlite://x?foreign_keys=2", "foreign_keys"),
        ("sqlite://x?temp_store=DISK", "temp_store"),
        ("sqlite://x?foreign_keys=OFF;DROP+TABLE+team", "foreign_keys"),
    ],
)
async def test_a_url_that_cannot_be_understood_is_named_without_being_told(url: str, named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        async with connected(url):
            pytest.fail("it was opened")
    assert named in str(caught.value)
    assert str(caught.value).startswith("DATABASE_URL ")
    assert "canary" not in str(caught.value)


async def test_options_of_the_url_reach_sqlite(tmp_path: Path) -> None:
    async def pragmas(url: str) -> dict[str, Any]:
        async with connected(url) as database:
            names = ("busy_timeout", "synchronous", "journal_mode", "wal_autocheckpoint", "foreign_keys")
            return {name: next(iter((await database.fetch(f"PRAGMA {name}"))[0].values())) for name in names}

    url = f"sqlite://{tmp_path / 'x.sqlite3'}"
    ours = await pragmas(url)
    assert (ours["synchronous"], ours["journal_mode"], ours["foreign_keys"]) == (2, "wal", 1)
    given = await pragmas(url + "?busy_timeout=1234&synchronous=NORMAL&wal_autocheckpoint=77")
    assert given == ours | {"busy_timeout": 1234, "synchronous": 1, "wal_autocheckpoint": 77}


# Each option, a value, and what SQLite then says it is.
SQLITE_OPTIONS = [
    ("busy_timeout", "0", 0),
    ("cache_size", "-100", -100),
    ("foreign_keys", "off", 0),
    ("journal_mode", "delete", "delete"),
    ("journal_size_limit", "-1", -1),
    ("max_page_count", "5000", 5000),
    ("mmap_size", "1048576", 1048576),
    ("secure_delete", "fast", 2),
    ("synchronous", "extra", 3),
    ("synchronous", "0", 0),
    ("temp_store", "Memory", 2),
    ("wal_autocheckpoint", "7", 7),
]


@pytest.mark.parametrize(("name", "value", "said"), SQLITE_OPTIONS)
async def test_every_option_of_sqlite_means_what_it_says(
    name: str, value: str, said: int | str, tmp_path: Path
) -> None:
    async with connected(f"sqlite://{tmp_path / 'x.sqlite3'}?{name}={value}") as database:
        for connection in (database, database.reader):
            (row,) = await connection.fetch(f"PRAGMA {name}")
            assert [*row.values()] == [said]


async def test_the_reader_of_sqlite_can_not_write(tmp_path: Path) -> None:
    async with connected(f"sqlite://{tmp_path / 'x.sqlite3'}") as database:
        with pytest.raises(Exception, match="readonly"):
            await database.reader.execute("CREATE TABLE x (y)")
