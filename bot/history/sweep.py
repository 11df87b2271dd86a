"""Looking after what should have ended, and back over what was: for events that GitHub never sent.

Events that are never sent leave no trace in GitHub's list of deliveries; only the runs themselves tell.
"""

from datetime import timedelta

from bot.domain.wanting import FIRST_LOOK, Urgency
from bot.history.requests import Kind, ask_of_installation
from bot.history.tools import Tools
from bot.store.database import to_moment
from bot.store.wanted import WantedRun, want_runs

# The hourly look overlaps the last one, so that a run is seen that began while it was under way.
OVERLAP, NIGHTLY = timedelta(hours=3), timedelta(days=31)
AT_ONCE = 1000

# A run that is looked at already has its next look in its own row.
_STOOD_STILL = (
    "SELECT run.run_id, run.repository_id, repository.installation_id, run.created_at FROM {} JOIN repository"
    " ON repository.repository_id = run.repository_id AND repository.hidden_at IS NULL"
    " AND (repository.refused_until IS NULL OR repository.refused_until <= ?) JOIN installation"
    " ON installation.installation_id = repository.installation_id AND installation.state = 'active'"
    " WHERE {} AND NOT EXISTS (SELECT 1 FROM run_wanted WHERE run_wanted.run_id = run.run_id AND urgency <= ?)"
    " LIMIT ?"
)
_RUNS = _STOOD_STILL.format(
    "workflow_run AS run", "(run.status <> 'completed' OR run.conclusion = 'action_required') AND run.updated_at <= ?"
)
_RUNS_OF_JOBS = _STOOD_STILL.format(
    "workflow_job AS job JOIN workflow_run AS run ON run.run_id = job.run_id",
    "job.status <> 'completed' AND job.listed_at <= ?",
).replace("SELECT", "SELECT DISTINCT", 1)


async def sweep(tools: Tools) -> int:
    """Have GitHub asked about runs that have not ended, or have such jobs, and stood still for 15 minutes.

    Returns how many are new among those.
    """
    now = tools.clock.now()
    found = {}
    for sql in (_RUNS, _RUNS_OF_JOBS):
        for row in await tools.database.reader.fetch(sql, now, now - FIRST_LOOK, Urgency.UNFINISHED, AT_ONCE):
            found[row["run_id"]] = WantedRun(
                run_id=row["run_id"],
                installation_id=row["installation_id"],
                repository_id=row["repository_id"],
                backfill_id=None,
                urgency=Urgency.UNFINISHED,
                with_jobs=True,
                run_created_at=to_moment(row["created_at"]) or now,
                due_at=now,
            )
    await tools.database.transact(lambda tx: want_runs(tx, found.values()))
    return len(found)


async def look_back_an_hour(tools: Tools) -> int:
    """Have the runs of the last hours listed, also those that no event told of; return of how many installations."""
    return await _look_back(tools, Kind.OVERLAP, OVERLAP)


async def look_back_a_month(tools: Tools) -> int:
    """Have the runs of the last 31 days listed, the time in which one may be run again."""
    return await _look_back(tools, Kind.NIGHTLY, NIGHTLY)


async def _look_back(tools: Tools, kind: Kind, span: timedelta) -> int:
    now, span = tools.clock.now(), tools.worth_asking(span)
    rows = await tools.database.reader.fetch("SELECT installation_id FROM installation WHERE state = 'active'")
    asked = 0
    for row in rows:
        async with tools.database.transaction() as tx:
            backfill = await ask_of_installation(tx, kind, row["installation_id"], now - span, now, now)
        asked += backfill is not None
    return asked
