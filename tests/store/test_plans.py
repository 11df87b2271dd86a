"""How the databases go about a list: by indexes that lead to its rows in its order, with no table read and none sorted.

SQLite is asked for its plan as it stands, without statistics, which is how the service runs it. PostgreSQL goes by
costs, and rightly reads a small table whole; so it is forbidden what a large one would suffer from, and the plan shows
that there is another way. Every set of filters of runs is tried on SQLite; where there are too many sets, or each takes
long, all of one and two filters, all of them at once, and some drawn at random. Each list is answered so that it goes
on to ask whatever it can, and is seen to have asked it.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

import pytest

from bot.settings import Dialect
from bot.store import connected, database
from bot.store.conversation import Conversation, Question, Rows
from bot.store.queries import JobsQuery, PullRequestRunsQuery, RunsQuery, Scope, job_filters, list_jobs, list_runs
from bot.store.queries import list_pull_request_runs as list_runs_of_pull_request
from bot.store.queries import scope as scopes
from bot.store.queries.pages import COUNTED_EXACTLY, encode_cursor
from bot.store.written import Written
from tests import builders as make
from tests.store.plain_record import CHOICES, JOB_FILTERS, LABELS, RUN_FILTERS
from tests.store.recording import NOON, record, stamp

FORBIDDEN = ("enable_seqscan", "enable_sort", "enable_incremental_sort", "enable_bitmapscan")
# What each step of a plan is not to begin with. Scanned whole may only be what a query itself has made. Whether
# PostgreSQL walks a whole index is not to be seen here, as with so few rows it rightly does.
WRONG = {
    Dialect.SQLITE: re.compile(
        r"SCAN (?!(matching|sets|CONSTANT ROW)$|label VIRTUAL TABLE)|USE TEMP B-TREE|SEARCH .*AUTOMATIC"
    ),
    Dialect.POSTGRESQL: re.compile(r"(Parallel )?Seq Scan|(Incremental )?Sort  \("),
}
EXPLAIN = {Dialect.SQLITE: "EXPLAIN QUERY PLAN ", Dialect.POSTGRESQL: "EXPLAIN "}
CURSOR = encode_cursor(NOON, 100)
# By the first of these that its SQL and its last parameter fit.
KINDS = {
    "hidden repositories": r"SELECT repository_id FROM repository WHERE team_id = \? AND hidden_at",
    "named repositories": r"SELECT repository_id, full_name FROM repository ",
    "sets of labels": r"WITH RECURSIVE sets\(",
    "a run of the path": r"SELECT 1 FROM workflow_run AS run WHERE .* AND run\.workflow_path = \? LIMIT 1 ",
    "more than are counted": rf".*SELECT 1 FROM .* LIMIT 1 OFFSET \? {COUNTED_EXACTLY}$",
    "more than few runs": r"SELECT 1 FROM workflow_run AS run WHERE .* LIMIT 1 OFFSET \? ",
    "count": r"SELECT count\(\*\) FROM \(",
    "runs": r"(SELECT \* FROM \()?SELECT run\.run_id, run\.created_at, .* ORDER BY 2 DESC, 1 DESC LIMIT \? ",
    "runs by key": r"SELECT run\.id, .* WHERE run\.id IN \([?, ]+\) ",
    "jobs by key": r"SELECT job\.id, .* WHERE job\.id IN \([?, ]+\) ",
    "links": r"SELECT link\.run_id, link\.number, .* WHERE link\.run_id IN \(",
    "newest linked run": r"SELECT link\.run_id, link\.run_created_at, run\.head_sha FROM ",
    "linked runs": r"SELECT link\.run_id, link\.run_created_at, .* ORDER BY 2 DESC, 1 DESC LIMIT \? ",
    "pull request": r"SELECT head_sha FROM pull_request ",
    "jobs by id": r"SELECT job\.job_id, .* WHERE job\.job_id (IN|= ANY) \([?, ]+\) ",
    "jobs": r"(SELECT \* FROM \()?SELECT job\.job_id, job\.listed_at, .* ORDER BY 2 DESC, 1 DESC LIMIT \? ",
    "jobs of the newest runs": r"SELECT job\.listed_at, .* ORDER BY run\.created_at DESC, run\.run_id DESC LIMIT \? ",
    "jobs as new as those": r"SELECT job\.listed_at, .* AND job\.listed_at >= \? AND run\.created_at >= \? LIMIT \? ",
    "jobs of all the runs": r"SELECT job\.listed_at, .* LIMIT \? ",
}


class Plan(NamedTuple):
    """What kind a question is of, its SQL, and the steps that the database would take."""

    kind: str | None
    sql: str
    steps: Sequence[str]

    def wrong(self, dialect: Dialect) -> list[str]:
        """Return the steps that read a table or a whole index, or that sort."""
        # A plan that PostgreSQL was forbidden costs more than anything in a small database can.
        return [step for step in self.steps if WRONG[dialect].match(step)]


class Planned:
    """The plans of whatever is asked, and the answers made up for some kinds of questions."""

    def __init__(self, dialect: Dialect, scope: Scope) -> None:
        self.dialect, self.scope = dialect, scope
        self.plans: list[Plan] = []
        self.answers: dict[str, Rows] = {}
        self.found: dict[str | None, Rows] = {}

    def explaining(self, answer: Any) -> Any:
        """Return what answers as `answer` does, and has each question explained before."""
        return lambda conversation, connection: answer(self._explained(conversation), connection)

    def _explained(self, conversation: Conversation[Any]) -> Conversation[Any]:
        rows: Any = None
        while True:
            try:
                asked = conversation.send(rows)
            except StopIteration as end:
                return end.value
            assert isinstance(asked, Question)
            lines = yield Question(EXPLAIN[self.dialect] + asked.sql, asked.parameters)
            kind = _kind(asked)
            self.plans.append(Plan(kind, asked.sql, _steps([str(line[-1]) for line in lines], self.dialect)))
            rows = self.answers[kind] if kind in self.answers else (yield asked)
            self.found[kind] = rows

    def check(self) -> set[str | None]:
        """See that no plan is wrong, forget them, and return the kinds of questions that were asked."""
        for plan in self.plans:
            assert not plan.wrong(self.dialect), "\n".join([plan.sql, *plan.steps])
        kinds = {plan.kind for plan in self.plans}
        self.plans.clear()
        return kinds


def _kind(asked: Question) -> str | None:
    text = f"{asked.sql} {asked.parameters[-1] if asked.parameters else ''}"
    return next((kind for kind, pattern in KINDS.items() if re.match(pattern, text)), None)


def _steps(lines: Sequence[str], dialect: Dialect) -> Sequence[str]:
    # PostgreSQL tells in further lines, which have no arrow, how a step is taken.
    return lines if dialect is Dialect.SQLITE else re.split(r"\n *-> +", "\n".join(lines))


@pytest.fixture
async def planned(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have some rows recorded, and give the plans of whatever their database is asked from now on."""
    async with connected(migrated_url) as opened:
        if opened.dialect is Dialect.POSTGRESQL:
            (row,) = await opened.fetch("SELECT current_database() AS name")
            for setting in FORBIDDEN:
                await opened.execute(f'ALTER DATABASE "{row["name"]}" SET {setting} = off')
    async with connected(migrated_url) as opened:
        runs = [make.run(number, created_at=stamp(number)) for number in range(1, 4)]
        jobs = [
            make.job(10 * number, number, created_at=stamp(number), labels=LABELS[number::3]) for number in range(1, 4)
        ]
        for name, id in zip(RECORDED["repo_full_name"], (9, 10, 11), strict=True):
            whole = await record(opened, make.repository(name, id), runs=runs, jobs=jobs)
        planned = Planned(opened.dialect, whole)
        for name in ("answer_on_sqlite", "answer_on_postgresql"):
            monkeypatch.setattr(database, name, planned.explaining(getattr(database, name)))
        yield planned


@pytest.fixture
async def led_on(planned: Planned) -> Planned:
    """Answer each list so that it asks on: a page follows, rows are to be counted, and some are gone meanwhile."""
    await list_runs(planned.scope, RunsQuery(team="octo-org", limit=1))
    await list_jobs(planned.scope, JobsQuery(team="octo-org", limit=1))
    runs, jobs = planned.found["runs"], planned.found["jobs"]
    places = [(listed_at, job_id) for job_id, listed_at, *_ in jobs]
    planned.answers = {
        "runs": runs,
        "linked runs": runs,
        "jobs": jobs,
        "more than are counted": [],
        "count": [(2,)],
        "jobs of the newest runs": places,
        "jobs as new as those": places[:1],
        "jobs of all the runs": places,
        "runs by key": [],
        "jobs by key": [],
        "jobs by id": [],
    }
    opened = database.current()
    # So that each row is asked for.
    opened.written_runs, opened.written_jobs = Written(0), Written(0)
    planned.plans.clear()
    return planned


# Whose rows there are, or else nothing would be asked about them.
RECORDED: Mapping[str, list[Any]] = {
    "repo_full_name": ["octo-org/hello", "octo-org/other", "octo-org/third"],
    "installation_id": [make.INSTALLATION],
}


def sets_of(names: Sequence[str], *, every: bool) -> Iterator[tuple[str, ...]]:
    """Yield sets of filters: every one, or the small ones, the whole, and some between."""
    sizes = range(len(names) + 1) if every else (0, 1, 2, len(names))
    for size in sizes:
        yield from itertools.combinations(names, size)
    if not every:
        chance = Random(7)
        for _ in range(40):
            yield tuple(chance.sample(names, chance.randrange(3, len(names))))


def _chosen(names: Sequence[str], place: int) -> dict[str, Any]:
    choices = {**CHOICES, **RECORDED}
    return {name: choices[name][place % len(choices[name])] for name in names}


def _by_key(dialect: Dialect, what: str) -> set[str | None]:
    """Return what SQLite is asked besides, where PostgreSQL is asked for whole rows at once."""
    return {f"{what} by key"} if dialect is Dialect.SQLITE else set()


def _asked_of_all(names: Sequence[str]) -> set[str | None]:
    is_narrowed = {"repo_full_name", "installation_id"} & {*names}
    return {"named repositories" if is_narrowed else "hidden repositories", "more than are counted", "count"}


def _asked_of_jobs(names: Sequence[str], *, few_runs: bool) -> set[str | None]:
    asked = {"jobs", *_asked_of_all(names)}
    if "label" in names:
        asked.add("sets of labels")
    if "workflow" in names:
        asked.add("a run of the path")
    if {"workflow_id", "event", "actor"} & {*names}:
        asked.add("more than few runs")
        if few_runs:
            asked |= {"jobs of the newest runs", "jobs as new as those", "jobs of all the runs", "jobs by id"}
    return asked


MERGED, LOOKED_THROUGH = "merged, few runs", "looked through, many runs"


@pytest.fixture(params=[MERGED, LOOKED_THROUGH])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have few repositories, sets of labels and runs be taken for many, too."""
    if request.param == LOOKED_THROUGH:
        monkeypatch.setattr(scopes, "MOST_MERGED", 1)
        monkeypatch.setattr(job_filters, "MOST_MERGED_SETS", 0)
        monkeypatch.setattr(job_filters, "FEW_RUNS", 0)
    return str(request.param)


async def test_lists_of_runs(led_on: Planned, way: str) -> None:
    every = led_on.dialect is Dialect.SQLITE and way == MERGED
    for number, names in enumerate(sets_of([*RUN_FILTERS], every=every)):
        cursor = CURSOR if number % 2 else None
        await list_runs(led_on.scope, RunsQuery(team="octo-org", limit=1, cursor=cursor, **_chosen(names, number)))
        assert led_on.check() == {"runs", "links", *_by_key(led_on.dialect, "runs"), *_asked_of_all(names)}, names


async def test_lists_walked(led_on: Planned, way: str) -> None:
    led_on.answers["more than few runs"] = [] if way == MERGED else [(1,)]
    for number, names in enumerate(sets_of([*JOB_FILTERS], every=False)):
        cursor = CURSOR if number % 2 else None
        await list_jobs(led_on.scope, JobsQuery(team="octo-org", limit=1, cursor=cursor, **_chosen(names, number)))
        asked = _asked_of_jobs(names, few_runs=way == MERGED)
        assert led_on.check() == asked | _by_key(led_on.dialect, "jobs"), names


async def test_lists_of_a_pull_requests_runs(led_on: Planned) -> None:
    for head_sha, latest, cursor in itertools.product((None, make.SHA), (False, True), (None, CURSOR)):
        query = PullRequestRunsQuery(
            team="octo-org",
            repo_full_name="octo-org/hello",
            pr_number=5,
            head_sha=head_sha,
            latest=latest,
            limit=1,
            cursor=cursor,
        )
        await list_runs_of_pull_request(led_on.scope, query)
        of_head = {"pull request", "newest linked run"} if latest and head_sha is None else set()
        asked = {"named repositories", "linked runs", "links", "count"} | _by_key(led_on.dialect, "runs")
        assert led_on.check() == asked | of_head, query


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


# With any of these the index of all of the team's rows would do as well, as far as SQLite can see.
FURTHER: list[dict[str, Any]] = [
    {},
    {"cursor": CURSOR},
    {"since": NOON},
    {"since": NOON, "until": NOON, "cursor": CURSOR},
]


@pytest.mark.parametrize("what", LEADING)
async def test_each_filter_alone_leads_to_its_rows(planned: Planned, what: str) -> None:
    if planned.dialect is Dialect.POSTGRESQL:
        pytest.skip("PostgreSQL goes by how many rows there are")
    for (name, index), further in itertools.product(LEADING[what].items(), FURTHER):
        planned.plans.clear()
        value: Any = {"workflow_id": 33, "actor": "mona", "run_id": 1, "event": "pull_request"}.get(
            name, CHOICES[name][0]
        )
        filters: dict[str, Any] = {"team": "octo-org", **further, name: value}
        if what == "runs":
            await list_runs(planned.scope, RunsQuery(**filters))
        else:
            await list_jobs(planned.scope, JobsQuery(**filters))
        walked = [plan.steps for plan in planned.plans if f"workflow_{what[:-1]} AS" in plan.sql]
        assert any(f"workflow_{what[:-1]}_by_{index} " in step for steps in walked for step in steps), (name, walked)
        is_of_team = any(f"workflow_{what[:-1]}_by_team " in step for steps in walked for step in steps)
        assert not is_of_team or index == "team", (filters, walked)


WALKED = {
    "SELECT run_id FROM workflow_run AS run ORDER BY run_id",
    "SELECT count(*) FROM workflow_run AS newer",
    "SELECT repository_id FROM repository_name AS name",
}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT run_id FROM workflow_run AS run WHERE html_url = 'x'",
        "SELECT run_id FROM workflow_run AS run WHERE team_id = 1 ORDER BY html_url",
        "SELECT run_id FROM workflow_run AS run ORDER BY run_id",
        "SELECT count(*) FROM workflow_run AS newer",
        "SELECT repository_id FROM repository_name AS name",
    ],
)
async def test_a_plan_that_reads_a_table_or_sorts_would_be_seen(planned: Planned, sql: str) -> None:
    def badly() -> Conversation[Any]:
        return (yield Question(sql))

    if planned.dialect is Dialect.POSTGRESQL and sql in WALKED:
        pytest.skip("PostgreSQL may walk an index")
    await database.current().reader.converse(badly())
    (plan,) = planned.plans
    assert plan.wrong(planned.dialect)
    with pytest.raises(AssertionError):
        planned.check()
