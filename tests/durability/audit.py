"""A book that the database itself keeps: a line each time a delivery's count of handlings changes.

An upsert hides that something was done twice; this does not.
"""

import sqlite3

import asyncpg

from bot.settings import Dialect, dialect_of

_SQLITE = """
CREATE TABLE audit (guid TEXT NOT NULL, became INTEGER NOT NULL);
CREATE TRIGGER audit_handlings AFTER UPDATE ON delivery WHEN NEW.handlings <> OLD.handlings
BEGIN INSERT INTO audit VALUES (NEW.guid, NEW.handlings); END;
CREATE TRIGGER audit_arrivals AFTER INSERT ON delivery WHEN NEW.handlings <> 0
BEGIN INSERT INTO audit VALUES (NEW.guid, NEW.handlings); END;
"""
_POSTGRESQL = """
CREATE TABLE audit (guid TEXT NOT NULL, became INTEGER NOT NULL, process INTEGER NOT NULL DEFAULT pg_backend_pid());
CREATE FUNCTION audit_handlings() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO audit (guid, became) VALUES (NEW.guid, NEW.handlings); RETURN NULL; END $$;
CREATE TRIGGER audit_handlings AFTER UPDATE ON delivery FOR EACH ROW WHEN (NEW.handlings <> OLD.handlings)
EXECUTE FUNCTION audit_handlings();
CREATE TRIGGER audit_arrivals AFTER INSERT ON delivery FOR EACH ROW WHEN (NEW.handlings <> 0)
EXECUTE FUNCTION audit_handlings();
"""


async def install_audit(url: str) -> None:
    """Let the migrated database at `url` keep its book in the table `audit`."""
    if dialect_of(url) is Dialect.SQLITE:
        connection = sqlite3.connect(url.removeprefix("sqlite://"))
        connection.executescript(_SQLITE)
        connection.close()
        return
    session = await asyncpg.connect(url)
    await session.execute(_POSTGRESQL)
    await session.close()
