"""API tokens: shown once, kept as a hash. An operator's reads its team, a person's has its maker's eyes."""

import re
from datetime import datetime, timedelta

from msgspec import Struct

from bot.access.audit import OPERATOR, Actor, note
from bot.access.callers import Caller
from bot.access.names import checked_name
from bot.access.scopes import get_scope
from bot.access.secrets import hash_of, new_secret
from bot.domain.texts import is_storable
from bot.errors import NotFound, RunledgerError
from bot.store import models, queries
from bot.store.database import Transaction, current, database_errors, to_moment

# Easy to tell from other tokens, for people and for whatever searches code for leaked ones.
PREFIX = "rlt_"
HINT_LENGTH = 8
_SHAPE = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}", re.ASCII)
# How many tokens of a team one person may have in force, and for how many days.
MOST_OF_A_PERSON = 50
LONGEST_OF_A_PERSON = 365
# How exactly it is known when a token or a session was used last, which must not cost a write for each request.
USE_NOTED_EVERY = timedelta(minutes=5)
_IN_FORCE = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)"


class TokenLine(Struct):
    """A token as a list shows it: never the token itself, only how it begins; without `maker` it is an operator's."""

    id: int
    team: str
    name: str
    hint: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    team_id: int
    user_id: int | None = None
    maker: str | None = None

    def is_in_force(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class Token(Struct, frozen=True):
    """A token in force that somebody has sent."""

    id: int
    name: str
    team_id: int
    user_id: int | None
    expires_at: datetime | None
    last_used_at: datetime | None

    @property
    def holds_until(self) -> datetime | None:
        """When there is next something to do about it, if nothing is recorded before; None where there is at once."""
        if self.last_used_at is None:
            return None
        due = self.last_used_at + USE_NOTED_EVERY
        return due if self.expires_at is None else min(due, self.expires_at)

    @property
    def actor(self) -> Actor:
        return Actor("token", self.name, self.id)

    @property
    def credential(self) -> str:
        """Return what stands for it where requests are counted."""
        return f"token {self.id}"


class TooManyTokens(RunledgerError):
    """A person has as many tokens of a team as anybody may have."""


async def create_token(
    team: str, name: str, now: datetime, expires_days: int | None = None, *, maker: Caller | None = None
) -> str:
    """Make a token and return it: it is not to be had again.

    An operator's reads the whole of `team`. A person's, with them as `maker`, reads what they see of it at the time.
    Raises NotFound for a team that is unknown or not the maker's, TooManyTokens, RunledgerError for a name that can't
    be kept, or for a person's token without 1 to 365 days.
    """
    name = checked_name(name)
    scope = await (_any_scope(team) if maker is None else get_scope(maker, team))
    if maker is not None:
        _check_maker(maker, expires_days)
    token = new_secret(PREFIX)
    with database_errors():
        async with current().transaction() as tx:
            if maker is not None:
                await _check_number(tx, scope.team_id, maker.user_id, now)
            kept = await models.ApiToken.create(
                team_id=scope.team_id,
                name=name,
                hash=hash_of(token),
                hint=token[: len(PREFIX) + HINT_LENGTH],
                user_id=None if maker is None else maker.user_id,
                created_at=now,
                expires_at=now + timedelta(days=expires_days) if expires_days is not None else None,
                using_db=tx.client,
            )
            actor = OPERATOR if maker is None else maker.actor
            details = {"token": kept.id, "days": expires_days}
            await note(actor, "token.created", name, now, team_id=scope.team_id, details=details, tx=tx)
    return token


async def _any_scope(team: str) -> queries.Scope:
    scope = await queries.find_scope(team)
    if scope is None:
        raise NotFound(await _no_such_team(team))
    return scope


async def _no_such_team(team: str) -> str:
    slugs = await models.Team.all(using_db=current().client).order_by("slug").limit(20).values_list("slug", flat=True)
    known = f"the teams are {', '.join(map(str, slugs))}" if slugs else "no team exists until the App is installed"
    return f"there is no team {team!r}: {known}"


def _check_maker(maker: Caller, expires_days: int | None) -> None:
    if maker.user_id is None or maker.actor.kind != "person":
        message = "only a person who is signed in can make a token"
        raise RunledgerError(message)
    if expires_days is None or not 1 <= expires_days <= LONGEST_OF_A_PERSON:
        message = f"a token must end after 1 to {LONGEST_OF_A_PERSON} days"
        raise RunledgerError(message)


async def _check_number(tx: Transaction, team_id: int, user_id: int | None, now: datetime) -> None:
    # The person's row is taken first, so that of several at once each counts those before it.
    await tx.execute("UPDATE person SET login = login WHERE user_id = ?", user_id)
    sql = f"SELECT count(*) AS tokens FROM api_token WHERE team_id = ? AND user_id = ? AND {_IN_FORCE}"
    (row,) = await tx.fetch(sql, team_id, user_id, now)
    if row["tokens"] >= MOST_OF_A_PERSON:
        message = (
            f"you have {row['tokens']} tokens of this team in force, as many as anybody may have: revoke one first"
        )
        raise TooManyTokens(message)


def is_shaped(text: str) -> bool:
    """Tell whether `text` looks like a token of this service."""
    return _SHAPE.fullmatch(text) is not None


async def find_token(token: str, now: datetime) -> Token | None:
    """Return what is known of a token, or None where it is unknown, expired or revoked. Raises DatabaseUnavailable."""
    with database_errors():
        rows = await current().glance(
            "SELECT id, name, team_id, user_id, expires_at, last_used_at FROM api_token"
            f" WHERE hash = ? AND {_IN_FORCE}",
            hash_of(token),
            now,
        )
    if not rows:
        return None
    row = rows[0]
    times = to_moment(row["expires_at"]), to_moment(row["last_used_at"])
    return Token(row["id"], row["name"], row["team_id"], row["user_id"], *times)


async def list_tokens(team: str | None = None, *, user_id: int | None = None) -> list[TokenLine]:
    """Return the tokens of all teams, or of one, and of everybody, or of one person; the newest last."""
    if team is not None and not is_storable(team):
        return []
    tokens = models.ApiToken.all(using_db=current().client).prefetch_related("team").order_by("id")
    if team is not None:
        tokens = tokens.filter(team__slug=team.lower())
    if user_id is not None:
        tokens = tokens.filter(user_id=user_id)
    with database_errors():
        found = await tokens
        logins = await _logins({token.user_id for token in found if token.user_id is not None})
    return [_line(token, logins) for token in found]


async def _logins(user_ids: set[int]) -> dict[int, str]:
    people = models.Person.filter(user_id__in=sorted(user_ids)).using_db(current().client)
    return {person.user_id: person.login for person in await people} if user_ids else {}


def _line(token: models.ApiToken, logins: dict[int, str]) -> TokenLine:
    user_id = token.user_id
    return TokenLine(
        token.id,
        token.team.slug,
        token.name,
        token.hint,
        token.created_at,
        token.expires_at,
        token.revoked_at,
        token.last_used_at,
        token.team.id,
        user_id,
        None if user_id is None else logins.get(user_id, f"user {user_id}"),
    )


async def revoke_own_token(caller: Caller, team_id: int, token_id: int, now: datetime) -> TokenLine:
    """Revoke a token that the caller, a person, made for a team; return what it was.

    Raises NotFound where there is none of theirs in force, DatabaseUnavailable.
    """
    mine = [] if caller.user_id is None else await list_tokens(user_id=caller.user_id)
    fitting = [each for each in mine if (each.id, each.team_id) == (token_id, team_id)]
    if not fitting or not await _revoke(fitting[0], caller.actor, now):
        message = "there is no such token in force"
        raise NotFound(message)
    return fitting[0]


async def revoke_token(which: str, now: datetime) -> TokenLine:
    """Revoke, as the operator, a token by its id, its name, or how it begins; return what it was.

    Raises NotFound where none that is in force fits, RunledgerError where several do.
    """
    in_force = [each for each in await list_tokens() if each.revoked_at is None]
    fitting = [each for each in in_force if str(each.id) == which] or [
        each for each in in_force if each.name == which or (which.startswith(PREFIX) and which.startswith(each.hint))
    ]
    if not fitting:
        # Whoever mistypes a token should not find it in a log.
        message = f"there is no token {'like that' if which.startswith(PREFIX) else repr(which)} in force"
        raise NotFound(message)
    if len(fitting) > 1:
        message = f"several tokens are called {which!r}: name one by its id"
        raise RunledgerError(message)
    await _revoke(fitting[0], OPERATOR, now)
    return fitting[0]


async def _revoke(token: TokenLine, actor: Actor, now: datetime) -> bool:
    with database_errors():
        async with current().transaction() as tx:
            rows = await tx.fetch(
                "UPDATE api_token SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL RETURNING team_id",
                now,
                token.id,
            )
            for row in rows:
                details = {"token": token.id}
                await note(actor, "token.revoked", token.name, now, team_id=row["team_id"], details=details, tx=tx)
    return bool(rows)
