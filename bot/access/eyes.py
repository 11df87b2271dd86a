"""What people see on GitHub, asked for with their own tokens and kept for minutes.

Whatever may have changed since it was asked for is asked for again before it is shown: `person.looked_at` is NULL then.
What a person sees is recorded whole or not at all. Within a process each person is asked about once, however many of
their requests wait for it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from cachetools import TTLCache
from msgspec import Struct

from bot import metrics
from bot.access.asking import Asking
from bot.access.grants import GrantEnded, Grants
from bot.clock import Clock
from bot.errors import GitHubAway, SettingsError
from bot.github import Client, users
from bot.github.answers import Answer, Json
from bot.github.auth import PersonCredential, Secret
from bot.github.errors import (
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    InstallationSuspended,
    NotFound,
    Unauthorized,
)
from bot.store.database import Database, Transaction, database_errors, to_moment
from bot.store.queries.filters import GitHubId
from bot.store.sealing import CannotOpen

log = logging.getLogger(__name__)

T = TypeVar("T")

# How long a request waits for GitHub: shortly where something usable is known, else as long as a browser's user may.
SHORT_WAIT, LONG_WAIT = 5.0, 20.0
# A request to GitHub waits no longer than this for its turn in the person's hour.
TURN_PATIENCE = 10.0
# After a look that failed, so long nobody waits for another one.
AFTER_FAULT = 15.0
MOST_FAULTS = 10_000
# How far the clocks of two processes may be apart.
CLOCKS_APART = timedelta(minutes=1)
# How often what a person sees may change while it is being asked for.
MOST_LOOKS = 3


@dataclass(frozen=True, slots=True)
class Ages:
    """How old what a person sees may be before GitHub is asked again, and where GitHub can't be asked."""

    asked_again: timedelta
    usable: timedelta


OF_SESSION = Ages(timedelta(minutes=5), timedelta(hours=1))
OF_TOKEN = Ages(timedelta(hours=12), timedelta(hours=24))


@dataclass(frozen=True, slots=True)
class Known:
    """A person for whom GitHub can be asked, and when that was done last."""

    login: str
    looked_at: datetime | None
    revision: int

    def is_younger(self, age: timedelta, now: datetime) -> bool:
        return self.looked_at is not None and -CLOCKS_APART < now - self.looked_at < age


class _Permissions(Struct):
    admin: bool = False


class _Repository(Struct):
    id: GitHubId
    permissions: _Permissions = msgspec.field(default_factory=_Permissions)


class _Installation(Struct):
    id: GitHubId
    suspended_at: str | None = None


@dataclass(slots=True)
class Seen:
    """Installations, each with whether it is suspended, so that GitHub tells nothing of it; and repositories.

    Of a repository it is known in which installation it was seen, and whether the person administers it.
    """

    installations: dict[int, bool] = field(default_factory=dict)
    repositories: dict[int, tuple[int, bool]] = field(default_factory=dict)


class Eyes:
    """Looks for people. `close` ends what is under way: nothing of it is recorded."""

    def __init__(self, database: Database, clock: Clock, grants: Grants, asking: Asking) -> None:
        self._database = database
        self._clock = clock
        self._grants = grants
        self._asking = asking
        self._looking: dict[int, asyncio.Task[bool]] = {}
        self._faults: TTLCache[int, str] = TTLCache(MOST_FAULTS, AFTER_FAULT, timer=clock.time)

    async def close(self) -> None:
        """Stop looking."""
        looking = list(self._looking.values())
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)

    def forget_faults(self, user_id: int) -> None:
        """Let GitHub be asked at once, as after a new sign-in."""
        self._faults.pop(user_id, None)

    async def find(self, user_id: int) -> Known | None:
        """Return what is known of a person, None where nothing is granted. Raises DatabaseUnavailable."""
        sql = "SELECT login, looked_at, revision FROM person WHERE user_id = ? AND access_token IS NOT NULL"
        with database_errors():
            rows = await self._database.reader.fetch(sql, user_id)
        return Known(rows[0]["login"], to_moment(rows[0]["looked_at"]), rows[0]["revision"]) if rows else None

    async def open(self, user_id: int, ages: Ages) -> Known | None:
        """See to it that what is recorded of a person's sight is no older than it may be.

        Returns None where GitHub can't be asked in the person's name any more. Raises GitHubAway where GitHub can't
        be asked now and what is known is too old, DatabaseUnavailable.
        """
        known = await self.find(user_id)
        if known is None or known.is_younger(ages.asked_again, self._clock.now()):
            return known
        is_usable = known.is_younger(ages.usable, self._clock.now())
        try:
            return known if await self._look_in_time(user_id, SHORT_WAIT if is_usable else LONG_WAIT) else None
        except CannotOpen as error:
            # Whoever signs in again is sealed anew.
            log.warning("%s", error)
            return None
        except (GitHubError, SettingsError) as error:
            log.info("GitHub can't be asked what a person sees: %s", error)
        # By now it may be known that it has changed.
        known = await self.find(user_id)
        if known is None or known.is_younger(ages.usable, self._clock.now()):
            return known
        message = "GitHub can't be asked now what you may see: try again in a minute"
        raise GitHubAway(message)

    async def look(self, user_id: int) -> bool:
        """Ask GitHub what a person sees, and record it; return False where nothing is granted any more.

        Raises GitHubError, CannotOpen, SettingsError, DatabaseUnavailable.
        """
        return await asyncio.shield(self._begun(user_id))

    async def _look_in_time(self, user_id: int, seconds: float) -> bool:
        if user_id not in self._looking and (fault := self._faults.get(user_id)) is not None:
            raise GitHubUnavailable(fault)
        task = self._begun(user_id)
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({task, sleeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
        if not task.done():
            message = "GitHub did not answer in time"
            raise GitHubUnavailable(message)
        return task.result()

    def _begun(self, user_id: int) -> "asyncio.Task[bool]":
        task = self._looking.get(user_id)
        if task is None:
            task = self._looking[user_id] = asyncio.create_task(self._counted(user_id))
            task.add_done_callback(_seen)
        return task

    async def _counted(self, user_id: int) -> bool:
        outcome = "failed"
        try:
            is_granted = await self._look(user_id)
            outcome = "seen" if is_granted else "ended"
            self.forget_faults(user_id)
        except GitHubError as error:
            self._faults[user_id] = str(error)
            raise
        else:
            return is_granted
        finally:
            metrics.LOOKS.labels(outcome).inc()
            del self._looking[user_id]

    async def _look(self, user_id: int) -> bool:
        for _ in range(MOST_LOOKS):
            known, began = await self.find(user_id), self._clock.now()
            if known is None:
                return False
            try:
                seen = await self._ask(user_id)
            except GrantEnded:
                return False
            if await self._record(user_id, known.revision, began, seen):
                return True
        message = "what a person sees goes on changing"
        raise GitHubUnavailable(message)

    async def _ask(self, user_id: int) -> Seen:
        """Return what GitHub shows the person. Raises GrantEnded, and whatever else keeps it from being known whole."""
        fetched: list[Secret] = []

        async def fetch(refused: Secret | None) -> Secret:
            fetched.append(await self._grants.secret(user_id, refused))
            return fetched[-1]

        github = await self._asking.github()
        client = github.person(user_id, PersonCredential(fetch, self._clock), patience=TURN_PATIENCE)
        try:
            return await _seen_by(client)
        except Unauthorized as error:
            grant = await self._grants.find(user_id)
            if grant is not None and fetched and grant.access.value == fetched[-1].value:
                await self._grants.lose(grant)
            raise GrantEnded(str(error)) from None

    async def _record(self, user_id: int, revision: int, began: datetime, seen: Seen) -> bool:
        """Record what was seen unless it may have changed since `revision`; return whether it was recorded."""

        async def record(tx: Transaction) -> bool:
            # Whoever else records or changes anything about the person waits here.
            take = "UPDATE person SET looked_at = ? WHERE user_id = ? AND revision = ? AND access_token IS NOT NULL"
            if not await tx.execute(take, began, user_id, revision):
                return False
            await _record_installations(tx, user_id, seen.installations)
            await _record_repositories(tx, user_id, seen.repositories)
            return True

        with database_errors():
            return await self._database.transact(record)


def _seen(task: "asyncio.Task[bool]") -> None:
    # Whoever waited may have left.
    if not task.cancelled():
        task.exception()


async def _seen_by(client: Client) -> Seen:
    seen = Seen()
    try:
        installations = await _collected(users.user_installation_pages(client), _Installation)
    except (Forbidden, NotFound):
        # As for somebody whose account GitHub has suspended.
        return seen
    for each in installations:
        if each.suspended_at is not None:
            seen.installations[each.id] = True
        else:
            await _look_into(client, each.id, seen)
    return seen


async def _look_into(client: Client, installation_id: int, seen: Seen) -> None:
    try:
        repositories = await _collected(users.user_repository_pages(client, installation_id), _Repository)
    except InstallationSuspended:
        seen.installations[installation_id] = True
        return
    except (Forbidden, NotFound):
        # It was taken away just now, or wants the person to sign in elsewhere first.
        return
    seen.installations[installation_id] = False
    for each in repositories:
        seen.repositories[each.id] = (installation_id, each.permissions.admin)


async def _collected(pages: AsyncIterator[Answer[list[Json]]], shape: type[T]) -> list[T]:
    found: list[T] = []
    async for page in pages:
        try:
            found += msgspec.convert(page.data, list[shape])  # type: ignore[valid-type]
        except msgspec.ValidationError as error:
            message = f"GitHub's list is not what it documents: {error}"
            raise GitHubUnavailable(message, maybe_taken=False) from None
    return found


async def _record_installations(tx: Transaction, user_id: int, seen: dict[int, bool]) -> None:
    rows = await tx.fetch("SELECT installation_id, is_suspended FROM person_installation WHERE user_id = ?", user_id)
    before = {row["installation_id"]: bool(row["is_suspended"]) for row in rows}
    await tx.execute_many(
        "DELETE FROM person_installation WHERE user_id = ? AND installation_id = ?",
        [(user_id, each) for each in sorted(before.keys() - seen.keys())],
    )
    await tx.execute_many(
        "INSERT INTO person_installation (user_id, installation_id, is_suspended) VALUES (?, ?, ?)"
        " ON CONFLICT (user_id, installation_id) DO UPDATE SET is_suspended = excluded.is_suspended",
        [(user_id, each, suspended) for each, suspended in sorted(seen.items()) if before.get(each) != suspended],
    )


async def _record_repositories(tx: Transaction, user_id: int, seen: dict[int, tuple[int, bool]]) -> None:
    before = await _repositories_before(tx, user_id)
    await tx.execute_many(
        "DELETE FROM person_repository WHERE user_id = ? AND repository_id = ?",
        [(user_id, each) for each in sorted(before.keys() - seen.keys())],
    )
    await tx.execute_many(
        "INSERT INTO person_repository (user_id, repository_id, installation_id, is_admin) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (user_id, repository_id) DO UPDATE SET"
        " installation_id = excluded.installation_id, is_admin = excluded.is_admin",
        [(user_id, each, *told) for each, told in sorted(seen.items()) if before.get(each) != told],
    )


async def _repositories_before(tx: Transaction, user_id: int) -> dict[int, tuple[int, Any]]:
    sql = "SELECT repository_id, installation_id, is_admin FROM person_repository WHERE user_id = ?"
    rows = await tx.fetch(sql, user_id)
    return {row["repository_id"]: (row["installation_id"], bool(row["is_admin"])) for row in rows}
