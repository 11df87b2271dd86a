"""Jobs: lists, and those of one attempt of a run; `bench/lists` shows what it is worth to take the shorter way."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, cast

import msgspec
from msgspec import Raw

from bot.domain.durations import seconds_between
from bot.settings import Dialect
from bot.store.conversation import Conversation, Question, Rows
from bot.store.database import current, database_errors, to_moment
from bot.store.queries.conditions import Condition, Lead, Piece, among
from bot.store.queries.filters import JobsQuery
from bot.store.queries.job_filters import (
    Between,
    Way,
    add_job_filter,
    add_label,
    add_told_by_runs,
    are_few_runs,
    told_by_runs,
    ways_of_workflow,
    with_jobs,
)
from bot.store.queries.many_repositories import JOBS, matching_in_many, page_of_many
from bot.store.queries.pages import (
    COUNTED_EXACTLY,
    Counted,
    add_cursor,
    comparable,
    count,
    counted,
    cursor_after,
    cut,
    decode_cursor,
    matching,
    page,
)
from bot.store.queries.scope import Scope, add_visible
from bot.store.views import Job, JobPage, Step
from bot.store.written import Columns, gaps, read_back

# So many times and ids are put in order in a few milliseconds.
MOST_PUT_IN_ORDER = 20_000
# Jobs of so many runs are looked up run by run; of more, the newest jobs are looked through, which finds some soon.
FEW_RUNS = 4000
# More than so many jobs are looked through only where the runs would be even more than these.
MOST_LOOKED_THROUGH, MANY_RUNS = 5_000, 20_000
# The jobs of one run are looked up in the time in which so many jobs are looked through, each with its run.
LOOKED_THROUGH_MEANWHILE = 3
# Among so many runs there are a page's worth of jobs that fit, unless most have none. To look up the jobs of as many
# takes no longer than to find out whether there is a shorter way.
NEWEST_RUNS = 200
_JOBS = "workflow_job AS job"
_RUNS: Piece = ("workflow_run AS run", ())
_COLUMNS = ", ".join(
    f"job.{column}"
    for column in (
        "job_id",
        "listed_at",
        "run_id",
        "run_attempt",
        "name",
        "workflow_name",
        "status",
        "conclusion",
        "head_sha",
        "head_branch",
        "html_url",
        "created_at",
        "started_at",
        "completed_at",
        "runner_name",
        "runner_group_name",
        "labels",
        "steps",
    )
)
JOB_FILLED_IN = ("run_attempt", "workflow_name", "head_sha", "head_branch", "html_url", "created_at")
# Whatever else _COLUMNS hold of a job changes with its version only (`bot.recorder.forms`); one whose run was found to
# be gone, or to list it no more, is ended without (`bot.recorder.gone`).
_LISTED = Columns(_JOBS, "job.id", ("job.version", "job.status", gaps("job", JOB_FILLED_IN)), _COLUMNS)
# What a page of a list is asked for, the place of each job before.
_PAGE = {Dialect.SQLITE: "job.job_id, job.listed_at, job.id", Dialect.POSTGRESQL: _COLUMNS}
_NOT_BEGUN = frozenset({"queued", "waiting", "pending", "requested"})
_read_labels = msgspec.json.Decoder(list[str])
_read_steps = msgspec.json.Decoder(list[Step])


def _job(row: Sequence[Any], *, as_stored: bool = False) -> Job:
    (
        job_id,
        _listed_at,
        run_id,
        run_attempt,
        name,
        workflow_name,
        status,
        conclusion,
        head_sha,
        head_branch,
        html_url,
        created_at,
        started_at,
        completed_at,
        runner_name,
        runner_group_name,
        labels,
        steps,
    ) = row
    created, started, completed = to_moment(created_at), to_moment(started_at), to_moment(completed_at)
    return Job(
        job_id,
        run_id,
        run_attempt,
        name,
        workflow_name,
        status,
        conclusion,
        head_sha,
        head_branch,
        html_url,
        created,
        started,
        completed,
        # GitHub gives a job that still waits a start, which is no more than when it was queued.
        None if status in _NOT_BEGUN else seconds_between(created, started),
        seconds_between(started, completed),
        runner_name,
        runner_group_name,
        cast(list[str], Raw(labels)) if as_stored else _read_labels.decode(labels),
        cast(list[Step], Raw(steps)) if as_stored else _read_steps.decode(steps),
    )


async def list_jobs(scope: Scope, query: JobsQuery, *, as_json: bool = False) -> JobPage:
    """Return a page of jobs, newest first; with `as_json` each job is JSON, for whoever makes JSON of the page anyway.

    Raises ParameterError for a cursor that no list has given out.
    """
    with database_errors():
        page = await current().read(lambda: _listed(scope, query))
    return page if as_json else read_back(page)


def _listed(scope: Scope, query: JobsQuery) -> Conversation[JobPage]:
    condition = Condition()
    add_job_filter(condition, query)
    if not (yield from add_visible(condition, scope, "job", query.repo_full_name, query.installation_id)):
        return JobPage([], 0, True, None)
    yield from add_label(condition, scope, query.label)
    found: list[tuple[Rows, Counted]] = []
    for way in (yield from ways_of_workflow(condition, scope, query.workflow)):
        found += [(yield from _found_in(scope, way, query))]
    return (yield from _shown(*_merged(found, query.limit), query.limit))


def _found_in(scope: Scope, way: Way, query: JobsQuery) -> Conversation[tuple[Rows, Counted]]:
    told = told_by_runs(scope, query, way.workflow)
    if told is None:
        return (yield from _found(way.condition, query))
    if way.condition.lead <= Lead.UNFINISHED:
        # These leave few jobs to be looked through.
        return (yield from _found_by_looking_through(scope, way, told, query))
    between = Between((yield from _oldest_of_a_page(way.whole, told, query)), min(_ends(query), default=None))
    if between.since is None or not (yield from are_few_runs(told, between, NEWEST_RUNS)):
        most = yield from _most_runs(scope, way, told, query, between.since)
        if not (yield from are_few_runs(told, between, most)):
            return (yield from _found_by_looking_through(scope, way, told, query))
    return (yield from _found_by_runs(scope, way, told, query, between))


def _most_runs(scope: Scope, way: Way, told: Condition, query: JobsQuery, since: datetime | None) -> Conversation[int]:
    """Find out of how many runs at the most the jobs are looked up sooner than a page is found by looking through."""
    reached = since or (yield from _newest_run(told, query))
    if reached is None:
        return MANY_RUNS
    begin = reached if query.since is None else max(reached, query.since)
    passed = yield from _passed(scope, way, begin, _ends(query))
    if passed > MOST_LOOKED_THROUGH:
        return MANY_RUNS
    return FEW_RUNS if since is None else passed // LOOKED_THROUGH_MEANWHILE


def _oldest_of_a_page(condition: Condition, told: Condition, query: JobsQuery) -> Conversation[datetime | None]:
    """Find out since when more jobs fit than a page shows, going by the newest runs; None where those have few.

    They need not be the newest jobs, but the page shows none that is older than all of them.
    """
    newest, asked_of_newest = _newest_runs("run.run_id", told, query, NEWEST_RUNS)
    jobs = _following(condition, "newest")
    add_cursor(jobs, query.cursor, "job.listed_at", "job.job_id")
    selects, asked = _jobs_of("job.listed_at", (f"({newest}) AS newest", asked_of_newest), Condition(), jobs)
    rows = yield Question(f"{selects} LIMIT ?", [*asked, query.limit + 1])
    return min(cast(datetime, to_moment(moment)) for (moment,) in rows) if len(rows) > query.limit else None


def _newest_run(told: Condition, query: JobsQuery) -> Conversation[datetime | None]:
    rows = yield Question(*_newest_runs("run.created_at", told, query, 1))
    return cast(datetime, to_moment(rows[0][0])) if rows else None


def _newest_runs(column: str, told: Condition, query: JobsQuery, most: int) -> Piece:
    """Return what asks for the newest runs, of those from before the page begins."""
    (led,) = told.branches()
    for moment in _ends(query):
        led.add_until("run.created_at", moment)
    order = "ORDER BY run.created_at DESC, run.run_id DESC LIMIT ?"
    return f"SELECT {column} FROM workflow_run AS run WHERE {led.sql} {order}", [*led.parameters, most]


def _ends(query: JobsQuery) -> Iterator[datetime]:
    """Yield the moments that the jobs of a page are not listed after."""
    if query.until is not None:
        yield query.until
    if query.cursor is not None:
        yield decode_cursor(query.cursor)[0]


def _passed(scope: Scope, way: Way, begin: datetime | None = None, ends: Iterable[datetime] = ()) -> Conversation[int]:
    """Find out how many jobs the filter that leads, or the team, has in a time; beyond 5,000 nobody counts on."""
    passed = way.condition.led("job.team_id = ?", scope.team_id)
    if begin is not None:
        passed.add_since("job.listed_at", begin)
    for moment in ends:
        passed.add_until("job.listed_at", moment)
    selects, asked = matching(_JOBS, passed)
    rows = yield Question(f"SELECT count(*) FROM ({selects} LIMIT ?) AS passed", [*asked, MOST_LOOKED_THROUGH + 1])
    number: int = rows[0][0]
    return number


def _merged(found: Sequence[tuple[Rows, Counted]], limit: int) -> tuple[Rows, Counted]:
    """Return the newest jobs of several ways, and how many there are in all."""
    if len(found) == 1:
        return found[0]
    # Where each question is answered as of another moment, a job may have come to fit the next way as well.
    rows = sorted({row[0]: row for each, _ in found for row in each}.values(), key=_place, reverse=True)
    total, is_exact = sum(total for _, (total, _) in found), all(is_exact for _, (_, is_exact) in found)
    if total > COUNTED_EXACTLY:
        total, is_exact = COUNTED_EXACTLY, False
    return rows[: limit + 1], (total, is_exact)


def _place(row: Sequence[Any]) -> tuple[Any, int]:
    return comparable(row[1]), row[0]


def _shown(rows: Rows, counted: Counted, limit: int) -> Conversation[JobPage]:
    shown, more = cut(rows, limit)
    jobs = yield from _listed_jobs(shown)
    return JobPage(cast(list[Job], jobs), *counted, cursor_after(shown) if more else None)


def _listed_jobs(rows: Rows) -> Conversation[list[Job | Raw]]:
    if current().dialect is Dialect.POSTGRESQL:
        return [_view(row) for row in rows]
    return (yield from current().written_jobs.views_of([key for _, _, key in rows], _LISTED, _view))


def _view(row: Sequence[Any]) -> Job:
    # Reading and writing labels and steps would be most of the work, and they are kept as the JSON that they become.
    return _job(row, as_stored=True)


def _found(condition: Condition, query: JobsQuery) -> Conversation[tuple[Rows, Counted]]:
    def asked(asked_for: Condition) -> Question:
        return page(_PAGE[current().dialect], _JOBS, asked_for, query.cursor, query.limit)

    if condition.is_of_many_alone:
        rows = yield from page_of_many(JOBS, condition, query.cursor, query.limit, asked, _by_id)
        counting = counted(matching_in_many(JOBS, condition))
    else:
        rows, counting = (yield asked(condition)), count(_JOBS, condition)
    # A first page that is the last one as well shows all that match.
    is_all = len(rows) <= query.limit and query.cursor is None
    return rows, (len(rows), True) if is_all else (yield from counting)


def _by_id(job_ids: Sequence[int]) -> Question:
    condition, parameters = among("job.job_id", job_ids)
    return Question(f"SELECT {_PAGE[current().dialect]} FROM {_JOBS} WHERE {condition}", parameters)


def _found_by_looking_through(
    scope: Scope, way: Way, told: Condition, query: JobsQuery
) -> Conversation[tuple[Rows, Counted]]:
    """Look through the newest jobs until a page of them fits; but count from the runs, of which all do.

    Where few jobs are left by the filter that leads, these are counted.
    """
    lead, looked_through = way.condition.lead, way.condition.copy()
    add_told_by_runs(looked_through, told, way.unlike)
    is_narrow = lead < Lead.REPOSITORY or (
        lead is not Lead.NOTHING and (yield from _passed(scope, way)) <= MOST_LOOKED_THROUGH
    )
    if is_narrow:
        return (yield from _found(looked_through, query))
    rows = yield page(_PAGE[current().dialect], _JOBS, looked_through, query.cursor, query.limit)
    if len(rows) <= query.limit and query.cursor is None:
        return rows, (len(rows), True)
    return rows, (yield from _count_of_runs(way, told))


def _found_by_runs(
    scope: Scope, way: Way, told: Condition, query: JobsQuery, between: Between
) -> Conversation[tuple[Rows, Counted]]:
    """Put the jobs of the runs in order; where they are many all the same, do otherwise."""
    fitting = yield from _newest_of_runs(way.whole, told, query, between)
    if len(fitting) > MOST_PUT_IN_ORDER:
        return (yield from _found_by_looking_through(scope, way, told, query))
    is_all = len(fitting) <= query.limit and query.cursor is None
    counted = (len(fitting), True) if is_all else (yield from _count_of_runs(way, told))
    if not fitting:
        return [], counted
    newest = sorted(((comparable(moment), job_id) for moment, job_id in fitting), reverse=True)[: query.limit + 1]
    rows = yield _by_id([identifier for _, identifier in newest])
    if len(rows) < len(newest):
        # Some were deleted meanwhile, and what is left would look like the last page.
        return (yield from _found_by_looking_through(scope, way, told, query))
    return sorted(rows, key=_place, reverse=True), counted


def _newest_of_runs(condition: Condition, told: Condition, query: JobsQuery, between: Between) -> Conversation[Rows]:
    """Find out the times and ids of jobs among which are as many of the newest that fit as a page needs.

    The newest runs have jobs of which none that belongs to the page can be older, so that of the other runs only those
    are looked at that may have newer ones. What is known of that already is `between`.
    """
    jobs = _following(condition, "run")
    add_cursor(jobs, query.cursor, "job.listed_at", "job.job_id")
    if between.since is None:
        on_time, *untimely = with_jobs(told, between)
        some = yield from _places(jobs, [on_time], query.limit + 1, "ORDER BY run.created_at DESC, run.run_id DESC ")
        if len(some) <= query.limit:
            return [*some, *(yield from _places(jobs, untimely))]
        between = Between(min(cast(datetime, to_moment(moment)) for moment, _ in some), between.until)
    recent = jobs.copy()
    recent.add_since("job.listed_at", cast(datetime, between.since))
    newest = yield from _places(recent, with_jobs(told, between))
    if len(newest) > query.limit:
        return newest
    # Some of them no longer fit: each question may be answered as of another moment.
    return (yield from _places(jobs, with_jobs(told, Between(until=between.until))))


def _places(
    jobs: Condition, runs: Sequence[Condition], most: int = MOST_PUT_IN_ORDER + 1, order: str = ""
) -> Conversation[Rows]:
    """Find out the times and ids of jobs of runs."""
    if not runs:
        return []
    pieces = [_jobs_of("job.listed_at, job.job_id", _RUNS, led, jobs) for led in runs]
    places = " UNION ALL ".join(sql for sql, _ in pieces)
    return (yield Question(f"{places} {order}LIMIT ?", [*(each for _, asked in pieces for each in asked), most]))


def _count_of_runs(way: Way, told: Condition) -> Conversation[Counted]:
    # The runs lead, or another filter of jobs might be walked for each of them.
    (led,) = told.branches()
    return (yield from counted(_jobs_of("1", _RUNS, led, _following(way.whole, "run"))))


def _following(condition: Condition, runs: str) -> Condition:
    """Return what is asked of a job that is looked up by its run."""
    others, parameters = condition.following()
    jobs = Condition()
    jobs.add(f"job.run_id = {runs}.run_id AND {others}", *parameters)
    return jobs


def _jobs_of(columns: str, runs: Piece, led: Condition, jobs: Condition) -> Piece:
    """Return what selects columns of jobs, which are looked up run by run."""
    table, asked = runs
    if current().dialect is Dialect.SQLITE:
        # It joins by CROSS JOIN in the order written.
        selects = f"SELECT {columns} FROM {table} CROSS JOIN {_JOBS} WHERE {led.sql} AND {jobs.sql}"
        return selects, [*asked, *led.parameters, *jobs.parameters]
    # Planned once for whatever times, these seem to leave next to no jobs, which would lead but for the OFFSET.
    of_run = f"SELECT job.listed_at, job.job_id FROM {_JOBS} WHERE {jobs.sql} OFFSET 0"
    selects = f"SELECT {columns} FROM {table} CROSS JOIN LATERAL ({of_run}) AS job WHERE {led.sql}"
    return selects, [*asked, *jobs.parameters, *led.parameters]


def jobs_of_attempt(run_id: int, attempt: int) -> Conversation[list[Job]]:
    """Find out the jobs of one attempt, in the order in which GitHub created them."""
    rows = yield Question(
        f"SELECT {_COLUMNS} FROM {_JOBS} WHERE job.run_id = ? AND COALESCE(job.run_attempt, 1) = ?", (run_id, attempt)
    )
    return [_job(row) for row in sorted(rows, key=itemgetter(0))]
