"""What a delivery and a list cost in a small record, in a larger one, and in a large one.

Each record has a server of its own, all of them on one core, and they take turns: the same deliveries go into each, and
the same lists are asked of each. From the largest follows on paper what a hundred million runs would take.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import asked, bodies, delivering, load, records, servers, sizes
from bench.databases import Databases, postgres
from bench.records import Record
from bench.report import Report, Rounds

COSTS = ("cpu_microseconds_per_delivery", "cpu_microseconds_a_list", "cpu_microseconds_a_list_elsewhere")
HEAD = (
    *("runs", "jobs", "CPU µs a delivery", "x", "p99 ms", "CPU µs a list", "x", "p99 ms"),
    *("of other rows", "x", "p99 ms", "RSS MiB", "KB a run"),
)


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
    runs_on_disk: int = 5000
    deliveries_on_disk: int = 5000


SMALL = Size(
    runs=(200,),
    jobs_of_each=1,
    deliveries=20,
    lists=8,
    rounds=1,
    delivering=4,
    asking=4,
    runs_on_disk=50,
    deliveries_on_disk=50,
)


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
        with postgres() as databases:
            taken = await sizes.measure(
                Databases(folder, databases), size.runs_on_disk, size.jobs_of_each, size.deliveries_on_disk
            )
    return _report(size, rounds, kilobytes, taken)


def _name(each: Record) -> str:
    return f"{each.runs:,}"


async def _measure(server: servers.Server, each: Record, requests: Sequence[bytes], size: Size) -> dict[str, float]:
    measured = await delivering.deliver(server, requests, size.delivering)
    for kind, paths in (("a_list", asked.varied(size.lists)), ("a_list_elsewhere", asked.all_over(size.lists))):
        cpu = server.cpu_seconds()
        listed = await load.send(server.port, asked.requests(paths, each.token), size.asking)
        measured[f"cpu_microseconds_{kind}"] = (server.cpu_seconds() - cpu) / size.lists * 1e6
        measured[f"p99_milliseconds_{kind}"] = listed.percentile(99) * 1e3
    return {**measured, "resident_mebibytes": server.resident_mebibytes()}


def _report(size: Size, rounds: Rounds, kilobytes: Sequence[float], taken: Mapping[str, sizes.Bytes]) -> Report:
    least = rounds.sides[0]
    ratios = {side: {cost: rounds.ratio(side, least, cost) for cost in COSTS} for side in rounds.sides}
    report = Report({"medians": rounds.medians(), "to_the_smallest": ratios})
    report.figures["kilobytes_a_run"] = dict(zip(rounds.sides, kilobytes, strict=True))
    title = (
        f"growth: {size.deliveries:,} deliveries on {size.delivering} connections and {size.lists:,} lists,"
        f" no two alike, as many all over the record, on {size.asking}, x {size.rounds} rounds;"
        " x is how often the cost in the smallest record"
    )
    rows = [_row(rounds, side, ratios[side], each, size) for side, each in zip(rounds.sides, kilobytes, strict=True)]
    report.add_table(title, HEAD, rows)
    sizes.add_paper(report, taken, size.jobs_of_each, rounds.median(rounds.sides[-1], COSTS[0]))
    return report


def _row(rounds: Rounds, side: str, ratios: dict[str, float], kilobytes: float, size: Size) -> tuple[str, ...]:
    median = rounds.medians()[side]
    latest = ("p99_milliseconds", "p99_milliseconds_a_list", "p99_milliseconds_a_list_elsewhere")
    costs = (
        (f"{median[cost]:,.0f}", f"{ratios[cost]:.2f}", f"{median[p99]:.1f}")
        for cost, p99 in zip(COSTS, latest, strict=True)
    )
    jobs = f"{int(side.replace(',', '')) * size.jobs_of_each:,}"
    return side, jobs, *chain.from_iterable(costs), f"{median['resident_mebibytes']:.0f}", f"{kilobytes:.1f}"
