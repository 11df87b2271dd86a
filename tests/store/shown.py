"""What lists show of a team, beside what they show with nothing remembered of the rows."""

import msgspec

from bot.errors import NotFound
from bot.store.database import Database
from bot.store.queries import JobsQuery, RunsQuery, get_scope, list_jobs, list_runs
from bot.store.written import Written

NOTHING_KEPT = 0


async def _shown(team: str) -> list[bytes]:
    scope = await get_scope(team)
    runs = await list_runs(scope, RunsQuery(team=team, limit=100), as_json=True)
    jobs = await list_jobs(scope, JobsQuery(team=team, limit=100), as_json=True)
    return [msgspec.json.encode(page) for page in (runs, jobs)]


async def assert_shown_as_it_stands(database: Database, team: str) -> None:
    """Hold that lists show the same by what is remembered as they do without; a team that is not there has none."""
    try:
        shown = await _shown(team)
        # What is asked for twice is remembered from then on.
        await _shown(team)
    except NotFound:
        return
    kept = database.written_runs, database.written_jobs
    database.written_runs, database.written_jobs = Written(NOTHING_KEPT), Written(NOTHING_KEPT)
    try:
        assert shown == await _shown(team)
    finally:
        database.written_runs, database.written_jobs = kept
