"""How the databases go about a list: by indexes that lead to its rows in its order, with no table read and none sorted.

SQLite is asked for its plans as they stand, without statistics, which is how the service runs it. PostgreSQL goes by
costs, and rightly reads a small table whole; so it is forbidden what a large one would suffer from, and the plan shows
that there is another way, be it planned for the parameters at hand or once for any. Every set of filters of runs is
tried; of jobs, of which there are 131,072, some in the suite and each by `make test-deep`. Which of a filter's values,
and whether there is a cursor, is drawn. Each list is answered so that it goes on to ask whatever it can, and is seen to
have asked it.
"""

import itertools
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from random import Random
from typing import Any

import pytest

from bot.settings import Dialect
from bot.store import connected
from bot.store.conversation import Conversation, Question
from bot.store.database import Database, current
from bot.store.queries import (
    JobsQuery,
    PullRequestRunsQuery,
    RunsQuery,
    Scope,
    get_scope,
    list_jobs,
    list_runs,
    many_repositories,
)
from bot.store.queries import list_pull_request_runs as list_runs_of_pull_request
from bot.store.queries import scope as scopes
from bot.store.queries.pages import encode_cursor
from tests import builders as make
from tests.store.plain_record import CHOICES, JOB_FILTERS, LABELS, RUN_FILTERS, Sets, every_set, some_sets
from tests.store.plans import EXPLAINED, FORBIDDEN, Asked, kind_of, plans
from tests.store.recording import NOON, record, stamp

LIMIT, CURSOR = 1, encode_cursor(NOON, 100)
PATH, UNNAMED = ".github/workflows/ci.yml", ".github/workflows/unnamed.yml"


@pytest.fixture
async def planned(migrated_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Asked]:
    """Have some rows recorded, and give the plans of whatever their database is asked from now on."""
    async with connected(migrated_url) as opened:
        if opened.dialect is Dialect.POSTGRESQL:
            (row,) = await opened.fetch("SELECT current_database() AS name")
            for setting in FORBIDDEN:
                await opened.execute(f'ALTER DATABASE "{row["name"]}" SET {setting} = off')
            await opened.execute(EXPLAINED)
    async with connected(migrated_url) as opened:
        await _record(opened)
        planned = Asked(opened)
        monkeypatch.setattr(opened, "read", planned.read)
        yield planned


async def _record(opened: Database) -> None:
    runs = [make.run(number, created_at=stamp(number)) for number in range(1, 4)]
    # A workflow without a name is called by its path.
    runs += [make.run(4 + len(name), name=name, path=UNNAMED, created_at=stamp(4)) for name in (UNNAMED, "")]
    jobs = [make.job(10 * number, number, created_at=stamp(number), labels=LABELS[number::2]) for number in range(1, 4)]
    jobs.append(make.job(50, 4 + len(UNNAMED), workflow_name=UNNAMED, created_at=stamp(0)))
    for name, id in zip(RECORDED["repo_full_name"], (9, 10, 11), strict=True):
        await record(opened, make.repository(name, id), runs=runs, jobs=jobs)


@pytest.fixture
async def scope(planned: Asked) -> Scope:
    """Give the team whose rows are recorded."""
    return await get_scope("octo-org")


@pytest.fixture
async def led_on(planned: Asked, scope: Scope) -> Asked:
    """Answer each list so that it asks on; some jobs that were found are gone meanwhile."""
    await planned.lead_on(scope, LIMIT)
    planned.answers["jobs by id"] = []
    return planned


# Whose rows there are, or else nothing would be asked about them.
RECORDED: Mapping[str, list[Any]] = {
    "repo_full_name": ["octo-org/hello", "octo-org/other", "octo-org/third"],
    "installation_id": [make.INSTALLATION],
    "workflow": ["CI", PATH, UNNAMED, "none"],
}


class Drawn:
    """Values for filters, and a cursor or none, each drawn from few."""

    def __init__(self) -> None:
        self._chance = Random(7)
        self._choices = {**CHOICES, **RECORDED}

    def filters(self, names: Sequence[str]) -> dict[str, Any]:
        cursor = self._chance.choice((None, CURSOR))
        values = {name: self._chance.choice(self._choices[name]) for name in names}
        return {"team": "octo-org", "limit": LIMIT, "cursor": cursor, **values}


def _by_key(dialect: Dialect, what: str) -> set[str | None]:
    """Return what SQLite is asked besides, where PostgreSQL is asked for whole rows at once."""
    return {f"{what} by key"} if dialect is Dialect.SQLITE else set()


def _asked_of_all(names: Sequence[str]) -> set[str | None]:
    is_narrowed = {"repo_full_name", "installation_id"} & {*names}
    return {"named repositories" if is_narrowed else "hidden repositories", "more than are counted", "count"}


def _asked_of_jobs(filters: Mapping[str, Any]) -> set[str | None]:
    asked = {"jobs", *_asked_of_all([*filters])}
    if "label" in filters:
        asked.add("sets of labels")
    if "workflow" in filters:
        asked |= {"a run of the path", "more than few unnamed"}
    if filters.get("workflow") in {PATH, UNNAMED}:
        asked.add("what is called so")
    return asked


def _asked_of_runs(filters: Mapping[str, Any], *, few_runs: bool, is_page: bool) -> set[str | None]:
    """Return what is asked besides where only runs tell what jobs are narrowed by."""
    if filters.get("workflow") not in {PATH, UNNAMED} and not {"workflow_id", "event", "actor"} & filters.keys():
        return set()
    asked: set[str | None] = {"jobs of some runs", "more than few runs"}
    if few_runs:
        asked |= {"jobs as new as those", "jobs of all the runs", "jobs by id"}
        asked |= set() if is_page else {"jobs of the newest runs"}
    if not is_page:
        asked.add("newest run")
    return asked


# Filters that leave more jobs than are looked through without another thought, and those that leave next to none.
LEAVING_MANY = {*JOB_FILTERS} - {"head_sha", "run_id", "status", "label"}
LEAVING_FEW = {"head_sha", "run_id"}


MERGED, LOOKED_THROUGH = "merged, few runs", "looked through, many runs"


@pytest.fixture(params=[MERGED, LOOKED_THROUGH])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have few repositories and runs be taken for many, too."""
    if request.param == LOOKED_THROUGH:
        monkeypatch.setattr(scopes, "MOST_MERGED", 1)
    return str(request.param)


async def test_lists_of_runs(led_on: Asked, scope: Scope, way: str) -> None:
    drawn = Drawn()
    for names in every_set([*RUN_FILTERS]):
        await list_runs(scope, RunsQuery(**drawn.filters(names)))
        kinds = led_on.kinds() - {"how far some reach"}
        assert kinds == {"runs", "links", *_by_key(led_on.dialect, "runs"), *_asked_of_all(names)}, names
        await led_on.check_some()
    await led_on.check()


@pytest.mark.parametrize("sets", [some_sets, pytest.param(every_set, marks=pytest.mark.deep)])
async def test_lists_of_jobs(led_on: Asked, scope: Scope, way: str, sets: Sets) -> None:
    if way == LOOKED_THROUGH:
        led_on.answers["more than few runs"] = [(1,)]
    drawn, of_some_runs = Drawn(), led_on.answers["jobs of some runs"]
    for names in sets([*JOB_FILTERS]):
        filters = drawn.filters(names)
        # The newest runs have a page of jobs that fit, or not.
        for is_page in (True, False):
            led_on.answers["jobs of some runs"] = of_some_runs if is_page else []
            await list_jobs(scope, JobsQuery(**filters))
            asked = _asked_of_jobs(filters)
            asked_of_runs = _asked_of_runs(filters, few_runs=way == MERGED, is_page=is_page)
            # How many are passed depends on the filter that leads as well.
            kinds = led_on.kinds() - _by_key(led_on.dialect, "jobs") - {"how many are passed", "how far some reach"}
            assert kinds in (asked, asked | asked_of_runs), (names, kinds)
            if {*names} <= LEAVING_MANY:
                assert kinds == asked | asked_of_runs, names
            if {*names} & LEAVING_FEW:
                assert kinds == asked, names
            await led_on.check_some()
    await led_on.check()


async def test_lists_of_jobs_of_which_many_tell_no_workflow(led_on: Asked, scope: Scope, way: str) -> None:
    led_on.answers["more than few unnamed"] = [(1,)]
    if way == LOOKED_THROUGH:
        led_on.answers["more than few runs"] = [(1,)]
    drawn, of_some_runs = Drawn(), led_on.answers["jobs of some runs"]
    for names in some_sets([*JOB_FILTERS]):
        for is_page in (True, False):
            led_on.answers["jobs of some runs"] = of_some_runs if is_page else []
            await list_jobs(scope, JobsQuery(**drawn.filters(sorted({*names, "workflow"}))))
            kinds = led_on.kinds()
            assert kinds >= {"more than few unnamed", "jobs"}
            assert "jobs of some runs" in kinds or {*names} & {*LEAVING_FEW, "status"}
            assert None not in kinds
            await led_on.check_some()
    await led_on.check()


# None of these leads to rows by an index of its own.
LEADING_NOWHERE: Mapping[str, Any] = {"since": NOON, "until": NOON, "status": "completed", "attempt": 1}


@pytest.mark.parametrize("what", ["runs", "jobs"])
async def test_lists_of_many_repositories(
    led_on: Asked, scope: Scope, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scopes, "MOST_MERGED", 1)
    monkeypatch.setattr(many_repositories, "LOOKED_THROUGH", 0)
    # Some of the newest rows are of no such repository, and of the newest of each there are more than are shown.
    of_both = {"runs": led_on.answers["runs"], "jobs": led_on.answers["jobs by id"]}
    (moment,) = {row[1] for row in led_on.answers["runs"][:1]}
    led_on.answers |= {what: [], "newest of each": [(9, moment), (10, moment), (11, moment)]}
    led_on.answers |= {"how far some reach": [(moment,)], "places of many": [(moment, 1), (moment, 2)]}
    asked_of_many = {"how far some reach", "newest of each", "places of many", f"{what} by id"}
    for chosen in every_set(sorted(LEADING_NOWHERE.keys() & {*(RUN_FILTERS if what == "runs" else JOB_FILTERS)})):
        for installation, cursor, found in itertools.product((None, make.INSTALLATION), (None, CURSOR), (True, False)):
            led_on.answers[f"{what} by id"] = of_both[what] if found else []
            filters: dict[str, Any] = {name: LEADING_NOWHERE[name] for name in chosen}
            seen = scope if installation else Scope(scope.team_id, scope.slug, frozenset({9, 10, 11}))
            filters |= {"team": "octo-org", "limit": LIMIT, "cursor": cursor, "installation_id": installation}
            await (list_runs(seen, RunsQuery(**filters)) if what == "runs" else list_jobs(seen, JobsQuery(**filters)))
            kinds = led_on.kinds()
            assert kinds >= asked_of_many, kinds
            assert None not in kinds
    if led_on.dialect is Dialect.SQLITE:
        # To walk the team's rows for each repository is no scan, and takes a minute.
        of_each = [each for each in led_on.waiting() if kind_of(each) in {"newest of each", "places of many"}]
        for plan in await plans(current(), of_each):
            assert any("_by_repository " in step for step in plan.steps), [*plan]
    await led_on.check()


async def test_lists_of_a_pull_requests_runs(led_on: Asked, scope: Scope) -> None:
    for head_sha, latest, cursor in itertools.product((None, make.SHA), (False, True), (None, CURSOR)):
        query = PullRequestRunsQuery(
            team="octo-org",
            repo_full_name="octo-org/hello",
            pr_number=5,
            head_sha=head_sha,
            latest=latest,
            limit=LIMIT,
            cursor=cursor,
        )
        await list_runs_of_pull_request(scope, query)
        of_head = {"pull request", "newest linked run"} if latest and head_sha is None else set()
        asked = {"named repositories", "linked runs", "links", "count"} | _by_key(led_on.dialect, "runs")
        assert led_on.kinds() == asked | of_head, query
    await led_on.check()


# By which index each question is answered about a list that is narrowed by one filter alone.
LEADING = {
    "run": {
        "repo_full_name": "repository",
        "workflow_id": "workflow",
        "branch": "head_branch",
        "event": "event",
        "conclusion": "conclusion",
        "actor": "actor",
        "head_sha": "head_sha",
        "since": "team",
        "until": "team",
        "workflow": "workflow_path",
    },
    "job": {
        "repo_full_name": "repository",
        "branch": "head_branch",
        "head_sha": "head_sha",
        "run_id": "run",
        "name": "name",
        "label": "labels",
        "since": "team",
        "until": "team",
        "event": "run",
        "actor": "run",
        "workflow_id": "run",
        "workflow": "run",
    },
}
# With any of these the index of all of the team's rows would do as well, as far as SQLite can see.
FURTHER: list[dict[str, Any]] = [
    {},
    {"cursor": CURSOR},
    {"since": NOON},
    {"since": NOON, "until": NOON, "cursor": CURSOR},
]


@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("what", LEADING)
async def test_each_filter_alone_leads_to_its_rows(planned: Asked, scope: Scope, what: str) -> None:
    # PostgreSQL goes by how many rows there are: see test_pages_read.
    for name, index in LEADING[what].items():
        recorded = {"workflow_id": 33, "actor": "mona", "run_id": 1, "event": "pull_request", "workflow": PATH}
        value: Any = recorded.get(name, CHOICES[name][0])
        for further in FURTHER:
            filters: dict[str, Any] = {"team": "octo-org", **further, name: value}
            await (list_runs(scope, RunsQuery(**filters)) if what == "run" else list_jobs(scope, JobsQuery(**filters)))
        # Not so what is read by key once it is found, nor whether there is anything at all, nor how much is passed.
        walking = re.compile(
            r"(?!SELECT 1 WHERE |.* AS passed$|.* IS NULL LIMIT 1 OFFSET)"
            rf".*workflow_{what} AS (?!.* WHERE {what}\.(job_)?id IN )"
        )
        walked = [plan.steps for plan in await plans(current(), planned.taken()) if walking.match(plan.sql)]
        assert len(walked) >= len(FURTHER) - 1, name
        for steps in walked:
            assert any(f"workflow_{what}_by_{index} " in step for step in steps), (name, steps)
            assert index == "team" or not any(f"workflow_{what}_by_team " in step for step in steps), (name, steps)


@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("filters", "is_page", "passed", "most"),
    [
        ({"event": "push"}, True, 2400, [200, 800]),
        ({"event": "push", "name": "build"}, True, 5001, [200, 20_000]),
        ({"event": "push"}, False, 5000, [4000]),
        ({"event": "push", "name": "build"}, False, 5001, [20_000]),
        ({"event": "push", "run_id": 1}, True, 5001, []),
    ],
)
async def test_the_shorter_way_to_jobs_is_chosen(
    led_on: Asked, scope: Scope, filters: dict[str, Any], is_page: bool, passed: int, most: list[int]
) -> None:
    led_on.answers |= {"how many are passed": [(passed,)], "more than few runs": [(1,)]}
    if not is_page:
        led_on.answers["jobs of some runs"] = []
    await list_jobs(scope, JobsQuery(team="octo-org", limit=LIMIT, **filters))
    few = [each.parameters[-1] for each in led_on.taken() if kind_of(each) == "more than few runs"]
    assert few == most


# What walks other jobs for each run neither scans nor sorts, and yet never ends.
RUN_BY_RUN = re.compile(r".* AS (run|newest) CROSS JOIN workflow_job AS job WHERE ")


@pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("sets", [some_sets, pytest.param(every_set, marks=pytest.mark.deep)])
async def test_jobs_are_looked_up_run_by_run(led_on: Asked, scope: Scope, way: str, sets: Sets) -> None:
    drawn, seen, late = Drawn(), 0, 0
    for names in sets([*JOB_FILTERS]):
        await list_jobs(scope, JobsQuery(**drawn.filters(names)))
        asked = [each for each in led_on.taken() if RUN_BY_RUN.match(each.sql)]
        for plan in await plans(current(), asked):
            assert any("workflow_job_by_run " in step for step in plan.steps), (names, *plan)
            is_late = "run.late_job_at >= ?" in plan.sql
            assert is_late == any("workflow_run_late_by_" in step for step in plan.steps), (names, *plan)
            late += is_late
        seen += len(asked)
    assert seen > 100
    assert late > 50


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
async def test_a_plan_that_reads_a_table_or_sorts_would_be_seen(planned: Asked, sql: str) -> None:
    def badly() -> Conversation[Any]:
        return (yield Question(sql))

    await planned.read(badly)
    with pytest.raises(AssertionError):
        await planned.check()
