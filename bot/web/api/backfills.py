"""Requests for history, and how far each has come."""

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from bot import history
from bot.access import audit
from bot.store import queries
from bot.store.database import Transaction, database_errors
from bot.store.queries.filters import GITHUB_ID_MAX, BackfillRequest, TeamQuery
from bot.store.views import BackfillProgress
from bot.web.problems import Problem
from bot.web.service import Service

if TYPE_CHECKING:
    from bot.access.callers import Caller

NO_APP = "The service has no App to ask GitHub as: APP_ID and PRIVATE_KEY are not set. Nothing was stored."


class BackfillPath(msgspec.Struct, frozen=True):
    """Which backfill."""

    id: Annotated[int, Meta(ge=1, le=GITHUB_ID_MAX)]


async def ask_for_backfill(
    scope: "queries.Scope", query: BackfillRequest, service: Service, caller: "Caller"
) -> BackfillProgress:
    """Have a repository's history fetched, by whichever worker comes to it, and return how far that has come.

    Raises Problem (503) where nobody would ever do it.
    """
    if not service.asks_github:
        raise Problem(503, NO_APP)
    name, now = query.repo_full_name, service.clock.now()

    async def note(tx: Transaction, repository_id: int) -> None:
        team_id = scope.team_id
        await audit.note(caller.actor, "backfill.asked", name, now, team_id=team_id, repository_id=repository_id, tx=tx)

    with database_errors():
        (asked,) = await history.ask_for_backfill(scope.to_change(), name, query.since, query.until, now, note)
    return await queries.get_backfill(scope, asked)


async def get_backfill(scope: "queries.Scope", _query: TeamQuery, path: BackfillPath) -> BackfillProgress:
    """Return how far one backfill has come."""
    return await queries.get_backfill(scope, path.id)
