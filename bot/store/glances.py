"""What is read on the event loop's own thread: the few rows that a unique index leads to, and most pages of lists.

Such a row costs SQLite 4 µs, and the turn of a thread that would fetch it 20 and more. A page costs some hundred, and
more in another thread, since at each of its rows that thread and the loop's hand the interpreter to each other
(`bench/lists`). Nothing here ever waits, nor lets others wait for long: where the file is locked, or there is more to
read, whoever asks is to ask by the connection that may wait.
"""

import contextlib
import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

from bot.clock import Clock

T = TypeVar("T")

# A page takes six to fifteen thousand of SQLite's instructions, with two filters mostly fewer than seventy thousand. So
# many hold the loop up by 4 ms, and what Python makes of a thousand rows by some ten more; where the disk is slow, or
# others have the processor, the seconds bound it.
MOST_INSTRUCTIONS = 75_000
MOST_SECONDS = 0.05
_A_STRETCH = 1000


class NotAtOnce(Exception):
    """What was asked takes longer than anybody is to be held up, or the file is locked at the moment."""


def _kind(error: sqlite3.OperationalError) -> int:
    # Python's own errors have no code.
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


class Glances:
    """A connection to a SQLite file that only reads, and tells when the file has changed."""

    def __init__(self, path: str) -> None:
        self._clock = Clock()
        self._stretches, self._until = math.inf, math.inf
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        # Asked for with every request, and so by a cursor of its own, which makes no rows with names.
        self._revisions = self._connection.cursor()
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA query_only = ON")
        with contextlib.suppress(sqlite3.OperationalError):
            # Where the file is locked at the moment, the usual 2 MB must do.
            self._connection.execute("PRAGMA cache_size = -16000")
        self._connection.set_progress_handler(self._is_enough, _A_STRETCH)

    def _is_enough(self) -> bool:
        self._stretches -= 1
        return self._stretches < 0 or self._clock.monotonic() > self._until

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` finds out by this connection, all of it as it is at one moment. Raises NotAtOnce."""
        try:
            self._connection.execute("BEGIN")
            try:
                with self._bounded():
                    return work(self._connection)
            finally:
                # SQLite ends it by itself where the disk fails.
                if self._connection.in_transaction:
                    self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if _kind(error) not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_INTERRUPT}:
                raise
            raise NotAtOnce from None

    @contextlib.contextmanager
    def _bounded(self) -> Iterator[None]:
        # Not so what begins and ends a transaction, or one might be left open.
        self._stretches, self._until = MOST_INSTRUCTIONS // _A_STRETCH, self._clock.monotonic() + MOST_SECONDS
        try:
            yield
        finally:
            self._stretches, self._until = math.inf, math.inf

    def find(self, sql: str, parameters: Sequence[Any]) -> list[Mapping[str, Any]] | None:
        """Return the rows of a query, or None where the file is locked at the moment."""
        try:
            return cast(list[Mapping[str, Any]], self._connection.execute(sql, parameters).fetchall())
        except sqlite3.OperationalError as error:
            if _kind(error) != sqlite3.SQLITE_BUSY:
                raise
            return None

    @property
    def revision(self) -> int | None:
        """A number that is another one as soon as anybody has committed anything; None where the file is locked.

        https://sqlite.org/pragma.html#pragma_data_version
        """
        try:
            number: int = self._revisions.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.OperationalError as error:
            if _kind(error) != sqlite3.SQLITE_BUSY:
                raise
            return None
        return number

    def close(self) -> None:
        self._connection.close()
