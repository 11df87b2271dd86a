"""How fast lists are answered at 100,000 runs: beside model instances on the same rows, and a body that lies ready.

Sixteen connections ask for pages of 50 with mixed filters, one after another in a closed loop. Then single questions,
one at a time: page 1 and page 1,000, a pull request's runs, and each filter alone, matching and not.
"""

import statistics
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

import msgspec

from bench import load, record, servers
from bench.record import TEAM, repository_name
from bench.report import Report, Rounds
from bot.store import connected
from bot.store.database import to_moment
from bot.store.queries.pages import encode_cursor

RUNS = "/api/integrations/github/workflow-runs"
OURS, NAIVE, BARE = "runledger", "model instances", "bare handler, uvloop"


@dataclass(frozen=True)
class Size:
    """How much is asked of how much: rows, requests a round, rounds, connections, requests for each single figure."""

    runs: int = 100_000
    jobs_of_each: int = 3
    requests: int = 1000
    rounds: int = 3
    connections: int = 16
    singles: int = 40
    deep_page: int = 1000


SMALL = Size(runs=200, jobs_of_each=1, requests=24, rounds=1, connections=4, singles=1, deep_page=3)

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


async def run(size: Size) -> Report:
    """Fill a database, then measure all sides in turn."""
    with TemporaryDirectory(prefix="bench-lists-") as name:
        folder = Path(name)
        database = folder / "runledger.sqlite3"
        filled = await record.fill(database, size.runs, size.jobs_of_each)
        cursor = await _cursor_before(database, size)
        sides = (servers.runledger(database), servers.naive_lists(database), servers.bare(uvloop=True))
        async with servers.running(*sides, folder=folder) as (ours, naive, bare):
            await _check_same_answers(ours, naive, filled.token)
            rounds = await _mixed(ours, naive, bare, filled.token, size)
            report = _report_mixed(rounds, size, filled)
            await _add_singles(report, ours, bare, filled.token, cursor, size)
            await _add_filters(report, ours, filled.token, size)
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


async def _mixed(ours: servers.Server, naive: servers.Server, bare: servers.Server, token: str, size: Size) -> Rounds:
    rounds = Rounds()
    asked = [load.get(_path(MIXED[number % len(MIXED)]), token) for number in range(size.requests)]
    turns = [(ours, asked), (naive, asked), (bare, [load.get("/ready")] * size.requests)]
    for number in range(size.rounds):
        for server, requests in turns if number % 2 == 0 else reversed(turns):
            await load.send(server.port, requests[: len(MIXED)], size.connections)
            cpu = server.cpu_seconds()
            sent = await load.send(server.port, requests, size.connections)
            if sent.statuses[200] != len(requests):
                message = f"{server.side.name} answered {dict(sent.statuses)}"
                raise RuntimeError(message)
            measured = {
                "requests_per_second": sent.rate,
                "cpu_microseconds_each": (server.cpu_seconds() - cpu) / len(requests) * 1e6,
                "p50_milliseconds": sent.median * 1e3,
                "p99_milliseconds": sent.percentile(99) * 1e3,
                "bytes_each": sent.received / len(requests),
            }
            rounds.add(server.side.name, measured)
    return rounds


def _report_mixed(rounds: Rounds, size: Size, filled: record.Filled) -> Report:
    ratios = {
        "to_model_instances": rounds.ratio(OURS, NAIVE, "requests_per_second"),
        "to_ready_body": rounds.ratio(OURS, BARE, "requests_per_second"),
    }
    report = Report({"runs": size.runs, "rounds": size.rounds, "filled_rows_per_second": filled.rows_per_second})
    report.figures |= {"medians": rounds.medians(), "ratios": ratios}
    title = (
        f"lists: {size.runs:,} runs and {size.runs * size.jobs_of_each:,} jobs (filled through the recorder at"
        f" {filled.rows_per_second:,.0f} rows/s), {size.requests:,} requests x {size.rounds} rounds,"
        f" {size.connections} connections, limit 50, mixed filters"
    )
    head = ("", "requests /s", "± rounds", "CPU µs each", "p50 ms", "p99 ms", "KB each")
    report.add_table(title, head, [_row(rounds, side) for side in rounds.sides])
    rows = [(name.replace("_", " "), f"{value:.2f}") for name, value in ratios.items()]
    report.add_table("lists: ratios of medians", ("runledger's", "ratio"), rows)
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


async def _together(asked: dict[str, tuple[servers.Server, bytes]], size: Size) -> dict[str, float]:
    """Return the median milliseconds of each question, asked in turn one at a time."""
    taken: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(size.singles):
        for name, (server, request) in asked.items():
            taken[name] += (await load.send(server.port, [request, request], 1)).latencies[1:]
    return {name: statistics.median(latencies) * 1e3 for name, latencies in taken.items()}


async def _add_singles(
    report: Report, ours: servers.Server, bare: servers.Server, token: str, cursor: str, size: Size
) -> None:
    pull = {"repoFullName": repository_name(8), "prNumber": "9"}
    asked = {
        "page_1": (ours, load.get(_path({}), token)),
        "page_deep": (ours, load.get(_path({"cursor": cursor}), token)),
        "pull_request": (ours, load.get(_path(pull, 20, f"{RUNS}/pr"), token)),
        "bare_get": (bare, load.get("/small")),
    }
    milliseconds = await _together(asked, size)
    ratios = {
        "page_deep_to_page_1": milliseconds["page_1"] / milliseconds["page_deep"],
        "pull_request_to_bare_get": milliseconds["bare_get"] / milliseconds["pull_request"],
    }
    report.figures["milliseconds"] = milliseconds
    report.figures["ratios"] |= ratios
    rows = [(name.replace("_", " "), f"{value:.2f}") for name, value in milliseconds.items()]
    rows += [(f"rate of {name.replace('_', ' ')}", f"{value:.2f}") for name, value in ratios.items()]
    title = f"lists: one at a time, the deep page being page {size.deep_page:,}"
    report.add_table(title, ("", "median ms, or ratio"), rows)


async def _add_filters(report: Report, ours: servers.Server, token: str, size: Size) -> None:
    asked = {"no filter": (ours, load.get(_path({}), token))}
    for kind, values in (("matching", MATCHING), ("missing", MISSING)):
        asked |= {f"{name} {kind}": (ours, load.get(_path({name: value}), token)) for name, value in values.items()}
    milliseconds = await _together(asked, size)
    report.figures["filter_milliseconds"] = milliseconds
    first = milliseconds["no filter"]
    rows: list[tuple[str, ...]] = [("no filter", f"{first:.2f}", "", "1.0")]
    for name in MISSING:
        both = [milliseconds.get(f"{name} {kind}") for kind in ("matching", "missing")]
        shown = ["" if value is None else f"{value:.2f}" for value in both]
        rows.append((name, *shown, f"{max(value for value in both if value is not None) / first:.1f}"))
    report.add_table("lists: each filter alone", ("", "matching ms", "not matching ms", "slower than page 1, x"), rows)
