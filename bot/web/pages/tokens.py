"""Tokens for the API that a person makes for themselves: shown once, with their maker's eyes."""

from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from bot import access
from bot.access import TokenLine, TooManyTokens
from bot.errors import ParameterError
from bot.store.queries.filters import GITHUB_ID_MAX, TeamName
from bot.store.queries.scope import Scope
from bot.store.queries.teams import administers_all
from bot.web.answers import public_url
from bot.web.pages.teams import TeamPath
from bot.web.problems import Problem
from bot.web.route import NoQuery
from bot.web.visits import Visit

DAYS = (7, 30, 90, 365)


class NewToken(msgspec.Struct, frozen=True):
    """What a token is called, and how long it is good."""

    name: Annotated[str, Meta(min_length=1, max_length=200, description="What it is for")]
    days: Annotated[int, Meta(ge=1, le=365, description="After how many days it ends")]


class TokenPath(msgspec.Struct, rename="camel", frozen=True):
    """Which token of which team."""

    team: Annotated[TeamName, Meta(description="Slug or id of the team")]
    token_id: Annotated[int, Meta(ge=1, le=GITHUB_ID_MAX, description="The token's id")]


async def get_tokens_page(visit: Visit, _query: NoQuery, path: TeamPath) -> web.StreamResponse:
    """Show the tokens that the person who visits has made for a team, and a form to make another."""
    scope = await visit.get_scope(path.team)
    now = visit.service.clock.now()
    own = await access.list_tokens(scope.slug, user_id=visit.caller.user_id)
    return visit.page(
        "team_tokens.html",
        scope=scope,
        tokens=own[::-1],
        operators=await _operators(scope, now),
        now=now,
        days=DAYS,
    )


async def _operators(scope: Scope, now: datetime) -> list[TokenLine]:
    """Return the operator's tokens, for those from whom nothing of the team is hidden: they read all of it."""
    if not await administers_all(scope):
        return []
    return [each for each in await access.list_tokens(scope.slug) if each.user_id is None and each.is_in_force(now)]


async def create_token(visit: Visit, form: NewToken, path: TeamPath) -> web.StreamResponse:
    """Make a token and show it, which nothing does again."""
    scope = await visit.get_scope(path.team)
    if not form.name.strip():
        raise ParameterError("name", "must be more than spaces")
    now = visit.service.clock.now()
    try:
        token = await access.create_token(scope.slug, form.name, now, form.days, maker=visit.caller)
    except TooManyTokens as error:
        said = f"{error}."
        raise Problem(400, said[0].upper() + said[1:]) from None
    address = public_url(visit.request)
    return visit.page("team_token.html", scope=scope, token=token, name=form.name, days=form.days, address=address)


async def revoke_token(visit: Visit, _form: NoQuery, path: TokenPath) -> web.StreamResponse:
    """Revoke a token that the person who visits has made."""
    scope = await visit.get_scope(path.team)
    await access.revoke_own_token(visit.caller, scope.team_id, path.token_id, visit.service.clock.now())
    return visit.redirect(f"/teams/{scope.slug}/tokens")
