"""How fast deliveries become durable on PostgreSQL: one web process, two of them, and the plain bot, on one server.

A worker runs beside the web processes. Nothing is bound to a core: web processes, worker, PostgreSQL and the load
generator share all that the machine has, and what each of them uses is printed. From that follows how much faster two
web processes can be at most where cores are few: all cores busy, and each delivery costing what it did.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import bodies, delivering, load, servers
from bench.databases import POSTGRESQL, Databases, PostgresProcesses, postgres, query
from bench.report import Report, Rounds, Wanted
from bench.servers import PLAIN

ONE, TWO = "runledger, one web", "runledger, two webs"
WANTED = {
    "deliveries_of_one_web_to_plain_bot": Wanted(6.0),
    "deliveries_of_two_webs_to_one": Wanted(1.5),
}
RATES = ("deliveries", "applied")
PARTS = ("web", "worker", "PostgreSQL", "generator")
HEAD = (
    "",
    "to 202 /s",
    "± rounds",
    "applied /s",
    "p50 ms",
    "p99 ms",
    "wrong",
    *(f"{part} µs" for part in PARTS),
    "cores",
)


@dataclass(frozen=True)
class Size:
    """How much is sent: deliveries of a turn, rounds, connections."""

    deliveries: int = 6000
    rounds: int = 7
    connections: int = 64


SMALL = Size(deliveries=40, rounds=1, connections=16)


@dataclass
class _Side:
    """One of those that are compared: where deliveries are posted to, and the processor time used so far by part."""

    name: str
    webs: Sequence[servers.Server]
    clocks: Mapping[str, Callable[[], float]]

    def cpu_seconds(self) -> dict[str, float]:
        return {part: clock() for part, clock in self.clocks.items()}


async def run(size: Size) -> Report:
    """Measure all sides in turn; a round is twice as many deliveries, half of them for one web, half for two."""
    rounds, source = Rounds(), bodies.Source()
    with TemporaryDirectory(prefix="bench-postgres-") as name, postgres(servers.all_cores()) as server, _on_all_cores():
        processes = PostgresProcesses(server)
        databases = Databases(Path(name), server)
        with databases.empty(POSTGRESQL) as ours, databases.empty(POSTGRESQL) as plain:
            version = await _check_durability(ours)
            async with _sides(ours, plain, databases.folder, processes) as sides:
                await _all_rounds(size, sides, source, rounds)
                wrong = {side.name: await delivering.wrong_states(side.webs[0].side, source.truth) for side in sides}
    return _report(size, version, rounds, wrong)


@contextmanager
def _on_all_cores() -> Iterator[None]:
    here = os.sched_getaffinity(0)
    os.sched_setaffinity(0, servers.all_cores())
    try:
        yield
    finally:
        os.sched_setaffinity(0, here)


@asynccontextmanager
async def _sides(ours: str, plain: str, folder: Path, processes: PostgresProcesses) -> AsyncIterator[Sequence[_Side]]:
    webs = [servers.runledger_web(ours, number) for number in (1, 2)]
    told = (*webs, servers.runledger_worker(ours), servers.plain_bot_on(plain))
    async with servers.running(*told, folder=folder) as started:
        for server in started:
            server.let_run_on(servers.all_cores())
        first, second, worker, bot = started
        beside = {"PostgreSQL": processes.cpu_seconds, "generator": time.process_time}
        both = {"web": lambda: first.cpu_seconds() + second.cpu_seconds(), "worker": worker.cpu_seconds, **beside}
        yield (
            _Side(ONE, (first,), both),
            _Side(TWO, (first, second), both),
            _Side(PLAIN, (bot,), {"web": bot.cpu_seconds, **beside}),
        )


async def _all_rounds(size: Size, sides: Sequence[_Side], source: bodies.Source, rounds: Rounds) -> None:
    one, two, plain = sides
    # The first round is for warming up.
    for number in range(size.rounds + 1):
        whole = [delivery.request for delivery in source.take(2 * size.deliveries)]
        first, second = (one, two) if number % 2 == 0 else (two, one)
        turns = [(first, whole[: size.deliveries]), (second, whole[size.deliveries :]), (plain, whole)]
        for side, mine in turns if number % 2 == 0 else (turns[2], *turns[:2]):
            measured = await _measure(side, mine, size)
            if number:
                rounds.add(side.name, measured)


async def _measure(side: _Side, requests: Sequence[bytes], size: Size) -> dict[str, float]:
    count = len(side.webs)
    shares = [(web, requests[place::count]) for place, web in enumerate(side.webs)]
    before, began = side.cpu_seconds(), time.perf_counter()
    sent = await asyncio.gather(*(load.send(web.port, mine, size.connections // count) for web, mine in shares))
    answered = time.perf_counter()
    meanwhile = sum(side.cpu_seconds().values()) - sum(before.values())
    await delivering.until_applied(side.webs[0].side)
    applied = time.perf_counter()
    used = {part: seconds - before[part] for part, seconds in side.cpu_seconds().items()}
    latencies = [latency for each in sent for latency in each.latencies]
    return {
        "deliveries_per_second": len(requests) / (answered - began),
        "applied_per_second": len(requests) / (applied - began),
        "p50_milliseconds": load.percentile(latencies, 50) * 1e3,
        "p99_milliseconds": load.percentile(latencies, 99) * 1e3,
        "not_accepted": len(requests) - sum(each.statuses[202] for each in sent),
        "cores_used": meanwhile / (answered - began),
        "cpu_microseconds_in_all": sum(used.values()) / len(requests) * 1e6,
        **{f"{part}_microseconds": seconds / len(requests) * 1e6 for part, seconds in used.items()},
    }


async def _check_durability(url: str) -> str:
    """Return the server's version."""
    for setting in ("fsync", "synchronous_commit"):
        if (value := (await query(url, f"SHOW {setting}"))[0][0]) != "on":
            message = f"PostgreSQL runs with {setting} {value}, so these figures would mean nothing"
            raise RuntimeError(message)
    ((version,),) = await query(url, "SHOW server_version")
    return str(version)


def _report(size: Size, version: str, rounds: Rounds, wrong: Mapping[str, dict[str, float]]) -> Report:
    ratios = {f"{name}_of_one_web_to_plain_bot": rounds.ratio(ONE, PLAIN, f"{name}_per_second") for name in RATES}
    ratios |= {f"{name}_of_two_webs_to_one": rounds.ratio(TWO, ONE, f"{name}_per_second") for name in RATES}
    cores = len(servers.all_cores())
    # All cores busy, and each delivery costing what it did: until its 202, and until it is applied.
    ratios["deliveries_that_these_cores_allow_two_webs_to_one"] = (
        ratios["deliveries_of_two_webs_to_one"] * cores / rounds.median(TWO, "cores_used")
    )
    applied = cores / (rounds.median(TWO, "cpu_microseconds_in_all") / 1e6)
    ratios["applied_that_these_cores_allow_two_webs_to_one"] = applied / rounds.median(ONE, "applied_per_second")
    report = Report({"medians": rounds.medians(), "ratios": ratios, "cores": cores})
    report.figures["wrong_final_states"] = {
        side: each["wrong_runs"] + each["wrong_jobs"] for side, each in wrong.items()
    }
    title = (
        f"ingest on PostgreSQL {version}: {size.deliveries:,} deliveries x {size.rounds} rounds, {size.connections}"
        f" connections, bodies of 10 to 30 KB; nothing bound to a core, all share {cores}; µs of processor time a"
        " delivery; fsync and synchronous_commit on;"
        f" plain bot: {servers.whose_plain_bot()}"
    )
    report.add_table(title, HEAD, [_row(rounds, side, wrong[side]) for side in (ONE, TWO, PLAIN)])
    report.add_ratios("ingest on PostgreSQL", ratios, WANTED)
    return report


def _row(rounds: Rounds, side: str, wrong: Mapping[str, float]) -> tuple[str, ...]:
    median = rounds.medians()[side]
    refused = rounds.total(side, "not_accepted")
    costs = (median.get(f"{part}_microseconds") for part in PARTS)
    return (
        side,
        f"{median['deliveries_per_second']:,.0f}",
        f"{rounds.spread(side, 'deliveries_per_second'):.0%}",
        f"{median['applied_per_second']:,.0f}",
        f"{median['p50_milliseconds']:.1f}",
        f"{median['p99_milliseconds']:.1f}",
        delivering.wrong_text(wrong) + (f", {refused:.0f} refused" if refused else ""),
        *("-" if cost is None else f"{cost:,.0f}" for cost in costs),
        f"{median['cores_used']:.2f}",
    )
