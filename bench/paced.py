"""How long a delivery takes to its 202 when deliveries come at their own pace, whether or not the last is answered.

Latencies count from the moment at which a delivery was due, so that one slow answer is not hidden by those that would
have had to wait behind it. It is a part of the bench of ingest.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench import bodies, delivering, load, servers
from bench.report import Report, Rounds
from bench.servers import OURS

HEAD = ("", "came /s", "p50 ms", "p99 ms", "max ms", "server's core", "applied after s", "refused")


@dataclass(frozen=True)
class Pace:
    """At which rates deliveries come, for how many seconds each and how often; of which the plain bot can bear some."""

    rates: Sequence[int] = (300, 1000, 2000)
    plain_bot_rates: Sequence[int] = (300,)
    seconds: float = 5.0
    rounds: int = 3


async def measure(started: Iterable[servers.Server], pace: Pace, connections: int) -> Rounds:
    """Let deliveries come at each rate in turn, round by round."""
    rounds = Rounds()
    sources = [(server, bodies.Source(seed=3)) for server in started]
    for _ in range(pace.rounds):
        for server, source in sources:
            for rate in pace.rates if server.side.name == OURS else pace.plain_bot_rates:
                requests = [delivery.request for delivery in source.take(int(rate * pace.seconds))]
                measured = await _one_turn(server, requests, rate, connections)
                rounds.add(f"{server.side.name} at {rate:,} a second", measured)
    return rounds


async def _one_turn(server: servers.Server, requests: Sequence[bytes], rate: int, connections: int) -> dict[str, float]:
    cpu = server.cpu_seconds()
    sent = await load.send_paced(server.port, requests, connections, rate)
    cpu = server.cpu_seconds() - cpu
    answered = time.perf_counter()
    await delivering.until_applied(server.side)
    return {
        "came_per_second": sent.rate,
        "max_milliseconds": max(sent.latencies) * 1e3,
        "processor_share": cpu / sent.seconds,
        "applied_after_seconds": time.perf_counter() - answered,
        **delivering.latencies(sent),
    }


def add_to(report: Report, pace: Pace, rounds: Rounds) -> None:
    """Add what was measured to the report on ingest."""
    report.figures["paced"] = rounds.medians()
    title = (
        f"ingest: deliveries that come at random for {pace.seconds:g} s x {pace.rounds} rounds, latencies from the"
        " moment at which each was due"
    )
    report.add_table(title, HEAD, [_row(rounds, side) for side in rounds.sides])


def _row(rounds: Rounds, side: str) -> tuple[str, ...]:
    median = rounds.medians()[side]
    return (
        side,
        f"{median['came_per_second']:,.0f}",
        *(f"{median[f'{name}_milliseconds']:.1f}" for name in ("p50", "p99", "max")),
        f"{median['processor_share']:.0%}",
        f"{median['applied_after_seconds']:.2f}",
        f"{rounds.total(side, 'not_accepted'):,.0f}",
    )
