"""How fast lists are answered while deliveries come in: the service, and the two yardsticks beside each other.

The plain side is the plain bot and the lists through model instances, two processes on one SQLite file. Then the same
few lists are asked for over and over, as dashboards do, while as many deliveries come as a large organization has,
beside a handler that sends a body which lies ready. Each side has one core. Lists are asked for in a closed loop,
deliveries come at random in an open one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import asked, bodies, delivering, load, records, servers
from bench.report import Report, Rounds, Wanted

OURS, PLAIN = "runledger", "plain bot and model instances"
AGAIN, BARE = "runledger, asked again", "bare handler, uvloop"
MANY_LISTS = 20_000
WANTED = {"lists_to_plain_side": Wanted(4.0), "again_to_ready_body": Wanted(0.19, 0.30)}
HEAD = ("", "lists /s", "± rounds", "CPU µs a list", "p50 ms", "p99 ms", "delivered /s", "p50 ms", "p99 ms", "refused")


@dataclass(frozen=True)
class Size:
    """How much is asked of how much while how many deliveries come a second, for how long and how often.

    `deliveries_of_dashboards` come a second while the same is asked again: 36,000 an hour.
    """

    runs: int = 1_000_000
    jobs_of_each: int = 3
    deliveries_per_second: int = 200
    deliveries_of_dashboards: int = 10
    seconds: float = 5.0
    rounds: int = 3
    connections: int = 16


SMALL = Size(runs=200, jobs_of_each=1, seconds=0.3, rounds=1, connections=4)


@dataclass
class _Pair:
    """Who takes deliveries in and who answers, which may be the same, and what is sent to them."""

    name: str
    takes: servers.Server
    answers: servers.Server
    deliveries_per_second: int
    deliveries: bodies.Source
    asked: Sequence[bytes]

    def cpu_seconds(self) -> float:
        return sum(server.cpu_seconds() for server in {id(each): each for each in (self.takes, self.answers)}.values())


async def run(size: Size) -> Report:
    """Fill two databases with the same record, then measure all sides in turn."""
    with TemporaryDirectory(prefix="bench-together-") as name:
        folder = Path(name)
        for side in ("ours", "plain"):
            (folder / side).mkdir()
        ours = await records.copy_of(folder / "ours", size.runs, size.jobs_of_each)
        plain = await records.copy_of(folder / "plain", size.runs, size.jobs_of_each)
        sides = (
            servers.runledger(ours.path),
            servers.plain_bot(plain.path),
            servers.naive_lists(plain.path),
            servers.bare(uvloop=True),
        )
        async with servers.running(*sides, folder=folder) as (service, bot, naive, bare):
            lists = asked.requests(asked.varied(MANY_LISTS), ours.token)
            again = asked.requests(asked.again(len(asked.MIXED)), ours.token)
            many, few, source = size.deliveries_per_second, size.deliveries_of_dashboards, bodies.Source()
            pairs = (
                _Pair(OURS, service, service, many, source, lists),
                _Pair(PLAIN, bot, naive, many, bodies.Source(), lists),
                _Pair(AGAIN, service, service, few, source, again),
                _Pair(BARE, bare, bare, few, bodies.Source(), [load.get("/ready")]),
            )
            return _report(size, await _measure(size, pairs))


async def _measure(size: Size, pairs: Sequence[_Pair]) -> Rounds:
    rounds = Rounds()
    for number in range(size.rounds):
        for pair in pairs if number % 2 == 0 else reversed(pairs):
            await load.send(pair.answers.port, pair.asked[: 2 * size.connections], size.connections)
            rounds.add(pair.name, await _one_turn(size, pair))
    return rounds


async def _one_turn(size: Size, pair: _Pair) -> dict[str, float]:
    count = int(pair.deliveries_per_second * size.seconds)
    requests = [delivery.request for delivery in pair.deliveries.take(count)]
    cpu = pair.cpu_seconds()
    listed, taken = await asyncio.gather(
        load.send(pair.answers.port, load.for_seconds(size.seconds, pair.asked), size.connections),
        load.send_paced(pair.takes.port, requests, size.connections, pair.deliveries_per_second),
    )
    if listed.statuses[200] != len(listed.latencies):
        message = f"{pair.name} answered {dict(listed.statuses)}"
        raise RuntimeError(message)
    return {
        "lists_per_second": listed.rate,
        "cpu_microseconds_a_list": (pair.cpu_seconds() - cpu) / len(listed.latencies) * 1e6,
        "lists_p50_milliseconds": listed.median * 1e3,
        "lists_p99_milliseconds": listed.percentile(99) * 1e3,
        "deliveries_per_second": taken.rate,
        **delivering.latencies(taken),
    }


def _report(size: Size, rounds: Rounds) -> Report:
    ratios = {
        "lists_to_plain_side": rounds.ratio(OURS, PLAIN, "lists_per_second"),
        "again_to_ready_body": rounds.ratio(AGAIN, BARE, "lists_per_second"),
    }
    report = Report({"runs": size.runs, "rounds": size.rounds, "medians": rounds.medians(), "ratios": ratios})
    title = (
        f"together: lists of {size.runs:,} runs and {size.runs * size.jobs_of_each:,} jobs on {size.connections}"
        f" connections, limit 50, mixed filters, no two alike, while {size.deliveries_per_second} deliveries a second"
        f" come, and the same dozen again while {size.deliveries_of_dashboards} come; {size.seconds:g} s x"
        f" {size.rounds} rounds; the processor time is that of both;"
        f" plain bot: {servers.whose_plain_bot()}"
    )
    report.add_table(title, HEAD, [_row(rounds, side) for side in rounds.sides])
    report.add_ratios("together", ratios, WANTED)
    return report


def _row(rounds: Rounds, side: str) -> tuple[str, ...]:
    median = rounds.medians()[side]
    return (
        side,
        f"{median['lists_per_second']:,.0f}",
        f"{rounds.spread(side, 'lists_per_second'):.0%}",
        f"{median['cpu_microseconds_a_list']:,.0f}",
        f"{median['lists_p50_milliseconds']:.1f}",
        f"{median['lists_p99_milliseconds']:.1f}",
        f"{median['deliveries_per_second']:,.0f}",
        f"{median['p50_milliseconds']:.1f}",
        f"{median['p99_milliseconds']:.1f}",
        f"{rounds.total(side, 'not_accepted'):,.0f}",
    )
