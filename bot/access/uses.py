"""When tokens and sessions were last used: noted beside the requests, so that whoever only reads waits for no write.

It is known to some minutes, and costs each of them a write in five. What can't be written is forgotten, as the next
request comes to note the same.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from bot.access.sessions import Session
from bot.access.tokens import USE_NOTED_EVERY, Token
from bot.clock import Clock
from bot.errors import DatabaseUnavailable
from bot.store.database import Database, database_errors

log = logging.getLogger(__name__)

# A note that waits for a lock holds up what else is to be written.
AGAIN_AFTER_FAULT = timedelta(minutes=1)

_OF_TOKEN = "UPDATE api_token SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at <= ?)"  # noqa: S105, no secret
_OF_SESSION = "UPDATE session SET used_at = ? WHERE id = ? AND used_at <= ?"


class Uses:
    """Notes uses, one after another; nobody waits for it but `close`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._due: dict[tuple[str, int], None] = {}
        self._writing: asyncio.Task[None] | None = None
        self._not_before = datetime.min.replace(tzinfo=UTC)

    def note_token(self, token: Token) -> None:
        """Have it noted that a token was used, where that was not noted minutes ago."""
        self._note(_OF_TOKEN, token.id, token.last_used_at)

    def note_session(self, session: Session) -> None:
        """Have it noted that a session was used, where that was not noted minutes ago."""
        self._note(_OF_SESSION, session.id, session.used_at)

    def _note(self, statement: str, key: int, noted_at: datetime | None) -> None:
        now = self._clock.now()
        if now < self._not_before or (noted_at is not None and noted_at + USE_NOTED_EVERY > now):
            return
        self._due[statement, key] = None
        if self._writing is None or self._writing.done():
            self._writing = asyncio.ensure_future(self._write())

    async def _write(self) -> None:
        try:
            while self._due:
                (statement, key), now = next(iter(self._due)), self._clock.now()
                with database_errors():
                    await self._database.execute(statement, now, key, now - USE_NOTED_EVERY)
                self._due.pop((statement, key), None)
        except Exception as error:
            self._not_before = self._clock.now() + AGAIN_AFTER_FAULT
            if not isinstance(error, DatabaseUnavailable):
                log.warning("the last use of a token or session can't be noted", exc_info=error)
        finally:
            self._due.clear()

    async def close(self) -> None:
        """Let what is under way come to its end."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
