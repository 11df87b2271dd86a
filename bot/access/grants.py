"""The tokens by which GitHub is asked what people see: one grant a person, sealed, renewed in time, ended in the end.

A token to renew with is good once. So it is used under a lease, by one process at a time, and never by two tasks of
one; whoever waited finds the new grant in the row. No transaction is open meanwhile.
"""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.access import audit, sessions
from bot.access.asking import Asking
from bot.access.audit import Actor
from bot.clock import Clock
from bot.errors import RunledgerError
from bot.github.auth import FRESH, Secret
from bot.github.errors import GitHubError, GitHubUnavailable
from bot.github.oauth import TokenRefused, UserTokens
from bot.recorder.sight import FORGET_GRANT, withdrawn
from bot.store.database import Database, Transaction, database_errors, to_moment
from bot.store.leases import Leases
from bot.store.sealing import CannotOpen
from bot.store.writes import Statement

log = logging.getLogger(__name__)

# So long a token must still be good when a list is begun with it.
RENEWED_EARLY = timedelta(minutes=5)
# Longer than a request may take.
LEASE_LASTS = timedelta(seconds=60)

_COLUMNS = "access_token, access_expires_at, refresh_token, refresh_expires_at, granted_at"
_FIND = f"SELECT {_COLUMNS} FROM person WHERE user_id = ? AND access_token IS NOT NULL"
_SIGN_IN = (
    f"INSERT INTO person (user_id, login, created_at, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (user_id) DO UPDATE SET login = excluded.login, looked_at = NULL, revision = person.revision + 1, "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", "))
)
_RENEW = (
    "UPDATE person SET access_token = ?, access_expires_at = ?, refresh_token = ?, refresh_expires_at = ?"
    " WHERE user_id = ? AND access_token = ?"
)
_IS_WANTED = (
    "SELECT 1 AS wanted FROM person WHERE user_id = ? AND ("
    " EXISTS (SELECT 1 FROM session WHERE session.user_id = person.user_id AND session.revoked_at IS NULL"
    " AND session.expires_at > ? AND session.used_at > ?)"
    " OR EXISTS (SELECT 1 FROM api_token AS token WHERE token.user_id = person.user_id AND token.revoked_at IS NULL"
    " AND (token.expires_at IS NULL OR token.expires_at > ?)))"
)


class GrantEnded(GitHubError):
    """GitHub does not let us ask in the person's name any more, or nobody wants us to."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A person's tokens; `sealed` is the first as it lies in the row, by which this grant is told from a newer one."""

    user_id: int
    access: Secret
    access_expires_at: datetime | None
    refresh: str | None = field(repr=False)
    refresh_expires_at: datetime | None
    sealed: bytes = field(repr=False)

    def is_good(self, now: datetime) -> bool:
        """Tell whether a list may be begun with it."""
        return self.access_expires_at is None or self.access_expires_at - RENEWED_EARLY > now

    def is_renewable(self, now: datetime) -> bool:
        return self.refresh is not None and (self.refresh_expires_at is None or self.refresh_expires_at > now)


def _place(column: str, user_id: int) -> str:
    return f"person.{column} {user_id}"


class Grants:
    """Keeps people's grants. `close` waits for what GitHub is being asked for, since an answer comes once only."""

    def __init__(self, database: Database, clock: Clock, leases: Leases, asking: Asking) -> None:
        self._database = database
        self._clock = clock
        self._leases = leases
        self._asking = asking
        self._under_way: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        """Let what is under way come to its end."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def find(self, user_id: int) -> Grant | None:
        """Return a person's grant. Raises CannotOpen, SettingsError, DatabaseUnavailable."""
        with database_errors():
            rows = await self._database.reader.fetch(_FIND, user_id)
        return self._opened(user_id, rows[0]) if rows else None

    def _opened(self, user_id: int, row: dict[str, Any]) -> Grant:
        sealer, sealed = self._asking.sealer, bytes(row["access_token"])
        refresh = row["refresh_token"]
        granted_at = to_moment(row["granted_at"])
        # Whether a token is so new that not all of GitHub knows it is all that this time is for.
        made_at = 0.0 if granted_at is None else granted_at.timestamp()
        is_fresh = self._clock.time() - made_at < FRESH
        return Grant(
            user_id,
            Secret(sealer.open(sealed, _place("access_token", user_id)), made_at if is_fresh else 0.0),
            to_moment(row["access_expires_at"]),
            None if refresh is None else sealer.open(bytes(refresh), _place("refresh_token", user_id)),
            to_moment(row["refresh_expires_at"]),
            sealed,
        )

    def _sealed(self, user_id: int, tokens: UserTokens) -> tuple[Any, ...]:
        now, sealer, refresh = self._clock.now(), self._asking.sealer, tokens.refresh_token
        return (
            sealer.seal(tokens.access_token, _place("access_token", user_id)),
            None if tokens.expires_in is None else now + tokens.expires_in,
            None if refresh is None else sealer.seal(refresh, _place("refresh_token", user_id)),
            None if refresh is None or tokens.refresh_expires_in is None else now + tokens.refresh_expires_in,
        )

    async def keep(self, user_id: int, login: str, tokens: UserTokens) -> None:
        """Keep what a person has granted by signing in, note that they did, and end the grant that they had before.

        Raises SettingsError, DatabaseUnavailable.
        """
        now, former = self._clock.now(), await self._find_former(user_id)
        sealed = self._sealed(user_id, tokens)

        async def sign_in(tx: Transaction) -> None:
            await tx.execute(_SIGN_IN, user_id, login, now, *sealed, now)
            await audit.note(Actor("person", login, user_id), "person.signed_in", login, now, tx=tx)

        with database_errors():
            await self._database.transact(sign_in)
        if former is not None:
            await self._quietly(self._end_at_github(former), "the grant before a newer one could not be ended")

    async def discard(self, tokens: UserTokens) -> None:
        """End at GitHub what was granted and is not kept, if that can be done now."""
        oauth = await self._asking.oauth()
        await self._quietly(oauth.revoke(tokens.access_token), "a grant that is not kept could not be ended")

    async def _find_former(self, user_id: int) -> Grant | None:
        try:
            return await self.find(user_id)
        except CannotOpen:
            return None

    async def secret(self, user_id: int, refused: Secret | None = None) -> Secret:
        """Return a token of the person's that is good for some minutes, and not the one that GitHub has `refused`.

        Raises GrantEnded where there is none to be had, CannotOpen, SettingsError, DatabaseUnavailable, and a
        GitHubError where GitHub can't be asked.
        """
        grant = await self.find(user_id)
        if grant is None:
            message = "nothing is granted"
            raise GrantEnded(message)
        if self._will_do(grant, refused):
            return grant.access
        # Whoever gives up waiting must not take the answer along, which comes once only.
        renewed: Grant = await asyncio.shield(self._begun(self._renewed(user_id, refused)))
        return renewed.access

    def _will_do(self, grant: Grant, refused: Secret | None) -> bool:
        is_refused = refused is not None and grant.access.value == refused.value
        return not is_refused and grant.is_good(self._clock.now())

    async def _renewed(self, user_id: int, refused: Secret | None) -> Grant:
        async with self._leases.waiting(_lease(user_id), LEASE_LASTS):
            # Another process may have done it meanwhile.
            grant = await self.find(user_id)
            if grant is not None and self._will_do(grant, refused):
                return grant
            renewed = None if grant is None else await self._renew(grant)
            if renewed is not None:
                return renewed
            if grant is not None:
                await self.lose(grant)
        message = "GitHub does not let us ask in the person's name any more"
        raise GrantEnded(message)

    async def _renew(self, grant: Grant) -> Grant | None:
        """Return the grant anew, or None where GitHub does not give it any more; the lease is held."""
        if grant.refresh is None or not grant.is_renewable(self._clock.now()):
            return None
        oauth = await self._asking.oauth()
        try:
            tokens = await oauth.refresh(grant.refresh)
        except TokenRefused as error:
            if error.code == "bad_refresh_token":
                return None
            # The App's own credentials are at fault, which the operator can mend.
            log.error("GitHub renews nobody's token: %s", error)
            message = f"GitHub can't be asked in anybody's name: {error}"
            raise GitHubUnavailable(message, maybe_taken=False) from None
        return await self._keep_renewed(grant, tokens)

    async def _keep_renewed(self, grant: Grant, tokens: UserTokens) -> Grant:
        sealed = self._sealed(grant.user_id, tokens)
        renewed = Grant(
            grant.user_id,
            Secret(tokens.access_token, self._clock.time()),
            sealed[1],
            tokens.refresh_token,
            sealed[3],
            sealed[0],
        )
        with database_errors():
            is_kept = await self._database.execute(_RENEW, *sealed, grant.user_id, grant.sealed)
        if is_kept:
            return renewed
        # The person has signed in anew, or withdrawn everything, while GitHub was asked.
        await self._quietly(self._end_at_github(renewed), "a grant that came too late could not be ended")
        newer = await self.find(grant.user_id)
        if newer is None:
            message = "nothing is granted any more"
            raise GrantEnded(message)
        return newer

    async def lose(self, grant: Grant) -> bool:
        """Forget a grant that is no longer good, with what was seen by it and the sessions that rest on it.

        Returns whether it was still the person's. Raises DatabaseUnavailable.
        """

        async def forget(tx: Transaction) -> bool:
            if not await tx.execute(f"{FORGET_GRANT} AND access_token = ?", grant.user_id, grant.sealed):
                return False
            await _run(tx, withdrawn(grant.user_id, self._clock.now()))
            return True

        with database_errors():
            return await self._database.transact(forget)

    async def withdraw(self, user_id: int) -> None:
        """Forget whatever a person has granted, what they see, and their sessions. Raises DatabaseUnavailable."""

        async def forget(tx: Transaction) -> None:
            await _run(tx, withdrawn(user_id, self._clock.now()))

        with database_errors():
            await self._database.transact(forget)

    async def end_unwanted(self, user_id: int) -> bool:
        """End a person's grant at GitHub and here, unless a session or a token wants it; return whether it was ended.

        Raises GitHubError, with the grant kept to be ended later, CannotOpen, SettingsError, DatabaseUnavailable.
        """
        ended: bool = await asyncio.shield(self._begun(self._end_unwanted(user_id)))
        return ended

    async def _end_unwanted(self, user_id: int) -> bool:
        async with self._leases.waiting(_lease(user_id), LEASE_LASTS):
            if await self.is_wanted(user_id):
                return False
            try:
                grant = await self.find(user_id)
            except CannotOpen as error:
                log.warning("a grant is forgotten that GitHub can't be told of: %s", error)
                await self.withdraw(user_id)
                return True
            if grant is None:
                return False
            await self._end_at_github(grant)
            return await self.lose(grant)

    async def is_wanted(self, user_id: int) -> bool:
        """Tell whether a live session, or a token in force, rests on the person's grant. Raises DatabaseUnavailable."""
        now = self._clock.now()
        with database_errors():
            # The writer is asked, whose answer no commit is ahead of.
            return bool(await self._database.fetch(_IS_WANTED, user_id, now, now - sessions.IDLE_LASTS, now))

    async def _end_at_github(self, grant: Grant) -> None:
        oauth, token = await self._asking.oauth(), grant.access.value
        now = self._clock.now()
        if not grant.is_good(now) and grant.refresh is not None and grant.is_renewable(now):
            # A token that has run out can't be ended, and the one that renews it would outlive it by months.
            try:
                token = (await oauth.refresh(grant.refresh)).access_token
            except TokenRefused:
                return
        await oauth.revoke(token)

    async def _quietly(self, work: Coroutine[Any, Any, None], failing: str) -> None:
        try:
            await work
        except RunledgerError as error:
            log.warning("%s: %s", failing, error)

    def _begun(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            # Whoever waited may have left.
            task.exception()


async def _run(tx: Transaction, statements: list[Statement]) -> None:
    for statement in statements:
        await tx.execute_many(statement.sql, statement.rows)


def _lease(user_id: int) -> str:
    return f"grant {user_id}"
