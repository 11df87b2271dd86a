"""Lists asked for one at a time: page 1 and a deep one, a pull request's runs, and each filter alone.

Before each question something is committed, so that none is answered with what another was, but where it says "again".
`/healthz`, for which nothing is found out, shows what is left to do so beside a bare handler.
"""

import contextlib
import sqlite3
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bench import asked, load, servers
from bench.databases import query
from bench.record import repository_name
from bench.records import Record
from bench.report import Report, Wanted
from bot.store.database import to_moment
from bot.store.queries.pages import encode_cursor

WANTED = {
    "page_deep_to_page_1": Wanted(0.95),
    "pull_request_to_bare_get": Wanted(0.5),
    "pull_request_again_to_bare_get": Wanted(0.5),
}
_CALM = load.get("/small")


class _Question(NamedTuple):
    server: servers.Server
    request: bytes
    again: bool = False


@dataclass(frozen=True)
class Single:
    """Who is asked, beside a bare handler; for what record; how often for each; and which page is a deep one."""

    ours: servers.Server
    bare: servers.Server
    filled: Record
    times: int
    deep_page: int

    def question(self, path: str, *, again: bool = False) -> _Question:
        return _Question(self.ours, load.get(path, self.filled.token), again)

    async def median_milliseconds(self, questions: Mapping[str, _Question]) -> dict[str, float]:
        """Return the median milliseconds of each question, the questions taking turns."""
        taken: dict[str, list[float]] = {name: [] for name in questions}
        for _ in range(self.times):
            for name, (server, request, again) in questions.items():
                if server is self.ours:
                    commit(server)
                # The first one opens the connection; of what is asked again it is the same.
                first = request if again else _CALM
                taken[name] += (await load.send(server.port, [first, request], 1)).latencies[1:]
        return {name: statistics.median(latencies) * 1e3 for name, latencies in taken.items()}

    async def rows(self, sql: str) -> list[tuple[object, ...]]:
        return await query(f"sqlite://{self.filled.path}", sql)


def commit(server: servers.Server) -> None:
    """Commit something to the server's database, so that nothing that it remembers counts any more."""
    database = server.side.environment["DATABASE_URL"].removeprefix("sqlite://")
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        # A row that is written as it was is no change to SQLite.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version = {version + 1}")


async def add(report: Report, single: Single) -> None:
    """Ask all of it, and add tables and ratios."""
    await _add_pages(report, single)
    # Of the middle of the record, the run and the commit of all the filters that name one.
    runs = single.filled.runs
    ((run_id, sha),) = await single.rows(
        f"SELECT run_id, head_sha FROM workflow_run ORDER BY run_id LIMIT 1 OFFSET {runs // 2}"
    )
    of_run = {"headSha": {"headSha": str(sha)}}
    of_jobs = of_run | {"runId": {"runId": str(run_id)}}
    await _add_filters(report, single, asked.RUNS, {**asked.MATCHING, **of_run}, asked.MISSING)
    await _add_filters(report, single, asked.JOBS, {**asked.MATCHING_JOBS, **of_jobs}, asked.MISSING_JOBS)


async def _add_pages(report: Report, single: Single) -> None:
    pull = asked.path({"repoFullName": repository_name(8), "prNumber": "9"}, f"{asked.RUNS}/pr", 20)
    questions = {
        "page_1": single.question(asked.path({})),
        "page_deep": single.question(asked.path({"cursor": await _cursor_before(single)})),
        "pull_request": single.question(pull),
        "pull_request_again": single.question(pull, again=True),
        "nothing_found_out": _Question(single.ours, load.get("/healthz")),
        "bare_get": _Question(single.bare, _CALM),
    }
    milliseconds = await single.median_milliseconds(questions)
    report.figures["milliseconds"] = milliseconds
    report.figures["ratios"] |= {
        "page_deep_to_page_1": milliseconds["page_1"] / milliseconds["page_deep"],
        "pull_request_to_bare_get": milliseconds["bare_get"] / milliseconds["pull_request"],
        "pull_request_again_to_bare_get": milliseconds["bare_get"] / milliseconds["pull_request_again"],
        "nothing_found_out_to_bare_get": milliseconds["bare_get"] / milliseconds["nothing_found_out"],
    }
    rows = [(name.replace("_", " "), f"{value:.2f}") for name, value in milliseconds.items()]
    title = f"lists: one at a time, the deep page being page {single.deep_page:,}"
    report.add_table(title, ("", "median ms"), rows)


async def _cursor_before(single: Single) -> str:
    """Return the cursor that the deep page is asked for with."""
    before = (single.deep_page - 1) * 50 - 1
    ((created_at, run_id),) = await single.rows(
        f"SELECT created_at, run_id FROM workflow_run ORDER BY created_at DESC, run_id DESC LIMIT 1 OFFSET {before}"
    )
    moment = to_moment(created_at)
    assert moment is not None
    assert isinstance(run_id, int)
    return encode_cursor(moment, run_id)


async def _add_filters(
    report: Report,
    single: Single,
    of: str,
    matching: Mapping[str, asked.Filters],
    missing: Mapping[str, asked.Filters],
) -> None:
    what = of.rpartition("-")[2]
    questions = {"no filter": single.question(asked.path({}, of))}
    for kind, each in (("matching", matching), ("missing", missing)):
        questions |= {f"{name} {kind}": single.question(asked.path(filters, of)) for name, filters in each.items()}
    milliseconds = await single.median_milliseconds(questions)
    report.figures.setdefault("filter_milliseconds", {})[what] = milliseconds
    first = milliseconds["no filter"]
    rows: list[tuple[str, ...]] = [("no filter", f"{first:.2f}", "", "1.0")]
    for name in matching:
        both = [milliseconds.get(f"{name} {kind}") for kind in ("matching", "missing")]
        shown = ["" if value is None else f"{value:.2f}" for value in both]
        rows.append((name, *shown, f"{max(value for value in both if value is not None) / first:.1f}"))
    head = ("", "matching ms", "not matching ms", "slower than page 1, x")
    report.add_table(f"lists: each filter of {what} alone", head, rows)
