"""How much memory the service holds: at rest, under as much as it can take, and minute after minute at an even rate.

In these minutes lists are asked for beside the deliveries, alike and all over the record. All of these are asked for
before, so that what remembers what lists are made of is filled by then.

Whether it grows is told by a straight line through the second half of the minutes, when what is kept for speed has been
filled: it does if the slope is above nothing by more than twice its standard error, and worth a byte a delivery
or more.
"""

import asyncio
import statistics
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain, cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench import asked, bodies, delivering, load, records, servers
from bench.report import Report

LEAST_MINUTES = 6
MEBIBYTE, BYTES_A_DELIVERY = 2**20, 1.0
LOADS = ("", "deliveries", "/s", "refused", "most MiB", "MiB afterwards")
MINUTES = ("minute", "came /s", "p99 ms", "not accepted", "lists /s", "MiB on the average", "most MiB")
# A row is remembered when it is shown for the second time, and takes the place of another once there are many.
FEW_LISTS, TIMES_FIRST = 2000, 4


@dataclass(frozen=True)
class Size:
    """How much is sent at once, small and large; how many seconds make a minute, how many there are, at which rates."""

    runs: int = 10_000
    jobs_of_each: int = 3
    deliveries: int = 20_000
    large: int = 1000
    large_bytes: int = MEBIBYTE
    connections: int = 64
    rest: float = 3.0
    minutes: int = 30
    minute: float = 60.0
    rate: int = 500
    lists: int = 20


SMALL = Size(
    runs=200, jobs_of_each=1, deliveries=40, large=2, connections=4, rest=0.1, minutes=6, minute=0.2, rate=100, lists=30
)


@asynccontextmanager
async def watched(server: servers.Server, every: float) -> AsyncIterator[list[float]]:
    """Give how much a server holds, in MiB, looked at over and over while something else goes on."""
    seen = [server.resident_mebibytes()]

    async def look() -> None:
        while True:
            await asyncio.sleep(every)
            seen.append(server.resident_mebibytes())

    looks = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looks.cancel()


class Line(NamedTuple):
    """A straight line through values that come at even distances: what is added at each, and its standard error."""

    slope: float
    error: float


def line_through(values: Sequence[float]) -> Line:
    """Return the line of least squares. StatisticsError for fewer than two values; of two the standard error is 0."""
    places = range(len(values))
    slope, intercept = statistics.linear_regression(places, values)
    squares = sum((value - intercept - slope * place) ** 2 for place, value in zip(places, values, strict=True))
    free = len(values) - 2
    if free <= 0:
        return Line(slope, 0.0)
    mean = statistics.mean(places)
    return Line(slope, (squares / free / sum((place - mean) ** 2 for place in places)) ** 0.5)


async def run(size: Size) -> Report:
    """Look at one server, through all of it."""
    with TemporaryDirectory(prefix="bench-memory-") as name:
        filled = await records.copy_of(Path(name), size.runs, size.jobs_of_each)
        async with servers.running(servers.runledger(filled.path), folder=Path(name)) as (server,):
            await asyncio.sleep(size.rest)
            rest = server.resident_mebibytes()
            loads = [await _load(server, size, *each) for each in _loads(size)]
            for _ in range(TIMES_FIRST):
                asked_before = await load.send(server.port, _lists(filled.token), size.connections)
                if asked_before.statuses[200] != len(asked_before.latencies):
                    message = f"lists were answered {dict(asked_before.statuses)}"
                    raise RuntimeError(message)
            minutes = [minute async for minute in _minutes(server, filled.token, size)]
    return _report(size, rest, loads, minutes)


def _loads(size: Size) -> Iterator[tuple[str, Sequence[bodies.Delivery]]]:
    traffic = bodies.make_traffic(size.deliveries, seed=2)
    yield f"bodies of {traffic.mean_size / 1000:.0f} KB", traffic.deliveries
    large = bodies.make_large(size.large, size.large_bytes, seed=3)
    yield f"bodies of {large[0].size / MEBIBYTE:.1f} MiB", large


@dataclass
class _Loaded:
    name: str
    count: int
    per_second: float
    refused: dict[int, int]
    most: float
    afterwards: float


async def _load(server: servers.Server, size: Size, name: str, deliveries: Sequence[bodies.Delivery]) -> _Loaded:
    async with watched(server, every=0.02) as seen:
        sent = await load.send(server.port, [each.request for each in deliveries], size.connections)
    await delivering.until_applied(server.side)
    await asyncio.sleep(size.rest)
    refused = {status: count for status, count in sent.statuses.items() if status != 202}
    return _Loaded(name, len(deliveries), sent.rate, refused, max(seen), server.resident_mebibytes())


@dataclass
class _Minute:
    came_per_second: float
    p99_milliseconds: float
    not_accepted: float
    lists_per_second: float
    mean: float
    most: float


async def _minutes(server: servers.Server, token: str, size: Size) -> AsyncIterator[_Minute]:
    """Give one after another, and say each when it is over, for it is long until the last."""
    deliveries, lists = bodies.Source(seed=4), cycle(_lists(token))
    for number in range(size.minutes):
        requests = (each.request for each in islice(deliveries, int(size.rate * size.minute)))
        asking = islice(lists, int(size.lists * size.minute))
        async with watched(server, every=size.minute / 60) as seen:
            sent, listed = await asyncio.gather(
                load.send_paced(server.port, requests, size.connections, size.rate),
                load.send_paced(server.port, asking, size.connections, size.lists),
            )
        latencies, answered = delivering.latencies(sent), listed.statuses[200] / listed.seconds
        p99, refused = latencies["p99_milliseconds"], latencies["not_accepted"]
        minute = _Minute(sent.rate, p99, refused, answered, statistics.mean(seen), max(seen))
        print(f"memory: minute {number + 1} of {size.minutes}: {minute.mean:.1f} MiB", flush=True)
        yield minute


def _lists(token: str) -> list[bytes]:
    paths = chain(asked.varied(FEW_LISTS), asked.all_over(FEW_LISTS), asked.again(FEW_LISTS))
    return asked.requests(paths, token)


def _report(size: Size, rest: float, loads: Sequence[_Loaded], minutes: Sequence[_Minute]) -> Report:
    settled = minutes[len(minutes) // 2 :]
    line = line_through([each.mean for each in settled])
    a_delivery = line.slope * MEBIBYTE / (size.rate * size.minute)
    grows = line.slope > 2 * line.error and a_delivery >= BYTES_A_DELIVERY
    report = Report({"at_rest_mebibytes": rest, "loads": [vars(each) for each in loads]})
    report.figures |= {"minutes": [vars(each) for each in minutes], "grows": grows}
    report.figures |= {"mebibytes_a_minute": line.slope, "standard_error": line.error, "bytes_a_delivery": a_delivery}
    rows = [("at rest", "", "", "", f"{rest:.1f}", f"{rest:.1f}"), *map(_load_row, loads)]
    report.add_table(f"memory: resident, {size.connections} connections in a closed loop", LOADS, rows)
    title = (
        f"memory: {size.rate} deliveries and {size.lists} lists a second; over the last {len(settled)} minutes"
        f" {line.slope:+.3f} MiB a minute, standard error {line.error:.3f}, that is {a_delivery:+.1f} bytes a"
        f" delivery: it {'grows' if grows else 'does not grow'}"
    )
    report.add_table(title, MINUTES, [_minute_row(number, each) for number, each in enumerate(minutes, 1)])
    return report


def _load_row(each: _Loaded) -> tuple[str, ...]:
    rate = f"{each.per_second:,.0f}"
    refused = ", ".join(f"{count:,} with {status}" for status, count in each.refused.items()) or "0"
    return each.name, f"{each.count:,}", rate, refused, f"{each.most:.1f}", f"{each.afterwards:.1f}"


def _minute_row(number: int, each: _Minute) -> tuple[str, ...]:
    came = (f"{each.came_per_second:,.0f}", f"{each.p99_milliseconds:.1f}", f"{each.not_accepted:,.0f}")
    return str(number), *came, f"{each.lists_per_second:.0f}", f"{each.mean:.1f}", f"{each.most:.1f}"
