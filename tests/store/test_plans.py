"""How the databases go about a list: by indexes that lead to its rows in its order, with no table read and none sorted.

SQLite is asked for its plan as it stands, without statistics, which is how the service runs it. PostgreSQL goes by
costs, and rightly reads a small table whole; so it is forbidden what a large one would suffer from, and the plan shows
that there is another way. Every set of filters of runs is tried on SQLite; where there are too many sets, or each takes
long, all of one and two filters, all of them at once, and some drawn at random.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest

from bot.settings import Dialect
from bot.store import connected, database
from bot.store.conversation import Conversation, Question
from bot.store.database import Database
from bot.store.queries import JobsQuery, PullRequestRunsQuery, RunsQuery, Scope, job_filters, list_jobs, list_runs
from bot.store.queries import list_pull_request_runs as list_runs_of_pull_request
from bot.store.queries import scope as scopes
from bot.store.queries.pages import encode_cursor
from tests import builders as make
from tests.store.plain_record import CHOICES, JOB_FILTERS, RUN_FILTERS
from tests.store.recording import NOON, record, stamp

Plan = tuple[str, list[str]]
FORBIDDEN = ("enable_seqscan", "enable_sort", "enable_incremental_sort", "enable_bitmapscan")
RECORD = r"(run|job|link|workflow_run|workflow_job|run_pull_request|pull_request|repository|team)"
WRONG = {
    Dialect.SQLITE: re.compile(rf"SCAN {RECORD}\b|USE TEMP B-TREE|AUTOMATIC"),
    Dialect.POSTGRESQL: re.compile(r"Seq Scan on|(?:^|-> +)(?:Incremental )?Sort  \("),
}
EXPLAIN = {Dialect.SQLITE: "EXPLAIN QUERY PLAN ", Dialect.POSTGRESQL: "EXPLAIN "}
CURSOR = encode_cursor(NOON, 100)


@pytest.fixture
async def planned(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a database with some rows, and the plans of whatever its reader is asked from now on."""
    async with connected(migrated_url) as opened:
        if opened.dialect is Dialect.POSTGRESQL:
            (row,) = await opened.fetch("SELECT current_database() AS name")
            for setting in FORBIDDEN:
                await opened.execute(f'ALTER DATABASE "{row["name"]}" SET {setting} = off')
    async with connected(migrated_url) as opened:
        runs = [make.run(number, created_at=stamp(number)) for number in range(1, 4)]
        jobs = [make.job(10 * number, number, created_at=stamp(number)) for number in range(1, 4)]
        for name, id in (("hello", 9), ("other", 10), ("third", 11)):
            whole = await record(opened, make.repository(f"octo-org/{name}", id), runs=runs, jobs=jobs)
        plans: list[Plan] = []
        for name in ("answer_on_sqlite", "answer_on_postgresql"):
            monkeypatch.setattr(database, name, _explained(getattr(database, name), opened.dialect, plans))
        yield opened, whole, plans


def _explained(answer: Any, dialect: Dialect, plans: list[Plan]) -> Any:
    def watched(conversation: Conversation[Any]) -> Conversation[Any]:
        rows: Any = None
        while True:
            try:
                step = conversation.send(rows)
            except StopIteration as end:
                return end.value
            assert isinstance(step, Question)
            plan = yield Question(EXPLAIN[dialect] + step.sql, step.parameters)
            plans.append((step.sql, [str(row[-1]) for row in plan]))
            rows = yield step

    return lambda conversation, connection: answer(watched(conversation), connection)


def sets_of(names: Sequence[str], *, every: bool) -> Iterator[tuple[str, ...]]:
    """Yield sets of filters: every one, or the small ones, the whole, and some between."""
    sizes = range(len(names) + 1) if every else (0, 1, 2, len(names))
    for size in sizes:
        yield from itertools.combinations(names, size)
    if not every:
        chance = Random(7)
        for _ in range(40):
            yield tuple(chance.sample(names, chance.randrange(3, len(names))))


def check(plans: list[Plan], dialect: Dialect) -> None:
    """See that no plan reads a table or sorts, and forget them."""
    assert plans
    for sql, plan in plans:
        # A plan that PostgreSQL was forbidden costs more than anything in a small database can.
        wrong = [line for line in plan if WRONG[dialect].search(line)]
        assert not wrong, "\n".join([sql, *plan])
    plans.clear()


def _chosen(names: Sequence[str], place: int) -> dict[str, Any]:
    return {name: CHOICES[name][place % len(CHOICES[name])] for name in names}


@pytest.fixture(params=["merged, few runs", "looked through, many runs"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have few repositories and runs be taken for many, too."""
    if request.param != "merged, few runs":
        monkeypatch.setattr(scopes, "MOST_MERGED", 1)
        monkeypatch.setattr(job_filters, "FEW_RUNS", 0)
    return str(request.param)


async def test_lists_of_runs(planned: tuple[Database, Scope, list[Plan]], way: str) -> None:
    opened, scope, plans = planned
    every = opened.dialect is Dialect.SQLITE and way == "merged, few runs"
    for number, names in enumerate(sets_of([*RUN_FILTERS], every=every)):
        cursor = CURSOR if number % 2 else None
        await list_runs(scope, RunsQuery(team="octo-org", limit=1, cursor=cursor, **_chosen(names, number)))
        check(plans, opened.dialect)


async def test_lists_walked(planned: tuple[Database, Scope, list[Plan]], way: str) -> None:
    opened, scope, plans = planned
    for number, names in enumerate(sets_of([*JOB_FILTERS], every=False)):
        cursor = CURSOR if number % 2 else None
        await list_jobs(scope, JobsQuery(team="octo-org", limit=1, cursor=cursor, **_chosen(names, number)))
        check(plans, opened.dialect)


async def test_lists_of_a_pull_requests_runs(planned: tuple[Database, Scope, list[Plan]]) -> None:
    opened, scope, plans = planned
    for head_sha, latest, cursor in itertools.product((None, make.SHA), (False, True), (None, CURSOR)):
        query = PullRequestRunsQuery(
            team="octo-org",
            repo_full_name="octo-org/hello",
            pr_number=5,
            head_sha=head_sha,
            latest=latest,
            cursor=cursor,
        )
        await list_runs_of_pull_request(scope, query)
        check(plans, opened.dialect)


# By which index a list is read that is narrowed by one filter alone.
LEADING = {
    "runs": {
        "repo_full_name": "repository",
        "workflow_id": "workflow",
        "branch": "head_branch",
        "event": "event",
        "conclusion": "conclusion",
        "actor": "actor",
        "head_sha": "head_sha",
        "since": "team",
        "until": "team",
    },
    "jobs": {
        "repo_full_name": "repository",
        "branch": "head_branch",
        "head_sha": "head_sha",
        "run_id": "run",
        "name": "name",
        "since": "team",
        "until": "team",
        "event": "run",
        "actor": "run",
        "workflow_id": "run",
    },
}


@pytest.mark.parametrize("what", LEADING)
async def test_each_filter_alone_leads_to_its_rows(planned: tuple[Database, Scope, list[Plan]], what: str) -> None:
    opened, scope, plans = planned
    if opened.dialect is Dialect.POSTGRESQL:
        pytest.skip("PostgreSQL goes by how many rows there are")
    for name, index in LEADING[what].items():
        plans.clear()
        value: Any = {"workflow_id": 33, "actor": "mona", "run_id": 1, "event": "pull_request"}.get(
            name, CHOICES[name][0]
        )
        if what == "runs":
            await list_runs(scope, RunsQuery(team="octo-org", **{name: value}))
        else:
            await list_jobs(scope, JobsQuery(team="octo-org", **{name: value}))
        walked = [plan for sql, plan in plans if f"workflow_{what[:-1]} AS" in sql and "recursive" not in sql.lower()]
        assert any(f"workflow_{what[:-1]}_by_{index} " in line for plan in walked for line in plan), (name, walked)
        assert not any(f"workflow_{what[:-1]}_by_team " in line for plan in walked for line in plan) or index == "team"


async def test_a_plan_that_reads_a_table_or_sorts_would_be_seen(planned: tuple[Database, Scope, list[Plan]]) -> None:
    opened, _, plans = planned

    def badly(sql: str) -> Conversation[None]:
        yield Question(sql)

    for sql in (
        "SELECT run_id FROM workflow_run AS run WHERE html_url = 'x'",
        "SELECT run_id FROM workflow_run AS run WHERE team_id = 1 ORDER BY html_url",
    ):
        await opened.reader.converse(badly(sql))
        with pytest.raises(AssertionError):
            check(plans, opened.dialect)
        plans.clear()
