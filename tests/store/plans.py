"""What lists ask of a database, answered so that they ask on, and how it would go about each question."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

from bot.settings import Dialect
from bot.store.answering import numbered
from bot.store.conversation import Conversation, Question, Rows
from bot.store.database import Database
from bot.store.queries import JobsQuery, RunsQuery, Scope, list_jobs, list_runs
from bot.store.queries.pages import COUNTED_EXACTLY

T = TypeVar("T")

# So many questions are checked at once, over so many connections.
AT_ONCE, TOGETHER = 500, 2
FORBIDDEN = ("enable_seqscan", "enable_sort", "enable_incremental_sort", "enable_bitmapscan")
# What no step of a plan is to be. Scanned whole may only be what a query itself has made. What PostgreSQL was forbidden
# it does all the same where it knows no other way.
WRONG = {
    Dialect.SQLITE: re.compile(
        r"SCAN (?!(matching|newest|passed|CONSTANT ROW)$|(label|each) VIRTUAL TABLE)|USE TEMP B-TREE|SEARCH .*AUTOMATIC"
    ),
    # An index without a condition is walked whole.
    Dialect.POSTGRESQL: re.compile(
        r"(Parallel )?Seq Scan|(Incremental )?Sort(\n|$)|(Parallel )?Index (Only )?Scan (?!(.|\n)*Index Cond: )"
    ),
}
# By the first of these that its SQL and its last parameter fit.
KINDS = {
    kind: re.compile(pattern)
    for kind, pattern in {
        "hidden repositories": r"SELECT repository_id FROM repository WHERE team_id = \? AND hidden_at",
        "named repositories": r"SELECT repository_id, full_name FROM repository ",
        "sets of labels": r"SELECT labels FROM workflow_job_label_set ",
        "a run of the path": r"SELECT 1 FROM workflow_run AS run WHERE .*<> run\.workflow_path LIMIT 1 (?!OFFSET)",
        "more than few unnamed": r"SELECT 1 FROM workflow_job AS job WHERE .* IS NULL LIMIT 1 OFFSET \? ",
        "what is called so": r"SELECT 1 WHERE EXISTS \(",
        "more than are counted": rf".*SELECT 1 FROM .* LIMIT 1 OFFSET \? {COUNTED_EXACTLY}$",
        "more than few runs": r"SELECT 1 FROM workflow_run AS run WHERE .* LIMIT 1 OFFSET \? ",
        "how far some reach": r"SELECT (run|job)\.\w+_at FROM workflow_\w+ AS \w+ WHERE .* LIMIT 1 OFFSET \? ",
        "newest of each": r"SELECT each\.value, ",
        "places of many": r"SELECT found\.",
        "runs by id": r"SELECT run\.run_id, .* WHERE run\.run_id (IN|= ANY) \([?, ]+\) ",
        "newest run": r"SELECT run\.created_at FROM workflow_run AS run WHERE .* LIMIT \? 1$",
        "how many are passed": r"SELECT count\(\*\) FROM \(.*\) AS passed ",
        "jobs of some runs": r"SELECT job\.listed_at FROM \(SELECT run\.run_id FROM workflow_run AS run WHERE ",
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
        "jobs of the newest runs": (
            r"SELECT job\.listed_at, .* ORDER BY run\.created_at DESC, run\.run_id DESC LIMIT \? "
        ),
        "jobs as new as those": (
            r"SELECT job\.listed_at, .* UNION ALL SELECT job\.listed_at, .* AND job\.listed_at >= \?"
            r"( AND \(job\.listed_at, job\.job_id\) < \(\?, \?\))?( OFFSET 0\) AS job WHERE .*)? LIMIT \? "
        ),
        "jobs of all the runs": r"SELECT job\.listed_at, .* LIMIT \? ",
    }.items()
}
# Statements and parameters come as SQL, so that one round trip has many explained.
EXPLAINED = """
CREATE FUNCTION explained(options text, mode text, statements text[], parameters text[]) RETURNS SETOF text AS $$
DECLARE line text; plan text;
BEGIN
    PERFORM set_config('plan_cache_mode', mode, true);
    FOR place IN 1 .. cardinality(statements) LOOP
        plan := '';
        EXECUTE 'PREPARE asked AS ' || statements[place];
        FOR line IN EXECUTE 'EXPLAIN (' || options || ') EXECUTE asked' || parameters[place] LOOP
            plan := plan || line || E'\\n';
        END LOOP;
        DEALLOCATE asked;
        RETURN NEXT plan;
    END LOOP;
END $$ LANGUAGE plpgsql
"""
# PostgreSQL plans a statement with its parameters, and later once for whatever parameters, where that seems as cheap.
WITH_PARAMETERS, ONCE = "force_custom_plan", "force_generic_plan"


class Plan(NamedTuple):
    """The steps that a database would take to answer a question."""

    sql: str
    steps: Sequence[str]

    def wrong(self, dialect: Dialect) -> list[str]:
        """Return the steps that read a table or a whole index, or that sort."""
        return [step for step in self.steps if WRONG[dialect].match(step)]


Check = Callable[[Database, Sequence[Question]], Awaitable[None]]


async def check_plans(database: Database, questions: Sequence[Question]) -> None:
    """See that no question has a plan that is wrong."""
    for plan in await plans(database, questions):
        assert not plan.wrong(database.dialect), "\n".join([plan.sql, *plan.steps])


class Asked:
    """What is asked of a database, to be checked, and the answers made up for some kinds of questions.

    How a question is answered follows from its SQL and its parameters, and so none is checked twice, nor asked twice.
    """

    def __init__(self, database: Database, check: Check = check_plans) -> None:
        self.dialect = database.dialect
        self.answers: dict[str, Rows] = {}
        self._database, self._check = database, check
        self._found: dict[str | None, Rows] = {}
        self._kinds: set[str | None] = set()
        self._known: set[bytes] = set()
        self._rows: dict[bytes, Rows] = {}
        self._waiting: list[Question] = []

    async def read(self, ask: Callable[[], Conversation[T]]) -> T:
        """Return what a conversation comes to, in the place of the database's own `read`."""
        conversation, rows = ask(), None
        while True:
            try:
                asked: Any = conversation.send(rows)  # type: ignore[arg-type]  # what begins has no rows
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            rows = await self._answer(asked)

    async def _answer(self, asked: Question) -> Rows:
        kind, known = kind_of(asked), _digest(asked)
        self._kinds.add(kind)
        if known not in self._known:
            self._known.add(known)
            self._waiting.append(asked)
        if kind in self.answers:
            return self.answers[kind]
        if known not in self._rows:
            self._rows[known] = await self._database.reader.converse(_asking(asked))
        self._found[kind] = self._rows[known]
        return self._rows[known]

    async def lead_on(self, scope: Scope, limit: int) -> None:
        """Answer lists so that they ask on: a page follows, rows are to be counted, and some no longer fit."""
        await list_runs(scope, RunsQuery(team=scope.slug, limit=limit))
        await list_jobs(scope, JobsQuery(team=scope.slug, limit=limit))
        runs, jobs = self._found["runs"], self._found["jobs"]
        places = [(listed_at, job_id) for job_id, listed_at, *_ in jobs]
        self.answers = {
            "runs": runs,
            "linked runs": runs,
            "jobs": jobs,
            "more than are counted": [],
            "more than few runs": [],
            "newest run": [(created_at,) for _, created_at, *_ in runs[:1]],
            "how many are passed": [(1,)],
            "jobs of some runs": [(listed_at,) for listed_at, _ in places],
            "count": [(limit + 1,)],
            "jobs of the newest runs": places,
            "jobs as new as those": places[:limit],
            "jobs of all the runs": places,
            "runs by key": [],
            "jobs by key": [],
            "jobs by id": jobs,
        }
        self.taken()

    def kinds(self) -> set[str | None]:
        """Return the kinds of questions that were asked since this was called last."""
        kinds, self._kinds = self._kinds, set()
        return kinds

    def waiting(self) -> list[Question]:
        """Return what was asked and is to be checked yet."""
        return [*self._waiting]

    def taken(self) -> list[Question]:
        """Return what was asked and not checked, which it then never is."""
        taken, self._waiting = self._waiting, []
        self._kinds.clear()
        return taken

    async def check_some(self) -> None:
        """Check what was asked, once that is much."""
        if len(self._waiting) >= AT_ONCE:
            await self.check()

    async def check(self) -> None:
        """Check what was asked."""
        taken = self.taken()
        # There may be another core or two.
        await asyncio.gather(*(self._check(self._database, taken[part::TOGETHER]) for part in range(TOGETHER)))


def kind_of(asked: Question) -> str | None:
    """Return which of the KINDS a question is of."""
    text = f"{asked.sql} {asked.parameters[-1] if asked.parameters else ''}"
    return next((kind for kind, pattern in KINDS.items() if pattern.match(text)), None)


def _digest(asked: Question) -> bytes:
    # A million questions would be some gigabytes.
    return blake2b(f"{asked.sql}{asked.parameters}".encode(), digest_size=16).digest()


def _asking(asked: Question) -> Conversation[Rows]:
    return (yield asked)


async def plans(database: Database, questions: Sequence[Question]) -> list[Plan]:
    """Return a database's plans for questions, on PostgreSQL all of either way."""
    if database.dialect is Dialect.SQLITE:
        return await database.reader.converse(_plans_on_sqlite(questions))
    return [
        # Further lines, which have no arrow, tell how a step is taken.
        Plan(sql, re.split(r"\n *-> +", text))
        for mode in (WITH_PARAMETERS, ONCE)
        for (sql, _), text in zip(questions, await _explained(database, "COSTS OFF", mode, questions), strict=True)
    ]


def _plans_on_sqlite(questions: Sequence[Question]) -> Conversation[list[Plan]]:
    found = []
    for sql, parameters in questions:
        steps = yield Question(f"EXPLAIN QUERY PLAN {sql}", parameters)
        found.append(Plan(sql, [step for *_, step in steps]))
    return found


async def pages_read(database: Database, questions: Sequence[Question], mode: str = WITH_PARAMETERS) -> list[int]:
    """Return how many pages of tables and indexes PostgreSQL goes through to answer each question, planned so."""
    options = "ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON"
    found = [json.loads(text)[0]["Plan"] for text in await _explained(database, options, mode, questions)]
    return [plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in found]


async def _explained(database: Database, options: str, mode: str, questions: Sequence[Question]) -> list[str]:
    statements, given = [numbered(each.sql) for each in questions], [_given(each) for each in questions]
    asked = Question("SELECT explained(?, ?, ?, ?)", [options, mode, statements, given])
    return [text for (text,) in await database.reader.converse(_asking(asked))]


def _given(asked: Question) -> str:
    return f"({', '.join(map(_literal, asked.parameters))})" if asked.parameters else ""


def _literal(value: Any) -> str:
    text = f"{{{', '.join(map(str, value))}}}" if isinstance(value, list) else str(value)
    return "'" + text.replace("'", "''") + "'"
