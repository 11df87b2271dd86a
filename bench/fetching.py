"""A whole backfill, as the worker does it, and how long it waits for GitHub on the way."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.past import PER_PAGE, TOLD
from bot import events
from bot.clock import Clock
from bot.github import GitHub
from bot.github.answers import Reply
from bot.github.ledger import Figures
from bot.history import Historian, Tools, due_installations, find_installations, sync_installation
from bot.store import connected
from bot.store.leases import Leases, new_holder
from bot.store.migrate import migrate

_MANY = 10**9
# What a machine alone could do in a minute is far more than GitHub would let it.
UNBOUND = Figures(points=_MANY, points_of_reads=_MANY, points_of_backfill=_MANY)


class Told(Struct):
    """What the simulated GitHub tells of itself."""

    app_id: int
    private_key: str


@dataclass
class Meter:
    """Stands in the way of every request: for how long in all at least one was under way, and until when lists were."""

    _send: Callable[[str, str, Mapping[str, str], bytes], Awaitable[Reply]]
    requests: int = 0
    waited: float = 0.0
    listed_at: float = 0.0
    waited_for_lists: float = 0.0
    _under_way: int = 0
    _since: float = 0.0

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if self._under_way == 0:
            self._since = time.perf_counter()
        self._under_way += 1
        try:
            return await self._send(method, url, headers, body)
        finally:
            self._ended(url)

    def _ended(self, url: str) -> None:
        now = time.perf_counter()
        self.requests += 1
        self._under_way -= 1
        if self._under_way == 0:
            self.waited += now - self._since
        if url.partition("?")[0].endswith("/actions/runs"):
            self.listed_at, self.waited_for_lists = now, self.waited

    def reset(self) -> None:
        self.requests, self.waited = 0, 0.0


async def fetch_all(url: str, api_url: str, folder: Path, runs: int) -> dict[str, float]:
    """Migrate an empty database, find the installation, fetch its past, and return how that went.

    Raises RuntimeError when not all of it is there then.
    """
    await migrate(url)
    told, clock = msgspec.json.decode((folder / TOLD).read_bytes(), type=Told), Clock()
    async with (
        connected(url) as database,
        GitHub(told.app_id, told.private_key, api_url=api_url, clock=clock, figures=UNBOUND) as github,
    ):
        connection = github.app.connection
        meter = Meter(connection.send)
        connection.send = meter.send  # type: ignore[method-assign]
        tools = Tools(database, github, clock, Leases(database, clock, new_holder()), events.acts_on)
        await find_installations(tools)
        for each in await due_installations(clock.now()):
            await sync_installation(tools, each)
        meter.reset()
        began, cpu = time.perf_counter(), time.process_time()
        await Historian(tools).catch_up()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        (stored,) = await database.fetch(
            "SELECT (SELECT count(*) FROM workflow_run) AS runs, (SELECT count(*) FROM workflow_job) AS jobs,"
            " (SELECT count(DISTINCT run_id) FROM workflow_job) AS runs_with_jobs"
        )
    if stored["runs"] != runs:
        message = f"{stored['runs']} of {runs} runs are stored"
        raise RuntimeError(message)
    listing = meter.listed_at - began
    # A page for each hundred runs, and one for the jobs of each run of which they are wanted.
    ideal = -(-runs // PER_PAGE) + stored["runs_with_jobs"]
    return {
        "seconds": seconds,
        "requests": meter.requests,
        "requests_to_ideal": meter.requests / ideal,
        "runs_listed_per_second": runs / listing,
        "runs_per_second": runs / seconds,
        "rows_per_second": (runs + stored["jobs"]) / seconds,
        "waiting_share_of_listing": meter.waited_for_lists / listing,
        "waiting_share": meter.waited / seconds,
        "processor_share": cpu / seconds,
        "processor_seconds_per_request": cpu / meter.requests,
    }
