"""What the benches of ingest share: posting deliveries, waiting until they are applied, counting wrong states."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bench import load, servers
from bench.bodies import Truth
from bench.databases import query

APPLIED_WITHIN_SECONDS = 60.0
Measured = dict[str, float]


async def deliver(server: servers.Server, requests: Sequence[bytes], connections: int) -> Measured:
    """Post all in a closed loop and wait until all is applied, so that nothing is won by putting work off."""
    cpu = server.cpu_seconds()
    sent = await load.send(server.port, requests, connections)
    answered = time.perf_counter()
    await until_applied(server.side)
    backlog = time.perf_counter() - answered
    return {
        "deliveries_per_second": sent.rate,
        "applied_per_second": len(requests) / (sent.seconds + backlog),
        "backlog_seconds": backlog,
        "cpu_microseconds_per_delivery": (server.cpu_seconds() - cpu) / len(requests) * 1e6,
        "resident_mebibytes": server.resident_mebibytes(),
        **latencies(sent),
    }


def latencies(sent: load.Load) -> Measured:
    """Return the median and the worst hundredth, and how many were not accepted."""
    return {
        "p50_milliseconds": sent.median * 1e3,
        "p99_milliseconds": sent.percentile(99) * 1e3,
        "not_accepted": len(sent.latencies) - sent.statuses[202],
    }


async def until_applied(side: servers.Side) -> None:
    """Wait until nothing waits to be handled; the plain bot and the bare handlers put nothing off.

    Raises RuntimeError when that takes a minute.
    """
    if side.tables is None or side.tables.waiting is None:
        return
    until = time.perf_counter() + APPLIED_WITHIN_SECONDS
    while await query(side.database_url, side.tables.waiting):
        if time.perf_counter() > until:
            message = "deliveries still wait to be handled"
            raise RuntimeError(message)
        await asyncio.sleep(0.01)


async def wrong_states(side: servers.Side, truth: Truth) -> Measured:
    """Return how many runs and jobs a side does not hold as is true, of how many; nothing for a side without any."""
    if side.tables is None:
        return {}
    runs = await query(side.database_url, side.tables.runs)
    jobs = await query(side.database_url, side.tables.jobs)
    return {
        "wrong_runs": _differing(runs, truth.runs),
        "wrong_jobs": _differing(jobs, truth.jobs),
        "things": len(truth.runs) + len(truth.jobs),
    }


def _differing(rows: Sequence[tuple[Any, ...]], truth: Mapping[int, tuple[Any, ...]]) -> int:
    stored = {row[0]: tuple(row[1:]) for row in rows}
    return sum(stored.get(id) != last for id, last in truth.items()) + len(stored.keys() - truth.keys())


def wrong_text(measured: Mapping[str, float]) -> str:
    """Return the same in words."""
    if "things" not in measured:
        return "-"
    return f"{measured['wrong_runs'] + measured['wrong_jobs']:,.0f} of {measured['things']:,.0f}"
