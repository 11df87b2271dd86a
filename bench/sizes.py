"""What a run and a delivery take on the disk of either database, and what a hundred million runs would."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from bench import bodies, record
from bench.databases import POSTGRESQL, SQLITE, Databases, query
from bench.record import NOW
from bench.report import Report
from bot import events, inbox, recorder
from bot.clock import Clock
from bot.handling import EventHandler
from bot.inbox.keeper import KEEP_GUIDS
from bot.store import connected
from bot.store.database import Database

RUNS_ON_PAPER, MONTHS = 100_000_000, 24
AT_BUSY_TIMES = 10
AT_ONCE = 200
# Of all that stays: what was deleted leaves room, which is used again.
SIZE = {
    SQLITE: (
        "SELECT page_size * (page_count - freelist_count)"
        " FROM pragma_page_size, pragma_page_count, pragma_freelist_count"
    ),
    POSTGRESQL: (
        "SELECT CAST(sum(pg_total_relation_size(relid)) AS bigint) FROM pg_stat_user_tables"
        " WHERE relname <> 'journal_entry'"
    ),
}


@dataclass(frozen=True)
class Bytes:
    """What one takes with all its indexes: a run with its attempt, link and jobs; a delivery that was handled."""

    run: float
    delivery: float


async def measure(databases: Databases, runs: int, jobs_of_each: int, deliveries: int) -> dict[str, Bytes]:
    """Return it by the kind of the database, of so many runs and then so many deliveries that tell nothing new."""
    return {kind: await _measure(databases, kind, runs, jobs_of_each, deliveries) for kind in SIZE}


async def _measure(databases: Databases, kind: str, runs: int, jobs_of_each: int, deliveries: int) -> Bytes:
    with databases.empty(kind) as url:
        async with connected(url) as database:
            sizes = [await _size(url, kind)]
            await _record(database, runs, jobs_of_each)
            sizes.append(await _size(url, kind))
            await _deliver(database, deliveries)
            sizes.append(await _size(url, kind))
    return Bytes((sizes[1] - sizes[0]) / runs, (sizes[2] - sizes[1]) / deliveries)


async def _size(url: str, kind: str) -> int:
    ((size,),) = await query(url, SIZE[kind])
    assert isinstance(size, int)
    return size


async def _record(database: Database, runs: int, jobs_of_each: int) -> None:
    made = record.make_runs(runs)
    while some := list(itertools.islice(made, AT_ONCE)):
        async with database.transaction() as tx:
            news = [*record.make_repositories(), *some, *record.make_jobs(some, jobs_of_each)]
            await recorder.record(tx, news, NOW)


async def _deliver(database: Database, deliveries: int) -> None:
    clock = Clock()
    told = next(each for each in bodies.Source() if each.event == "workflow_job")
    guids = (f"{number:08x}-89ab-11f1-8cde-0123456789ab" for number in range(deliveries))
    async with inbox.Inbox(database, clock, events.ACTED_ON, events.may_tell, EventHandler(clock)) as opened:
        for guid in guids:
            await opened.append(inbox.NewDelivery(guid, told.event, told.body, clock.now()))


def add_paper(report: Report, sizes: Mapping[str, Bytes], jobs_of_each: int, microseconds: float) -> None:
    """Add a table of what many runs would take, where a delivery costs so many microseconds of processor time."""
    rate = RUNS_ON_PAPER * bodies.DELIVERIES_A_RUN / timedelta(days=MONTHS * 365 / 12).total_seconds()
    kept = rate * KEEP_GUIDS.total_seconds()
    gigabytes = {kind: RUNS_ON_PAPER * each.run / 1e9 for kind, each in sizes.items()}
    report.figures["on_paper"] = {"deliveries_per_second": rate, "gigabytes": gigabytes}
    rows = [
        ("a run with its jobs, KB", *(f"{each.run / 1e3:.1f}" for each in sizes.values())),
        ("a delivery, bytes", *(f"{each.delivery:,.0f}" for each in sizes.values())),
        ("all runs, GB", *(f"{each:,.0f}" for each in gigabytes.values())),
        ("those of one month, GB", *(f"{each / MONTHS:,.0f}" for each in gigabytes.values())),
        (
            f"deliveries, kept for {KEEP_GUIDS.days} days, GB",
            *(f"{kept * each.delivery / 1e9:,.0f}" for each in sizes.values()),
        ),
    ]
    title = (
        f"growth: {RUNS_ON_PAPER:,} runs in {MONTHS} months on paper, with {jobs_of_each} jobs of"
        f" {len(record.STEPS)} steps each: what they take on the disk"
    )
    report.add_table(title, ("", *sizes), rows)
    busy = rate * AT_BUSY_TIMES
    title = f"growth: and {bodies.DELIVERIES_A_RUN} deliveries each, at what one costs in the largest record"
    rates = [
        ("deliveries a second, on the average", f"{rate:,.0f}"),
        (f"deliveries a second, at busy times {AT_BUSY_TIMES} times as many", f"{busy:,.0f}"),
        ("cores of web processes for these", f"{busy * microseconds / 1e6:.2f}"),
    ]
    report.add_table(title, ("", "figure"), rates)
