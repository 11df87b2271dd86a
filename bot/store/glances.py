"""What is read on the event loop's own thread: the few rows that a unique index leads to.

Such a row costs SQLite 4 µs, and the turn of a thread that would fetch it 20 and more. Nothing here ever waits: where
the file is locked, whoever asks is to ask by the connection that may wait.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, cast


class Glances:
    """A connection to a SQLite file that only reads, and tells when the file has changed."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA query_only = ON")

    def find(self, sql: str, parameters: Sequence[Any]) -> list[Mapping[str, Any]] | None:
        """Return the rows of a query, or None where the file is locked at the moment."""
        try:
            return cast(list[Mapping[str, Any]], self._connection.execute(sql, parameters).fetchall())
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return None

    @property
    def revision(self) -> int | None:
        """A number that is another one as soon as anybody has committed anything; None where the file is locked.

        https://sqlite.org/pragma.html#pragma_data_version
        """
        rows = self.find("PRAGMA data_version", ())
        return rows[0]["data_version"] if rows else None

    def close(self) -> None:
        self._connection.close()
