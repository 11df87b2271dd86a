"""Requests for history, and how far each has come."""

from typing import Annotated

import msgspec
from msgspec import Meta

from bot.store import queries
from bot.store.queries.filters import GITHUB_ID_MAX, TeamQuery
from bot.store.views import BackfillProgress


class BackfillPath(msgspec.Struct, frozen=True):
    """Which backfill."""

    id: Annotated[int, Meta(ge=1, le=GITHUB_ID_MAX)]


async def get_backfill(scope: "queries.Scope", _query: TeamQuery, path: BackfillPath) -> BackfillProgress:
    """Return how far one backfill has come."""
    return await queries.get_backfill(scope, path.id)
