"""How fast lists are answered at a million runs: beside model instances on the same rows, and a body that lies ready.

Sixteen connections ask for pages of 50 with mixed filters, one after another in a closed loop: no two alike; then of
places all over the record, so that each list has other rows; both of a record with a hundredth of the rows as well;
then the same few over and over, as dashboards do. After that come single questions (`bench/singles`). Before each round
something is committed, so that nothing is answered from before; rows that were shown before are written already.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec

from bench import asked, load, records, servers, singles
from bench.records import Record
from bench.report import Report, Rounds, Wanted

OURS, NAIVE, BARE = "runledger", "model instances", "bare handler, uvloop"
AGAIN, FEW = "runledger, asked again", "runledger, few rows"
ELSEWHERE = ", other rows each time"
WANTED = {
    "to_model_instances": Wanted(4, 7),
    "other_rows_to_model_instances": Wanted(4, 7),
    "to_ready_body": Wanted(0.19, 0.30),
    "to_few_rows": Wanted(0.85),
    "other_rows_to_few_rows": Wanted(0.85),
    "again_to_ready_body": Wanted(0.19, 0.30),
    **singles.WANTED,
}


@dataclass(frozen=True)
class Size:
    """How much is asked of how much: rows, requests a round, rounds, connections, requests for each single figure."""

    runs: int = 1_000_000
    few_runs: int = 10_000
    jobs_of_each: int = 3
    requests: int = 1200
    rounds: int = 9
    connections: int = 16
    singles: int = 40
    deep_page: int = 1000


SMALL = Size(runs=200, few_runs=100, jobs_of_each=1, requests=24, rounds=1, connections=4, singles=1, deep_page=3)


class Turn(NamedTuple):
    """Who is asked for what."""

    name: str
    server: servers.Server
    requests: Sequence[bytes]


async def run(size: Size) -> Report:
    """Fill two databases, then measure all sides in turn."""
    with TemporaryDirectory(prefix="bench-lists-") as name:
        folder = Path(name)
        (folder / "few").mkdir()
        few = await records.copy_of(folder / "few", size.few_runs, size.jobs_of_each)
        filled = await records.copy_of(folder, size.runs, size.jobs_of_each)
        sides = (
            servers.runledger(filled.path),
            servers.naive_lists(filled.path),
            servers.bare(uvloop=True),
            replace(servers.runledger(few.path), name=FEW),
        )
        async with servers.running(*sides, folder=folder) as (ours, naive, bare, of_few):
            await _check_same_answers(ours, naive, filled.token)
            turns = _turns(ours, naive, bare, filled, size) + _turns_of_few(of_few, few, size)
            report = _report(await _measure(turns, size), size)
            await singles.add(report, singles.Single(ours, bare, filled, size.singles, size.deep_page))
            report.add_ratios("lists", report.figures["ratios"], WANTED)
        return report


async def _check_same_answers(ours: servers.Server, naive: servers.Server, token: str) -> None:
    for path in (*asked.again(len(asked.MIXED)), *asked.all_over(len(asked.MIXED))):
        found = [_told(await load.fetch(server.port, path, token)) for server in (ours, naive)]
        if found[0] != found[1]:
            message = f"the two sides answer {path} differently"
            raise RuntimeError(message)


def _told(answer: bytes) -> list[tuple[object, ...]]:
    body = msgspec.json.decode(answer)
    if "runs" in body:
        return [(run["runId"], run["runDuration"], run["pullRequests"]) for run in body["runs"]]
    return [(job["jobId"], job["duration"], job["queuedSeconds"], job["labels"], job["steps"]) for job in body["jobs"]]


def _turns(ours: servers.Server, naive: servers.Server, bare: servers.Server, filled: Record, size: Size) -> list[Turn]:
    varied = asked.requests(asked.varied(size.requests), filled.token)
    elsewhere = asked.requests(asked.all_over(size.requests), filled.token)
    return [
        Turn(OURS, ours, varied),
        Turn(NAIVE, naive, varied),
        Turn(BARE, bare, [load.get("/ready")] * size.requests),
        Turn(AGAIN, ours, asked.requests(asked.again(size.requests), filled.token)),
        Turn(OURS + ELSEWHERE, ours, elsewhere),
        Turn(NAIVE + ELSEWHERE, naive, elsewhere),
    ]


def _turns_of_few(ours: servers.Server, few: Record, size: Size) -> list[Turn]:
    return [
        Turn(FEW, ours, asked.requests(asked.varied(size.requests), few.token)),
        Turn(FEW + ELSEWHERE, ours, asked.requests(asked.all_over(size.requests), few.token)),
    ]


async def _measure(turns: Sequence[Turn], size: Size) -> Rounds:
    rounds = Rounds()
    for number in range(size.rounds):
        for turn in turns if number % 2 == 0 else reversed(turns):
            rounds.add(turn.name, await _round(turn, size.connections))
    return rounds


async def _round(turn: Turn, connections: int) -> dict[str, float]:
    name, server, requests = turn
    if name != BARE:
        singles.commit(server)
    await load.send(server.port, requests[: len(asked.MIXED)], connections)
    cpu = server.cpu_seconds()
    sent = await load.send(server.port, requests, connections)
    if sent.statuses[200] != len(requests):
        message = f"{name} answered {dict(sent.statuses)}"
        raise RuntimeError(message)
    return {
        "requests_per_second": sent.rate,
        "cpu_microseconds_each": (server.cpu_seconds() - cpu) / len(requests) * 1e6,
        "p50_milliseconds": sent.median * 1e3,
        "p99_milliseconds": sent.percentile(99) * 1e3,
        "bytes_each": sent.received / len(requests),
    }


def _report(rounds: Rounds, size: Size) -> Report:
    compared = {
        "to_model_instances": (OURS, NAIVE),
        "other_rows_to_model_instances": (OURS + ELSEWHERE, NAIVE + ELSEWHERE),
        "to_ready_body": (OURS, BARE),
        "to_few_rows": (OURS, FEW),
        "other_rows_to_few_rows": (OURS + ELSEWHERE, FEW + ELSEWHERE),
        "again_to_ready_body": (AGAIN, BARE),
    }
    ratios = {name: rounds.ratio(*sides, "requests_per_second") for name, sides in compared.items()}
    report = Report({"runs": size.runs, "rounds": size.rounds, "medians": rounds.medians(), "ratios": ratios})
    title = (
        f"lists: {size.runs:,} runs and {size.runs * size.jobs_of_each:,} jobs,"
        f" {size.requests:,} requests x {size.rounds} rounds,"
        f" {size.connections} connections, limit 50, mixed filters"
    )
    head = ("", "requests /s", "± rounds", "CPU µs each", "p50 ms", "p99 ms", "KB each")
    report.add_table(title, head, [_row(rounds, side) for side in rounds.sides])
    return report


def _row(rounds: Rounds, side: str) -> tuple[str, ...]:
    return (
        side,
        f"{rounds.median(side, 'requests_per_second'):,.0f}",
        f"{rounds.spread(side, 'requests_per_second'):.0%}",
        f"{rounds.median(side, 'cpu_microseconds_each'):,.0f}",
        f"{rounds.median(side, 'p50_milliseconds'):.1f}",
        f"{rounds.median(side, 'p99_milliseconds'):.1f}",
        f"{rounds.median(side, 'bytes_each') / 1000:.1f}",
    )
