"""API tokens: shown once, kept as a hash."""

from datetime import datetime, timedelta

from msgspec import Struct

from bot.access.audit import Actor
from bot.access.callers import Caller
from bot.access.names import checked_name
from bot.access.secrets import hash_of, new_secret
from bot.domain.texts import is_storable
from bot.errors import NotFound, RunledgerError
from bot.store import models, queries
from bot.store.database import current, database_errors, to_moment

# Easy to tell from other tokens, for people and for whatever searches code for leaked ones.
PREFIX = "rlt_"
HINT_LENGTH = 8


class TokenLine(Struct):
    """A token as a list shows it: never the token itself, only how it begins."""

    id: int
    team: str
    name: str
    hint: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


async def create_token(team: str, name: str, now: datetime, expires_days: int | None = None) -> str:
    """Make a token that reads the whole of `team`, and return it: it is not to be had again.

    Raises NotFound for an unknown team, RunledgerError for a name that can't be kept.
    """
    name = checked_name(name)
    scope = await queries.find_scope(team)
    if scope is None:
        raise NotFound(await _no_such_team(team))
    token = new_secret(PREFIX)
    await models.ApiToken.create(
        team_id=scope.team_id,
        name=name,
        hash=hash_of(token),
        hint=token[: len(PREFIX) + HINT_LENGTH],
        created_at=now,
        expires_at=now + timedelta(days=expires_days) if expires_days is not None else None,
        using_db=current().client,
    )
    return token


async def _no_such_team(team: str) -> str:
    slugs = await models.Team.all(using_db=current().client).order_by("slug").limit(20).values_list("slug", flat=True)
    known = f"the teams are {', '.join(map(str, slugs))}" if slugs else "no team exists until the App is installed"
    return f"there is no team {team!r}: {known}"


async def find_caller(token: str, now: datetime) -> Caller | None:
    """Return whom `token` stands for, or None where it is unknown, expired or revoked."""
    with database_errors():
        rows = await current().reader.fetch(
            "SELECT id, name, team_id, expires_at, revoked_at FROM api_token WHERE hash = ?", hash_of(token)
        )
    if not rows or rows[0]["revoked_at"] is not None:
        return None
    expires_at = to_moment(rows[0]["expires_at"])
    if expires_at is not None and expires_at <= now:
        return None
    token_id, name = rows[0]["id"], rows[0]["name"]
    return Caller(Actor("token", name, token_id), f"token {token_id}", {rows[0]["team_id"]: None})


async def list_tokens(team: str | None = None) -> list[TokenLine]:
    """Return the tokens of all teams, or of one, the newest last."""
    if team is not None and not is_storable(team):
        return []
    tokens = models.ApiToken.all(using_db=current().client).prefetch_related("team").order_by("id")
    return [
        TokenLine(
            token.id,
            token.team.slug,
            token.name,
            token.hint,
            token.created_at,
            token.expires_at,
            token.revoked_at,
            token.last_used_at,
        )
        for token in await (tokens.filter(team__slug=team.lower()) if team else tokens)
    ]


async def revoke_token(which: str, now: datetime) -> TokenLine:
    """Revoke a token by its id, its name, or how it begins; return what it was.

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
    await models.ApiToken.filter(id=fitting[0].id).using_db(current().client).update(revoked_at=now)
    return fitting[0]
