"""For scripts and notebooks, which wait for what they ask, and for the command line, which shows how it goes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from bot.clock import Clock
from bot.domain.forecast import HOUR, Allowance, seconds_left
from bot.github import Lane, Outlook
from bot.history.historian import Historian
from bot.history.requests import ask_for_backfill
from bot.history.tools import Tools, opened
from bot.settings import load_settings
from bot.store import queries
from bot.store.database import current
from bot.store.queries.scope import Scope
from bot.store.views import BackfillProgress

LOOK_AGAIN_SECONDS = 0.5


async def backfill_workflow_runs(
    team: str | int | Scope, repo_full_name: str, since: datetime | None = None, until: datetime | None = None
) -> BackfillProgress:
    """Fetch the history of one repository and return what came of it, by default of the last 90 days.

    The App is that of the settings. Raises NotFound for an unknown team or repository, ParameterError where the App
    can't ask for it or the span ends before it begins, SettingsError where the settings name no App.
    """
    clock, scope = Clock(), await queries.get_scope(team)
    async with opened(load_settings(), current(), clock) as tools:
        span = (_in_utc(since), _in_utc(until))
        asked = await ask_for_backfill(scope, repo_full_name, *span, clock.now())
        async for progress in following(tools, [(scope, each) for each in asked]):
            last = progress[0]
    return last


def _in_utc(moment: datetime | None) -> datetime | None:
    # Over HTTP a time without an offset is meant in UTC, so it is here too, wherever the machine stands.
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


async def following(tools: Tools, asked: Sequence[tuple[Scope, int]]) -> AsyncIterator[list[BackfillProgress]]:
    """Work on history here, where no other process does, and yield how far these backfills are until all are done.

    Each is named by its id and the scope of its team.
    """
    async with _working(tools):
        while True:
            progress = [await queries.get_backfill(scope, backfill_id) for scope, backfill_id in asked]
            yield progress
            if all(each.finished_at is not None for each in progress):
                return
            await tools.clock.sleep(LOOK_AGAIN_SECONDS)


def time_left(tools: Tools, progress: Sequence[BackfillProgress]) -> dict[int | None, float]:
    """Return about how many seconds the backfills of each installation take together, for they share its budget.

    That is as far as this process has heard of the budget.
    """
    requests: Counter[int] = Counter()
    for each in progress:
        if each.installation_id is not None:
            requests[each.installation_id] += each.requests_left
    now = tools.clock.time()
    budgets = {each: tools.github.installation(each, lane=Lane.BACKFILL).outlook() for each in requests}
    return {each: seconds_left(requests[each], _allowance(budgets[each], now)) for each in requests}


def _allowance(outlook: Outlook, now: float) -> Allowance:
    return Allowance(
        now=outlook.backfill_left,
        an_hour=outlook.backfill_an_hour,
        a_minute=outlook.backfill_a_minute,
        resets_in=HOUR if outlook.resets_at is None else max(outlook.resets_at - now, 0.0),
        paused=0.0 if outlook.paused_until is None else outlook.paused_until - now,
    )


@asynccontextmanager
async def _working(tools: Tools) -> AsyncIterator[None]:
    working = asyncio.create_task(Historian(tools).run(), name="history")
    try:
        yield
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
