"""How fast deliveries become durable: the service beside the plain bot, and beside the framework's own limit.

A closed loop of keep-alive connections posts signed bodies, every one of them committed with synchronous=FULL before
its 202. The clock runs on until everything is applied, so that nothing is won by putting work off.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from tortoise import Tortoise

from bench import bodies, load, servers
from bench.report import Report, Rounds
from bot.store import connected

OURS, PLAIN = "runledger", "plain bot"
BARE, BARE_UVLOOP = "bare handler, asyncio", "bare handler, uvloop"
FULL = 2
APPLIED_WITHIN_SECONDS = 60.0


@dataclass(frozen=True)
class Size:
    """How much is sent: deliveries a round of which the first are for warming up, rounds, connections."""

    deliveries: int = 3000
    warm_up: int = 300
    rounds: int = 3
    connections: int = 64


SMALL = Size(deliveries=50, warm_up=10, rounds=1, connections=16)


@dataclass(frozen=True)
class _Tables:
    """Where a side keeps what it was told, in the order that `Traffic` gives it."""

    runs: str
    jobs: str


TABLES = {
    OURS: _Tables(
        "SELECT run_id, status, conclusion FROM workflow_run",
        "SELECT job_id, status, conclusion, runner_name FROM workflow_job",
    ),
    PLAIN: _Tables(
        "SELECT run_id, status, conclusion FROM run", "SELECT job_id, status, conclusion, runner_name FROM job"
    ),
}


async def run(size: Size) -> Report:
    """Measure all sides in turn, round by round, each round on empty databases."""
    traffic = bodies.make_traffic(size.deliveries)
    rounds = Rounds()
    for number in range(size.rounds):
        with TemporaryDirectory(prefix="bench-ingest-") as folder:
            await _one_round(Path(folder), size, traffic, rounds, number)
    return _report(size, traffic, rounds)


async def _one_round(folder: Path, size: Size, traffic: bodies.Traffic, rounds: Rounds, number: int) -> None:
    sides = [
        servers.runledger(folder / "runledger.sqlite3"),
        servers.plain_bot(folder / "plain.sqlite3"),
        servers.bare(uvloop=False),
        servers.bare(uvloop=True),
    ]
    # Whoever goes first finds the machine in another state than whoever follows.
    turned = sides[number % 2 :] + sides[: number % 2]
    async with servers.running(*turned, folder=folder) as started:
        for server in started:
            rounds.add(server.side.name, await _measure(server, size, traffic))
    if number == 0:
        await _check_durability(sides)


async def _measure(server: servers.Server, size: Size, traffic: bodies.Traffic) -> dict[str, float]:
    requests = [delivery.request for delivery in traffic.deliveries]
    await load.send(server.port, requests[: size.warm_up], size.connections)
    await _applied(server.side)
    measured = requests[size.warm_up :]
    cpu, began = server.cpu_seconds(), time.perf_counter()
    sent = await load.send(server.port, measured, size.connections)
    answered = time.perf_counter()
    await _applied(server.side)
    done = time.perf_counter()
    return {
        "deliveries_per_second": len(measured) / (answered - began),
        "applied_per_second": len(measured) / (done - began),
        "backlog_seconds": done - answered,
        "cpu_microseconds_per_delivery": (server.cpu_seconds() - cpu) / len(measured) * 1e6,
        "p50_milliseconds": sent.median * 1e3,
        "p99_milliseconds": sent.percentile(99) * 1e3,
        "not_accepted": len(measured) - sent.statuses[202],
        "resident_mebibytes": _resident(server.process),
        **(_wrong_states(server.side, traffic) if server.side.database else {}),
    }


def _resident(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 2**20


def _query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


async def _applied(side: servers.Side) -> None:
    """Wait until nothing waits to be handled; the plain bot and the bare handlers put nothing off."""
    if side.name != OURS or side.database is None:
        return
    for _ in range(int(APPLIED_WITHIN_SECONDS / 0.01)):
        if not _query(side.database, "SELECT 1 FROM delivery WHERE state = 'waiting' LIMIT 1"):
            return
        await asyncio.sleep(0.01)
    message = "deliveries still wait to be handled"
    raise RuntimeError(message)


def _wrong_states(side: servers.Side, traffic: bodies.Traffic) -> dict[str, float]:
    assert side.database is not None
    tables = TABLES[side.name]
    return {
        "wrong_runs": _differing(_query(side.database, tables.runs), traffic.runs),
        "wrong_jobs": _differing(_query(side.database, tables.jobs), traffic.jobs),
        "things": len(traffic.runs) + len(traffic.jobs),
    }


def _differing(rows: list[tuple[Any, ...]], truth: Mapping[int, tuple[Any, ...]]) -> int:
    stored = {row[0]: tuple(row[1:]) for row in rows}
    return sum(stored.get(id) != last for id, last in truth.items()) + len(stored.keys() - truth.keys())


async def _check_durability(sides: list[servers.Side]) -> None:
    for side in sides:
        if side.database is not None and await synchronous(side) != FULL:
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
        for other, side in (("plain_bot", PLAIN), ("bare_asyncio", BARE), ("bare_uvloop", BARE_UVLOOP))
        for name in ("deliveries", "applied")
    }
    mean = sum(len(each.body) for each in traffic.deliveries) / len(traffic.deliveries)
    report = Report({"deliveries": size.deliveries, "rounds": size.rounds, "mean_body_bytes": round(mean)})
    report.figures |= {"medians": rounds.medians(), "ratios": ratios}
    report.figures["wrong_final_states"] = {
        side: rounds.total(side, "wrong_runs") + rounds.total(side, "wrong_jobs") for side in (OURS, PLAIN)
    }
    title = (
        f"ingest: {size.deliveries - size.warm_up:,} deliveries x {size.rounds} rounds, {size.connections} connections,"
        f" bodies of {mean / 1000:.0f} KB, SQLite synchronous=FULL; plain bot: {os.environ.get('PLAIN_BOT', 'own')}"
    )
    head = (
        "",
        "to 202 /s",
        "± rounds",
        "applied /s",
        "backlog s",
        "CPU µs each",
        "p50 ms",
        "p99 ms",
        "RSS MiB",
        "wrong",
    )
    report.add_table(title, head, [_row(rounds, side) for side in rounds.sides])
    rows = [(name.replace("_", " "), f"{value:.2f}") for name, value in ratios.items()]
    report.add_table("ingest: ratios of medians", ("runledger's", "ratio"), rows)
    return report


def _row(rounds: Rounds, side: str) -> tuple[str, ...]:
    median = {name: rounds.median(side, name) for name in rounds.medians()[side]}
    wrong = "-"
    if "things" in median:
        wrong = f"{rounds.total(side, 'wrong_runs') + rounds.total(side, 'wrong_jobs'):.0f}"
        wrong += f" of {rounds.total(side, 'things'):.0f}"
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
        wrong + (f", {refused:.0f} refused" if refused else ""),
    )
