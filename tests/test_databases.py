"""The fixtures themselves: both databases are real, empty, and out of each other's way."""

import asyncpg
import pytest
from tortoise import Model, Tortoise, fields
from tortoise.backends.base.config_generator import expand_db_url

from tests.postgres_server import PostgresServer


class Sample(Model):
    """A table that only this file knows."""

    number = fields.BigIntField(unique=True)


async def test_tortoise_reads_and_writes_on_both(database_url: str) -> None:
    context = await Tortoise.init(db_url=database_url, modules={"models": [__name__]}, _enable_global_fallback=True)
    try:
        await Tortoise.generate_schemas()
        await Sample.create(number=2**53 + 1)
        assert [sample.number for sample in await Sample.all()] == [2**53 + 1]
    finally:
        await context.close_connections()


async def test_postgres_answers_over_tcp(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        assert connection.get_server_version().major >= 15
        assert (
            await connection.fetchval("SELECT inet_server_port()") == expand_db_url(postgres_url)["credentials"]["port"]
        )
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    finally:
        await connection.close()


async def test_a_database_is_dropped_with_its_connections(postgres_server: PostgresServer) -> None:
    with postgres_server.database() as url, postgres_server.database() as other:
        assert url != other
        connection = await asyncpg.connect(url)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(url)
    assert connection.is_closed()


def test_a_synchronous_test_gets_one_too(postgres_url: str) -> None:
    assert expand_db_url(postgres_url)["credentials"]["host"] == "127.0.0.1"


def test_sqlite_url_names_an_absolute_path(sqlite_url: str) -> None:
    assert expand_db_url(sqlite_url)["credentials"]["file_path"].startswith("/")
