"""How fast deliveries become durable on a disk where that takes two milliseconds longer: the service and the plain bot.

A group of deliveries costs one wait however large it is, and a bot that commits each by itself waits for each. The
delay is put between SQLite and the kernel by a library that is compiled here and preloaded.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import bodies, delivering, load, servers
from bench.databases import copy_empty
from bench.report import Report, Rounds, Wanted
from bench.servers import OURS, PLAIN

SOURCE = Path(__file__).with_suffix(".c")
SLOWER_BY_MICROSECONDS = 2000
WANTED = {"deliveries_to_plain_bot": Wanted(15.0)}
HEAD = ("", "to 202 /s", "± rounds", "applied /s", "CPU µs each", "p50 ms", "p99 ms", "wrong")
# Syncs once, and prints the seconds that it took.
_PROBE = """
import os, tempfile, time
with tempfile.TemporaryFile() as file:
    began = time.perf_counter()
    os.{call}(file.fileno())
    print(time.perf_counter() - began)
"""


@dataclass(frozen=True)
class Size:
    """How much is sent: deliveries a round of which the first are for warming up, rounds, connections."""

    deliveries: int = 2500
    warm_up: int = 100
    rounds: int = 3
    connections: int = 64


SMALL = Size(deliveries=50, warm_up=10, rounds=1, connections=16)


async def run(size: Size) -> Report:
    """Measure both sides in turn, round by round, each round on empty databases."""
    with TemporaryDirectory(prefix="bench-slow-disk-") as name:
        library = compile_library(Path(name))
        if library is None:
            return _without_compiler()
        traffic, rounds = bodies.make_traffic(size.deliveries), Rounds()
        for number in range(size.rounds):
            await _one_round(Path(name), size, traffic, rounds, number, library)
    return _report(size, traffic, rounds)


def compile_library(folder: Path) -> Path | None:
    """Return the library that makes syncing slow, or None where there is no C compiler.

    Raises RuntimeError when it turns out to slow nothing down.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "slow_disk.so"
    slower = f"-DSLOWER_BY_MICROSECONDS={SLOWER_BY_MICROSECONDS}"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", slower, "-o", library, SOURCE], check=True)
    for call in ("fsync", "fdatasync"):
        if _seconds_of(call, library) < SLOWER_BY_MICROSECONDS / 1e6:
            message = f"{call} is not slowed down, so these figures would mean nothing"
            raise RuntimeError(message)
    return library


def _seconds_of(call: str, library: Path) -> float:
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    ran = subprocess.run(
        [sys.executable, "-S", "-c", _PROBE.format(call=call)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(ran.stdout)


async def _one_round(
    folder: Path, size: Size, traffic: bodies.Traffic, rounds: Rounds, number: int, library: Path
) -> None:
    sides = [
        servers.runledger(copy_empty(folder / f"runledger-{number}.sqlite3")),
        servers.plain_bot(folder / f"plain-{number}.sqlite3"),
    ]
    slowed = [replace(side, environment={**side.environment, "LD_PRELOAD": str(library)}) for side in sides]
    async with servers.running(*slowed, folder=folder) as started:
        for server in started if number % 2 == 0 else reversed(started):
            await load.send(server.port, traffic.requests[: size.warm_up], size.connections)
            measured = await delivering.deliver(server, traffic.requests[size.warm_up :], size.connections)
            rounds.add(server.side.name, measured | await delivering.wrong_states(server.side, traffic.truth))


def _without_compiler() -> Report:
    report = Report({"skipped": "there is no C compiler"})
    report.add_table("slow disk: not measured, because there is no C compiler (cc)", ("",), [])
    return report


def _report(size: Size, traffic: bodies.Traffic, rounds: Rounds) -> Report:
    ratios = {
        f"{name}_to_plain_bot": rounds.ratio(OURS, PLAIN, f"{name}_per_second") for name in ("deliveries", "applied")
    }
    report = Report({"medians": rounds.medians(), "ratios": ratios})
    title = (
        f"slow disk: {size.deliveries - size.warm_up:,} deliveries x {size.rounds} rounds, {size.connections}"
        f" connections, bodies of {traffic.mean_size / 1000:.0f} KB on the average, every fsync and fdatasync"
        f" {SLOWER_BY_MICROSECONDS / 1000:g} ms slower; plain bot: {servers.whose_plain_bot()}"
    )
    report.add_table(title, HEAD, [_row(rounds, side) for side in rounds.sides])
    report.add_ratios("slow disk", ratios, WANTED)
    return report


def _row(rounds: Rounds, side: str) -> tuple[str, ...]:
    median = rounds.medians()[side]
    return (
        side,
        f"{median['deliveries_per_second']:,.0f}",
        f"{rounds.spread(side, 'deliveries_per_second'):.0%}",
        f"{median['applied_per_second']:,.0f}",
        f"{median['cpu_microseconds_per_delivery']:,.0f}",
        f"{median['p50_milliseconds']:.1f}",
        f"{median['p99_milliseconds']:.1f}",
        delivering.wrong_text(rounds.totals(side)),
    )
