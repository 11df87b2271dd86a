"""Runs: lists, those of a pull request, and one with its attempts and jobs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from bot.domain.durations import seconds_between
from bot.domain.ordering import is_finished
from bot.domain.triggers import triggering_pull_request
from bot.domain.wanting import WITHOUT_JOBS
from bot.errors import NotFound
from bot.store.database import current, database_errors, to_moment
from bot.store.queries.filters import PullRequestRunsQuery, RunFilter, RunsQuery
from bot.store.queries.jobs import jobs_of_attempt
from bot.store.queries.pages import add_cursor, count, cut, encode_cursor
from bot.store.queries.scope import Condition, Scope, add_visible, repositories_named
from bot.store.views import LinkedPullRequest, Run, RunDetails, RunPage

_RUNS = "workflow_run AS run"
_REPOSITORY = " JOIN repository ON repository.repository_id = run.repository_id"
_COLUMNS = ", ".join(
    [
        "repository.installation_id",
        "repository.full_name",
        *(
            f"run.{column}"
            for column in (
                "repository_id",
                "run_id",
                "run_attempt",
                "run_number",
                "workflow_id",
                "workflow_name",
                "workflow_path",
                "display_title",
                "event",
                "status",
                "conclusion",
                "head_branch",
                "head_sha",
                "html_url",
                "created_at",
                "updated_at",
                "run_started_at",
                "actor_login",
                "actor_id",
                "triggering_actor_login",
                "head_repo_full_name",
            )
        ),
    ]
)
_RUN_COLUMNS = f"{_COLUMNS}, run.gone_at"
# What GitHub itself lists counts; only for a run that lists nothing, as those of forks do, the head commit tells.
_COUNTS = (
    "({link}.head_sha IS NOT NULL OR NOT EXISTS (SELECT 1 FROM run_pull_request AS listed"
    " WHERE listed.run_id = {link}.run_id AND listed.head_sha IS NOT NULL))"
)
_NEWEST_FIRST = "ORDER BY run.created_at DESC, run.run_id DESC"
_LINKS = (
    "SELECT link.run_id, link.number, COALESCE(link.head_sha, run.head_sha) AS head_sha,"
    " COALESCE(link.base_ref, pull_request.base_ref) AS base_ref FROM run_pull_request AS link"
    " JOIN workflow_run AS run ON run.run_id = link.run_id"
    " LEFT JOIN pull_request ON pull_request.repository_id = link.repository_id AND pull_request.number = link.number"
    " WHERE link.run_id IN ({}) AND " + _COUNTS.format(link="link") + " ORDER BY link.number"
)


def _run(row: dict[str, Any], slug: str, links: list[LinkedPullRequest]) -> Run:
    started, updated = to_moment(row["run_started_at"]), to_moment(row["updated_at"])
    gone = to_moment(row["gone_at"])
    is_end_known = row["status"] == "completed" and (gone is None or row["conclusion"] is not None)
    # GitHub tells no end of a run: it is when the completed run was last updated.
    completed = updated if is_end_known else None
    return Run(
        team=slug,
        installation_id=row["installation_id"],
        repository_id=row["repository_id"],
        repo_full_name=row["full_name"],
        run_id=row["run_id"],
        run_attempt=row["run_attempt"],
        run_number=row["run_number"],
        workflow_id=row["workflow_id"],
        workflow_name=row["workflow_name"],
        workflow_path=row["workflow_path"],
        display_title=row["display_title"],
        event=row["event"],
        status=row["status"],
        conclusion=row["conclusion"],
        head_branch=row["head_branch"],
        head_sha=row["head_sha"],
        html_url=row["html_url"],
        created_at=to_moment(row["created_at"]),  # type: ignore[arg-type]
        updated_at=updated,  # type: ignore[arg-type]
        run_started_at=started,
        run_completed_at=completed,
        run_duration=seconds_between(started, completed),
        actor_login=row["actor_login"],
        actor_id=row["actor_id"],
        triggering_actor_login=row["triggering_actor_login"],
        head_repo_full_name=row["head_repo_full_name"],
        pull_requests=links,
        triggering_pr_number=triggering_pull_request(row["event"], row["head_branch"], {link.number for link in links}),
        gone_at=gone,
    )


async def _links_of(run_ids: Iterable[int]) -> dict[int, list[LinkedPullRequest]]:
    wanted = sorted(set(run_ids))
    links: dict[int, list[LinkedPullRequest]] = defaultdict(list)
    if wanted:
        for row in await current().reader.fetch(_LINKS.format(", ".join("?" * len(wanted))), *wanted):
            links[row["run_id"]].append(LinkedPullRequest(row["number"], row["head_sha"], row["base_ref"]))
    return links


async def _views(rows: Sequence[dict[str, Any]], scope: Scope) -> list[Run]:
    links = await _links_of(row["run_id"] for row in rows)
    return [_run(row, scope.slug, links[row["run_id"]]) for row in rows]


def add_run_filter(condition: Condition, query: RunFilter) -> None:
    """Ask for what a list of runs is narrowed by, the repository and the installation apart."""
    condition.add_equal("run.workflow_id", query.workflow_id)
    if query.workflow is not None:
        condition.add("(run.workflow_name = ? OR run.workflow_path = ?)", query.workflow, query.workflow)
    condition.add_equal("run.head_branch", query.branch)
    condition.add_equal("run.event", query.event)
    condition.add_equal("run.status", query.status)
    condition.add_equal("run.conclusion", query.conclusion)
    condition.add_equal("run.actor_login", query.actor)
    condition.add_equal("run.head_sha", query.head_sha)
    if query.since is not None:
        condition.add("run.created_at >= ?", query.since)
    if query.until is not None:
        condition.add("run.created_at <= ?", query.until)


async def list_runs(scope: Scope, query: RunsQuery) -> RunPage:
    """Return a page of runs, newest first.

    Raises ParameterError for a cursor that no list has given out.
    """
    with database_errors():
        condition = Condition()
        add_run_filter(condition, query)
        if not await add_visible(condition, scope, "run", query.repo_full_name, query.installation_id):
            return RunPage([], 0, True, None)
        return await _page(_RUNS, condition, scope, query.cursor, query.limit)


async def _page(tables: str, condition: Condition, scope: Scope, cursor: str | None, limit: int) -> RunPage:
    asked = Condition()
    asked.add(condition.sql, *condition.parameters)
    add_cursor(asked, cursor, "run.created_at", "run.run_id")
    total, exact = await count(tables, condition)
    rows = await current().reader.fetch(
        f"SELECT {_RUN_COLUMNS} FROM {tables}{_REPOSITORY} WHERE {asked.sql} {_NEWEST_FIRST} LIMIT ?",
        *asked.parameters,
        limit + 1,
    )
    shown, more = cut(rows, limit)
    runs = await _views(shown, scope)
    following = encode_cursor(runs[-1].created_at, runs[-1].run_id) if more else None
    return RunPage(runs, total, exact, following)


_OF_PULL_REQUEST = "run_pull_request AS link JOIN workflow_run AS run ON run.run_id = link.run_id"
# The newest run of a workflow and event for this pull request: one commit may be the head of several.
_NEWEST_OF_ITS_KIND = (
    "NOT EXISTS (SELECT 1 FROM workflow_run AS newer JOIN run_pull_request AS other ON other.run_id = newer.run_id"
    f" AND other.repository_id = link.repository_id AND other.number = link.number AND {_COUNTS.format(link='other')}"
    " WHERE newer.repository_id = run.repository_id AND newer.head_sha = run.head_sha"
    " AND COALESCE(newer.workflow_id, 0) = COALESCE(run.workflow_id, 0)"
    " AND COALESCE(newer.event, '') = COALESCE(run.event, '')"
    " AND (newer.created_at, newer.run_id) > (run.created_at, run.run_id))"
)


async def list_pull_request_runs(scope: Scope, query: PullRequestRunsQuery) -> RunPage:
    """Return a page of a pull request's runs, newest first; with `latest` only those that count at its head."""
    with database_errors():
        repositories = await repositories_named(scope, query.repo_full_name)
        if not repositories:
            return RunPage([], 0, True, None)
        condition = Condition()
        condition.add_among("link.repository_id", repositories)
        condition.add("link.number = ? AND run.team_id = ?", query.pr_number, scope.team_id)
        condition.add(_COUNTS.format(link="link"))
        head = query.head_sha
        if query.latest:
            head = head or await _head_of(repositories, query.pr_number)
            condition.add(_NEWEST_OF_ITS_KIND)
        condition.add_equal("run.head_sha", head)
        return await _page(_OF_PULL_REQUEST, condition, scope, query.cursor, query.limit)


async def _head_of(repositories: Sequence[int], number: int) -> str | None:
    condition = Condition()
    condition.add_among("repository_id", repositories)
    condition.add("number = ?", number)
    rows = await current().reader.fetch(
        f"SELECT head_sha FROM pull_request WHERE {condition.sql}",
        *condition.parameters,
    )
    if not rows:
        # No event about the pull request itself has come: its newest run is at the head, as far as anyone knows.
        rows = await current().reader.fetch(
            f"SELECT run.head_sha FROM {_OF_PULL_REQUEST} WHERE link.{condition.sql.replace(' number', ' link.number')}"
            f" {_NEWEST_FIRST} LIMIT 1",
            *condition.parameters,
        )
    return rows[0]["head_sha"] if rows else None


async def get_run_details(scope: Scope, run_id: int, attempt: int | None = None) -> RunDetails:
    """Return a run with all its attempts, newest first, and the jobs of one of them, by default the newest.

    Raises NotFound where there is no such run or attempt, or it is not to be seen.
    """
    with database_errors():
        run = await _visible_run(scope, run_id)
        attempts = await _attempts_of(scope, run)
        chosen = next((each for each in attempts if attempt in (None, each.run_attempt)), None)
        if chosen is None:
            raise _no_such_run()
        jobs = await jobs_of_attempt(run_id, chosen.run_attempt)
        return RunDetails(chosen, attempts, jobs, not jobs and _may_have_jobs(chosen, run["jobs_attempt"]))


async def _visible_run(scope: Scope, run_id: int) -> dict[str, Any]:
    condition = Condition()
    condition.add("run.run_id = ?", run_id)
    if await add_visible(condition, scope, "run", None, None):
        rows = await current().reader.fetch(
            f"SELECT run.run_id, run.gone_at, run.jobs_attempt FROM {_RUNS}{_REPOSITORY} WHERE {condition.sql}",
            *condition.parameters,
        )
        if rows:
            return rows[0]
    raise _no_such_run()


async def _attempts_of(scope: Scope, run: dict[str, Any]) -> list[Run]:
    rows = await current().reader.fetch(
        f"SELECT {_COLUMNS} FROM workflow_run_attempt AS run{_REPOSITORY} WHERE run.run_id = ?"
        " ORDER BY run.run_attempt DESC",
        run["run_id"],
    )
    # A run that is gone took all its attempts along.
    return await _views([row | {"gone_at": run["gone_at"]} for row in rows], scope)


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
