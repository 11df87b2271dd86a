"""How far the record has come: who has installed the App, how much history there is, and the newest runs."""

from datetime import datetime

from msgspec import Struct, field

from bot.store import health, queries
from bot.store.queries import RunsQuery, Scope
from bot.store.queries.progress import History, Installed, list_histories, list_installed
from bot.store.views import Run

NEWEST_RUNS = 5
# Whoever has set up a service for more has seen its first runs long ago.
MOST_TEAMS = 10


class Progress(Struct, frozen=True):
    """What the record knows; `runs` are the newest, whichever team they are of."""

    has_worker: bool = False
    installed: list[Installed] = field(default_factory=list)
    histories: list[History] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    @property
    def last_delivery_at(self) -> datetime | None:
        return max((each.last_delivery_at for each in self.installed if each.last_delivery_at), default=None)

    @property
    def runs_stored(self) -> int:
        return sum(each.runs_stored or 0 for each in self.histories)


async def read_progress(now: datetime) -> Progress:
    """Return how far it all has come. Raises DatabaseUnavailable."""
    beat = await health.newest_heartbeat()
    installed = await list_installed()
    return Progress(
        has_worker=beat is not None and now - beat <= health.FRESH,
        installed=installed,
        histories=await list_histories(),
        runs=await _newest_runs(installed),
    )


async def _newest_runs(installed: list[Installed]) -> list[Run]:
    teams = sorted({each.team_id for each in installed})[:MOST_TEAMS]
    pages = [await queries.list_runs(Scope(team, ""), RunsQuery(team="", limit=NEWEST_RUNS)) for team in teams]
    runs = [run for page in pages for run in page.runs]
    return sorted(runs, key=lambda run: (run.created_at, run.run_id), reverse=True)[:NEWEST_RUNS]
