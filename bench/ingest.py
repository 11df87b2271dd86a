"""How fast deliveries become durable: the service beside the plain bot, and beside the framework's own limit.

A closed loop of keep-alive connections posts signed bodies, every one of them committed with synchronous=FULL before
its 202. Processor time counts until everything is applied, so that nothing is won by putting work off, and what is left
to be applied after the last 202 is told in seconds, which must not grow with what was sent: the turns are long, and in
the end comes a storm that is longer. After it every run and job has to be in its true last state. Last come deliveries
at an even pace.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tortoise import Tortoise

from bench import bodies, delivering, load, servers
from bench.databases import copy_empty
from bench.paced import Pace, add_to, measure
from bench.report import Report, Rounds, Wanted
from bench.servers import OURS, PLAIN
from bot.store import connected

BARE, BARE_UVLOOP = "bare handler, asyncio", "bare handler, uvloop"
OTHERS = {"plain_bot": PLAIN, "bare_asyncio": BARE, "bare_uvloop": BARE_UVLOOP}
COST = "cpu_microseconds_per_delivery"
FULL = 2
WANTED = {
    "deliveries_to_plain_bot": Wanted(10.0, 14.0),
    "deliveries_to_bare_asyncio": Wanted(0.40, 0.50),
}
HEAD = ("", "to 202 /s", "± rounds", "applied /s", "backlog s", "CPU µs each", "p50 ms", "p99 ms", "RSS MiB", "wrong")


@dataclass(frozen=True)
class Size:
    """How much is sent: deliveries a round of which the first are for warming up, rounds, connections, the storm."""

    deliveries: int = 8500
    warm_up: int = 500
    rounds: int = 9
    connections: int = 64
    storm: int = 15_000
    pace: Pace = field(default_factory=Pace)


SMALL = Size(
    deliveries=50, warm_up=10, rounds=1, connections=16, storm=50, pace=Pace((300,), (), seconds=0.1, rounds=1)
)


async def run(size: Size) -> Report:
    """Measure all sides in turn, round by round, each round on empty databases."""
    traffic, rounds = bodies.make_traffic(size.deliveries), Rounds()
    with TemporaryDirectory(prefix="bench-ingest-") as name:
        for number in range(size.rounds):
            sides = _sides(Path(name), number)
            async with servers.running(*sides, folder=Path(name)) as started:
                await _one_round(started, size, traffic, rounds)
                if number == size.rounds - 1:
                    storm, paced = await _in_the_end(started, size, traffic.truth)
        await _check_durability(sides)
    report = _report(size, traffic, rounds)
    _add_storm(report, size, storm)
    add_to(report, size.pace, paced)
    return report


def _sides(folder: Path, number: int) -> list[servers.Side]:
    sides = [
        servers.runledger(copy_empty(folder / f"runledger-{number}.sqlite3")),
        servers.plain_bot(folder / f"plain-{number}.sqlite3"),
        servers.bare(uvloop=False),
        servers.bare(uvloop=True),
    ]
    # Whoever goes first finds the machine in another state than whoever follows.
    return sides[number % len(sides) :] + sides[: number % len(sides)]


async def _one_round(started: Iterable[servers.Server], size: Size, traffic: bodies.Traffic, rounds: Rounds) -> None:
    for server in started:
        await load.send(server.port, traffic.requests[: size.warm_up], size.connections)
        await delivering.until_applied(server.side)
        measured = await delivering.deliver(server, traffic.requests[size.warm_up :], size.connections)
        rounds.add(server.side.name, measured | await delivering.wrong_states(server.side, traffic.truth))


async def _in_the_end(started: Iterable[servers.Server], size: Size, truth: bodies.Truth) -> tuple[Rounds, Rounds]:
    """Return what comes of the storm and of the even pace; `truth` is what is stored already."""
    with_database = [server for server in started if server.side.tables is not None]
    storm, traffic = Rounds(), bodies.make_traffic(size.storm, seed=2)
    for server in with_database:
        measured = await delivering.deliver(server, traffic.requests, size.connections)
        storm.add(server.side.name, measured | await delivering.wrong_states(server.side, truth | traffic.truth))
    return storm, await measure(with_database, size.pace, size.connections)


async def _check_durability(sides: list[servers.Side]) -> None:
    for side in sides:
        if side.tables is not None and await synchronous(side) != FULL:
            message = f"{side.name} does not write with synchronous=FULL, so its figures mean nothing"
            raise RuntimeError(message)


async def synchronous(side: servers.Side) -> int:
    """Return SQLite's `synchronous` as the side's own URL and way to connect give it; FULL is 2."""
    sql = "PRAGMA synchronous"
    if side.name == OURS:
        async with connected(side.database_url) as database:
            return int((await database.fetch(sql))[0]["synchronous"])
    context = await Tortoise.init(db_url=side.database_url, modules={"models": ["bot.store.models"]})
    try:
        rows = await context.connections.get("default").execute_query_dict(sql)
        return int(rows[0]["synchronous"])
    finally:
        await context.close_connections()


def _report(size: Size, traffic: bodies.Traffic, rounds: Rounds) -> Report:
    ratios = {
        f"{name}_to_{other}": rounds.ratio(OURS, side, f"{name}_per_second")
        for other, side in OTHERS.items()
        for name in ("deliveries", "applied")
    }
    ratios |= {f"processor_time_of_{other}_to_ours": rounds.ratio(side, OURS, COST) for other, side in OTHERS.items()}
    report = Report({"deliveries": size.deliveries, "rounds": size.rounds, "mean_body_bytes": traffic.mean_size})
    report.figures |= {"medians": rounds.medians(), "ratios": ratios, "wrong_final_states": _wrong(rounds)}
    title = (
        f"ingest: {size.deliveries - size.warm_up:,} deliveries x {size.rounds} rounds, {size.connections} connections,"
        f" bodies of {traffic.mean_size / 1000:.0f} KB on the average, SQLite synchronous=FULL;"
        f" plain bot: {servers.whose_plain_bot()}"
    )
    report.add_table(title, HEAD, [_row(rounds, side) for side in rounds.sides])
    report.add_ratios("ingest", ratios, WANTED)
    return report


def _wrong(rounds: Rounds) -> dict[str, float]:
    return {
        side: rounds.total(side, "wrong_runs") + rounds.total(side, "wrong_jobs")
        for side in rounds.sides
        if side in {OURS, PLAIN}
    }


def _add_storm(report: Report, size: Size, storm: Rounds) -> None:
    report.figures["storm"] = storm.medians() | {"wrong_final_states": _wrong(storm)}
    title = f"ingest: {size.storm:,} deliveries more at once, and how many of all last states are wrong then"
    report.add_table(title, HEAD, [_row(storm, side) for side in storm.sides])


def _row(rounds: Rounds, side: str) -> tuple[str, ...]:
    median = rounds.medians()[side]
    refused = rounds.total(side, "not_accepted")
    return (
        side,
        f"{median['deliveries_per_second']:,.0f}",
        f"{rounds.spread(side, 'deliveries_per_second'):.0%}",
        f"{median['applied_per_second']:,.0f}",
        f"{median['backlog_seconds']:.2f}",
        f"{median['cpu_microseconds_per_delivery']:,.0f}",
        f"{median['p50_milliseconds']:.1f}",
        f"{median['p99_milliseconds']:.1f}",
        f"{median['resident_mebibytes']:.0f}",
        delivering.wrong_text(rounds.totals(side)) + (f", {refused:.0f} refused" if refused else ""),
    )
