"""What lists show of a team, beside what they show with nothing remembered."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import msgspec

from bot.errors import NotFound
from bot.store.database import Database
from bot.store.queries import JobsQuery, RunsQuery, get_scope, list_jobs, list_runs
from bot.store.remembered import Remembered
from bot.store.written import Written

NOTHING = 0


async def lists_of(team: str) -> list[bytes]:
    """Return the newest of its runs and jobs, as the API answers."""
    scope = await get_scope(team)
    runs = await list_runs(scope, RunsQuery(team=team, limit=100), as_json=True)
    jobs = await list_jobs(scope, JobsQuery(team=team, limit=100), as_json=True)
    return [msgspec.json.encode(page) for page in (runs, jobs)]


@contextmanager
def _nothing_remembered(database: Database) -> Iterator[None]:
    kept = database.written_runs, database.written_jobs, database.remembered
    database.written_runs, database.written_jobs = Written(NOTHING), Written(NOTHING)
    database.remembered = Remembered(NOTHING)
    try:
        yield
    finally:
        database.written_runs, database.written_jobs, database.remembered = kept


async def assert_shown_as_it_stands(
    database: Database, team: str, lists: Callable[[str], Awaitable[list[bytes]]] = lists_of
) -> None:
    """Hold that `lists` are the same by what is remembered as without; a team that is not there has none."""
    try:
        shown = await lists(team)
        # What is asked for twice is remembered from then on.
        assert shown == await lists(team)
    except NotFound:
        return
    with _nothing_remembered(database):
        assert shown == await lists(team)
