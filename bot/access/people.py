"""People who sign in with GitHub: who they are, what they may read, and what is asked in their name.

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-with-a-github-app-on-behalf-of-a-user
"""

import asyncio
import logging
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from types import TracebackType
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from bot import metrics
from bot.access import audit, tokens
from bot.access.asking import Asking
from bot.access.audit import Actor
from bot.access.callers import Caller, what_is_seen
from bot.access.eyes import LONG_WAIT, OF_SESSION, OF_TOKEN, Eyes
from bot.access.grants import Grants
from bot.access.sessions import Session
from bot.access.uses import Uses
from bot.clock import Clock
from bot.errors import DatabaseUnavailable, GitHubAway, RunledgerError, SignInRefused
from bot.github import users
from bot.github.auth import PersonCredential, Secret
from bot.github.errors import GitHubError, GitHubUnavailable, Unauthorized
from bot.github.oauth import TokenRefused, UserTokens, authorize_url
from bot.store.database import Database, database_errors, to_moment
from bot.store.leases import Leases
from bot.store.queries.filters import GitHubId
from bot.store.registration import Configuration

log = logging.getLogger(__name__)

# Between a grant and the session that rests on it lies a moment in which nobody seems to want the grant.
SESSION_TO_COME = timedelta(minutes=1)
# How long whoever signs out waits for GitHub; after that the hourly job sees to it.
SIGN_OUT_WAIT = 5.0
# What is asked in one hour for people with tokens: a part of them, so that they don't all come at once.
SPREAD_OVER_HOURS, LEAST_AN_HOUR = 6, 20

_IS_MAKER = (
    "EXISTS (SELECT 1 FROM api_token AS token WHERE token.user_id = person.user_id AND token.revoked_at IS NULL"
    " AND (token.expires_at IS NULL OR token.expires_at > ?))"
)
_WITH_TOKENS = (
    f"SELECT person.user_id, person.looked_at FROM person WHERE person.access_token IS NOT NULL AND {_IS_MAKER}"
    " ORDER BY COALESCE(person.looked_at, person.granted_at), person.id"
)
_GRANTED = "SELECT user_id FROM person WHERE access_token IS NOT NULL AND granted_at <= ? ORDER BY user_id"


class Person(Struct, frozen=True):
    """Somebody by GitHub's id, and the login that they have now."""

    user_id: int
    login: str


class _User(Struct):
    id: GitHubId
    # GitHub's logins are ASCII; what else may be in one matters to nobody here.
    login: Annotated[str, Meta(pattern=r"^[!-~]{1,255}\Z")]


class People:
    """An async context manager. It goes by the settings as they are at the moment, whichever App they name."""

    def __init__(self, configuration: Configuration, clock: Clock, database: Database, leases: Leases) -> None:
        self._clock = clock
        self._database = database
        self._asking = Asking(configuration, clock)
        self._grants = Grants(database, clock, leases, self._asking)
        self._eyes = Eyes(database, clock, self._grants, self._asking)
        self._uses = Uses(database, clock)
        self._open = AsyncExitStack()

    async def __aenter__(self) -> "People":
        await self._open.enter_async_context(self._asking)
        self._open.push_async_callback(self._grants.close)
        self._open.push_async_callback(self._eyes.close)
        self._open.push_async_callback(self._uses.close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    # Signing in and out

    def authorize_url(self, state: str, challenge: str, redirect_uri: str) -> str:
        """Return the page of GitHub that a browser is sent to. Raises SettingsError without an App to sign in to."""
        server_url, client_id = self._asking.settings.github_server_url, self._asking.client_id
        return authorize_url(server_url, client_id, state, challenge, redirect_uri)

    async def sign_in(self, code: str, verifier: str, redirect_uri: str) -> Person:
        """Return who comes back from GitHub with `code`, and keep what they grant; a session is not opened by this.

        Raises SignInRefused where GitHub does not take the code, GitHubAway, SettingsError, DatabaseUnavailable.
        """
        outcome = "failed"
        try:
            oauth = await self._asking.oauth()
            person = await self._kept(await oauth.exchange(code, verifier, redirect_uri))
            outcome = "signed_in"
        except (TokenRefused, Unauthorized) as error:
            outcome = "refused"
            log.warning("a sign-in was refused: %s", error)
            message = "GitHub did not confirm who you are: sign in again"
            raise SignInRefused(message) from None
        except GitHubError as error:
            log.warning("a sign-in failed: %s", error)
            message = "GitHub can't be asked now who you are: try again in a minute"
            raise GitHubAway(message) from None
        finally:
            metrics.SIGN_INS.labels(outcome).inc()
        self._eyes.forget_faults(person.user_id)
        return person

    async def _kept(self, granted: UserTokens) -> Person:
        try:
            person = await self._whose(granted)
            await self._grants.keep(person.user_id, person.login, granted)
        except BaseException:
            # Nobody would ever end it.
            await self._grants.discard(granted)
            raise
        return person

    async def _whose(self, granted: UserTokens) -> Person:
        secret = Secret(granted.access_token, self._clock.time())

        async def fetch(refused: Secret | None) -> Secret:
            if refused is not None:
                message = "GitHub does not take the token that it has just given"
                raise Unauthorized(message)
            return secret

        client = (await self._asking.github()).person(None, PersonCredential(fetch, self._clock), patience=LONG_WAIT)
        try:
            user = msgspec.convert((await users.get_user(client)).data, _User)
        except msgspec.ValidationError as error:
            message = f"GitHub's answer to GET /user is not what it documents: {error}"
            raise GitHubUnavailable(message, maybe_taken=False) from None
        return Person(user.id, user.login)

    async def sign_out(self, session: Session) -> None:
        """End a session, and the person's grant at GitHub too where nothing else rests on it.

        Where GitHub can't be asked, `forget_grants` sees to it later. Raises DatabaseUnavailable.
        """
        now = self._clock.now()
        known = None if session.user_id is None else await self._eyes.find(session.user_id)
        login = "" if known is None else known.login
        with database_errors():
            async with self._database.transaction() as tx:
                end = "UPDATE session SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
                if await tx.execute(end, now, session.id) and session.user_id is not None:
                    actor = Actor("person", login, session.user_id)
                    await audit.note(actor, "person.signed_out", login, now, tx=tx)
        if session.user_id is not None and known is not None and not await self._is_being_signed_in(session):
            await self._end_soon(session.user_id)

    async def _is_being_signed_in(self, session: Session) -> bool:
        """Tell whether the person has just signed in elsewhere, with a session that may not be there yet."""
        sql = (
            "SELECT person.granted_at, session.created_at FROM person JOIN session ON session.user_id = person.user_id"
            " WHERE session.id = ?"
        )
        with database_errors():
            rows = await self._database.fetch(sql, session.id)
        granted_at, created_at = (to_moment(rows[0][name]) if rows else None for name in ("granted_at", "created_at"))
        if granted_at is None or created_at is None:
            return False
        return granted_at > created_at and granted_at + SESSION_TO_COME > self._clock.now()

    async def _end_soon(self, user_id: int) -> None:
        ending = asyncio.ensure_future(self._end_if_unwanted(user_id))
        sleeping = asyncio.ensure_future(self._clock.sleep(SIGN_OUT_WAIT))
        try:
            await asyncio.wait({ending, sleeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            ending.add_done_callback(_seen)
        if ending.done():
            ending.result()

    async def _end_if_unwanted(self, user_id: int) -> bool:
        try:
            return await self._grants.end_unwanted(user_id)
        except DatabaseUnavailable:
            raise
        except RunledgerError as error:
            log.warning("a grant that nobody wants could not be ended: %s", error)
            return False

    # Who is asking

    def note_use(self, session: Session) -> None:
        """Have it noted that a session was used; nobody waits for it."""
        self._uses.note_session(session)

    async def caller_of_session(self, session: Session) -> Caller | None:
        """Return the person of a session, with what they see now; None for one who has to sign in again.

        Raises GitHubAway where GitHub can't be asked and what is known is too old, DatabaseUnavailable.
        """
        if session.user_id is None:
            return None
        known = await self._eyes.open(session.user_id, OF_SESSION)
        if known is None:
            return None
        teams, administers = await what_is_seen(session.user_id)
        actor = Actor("person", known.login, session.user_id)
        return Caller(actor, f"session {session.id}", teams, administers, session.user_id)

    async def find_caller(self, token: str) -> Caller | None:
        """Return whom an API token stands for, or None where it is unknown, expired or revoked.

        A person's token reads, of its own team alone, what its maker sees; it is None too where its maker has to sign
        in again. Raises as `caller_of_session` does.
        """
        found = await tokens.find_token(token, self._clock.now())
        if found is None:
            return None
        caller = await self._caller_of(found)
        if caller is not None:
            self._uses.note_token(found)
        return caller

    async def _caller_of(self, token: tokens.Token) -> Caller | None:
        if token.user_id is None:
            return Caller(token.actor, token.credential, {token.team_id: None}, holds_until=token.holds_until)
        if await self._eyes.open(token.user_id, OF_TOKEN) is None:
            return None
        teams, administers = await what_is_seen(token.user_id)
        seen = teams.get(token.team_id)
        visible = {} if seen is None else {token.team_id: seen}
        return Caller(token.actor, token.credential, visible, administers & (seen or frozenset()), token.user_id)

    # What is done from time to time

    async def forget_grants(self) -> int:
        """End the grants on which neither a session nor a token rests any more; return how many that were."""
        ended = 0
        for row in await self._fetched(_GRANTED, self._clock.now() - SESSION_TO_COME):
            if not await self._grants.is_wanted(row["user_id"]):
                ended += await self._end_if_unwanted(row["user_id"])
        return ended

    async def look_again(self) -> int:
        """Ask GitHub what the makers of tokens see, where that was done half a day ago; return for how many."""
        now = self._clock.now()
        everybody = await self._fetched(_WITH_TOKENS, now)
        due = [row["user_id"] for row in everybody if _is_due(to_moment(row["looked_at"]), now)]
        looked = 0
        for user_id in due[: max(LEAST_AN_HOUR, -(-len(everybody) // SPREAD_OVER_HOURS))]:
            try:
                looked += await self._eyes.look(user_id)
            except DatabaseUnavailable:
                raise
            except RunledgerError as error:
                log.warning("GitHub can't be asked what the maker of a token sees: %s", error)
        return looked

    async def _fetched(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        with database_errors():
            return await self._database.reader.fetch(sql, *parameters)


def _is_due(looked_at: datetime | None, now: datetime) -> bool:
    return looked_at is None or looked_at + OF_TOKEN.asked_again <= now


def _seen(task: "asyncio.Task[Any]") -> None:
    # Whoever waited may have left.
    if not task.cancelled():
        task.exception()
