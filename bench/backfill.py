"""How fast history is recorded, and how much of a backfill is waiting for GitHub.

First the database alone: pages of runs and of jobs that are read already, through the same functions as a backfill's,
beside models of Tortoise of the same tables and of plain ones. A few pages of each are recorded before the watch is
started, since a service has planned its statements long before most of what it is told. Then whole backfills from a
simulated GitHub, a process of its own: as quick as it can be, and as slow as GitHub is at its best. The client's own
limits are lifted, or all would wait for the next minute.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import servers
from bench.databases import POSTGRESQL, SQLITE, Databases, postgres
from bench.fetching import fetch_all
from bench.past import PER_PAGE, Bodies, make_bodies
from bench.recording import AT_ONCE, OURS, PLAIN_AT_ONCE, PLAIN_ROW_BY_ROW, ROW_BY_ROW, WAYS
from bench.report import Report, Rounds, Wanted

# What it takes GitHub to list a hundred runs when it is quick.
GITHUB_SECONDS = 0.24
RATES = ("runs_per_second", "runs_again_per_second", "jobs_per_second")
# Of a first backfill: the runs and the jobs, in the time that both took.
ALL = "first_per_second"
RATE_OF = dict(zip(("runs", "runs_again", "jobs", "all"), (*RATES, ALL), strict=True))
OTHERS = {
    "update_or_create": ROW_BY_ROW,
    "bulk_create": AT_ONCE,
    "plain_update_or_create": PLAIN_ROW_BY_ROW,
    "plain_bulk_create": PLAIN_AT_ONCE,
}
LEAST = {"update_or_create": 12.0, "bulk_create": 2.5}
WANTED = {
    f"{rows}_to_{other}_on_{kind.lower()}": Wanted(least)
    for rows in RATE_OF
    for other, least in LEAST.items()
    for kind in (SQLITE, POSTGRESQL)
}

RECORDED = ("", "runs /s", "± rounds", "runs again /s", "jobs /s", "± rounds", "both /s")
FETCHED = (
    "",
    "runs listed /s",
    "waiting then",
    "runs and jobs /s",
    "requests",
    "to ideal",
    "seconds",
    "waiting",
    "our CPU",
    "at 900 a minute",
    "at 15,000 an hour",
)
# The most requests a second that GitHub takes from an installation, for a while and on and on
# (https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api).
HIGHEST_RATES = (900 / 60, 15_000 / 3600)


@dataclass(frozen=True)
class Size:
    """How much is recorded, after how many pages, and how often; how much is fetched quickly, how often, and slowly."""

    runs: int = 1600
    runs_with_jobs: int = 300
    pages_before: int = 4
    rounds: int = 9
    fetched: int = 2000
    fetches: int = 2
    fetched_slowly: int = 1000


SMALL = Size(runs=100, runs_with_jobs=2, pages_before=1, rounds=1, fetched=20, fetches=1, fetched_slowly=0)


async def run(size: Size) -> Report:
    """Measure all sides in turn, round by round, each round on empty databases."""
    with TemporaryDirectory(prefix="bench-backfill-") as folder, postgres() as server:
        databases = Databases(Path(folder), server)
        recorded = await _record(size, databases)
        fetched = await _fetch(size, databases)
    return _report(size, recorded, fetched)


def _side(who: str, database: str) -> str:
    return f"{who}, {database}"


async def _record(size: Size, databases: Databases) -> Rounds:
    before = size.pages_before
    bodies, rounds = make_bodies(size.runs + before * PER_PAGE, size.runs_with_jobs + before), Rounds()
    turns = [(way, kind) for kind in (SQLITE, POSTGRESQL) for way in WAYS]
    for number in range(size.rounds):
        for way, kind in turns if number % 2 == 0 else reversed(turns):
            with databases.empty(kind) as url:
                rounds.add(_side(way, kind), await _measure(way, url, bodies, before))
    return rounds


async def _measure(way: str, url: str, bodies: Bodies, before: int) -> dict[str, float]:
    # A run that could not even begin has no jobs, and is not asked for any.
    with_jobs = list(filter(None, bodies.jobs))
    async with WAYS[way](url, bodies) as recorder:
        runs = list(map(recorder.read_runs, bodies.runs))
        jobs = list(map(recorder.read_jobs, with_jobs))
        # The last pages, because the jobs are those of the newest runs, which come first.
        await _seconds(recorder.record_runs, runs[-before:])
        await _seconds(recorder.record_jobs, jobs[-before:], recorder.at_once)
        first = await _seconds(recorder.record_runs, runs[:-before])
        again = await _seconds(recorder.record_runs, runs[:-before])
        then = await _seconds(recorder.record_jobs, jobs[:-before], recorder.at_once)
    of_runs, of_jobs = (sum(map(len, pages[:-before])) for pages in (bodies.runs, with_jobs))
    rates = (of_runs / first, of_runs / again, of_jobs / then)
    return dict(zip(RATES, rates, strict=True)) | {ALL: (of_runs + of_jobs) / (first + then)}


async def _seconds(record: Callable[[Any], Awaitable[None]], pages: Iterable[Any], at_once: int = 1) -> float:
    left = iter(pages)

    async def record_one_after_another() -> None:
        for page in left:
            await record(page)

    began = time.perf_counter()
    await asyncio.gather(*(record_one_after_another() for _ in range(at_once)))
    return time.perf_counter() - began


async def _fetch(size: Size, databases: Databases) -> Rounds:
    rounds = Rounds()
    quick, slow = (0.0, size.fetched, size.fetches), (GITHUB_SECONDS, size.fetched_slowly, 1)
    for seconds, runs, fetches in (quick, slow) if size.fetched_slowly else (quick,):
        github = servers.simulated_github(runs, seconds)
        async with servers.running(github, folder=databases.folder) as (server,):
            for _ in range(fetches):
                for kind in (SQLITE, POSTGRESQL):
                    with databases.empty(kind) as url:
                        measured = await fetch_all(url, f"http://127.0.0.1:{server.port}", databases.folder, runs)
                    rounds.add(_side(kind, github.name), measured)
    return rounds


def _report(size: Size, recorded: Rounds, fetched: Rounds) -> Report:
    ratios = {
        f"{rows}_to_{other}_on_{kind.lower()}": recorded.ratio(_side(OURS, kind), _side(way, kind), rate)
        for kind in (SQLITE, POSTGRESQL)
        for other, way in OTHERS.items()
        for rows, rate in RATE_OF.items()
    }
    report = Report({"runs": size.runs, "rounds": size.rounds, "fetched": size.fetched})
    report.figures |= {"medians": recorded.medians(), "ratios": ratios, "fetches": fetched.medians()}
    title = (
        f"backfill: at the database, {size.runs:,} runs in pages of {PER_PAGE}, again, and the jobs of"
        f" {size.runs_with_jobs:,} of them in a page each, x {size.rounds} rounds; read before, and after"
        f" {size.pages_before} pages of each; every commit on the disk; a transaction a page, or a row for"
        " update_or_create; runledger asks for several pages of jobs at once, and commits together what comes"
    )
    report.add_table(title, RECORDED, [_recorded_row(recorded, side) for side in recorded.sides])
    report.add_ratios("backfill", ratios, WANTED)
    title = (
        f"backfill: everything fetched, {size.fetched:,} runs x {size.fetches} from a quick GitHub and"
        f" {size.fetched_slowly:,} from one that takes {GITHUB_SECONDS} s an answer, limits lifted"
    )
    report.add_table(title, FETCHED, [_fetched_row(fetched, side) for side in fetched.sides])
    return report


def _recorded_row(rounds: Rounds, side: str) -> tuple[str, ...]:
    first, again, jobs = (f"{rounds.median(side, rate):,.0f}" for rate in RATES)
    spread = [f"{rounds.spread(side, rate):.0%}" for rate in (RATES[0], RATES[2])]
    return side, first, spread[0], again, jobs, spread[1], f"{rounds.median(side, ALL):,.0f}"


def _fetched_row(rounds: Rounds, side: str) -> tuple[str, ...]:
    median = {name: rounds.median(side, name) for name in rounds.medians()[side]}
    return (
        side,
        f"{median['runs_listed_per_second']:,.0f}",
        f"{median['waiting_share_of_listing']:.0%}",
        f"{median['rows_per_second']:,.0f}",
        f"{median['requests']:,.0f}",
        f"{median['requests_to_ideal']:.2f}",
        f"{median['seconds']:.1f}",
        f"{median['waiting_share']:.0%}",
        f"{median['processor_share']:.0%}",
        *(f"{median['processor_seconds_per_request'] * rate:.1%}" for rate in HIGHEST_RATES),
    )
