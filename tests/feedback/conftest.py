"""What these tests are given."""

from tests.inbox.databases import (
    database,
    migrated_postgres,
    migrated_sqlite,
    migrated_url,
    postgres_template,
    sqlite_template,
)

__all__ = [
    "database",
    "migrated_postgres",
    "migrated_sqlite",
    "migrated_url",
    "postgres_template",
    "sqlite_template",
]
