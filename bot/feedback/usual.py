"""How long runs and jobs usually take, read off the record and remembered for a while."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from cachetools import TTLCache

from bot.clock import Clock
from bot.domain.feedback.estimate import Usual, usual_of
from bot.store.database import Executor, to_moment

REMEMBERED = timedelta(minutes=10)
MOST_REPOSITORIES = 1_000
RUNS_LOOKED_AT, RUNS_EACH = 200, 5

# By the index on repository and creation time: the newest ones, whichever workflow they are of.
_RUNS = (
    "SELECT run_id, workflow_id, conclusion, run_attempt, run_started_at, created_at, updated_at FROM workflow_run"
    " WHERE repository_id = ? ORDER BY created_at DESC, run_id DESC LIMIT ?"
)
_JOBS = (
    "SELECT run_id, name, started_at, completed_at FROM workflow_job WHERE run_id IN ({}) AND conclusion = 'success'"
)


class UsualTimes:
    """The usual times of the workflows of some repositories."""

    def __init__(self, clock: Clock) -> None:
        self._known: TTLCache[int, dict[int, Usual]] = TTLCache(
            MOST_REPOSITORIES, REMEMBERED.total_seconds(), timer=clock.time
        )

    async def of(self, reader: Executor, repository_id: int) -> Mapping[int, Usual]:
        """Return the usual times of a repository's workflows, by their ids."""
        known = self._known.get(repository_id)
        if known is None:
            known = self._known[repository_id] = await _look_up(reader, repository_id)
        return known


async def _look_up(reader: Executor, repository_id: int) -> dict[int, Usual]:
    newest: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for run in await reader.fetch(_RUNS, repository_id, RUNS_LOOKED_AT):
        # A later attempt may have run a part of the jobs only.
        whole = run["conclusion"] == "success" and run["run_attempt"] == 1 and run["workflow_id"] is not None
        if whole and len(newest[run["workflow_id"]]) < RUNS_EACH:
            newest[run["workflow_id"]].append(run)
    jobs = await _job_times(reader, [run["run_id"] for runs in newest.values() for run in runs])
    found = {
        workflow: usual_of(
            [_seconds(run["run_started_at"] or run["created_at"], run["updated_at"]) for run in runs],
            [each for run in runs for each in jobs.get(run["run_id"], ())],
        )
        for workflow, runs in newest.items()
    }
    return {workflow: usual for workflow, usual in found.items() if usual is not None}


async def _job_times(reader: Executor, run_ids: Collection[int]) -> dict[int, list[tuple[str, float]]]:
    times: dict[int, list[tuple[str, float]]] = defaultdict(list)
    if run_ids:
        for job in await reader.fetch(_JOBS.format(", ".join("?" * len(run_ids))), *run_ids):
            if job["started_at"] is not None and job["completed_at"] is not None:
                times[job["run_id"]].append((job["name"], _seconds(job["started_at"], job["completed_at"])))
    return times


def _seconds(began: Any, ended: Any) -> float:
    start, end = to_moment(began), to_moment(ended)
    return 0.0 if start is None or end is None else max((end - start).total_seconds(), 0.0)
