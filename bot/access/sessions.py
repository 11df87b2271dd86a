"""Browsers that are signed in: the cookie holds a secret of which only the hash is kept, and which ends by itself.

https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html
"""

import hashlib
import hmac
from datetime import datetime, timedelta

from msgspec import Struct

from bot.access.secrets import hash_of, new_secret
from bot.store import models
from bot.store.database import Executor, current, database_errors, to_moment

LASTS = timedelta(days=30)
# Nobody comes back to it after so long, and whoever opened the link to the set-up page is through by then.
IDLE_LASTS = timedelta(days=7)
SETUP_LASTS = timedelta(hours=2)


class Session(Struct, frozen=True):
    """A browser's session: whose it is, or, without `user_id`, that it may set the service up.

    `used_at` is when it was last noted to be used.
    """

    id: int
    user_id: int | None
    secret: str
    used_at: datetime

    @property
    def csrf_token(self) -> str:
        """What each form of this session must bring along, which no other site can know."""
        return csrf_token_of(self.secret)

    @property
    def is_for_setup(self) -> bool:
        return self.user_id is None


def csrf_token_of(secret: str) -> str:
    """Return the token of a session's forms: nothing of the cookie's secret can be learnt from it."""
    return hmac.new(secret.encode("utf-8", "surrogatepass"), b"forms", hashlib.sha256).hexdigest()


async def open_session(user_id: int | None, now: datetime) -> Session:
    """Begin a session of a person, or without one of whoever sets the service up. Raises DatabaseUnavailable.

    It has a secret of its own, never one that the browser brought, so that nobody can plant one.
    """
    secret = new_secret()
    with database_errors():
        kept = await models.Session.create(
            hash=hash_of(secret),
            user_id=user_id,
            created_at=now,
            used_at=now,
            expires_at=now + (SETUP_LASTS if user_id is None else LASTS),
            using_db=current().client,
        )
    return Session(kept.id, user_id, secret, now)


async def find_session(secret: str, now: datetime) -> Session | None:
    """Return the session of a cookie, None where it is unknown, over, revoked or long unused."""
    with database_errors():
        rows = await current().reader.fetch(
            "SELECT id, user_id, used_at, expires_at FROM session WHERE hash = ? AND revoked_at IS NULL",
            hash_of(secret),
        )
    if not rows:
        return None
    used_at, expires_at = to_moment(rows[0]["used_at"]), to_moment(rows[0]["expires_at"])
    if used_at is None or expires_at is None or expires_at <= now or used_at + IDLE_LASTS <= now:
        return None
    return Session(rows[0]["id"], rows[0]["user_id"], secret, used_at)


async def revoke_session(session_id: int, now: datetime) -> None:
    """End one session. Raises DatabaseUnavailable."""
    with database_errors():
        await current().execute(
            "UPDATE session SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", now, session_id
        )


async def revoke_setup_sessions(tx: Executor, but: int | None, now: datetime) -> None:
    """End the sessions of whoever may set the service up, `but` for this one. Raises DatabaseUnavailable."""
    with database_errors():
        await tx.execute(
            "UPDATE session SET revoked_at = ? WHERE user_id IS NULL AND revoked_at IS NULL AND id <> ?", now, but or 0
        )


async def forget_sessions(before: datetime) -> int:
    """Delete the sessions that had ended by then, and return how many that were. Raises DatabaseUnavailable."""
    with database_errors():
        return await current().execute(
            "DELETE FROM session WHERE expires_at < ? OR revoked_at < ? OR used_at < ?",
            before,
            before,
            before - IDLE_LASTS,
        )
