"""What a delivery and a list cost in a small record, in a larger one, and in a large one.

Each record has a server of its own, all of them on one core, and they take turns: the same deliveries go into each, and
the same lists are asked of each. From the largest follows on paper what a hundred million runs would take.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import bodies, delivering, lists, load, records, servers
from bench.records import Record
from bench.report import Report, Rounds

COSTS = ("cpu_microseconds_per_delivery", "cpu_microseconds_a_list")
RUNS_ON_PAPER, MONTHS = 100_000_000, 24
AT_BUSY_TIMES = 10
HEAD = ("runs", "jobs", "CPU µs a delivery", "x", "p99 ms", "CPU µs a list", "x", "p99 ms", "RSS MiB", "KB a run")


@dataclass(frozen=True)
class Size:
    """How many runs there are before, what is sent to and asked of each record in a round, on how many connections."""

    runs: Sequence[int] = (10_000, 100_000, 1_000_000)
    jobs_of_each: int = 3
    deliveries: int = 2000
    lists: int = 800
    rounds: int = 5
    delivering: int = 64
    asking: int = 16


SMALL = Size(runs=(200,), jobs_of_each=1, deliveries=20, lists=8, rounds=1, delivering=4, asking=4)


async def run(size: Size) -> Report:
    """Fill the records, then measure them in turn, round by round."""
    rounds = Rounds()
    with TemporaryDirectory(prefix="bench-growth-") as name:
        folder = Path(name)
        filled = [await records.copy_of(folder, runs, size.jobs_of_each) for runs in size.runs]
        sides = [replace(servers.runledger(each.path), name=_name(each)) for each in filled]
        kilobytes = [each.bytes_a_run / 1000 for each in filled]
        async with servers.running(*sides, folder=folder) as started:
            both = list(zip(started, filled, strict=True))
            deliveries = bodies.Source()
            for number in range(size.rounds):
                requests = [delivery.request for delivery in deliveries.take(size.deliveries)]
                for server, each in both if number % 2 == 0 else reversed(both):
                    rounds.add(server.side.name, await _measure(server, each, requests, size))
    return _report(size, rounds, kilobytes)


def _name(each: Record) -> str:
    return f"{each.runs:,}"


async def _measure(server: servers.Server, each: Record, requests: Sequence[bytes], size: Size) -> dict[str, float]:
    delivered = await delivering.deliver(server, requests, size.delivering)
    cpu = server.cpu_seconds()
    listed = await load.send(server.port, lists.varied_requests(each.token, size.lists), size.asking)
    return {
        **delivered,
        "cpu_microseconds_a_list": (server.cpu_seconds() - cpu) / size.lists * 1e6,
        "lists_p99_milliseconds": listed.percentile(99) * 1e3,
        "resident_mebibytes": server.resident_mebibytes(),
    }


def _report(size: Size, rounds: Rounds, kilobytes: Sequence[float]) -> Report:
    least = rounds.sides[0]
    ratios = {side: {cost: rounds.ratio(side, least, cost) for cost in COSTS} for side in rounds.sides}
    report = Report({"medians": rounds.medians(), "to_the_smallest": ratios})
    report.figures["kilobytes_a_run"] = dict(zip(rounds.sides, kilobytes, strict=True))
    title = (
        f"growth: {size.deliveries:,} deliveries on {size.delivering} connections and {size.lists:,} lists,"
        f" no two alike, on {size.asking}, x {size.rounds} rounds; x is how often the cost in the smallest record"
    )
    rows = [_row(rounds, side, ratios[side], each, size) for side, each in zip(rounds.sides, kilobytes, strict=True)]
    report.add_table(title, HEAD, rows)
    _add_paper(report, rounds.median(rounds.sides[-1], COSTS[0]), kilobytes[-1], size)
    return report


def _add_paper(report: Report, microseconds: float, kilobytes: float, size: Size) -> None:
    gigabytes = RUNS_ON_PAPER * kilobytes / 1e6
    rate = RUNS_ON_PAPER * bodies.DELIVERIES_A_RUN / timedelta(days=MONTHS * 365 / 12).total_seconds()
    busy = rate * AT_BUSY_TIMES
    report.figures["on_paper"] = {"gigabytes": gigabytes, "deliveries_per_second": rate}
    rows = [
        ("on the disk, GB", f"{gigabytes:,.0f}"),
        ("of that one month, GB", f"{gigabytes / MONTHS:,.1f}"),
        ("deliveries a second, on the average", f"{rate:,.0f}"),
        (f"deliveries a second, at busy times {AT_BUSY_TIMES} times as many", f"{busy:,.0f}"),
        ("cores of web processes for these", f"{busy * microseconds / 1e6:.2f}"),
    ]
    title = (
        f"growth: {RUNS_ON_PAPER:,} runs in {MONTHS} months on paper, with {size.jobs_of_each} jobs and"
        f" {bodies.DELIVERIES_A_RUN} deliveries each, at what the largest record takes a run and costs a delivery"
    )
    report.add_table(title, ("", "figure"), rows)


def _row(rounds: Rounds, side: str, ratios: dict[str, float], kilobytes: float, size: Size) -> tuple[str, ...]:
    median = rounds.medians()[side]
    delivery, listing = COSTS
    return (
        side,
        f"{int(side.replace(',', '')) * size.jobs_of_each:,}",
        f"{median[delivery]:,.0f}",
        f"{ratios[delivery]:.2f}",
        f"{median['p99_milliseconds']:.1f}",
        f"{median[listing]:,.0f}",
        f"{ratios[listing]:.2f}",
        f"{median['lists_p99_milliseconds']:.1f}",
        f"{median['resident_mebibytes']:.0f}",
        f"{kilobytes:.1f}",
    )
