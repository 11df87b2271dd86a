"""Runs: lists, those of a pull request, and one with its attempts and jobs."""

from collections.abc import Sequence
from typing import Any, cast

from bot.domain.ordering import is_finished
from bot.domain.wanting import WITHOUT_JOBS
from bot.errors import NotFound
from bot.store.conversation import Conversation, Question, Rows
from bot.store.database import current, database_errors
from bot.store.queries.conditions import CALLED, OF_PATH, Condition, Lead, Piece, narrow_by_status
from bot.store.queries.filters import PullRequestRunsQuery, RunFilter, RunsQuery
from bot.store.queries.jobs import jobs_of_attempt
from bot.store.queries.many_repositories import RUNS, matching_in_many, page_of_many
from bot.store.queries.pages import Counted, count, counted, cursor_after, cut, page
from bot.store.queries.run_rows import (
    ATTEMPT_COLUMNS,
    COUNTS,
    REPOSITORY,
    page_of_runs,
    runs_by_id,
    runs_listed,
    runs_of,
)
from bot.store.queries.scope import Scope, add_visible, named_repositories
from bot.store.views import Run, RunDetails, RunPage
from bot.store.written import read_back

_RUNS = "workflow_run AS run"


def add_run_filter(condition: Condition, query: RunFilter) -> None:
    """Ask for what a list of runs is narrowed by, the repository and the installation apart."""
    condition.narrow_equal(Lead.COMMIT, "run.head_sha", query.head_sha)
    narrow_by_status(condition, "run", query.status)
    condition.narrow_equal(Lead.ACTOR, "run.actor_login", query.actor)
    if query.workflow is not None:
        condition.narrow(Lead.WORKFLOW, *_called(query.workflow))
    condition.narrow_equal(Lead.WORKFLOW_ID, "run.workflow_id", query.workflow_id)
    condition.narrow_equal(Lead.BRANCH, "run.head_branch", query.branch)
    condition.narrow_equal(Lead.CONCLUSION, "run.conclusion", query.conclusion)
    condition.narrow_equal(Lead.EVENT, "run.event", query.event)
    if query.since is not None:
        condition.add_since("run.created_at", query.since)
    if query.until is not None:
        condition.add_until("run.created_at", query.until)


def _called(name: str) -> list[Piece]:
    """Return the ways in which a run may be of a workflow that is called so, or whose path is that."""
    return [(CALLED, (name,)), (OF_PATH, (name,))]


async def list_runs(scope: Scope, query: RunsQuery, *, as_json: bool = False) -> RunPage:
    """Return a page of runs, newest first; with `as_json` each run is JSON, for whoever makes JSON of the page anyway.

    Raises ParameterError for a cursor that no list has given out.
    """
    with database_errors():
        page = await current().read(lambda: _listed(scope, query))
    return page if as_json else read_back(page)


def _listed(scope: Scope, query: RunsQuery) -> Conversation[RunPage]:
    condition = Condition()
    add_run_filter(condition, query)
    if not (yield from add_visible(condition, scope, "run", query.repo_full_name, query.installation_id)):
        return RunPage([], 0, True, None)

    def page(asked: Condition) -> Question:
        return page_of_runs(_RUNS, asked, query.cursor, query.limit)

    if condition.is_of_many_alone:
        rows = yield from page_of_many(RUNS, condition, query.cursor, query.limit, page, runs_by_id)
        return (yield from _shown(rows, scope, query, counted(matching_in_many(RUNS, condition))))
    rows = yield page(condition)
    return (yield from _shown(rows, scope, query, count(_RUNS, condition)))


def _shown(
    rows: Rows, scope: Scope, query: RunsQuery | PullRequestRunsQuery, counting: Conversation[Counted]
) -> Conversation[RunPage]:
    shown, more = cut(rows, query.limit)
    runs = yield from runs_listed(shown, scope)
    # A first page that is the last one as well shows all that match.
    total, exact = (yield from counting) if more or query.cursor else (len(runs), True)
    return RunPage(cast(list[Run], runs), total, exact, cursor_after(shown) if more else None)


# SQLite joins by CROSS JOIN in the order written: the links come in the order of the list, and lead to the runs.
_LINKS = "run_pull_request AS link"
_OF_PULL_REQUEST = f"{_LINKS} CROSS JOIN workflow_run AS run"
_LINKED_PLACE = "link.run_id, link.run_created_at"
# The newest run of a workflow and event for this pull request: one commit may be the head of several.
_NEWEST_OF_ITS_KIND = (
    "NOT EXISTS (SELECT 1 FROM workflow_run AS newer JOIN run_pull_request AS other ON other.run_id = newer.run_id"
    f" AND other.repository_id = link.repository_id AND other.number = link.number AND {COUNTS.format(link='other')}"
    " WHERE newer.repository_id = run.repository_id AND newer.head_sha = run.head_sha"
    " AND COALESCE(newer.workflow_id, 0) = COALESCE(run.workflow_id, 0)"
    " AND COALESCE(newer.event, '') = COALESCE(run.event, '')"
    " AND (newer.created_at, newer.run_id) > (run.created_at, run.run_id))"
)


async def list_pull_request_runs(scope: Scope, query: PullRequestRunsQuery, *, as_json: bool = False) -> RunPage:
    """Return a page of a pull request's runs as `list_runs` does; with `latest` only those that count at its head."""
    with database_errors():
        page = await current().read(lambda: _listed_of_pull_request(scope, query))
    return page if as_json else read_back(page)


def _listed_of_pull_request(scope: Scope, query: PullRequestRunsQuery) -> Conversation[RunPage]:
    repositories = yield from named_repositories(scope, query.repo_full_name)
    if not repositories:
        return RunPage([], 0, True, None)
    links = Condition()
    links.narrow(Lead.REPOSITORY, *(("link.repository_id = ?", (each,)) for each in repositories))
    links.add("link.number = ?", query.pr_number)
    links.add(COUNTS.format(link="link"))
    condition = links.copy()
    condition.add("run.run_id = link.run_id AND run.team_id = ?", scope.team_id)
    head = query.head_sha
    if query.latest:
        head = head or (yield from _head_of(repositories, query.pr_number))
        condition.add(_NEWEST_OF_ITS_KIND)
    condition.add_equal("run.head_sha", head)
    rows = yield page_of_runs(_OF_PULL_REQUEST, condition, query.cursor, query.limit, place=_LINKED_PLACE)
    # A link is of its run's own repository, so that it can be counted without a look at the run.
    is_narrowed = query.latest or head is not None
    counting = count(*((_OF_PULL_REQUEST, condition) if is_narrowed else (_LINKS, links)), few=True)
    return (yield from _shown(rows, scope, query, counting))


def _head_of(repositories: Sequence[int], number: int) -> Conversation[str | None]:
    pull = Condition()
    pull.add_among("repository_id", repositories)
    rows = yield Question(
        f"SELECT head_sha FROM pull_request WHERE {pull.sql} AND number = ?", [*pull.parameters, number]
    )
    if not rows:
        # No event about the pull request itself has come: its newest run is at the head, as far as anyone knows.
        link = Condition()
        link.narrow(Lead.REPOSITORY, *(("link.repository_id = ?", (each,)) for each in repositories))
        link.add("run.run_id = link.run_id AND link.number = ?", number)
        rows = yield page("link.run_id, link.run_created_at, run.head_sha", _OF_PULL_REQUEST, link, None, 0)
    head: str | None = rows[0][-1] if rows else None
    return head


async def get_run_details(scope: Scope, run_id: int, attempt: int | None = None) -> RunDetails:
    """Return a run with all its attempts, newest first, and the jobs of one of them, by default the newest.

    Raises NotFound where there is no such run or attempt, or it is not to be seen.
    """
    with database_errors():
        return await current().read(lambda: _details(scope, run_id, attempt))


def _details(scope: Scope, run_id: int, attempt: int | None) -> Conversation[RunDetails]:
    gone_at, jobs_attempt = yield from _visible_run(scope, run_id)
    attempts = yield from _attempts_of(scope, run_id, gone_at)
    chosen = next((each for each in attempts if attempt in (None, each.run_attempt)), None)
    if chosen is None:
        raise _no_such_run()
    jobs = yield from jobs_of_attempt(run_id, chosen.run_attempt)
    return RunDetails(chosen, attempts, jobs, not jobs and _may_have_jobs(chosen, jobs_attempt))


def _visible_run(scope: Scope, run_id: int) -> Conversation[Sequence[Any]]:
    """Find out when a run was found to be gone, if so, and the attempt up to which its jobs were listed."""
    condition = Condition()
    condition.add("run.run_id = ?", run_id)
    if (yield from add_visible(condition, scope, "run", None, None)):
        rows = yield Question(
            f"SELECT run.gone_at, run.jobs_attempt FROM {_RUNS}{REPOSITORY} WHERE {condition.sql}",
            condition.parameters,
        )
        if rows:
            return rows[0]
    raise _no_such_run()


def _attempts_of(scope: Scope, run_id: int, gone_at: Any) -> Conversation[list[Run]]:
    rows = yield Question(
        f"SELECT {ATTEMPT_COLUMNS} FROM workflow_run_attempt AS run{REPOSITORY} WHERE run.run_id = ?"
        " ORDER BY run.run_attempt DESC",
        (run_id,),
    )
    # A run that is gone took all its attempts along.
    return (yield from runs_of([(*row, gone_at) for row in rows], scope))


def _may_have_jobs(attempt: Run, jobs_attempt: int) -> bool:
    """Tell whether GitHub may have jobs of an attempt of which none is recorded, and has not been asked for them."""
    return (
        is_finished(attempt.status, attempt.conclusion)
        and attempt.conclusion != WITHOUT_JOBS
        and attempt.gone_at is None
        and jobs_attempt < attempt.run_attempt
    )


def _no_such_run() -> NotFound:
    message = "there is no such run"
    return NotFound(message)
