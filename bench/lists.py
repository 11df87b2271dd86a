"""How fast lists are answered at a million runs: beside model instances on the same rows, and a body that lies ready.

Sixteen connections ask for pages of 50 with mixed filters, one after another in a closed loop: no two alike, and of a
record with a hundredth of the rows as well; then of places all over the record, so that each list has other rows; then
the same few over and over, as dashboards do. Then single questions, one at a time: page 1 and page 1,000, a pull
request's runs, and each filter of runs and of jobs alone, matching and not. Before each of these something is
committed, so that none is answered with what another was, but where it says "again"; rows that were shown before are
written already, but in places all over the record.
"""

import contextlib
import sqlite3
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

import msgspec

from bench import load, record, records, servers
from bench.record import TEAM, repository_name
from bench.report import Report, Rounds, Wanted
from bot.store import connected
from bot.store.database import to_moment
from bot.store.queries.pages import encode_cursor

RUNS = "/api/integrations/github/workflow-runs"
JOBS = "/api/integrations/github/workflow-jobs"
OURS, NAIVE, BARE = "runledger", "model instances", "bare handler, uvloop"
AGAIN, FEW, ELSEWHERE = "runledger, asked again", "runledger, few rows", "runledger, other rows each time"
WANTED = {
    "to_model_instances": Wanted(4, 7),
    "to_ready_body": Wanted(0.19, 0.30),
    "to_few_rows": Wanted(0.85),
    "again_to_ready_body": Wanted(0.19, 0.30),
    "page_deep_to_page_1": Wanted(0.95),
    "pull_request_again_to_bare_get": Wanted(0.5),
}


@dataclass(frozen=True)
class Size:
    """How much is asked of how much: rows, requests a round, rounds, connections, requests for each single figure."""

    runs: int = 1_000_000
    few_runs: int = 10_000
    jobs_of_each: int = 3
    requests: int = 1000
    rounds: int = 3
    connections: int = 16
    singles: int = 40
    deep_page: int = 1000


SMALL = Size(runs=200, few_runs=100, jobs_of_each=1, requests=24, rounds=1, connections=4, singles=1, deep_page=3)

MATCHING = {
    "repoFullName": repository_name(3),
    "installationId": str(record.INSTALLATION_ID),
    "workflowId": "5007",
    "workflow": "Workflow 7",
    "branch": "change-7",
    "event": "push",
    "status": "completed",
    "conclusion": "failure",
    "actor": "developer-07",
    "since": (record.NOW - timedelta(days=30)).date().isoformat(),
    "until": (record.BEGIN + timedelta(days=30)).date().isoformat(),
}
MISSING = {
    "repoFullName": f"{record.OWNER.login}/nowhere",
    "installationId": "1",
    "workflowId": "1",
    "workflow": "No such workflow",
    "branch": "no-such-branch",
    "event": "merge_group",
    "status": "queued",
    "conclusion": "stale",
    "actor": "nobody",
    "headSha": "0" * 40,
    "since": "2027-01-01",
    "until": "2025-01-01",
}
MATCHING_JOBS = MATCHING | {
    "attempt": "1",
    "name": "test (part 1)",
    "runnerName": "runner-007",
    "label": "ubuntu-24.04",
}
MISSING_JOBS = MISSING | {
    "runId": "1",
    "attempt": "7",
    "name": "nothing",
    "runnerName": "none",
    "label": "windows-2012",
}
# What dashboards ask for, over and over.
MIXED: tuple[dict[str, str], ...] = (
    {},
    {"repoFullName": MATCHING["repoFullName"]},
    {"conclusion": "failure"},
    {"event": "pull_request"},
    {"repoFullName": repository_name(5), "conclusion": "success"},
    {"workflowId": "5007"},
    {"since": MATCHING["since"], "status": "completed"},
    {"actor": "developer-07"},
)


def _path(filters: dict[str, str], limit: int = 50, path: str = RUNS) -> str:
    return f"{path}?{urlencode({'team': TEAM, **filters, 'limit': limit})}"


def varied_requests(token: str, count: int) -> list[bytes]:
    """Return so many requests with mixed filters, no two alike, so that none is answered from what is remembered.

    Each is asked since another second of the record's first days, which leaves out nothing of a page.
    """
    moments = (record.BEGIN + timedelta(seconds=number) for number in range(count))
    asked = zip(cycle(MIXED), moments, strict=False)
    return [load.get(_path(filters | {"since": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}), token) for filters, moment in asked]


def requests_all_over(token: str, count: int) -> list[bytes]:
    """Return so many requests with mixed filters, of pages that begin all over the record."""
    moments = (record.NOW - (record.NOW - record.BEGIN) * number / count for number in range(count))
    whole = {"since": record.BEGIN.date().isoformat()}
    asked = zip(cycle(MIXED), moments, strict=False)
    return [load.get(_path(filters | whole | {"until": f"{at:%Y-%m-%dT%H:%M:%SZ}"}), token) for filters, at in asked]


async def run(size: Size) -> Report:
    """Fill two databases, then measure all sides in turn."""
    with TemporaryDirectory(prefix="bench-lists-") as name:
        folder = Path(name)
        (folder / "few").mkdir()
        few = await records.copy_of(folder / "few", size.few_runs, size.jobs_of_each)
        filled = await records.copy_of(folder, size.runs, size.jobs_of_each)
        cursor = await _cursor_before(filled.path, size)
        sides = (
            servers.runledger(filled.path),
            servers.naive_lists(filled.path),
            servers.bare(uvloop=True),
            replace(servers.runledger(few.path), name=FEW),
        )
        async with servers.running(*sides, folder=folder) as (ours, naive, bare, ours_of_few):
            await _check_same_answers(ours, naive, filled.token)
            rounds = await _mixed(size, _turns(ours, naive, bare, filled.token, size), (ours_of_few, few.token))
            report = _report_mixed(rounds, size)
            single = Single(filled.path, size)
            await _add_singles(report, single, ours, bare, filled.token, cursor)
            await _add_filters(report, single, "runs", RUNS, (MATCHING, MISSING), ours, filled.token)
            await _add_filters(report, single, "jobs", JOBS, (MATCHING_JOBS, MISSING_JOBS), ours, filled.token)
            report.add_ratios("lists", report.figures["ratios"], WANTED)
        return report


async def _cursor_before(database: Path, size: Size) -> str:
    """Return the cursor that the deep page is asked for with."""
    async with connected(f"sqlite://{database}") as opened:
        rows = await opened.reader.fetch(
            "SELECT created_at, run_id FROM workflow_run ORDER BY created_at DESC, run_id DESC LIMIT 1 OFFSET ?",
            (size.deep_page - 1) * 50 - 1,
        )
    moment = to_moment(rows[0]["created_at"])
    assert moment is not None
    return encode_cursor(moment, rows[0]["run_id"])


async def _check_same_answers(ours: servers.Server, naive: servers.Server, token: str) -> None:
    for filters in MIXED:
        found = []
        for server in (ours, naive):
            body = msgspec.json.decode(await load.fetch(server.port, _path(filters), token))
            found.append([(each["runId"], each["pullRequests"]) for each in body["runs"]])
        if found[0] != found[1]:
            message = f"the two sides answer {filters} differently"
            raise RuntimeError(message)


Turn = tuple[str, servers.Server, Sequence[bytes]]


def _turns(ours: servers.Server, naive: servers.Server, bare: servers.Server, token: str, size: Size) -> list[Turn]:
    varied = varied_requests(token, size.requests)
    again = [load.get(_path(MIXED[number % len(MIXED)]), token) for number in range(size.requests)]
    return [
        (OURS, ours, varied),
        (NAIVE, naive, varied),
        (BARE, bare, [load.get("/ready")] * size.requests),
        (AGAIN, ours, again),
        (ELSEWHERE, ours, requests_all_over(token, size.requests)),
    ]


async def _mixed(size: Size, turns: list[Turn], few: tuple[servers.Server, str]) -> Rounds:
    rounds = Rounds()
    turns = [*turns, (FEW, few[0], varied_requests(few[1], size.requests))]
    for number in range(size.rounds):
        for side, server, requests in turns if number % 2 == 0 else reversed(turns):
            if side != BARE:
                _commit(server)
            await load.send(server.port, requests[: len(MIXED)], size.connections)
            cpu = server.cpu_seconds()
            sent = await load.send(server.port, requests, size.connections)
            if sent.statuses[200] != len(requests):
                message = f"{side} answered {dict(sent.statuses)}"
                raise RuntimeError(message)
            measured = {
                "requests_per_second": sent.rate,
                "cpu_microseconds_each": (server.cpu_seconds() - cpu) / len(requests) * 1e6,
                "p50_milliseconds": sent.median * 1e3,
                "p99_milliseconds": sent.percentile(99) * 1e3,
                "bytes_each": sent.received / len(requests),
            }
            rounds.add(side, measured)
    return rounds


def _commit(server: servers.Server) -> None:
    """Commit something to the server's database, so that nothing that it remembers counts any more."""
    database = server.side.environment["DATABASE_URL"].removeprefix("sqlite://")
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        # A row that is written as it was is no change to SQLite.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version = {version + 1}")


def _report_mixed(rounds: Rounds, size: Size) -> Report:
    ratios = {
        "to_model_instances": rounds.ratio(OURS, NAIVE, "requests_per_second"),
        "to_ready_body": rounds.ratio(OURS, BARE, "requests_per_second"),
        "to_few_rows": rounds.ratio(OURS, FEW, "requests_per_second"),
        "again_to_ready_body": rounds.ratio(AGAIN, BARE, "requests_per_second"),
    }
    report = Report({"runs": size.runs, "rounds": size.rounds})
    report.figures |= {"medians": rounds.medians(), "ratios": ratios}
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


@dataclass(frozen=True)
class Single:
    """Questions asked one at a time, of a database that something is committed to before each."""

    database: Path
    size: Size

    async def median_milliseconds(self, asked: dict[str, tuple[servers.Server, bytes]]) -> dict[str, float]:
        """Return the median milliseconds of each question, the questions taking turns."""
        taken: dict[str, list[float]] = {name: [] for name in asked}
        for _ in range(self.size.singles):
            for name, (server, request) in asked.items():
                # The first one opens the connection; of what is asked again it is the same.
                first = request if name.endswith("again") else load.get("/small")
                if server.side.name == OURS:
                    _commit(server)
                taken[name] += (await load.send(server.port, [first, request], 1)).latencies[1:]
        return {name: statistics.median(latencies) * 1e3 for name, latencies in taken.items()}


async def _add_singles(
    report: Report, single: Single, ours: servers.Server, bare: servers.Server, token: str, cursor: str
) -> None:
    pull = _path({"repoFullName": repository_name(8), "prNumber": "9"}, 20, f"{RUNS}/pr")
    asked = {
        "page_1": (ours, load.get(_path({}), token)),
        "page_deep": (ours, load.get(_path({"cursor": cursor}), token)),
        "pull_request": (ours, load.get(pull, token)),
        "pull_request_again": (ours, load.get(pull, token)),
        "bare_get": (bare, load.get("/small")),
    }
    milliseconds = await single.median_milliseconds(asked)
    report.figures["milliseconds"] = milliseconds
    report.figures["ratios"] |= {
        "page_deep_to_page_1": milliseconds["page_1"] / milliseconds["page_deep"],
        "pull_request_to_bare_get": milliseconds["bare_get"] / milliseconds["pull_request"],
        "pull_request_again_to_bare_get": milliseconds["bare_get"] / milliseconds["pull_request_again"],
    }
    rows = [(name.replace("_", " "), f"{value:.2f}") for name, value in milliseconds.items()]
    title = f"lists: one at a time, the deep page being page {single.size.deep_page:,}"
    report.add_table(title, ("", "median ms"), rows)


async def _add_filters(
    report: Report,
    single: Single,
    what: str,
    path: str,
    values: tuple[dict[str, str], dict[str, str]],
    ours: servers.Server,
    token: str,
) -> None:
    asked = {"no filter": (ours, load.get(_path({}, path=path), token))}
    for kind, filters in zip(("matching", "missing"), values, strict=True):
        for name, value in filters.items():
            asked[f"{name} {kind}"] = ours, load.get(_path({name: value}, path=path), token)
    milliseconds = await single.median_milliseconds(asked)
    report.figures.setdefault("filter_milliseconds", {})[what] = milliseconds
    first = milliseconds["no filter"]
    rows: list[tuple[str, ...]] = [("no filter", f"{first:.2f}", "", "1.0")]
    for name in values[1]:
        both = [milliseconds.get(f"{name} {kind}") for kind in ("matching", "missing")]
        shown = ["" if value is None else f"{value:.2f}" for value in both]
        rows.append((name, *shown, f"{max(value for value in both if value is not None) / first:.1f}"))
    head = ("", "matching ms", "not matching ms", "slower than page 1, x")
    report.add_table(f"lists: each filter of {what} alone", head, rows)
