"""Rows of runs, and of attempts of them, as the answers show them."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from msgspec import Raw

from bot.domain.durations import seconds_between
from bot.domain.triggers import triggering_pull_request
from bot.settings import Dialect
from bot.store.conversation import Conversation, Question, Rows
from bot.store.database import current, to_moment
from bot.store.queries.conditions import Condition, among
from bot.store.queries.pages import page
from bot.store.queries.scope import Scope
from bot.store.views import LinkedPullRequest, Run
from bot.store.written import Columns, gaps

REPOSITORY = " JOIN repository ON repository.repository_id = run.repository_id"
# In the order in which `_run` takes them.
ATTEMPT_COLUMNS = (
    "run.run_id, run.created_at, repository.installation_id, run.repository_id, repository.full_name, run.run_attempt,"
    " run.run_number, run.workflow_id, run.workflow_name, run.workflow_path, run.display_title, run.event, run.status,"
    " run.conclusion, run.head_branch, run.head_sha, run.html_url, run.updated_at, run.run_started_at,"
    " run.actor_login, run.actor_id, run.triggering_actor_login, run.head_repo_full_name"
)
_RUN_COLUMNS = f"{ATTEMPT_COLUMNS}, run.gone_at"
RUN_FILLED_IN = (
    "run_number",
    "workflow_id",
    "workflow_name",
    "workflow_path",
    "display_title",
    "event",
    "head_branch",
    "head_sha",
    "html_url",
    "run_started_at",
    "actor_login",
    "actor_id",
    "triggering_actor_login",
    "head_repo_full_name",
)
# Whatever else _RUN_COLUMNS hold of a run changes with its attempt or version only (`bot.recorder.forms`); one that was
# found to be gone is ended without (`bot.recorder.gone`).
_STATE = (
    "run.run_attempt",
    "run.version",
    "run.status",
    "run.conclusion",
    "run.gone_at",
    "repository.installation_id",
    "repository.full_name",
    gaps("run", RUN_FILLED_IN),
)
_LISTED = Columns(f"workflow_run AS run{REPOSITORY}", "run.id", _STATE, _RUN_COLUMNS)
_PLACE = "run.run_id, run.created_at"
# What a page of a list is asked for beside the places, and what that is joined from.
_BESIDE = {
    Dialect.SQLITE: ("run.id", ""),
    Dialect.POSTGRESQL: (_RUN_COLUMNS.removeprefix(f"{_PLACE}, "), REPOSITORY),
}
# What GitHub itself lists counts; only for a run that lists nothing, as those of forks do, the head commit tells.
# PostgreSQL might gather all links for a NOT EXISTS here.
COUNTS = (
    "({link}.head_sha IS NOT NULL OR (SELECT listed.number FROM run_pull_request AS listed"
    " WHERE listed.run_id = {link}.run_id AND listed.head_sha IS NOT NULL LIMIT 1) IS NULL)"
)
_LINKS = (
    "SELECT link.run_id, link.number, link.head_sha, COALESCE(link.base_ref, pull_request.base_ref)"
    " FROM run_pull_request AS link LEFT JOIN pull_request ON link.base_ref IS NULL"
    " AND pull_request.repository_id = link.repository_id AND pull_request.number = link.number WHERE link.run_id IN "
)


def _run(row: Sequence[Any], slug: str, linked: Sequence[Sequence[Any]]) -> Run:
    # Taken apart and put together by place: a list spends half of its time here.
    (
        run_id,
        created_at,
        installation_id,
        repository_id,
        full_name,
        run_attempt,
        run_number,
        workflow_id,
        workflow_name,
        workflow_path,
        display_title,
        event,
        status,
        conclusion,
        head_branch,
        head_sha,
        html_url,
        updated_at,
        run_started_at,
        actor_login,
        actor_id,
        triggering_actor_login,
        head_repo_full_name,
        gone_at,
    ) = row
    started, updated, gone = to_moment(run_started_at), to_moment(updated_at), to_moment(gone_at)
    # GitHub tells no end of a run: it is when the completed run was last updated.
    completed = updated if status == "completed" and (gone is None or conclusion is not None) else None
    return Run(
        "github",
        slug,
        installation_id,
        repository_id,
        full_name,
        run_id,
        run_attempt,
        run_number,
        workflow_id,
        workflow_name,
        workflow_path,
        display_title,
        event,
        status,
        conclusion,
        head_branch,
        head_sha,
        html_url,
        to_moment(created_at),  # type: ignore[arg-type]
        updated,  # type: ignore[arg-type]
        started,
        completed,
        seconds_between(started, completed),
        actor_login,
        actor_id,
        triggering_actor_login,
        head_repo_full_name,
        [LinkedPullRequest(number, sha or head_sha, base_ref) for number, sha, base_ref in linked],
        triggering_pull_request(event, head_branch, {number for number, _, _ in linked}),
        gone,
    )


Link = tuple[int, str | None, str | None]


def _links(run_ids: Sequence[int]) -> Conversation[dict[int, list[Link]]]:
    """Find out the pull requests of runs: number, the head that GitHub listed, if any, and base."""
    links: dict[int, list[Link]] = {}
    rows = yield Question(f"{_LINKS}({', '.join('?' * len(run_ids))})", run_ids)
    for run_id, number, head_sha, base_ref in rows:
        links.setdefault(run_id, []).append((number, head_sha, base_ref))
    return {run_id: each if len(each) == 1 else _that_count(each) for run_id, each in links.items()}


def _that_count(links: list[Link]) -> list[Link]:
    links = sorted(links, key=itemgetter(0))
    return [link for link in links if link[1] is not None] or links


def runs_of(rows: Rows, scope: Scope) -> Conversation[list[Run]]:
    """Make runs of rows of ATTEMPT_COLUMNS and `gone_at`, each with the pull requests that count for it."""
    links = (yield from _links(sorted({row[0] for row in rows}))) if rows else {}
    return [_run(row, scope.slug, links.get(row[0], ())) for row in rows]


def page_of_runs(tables: str, condition: Condition, cursor: str | None, limit: int, *, place: str = _PLACE) -> Question:
    """Ask for a page of runs by their ids and times, from tables among which is `run`; `runs_listed` takes the rows."""
    columns, joined = _BESIDE[current().dialect]
    return page(f"{place}, {columns}", f"{tables}{joined}", condition, cursor, limit)


def runs_by_id(run_ids: Sequence[int]) -> Question:
    """Ask for these runs, as `page_of_runs` does, in any order."""
    columns, joined = _BESIDE[current().dialect]
    condition, parameters = among("run.run_id", run_ids)
    return Question(f"SELECT {_PLACE}, {columns} FROM workflow_run AS run{joined} WHERE {condition}", parameters)


def runs_listed(rows: Rows, scope: Scope) -> Conversation[list[Run | Raw]]:
    """Find out the runs of a page, or their JSON, each with the pull requests that count for it."""
    if current().dialect is Dialect.POSTGRESQL:
        return [*(yield from runs_of(rows, scope))]
    run_ids = {key: run_id for run_id, _, key in rows}
    links = (yield from _links([*run_ids.values()])) if rows else {}

    def view(row: Sequence[Any]) -> Run:
        return _run(row, scope.slug, links.get(row[0], ()))

    def beside(key: int) -> Any:
        return scope.slug, links.get(run_ids[key], ())

    return (yield from current().written_runs.views_of([*run_ids], _LISTED, view, beside))
