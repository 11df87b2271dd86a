"""Teams, and what is installed and seen under them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from bot.store.database import current, database_errors, to_moment
from bot.store.queries.conditions import Condition
from bot.store.queries.scope import Scope
from bot.store.views import Repository, RepositoryList, Team, TeamInstallation, TeamList

_SEEN_BY = (
    " AND installation_id IN (SELECT installation_id FROM person_installation WHERE user_id = ? AND NOT is_suspended)"
)


async def list_teams(team_ids: Iterable[int], user_id: int | None = None) -> TeamList:
    """Return these teams with their installations, by slug; deleted installations are not told of.

    With a `user_id` only the installations that this person sees: a team may have been joined of several.
    """
    wanted = sorted(team_ids)
    if not wanted:
        return TeamList([])
    places = ", ".join("?" * len(wanted))
    seen_by, who = ("", []) if user_id is None else (_SEEN_BY, [user_id])
    with database_errors():
        reader = current().reader
        teams = await reader.fetch(f"SELECT id, slug, name FROM team WHERE id IN ({places}) ORDER BY slug", *wanted)
        rows = await reader.fetch(
            "SELECT team_id, installation_id, account_login, account_type, state FROM installation"
            f" WHERE team_id IN ({places}) AND state <> 'deleted'{seen_by} ORDER BY account_login, installation_id",
            *wanted,
            *who,
        )
    installations: dict[int, list[TeamInstallation]] = defaultdict(list)
    for row in rows:
        installations[row.pop("team_id")].append(TeamInstallation(**row))
    return TeamList([Team(**team, installations=installations[team["id"]]) for team in teams])


_REPOSITORIES = (
    "SELECT repository_id, full_name, private, archived, default_branch, html_url, installation_id,"
    " (SELECT max(created_at) FROM workflow_run AS run WHERE run.repository_id = repository.repository_id)"
    " AS last_run_at FROM repository WHERE {} ORDER BY full_name, repository_id"
)


async def list_repositories(scope: Scope) -> RepositoryList:
    """Return the repositories of a scope, by name."""
    condition = Condition()
    condition.add("repository.team_id = ? AND repository.hidden_at IS NULL", scope.team_id)
    if scope.repositories is not None:
        condition.add_among("repository.repository_id", sorted(scope.repositories))
    with database_errors():
        rows = await current().reader.fetch(_REPOSITORIES.format(condition.sql), *condition.parameters)
        names = await current().reader.fetch(
            "SELECT name.repository_id, name.full_name FROM repository_name AS name JOIN repository"
            " ON repository.repository_id = name.repository_id WHERE repository.team_id = ? ORDER BY name.id",
            scope.team_id,
        )
    past: dict[int, list[str]] = defaultdict(list)
    for name in names:
        past[name["repository_id"]].append(name["full_name"])
    return RepositoryList([_repository(row, past[row["repository_id"]]) for row in rows])


def _repository(row: dict[str, Any], names: list[str]) -> Repository:
    told = row | {
        "private": bool(row["private"]),
        "archived": bool(row["archived"]),
        "last_run_at": to_moment(row["last_run_at"]),
        "past_names": [name for name in names if name.lower() != row["full_name"].lower()],
    }
    return Repository(**told)


async def administers_all(scope: Scope) -> bool:
    """Tell whether nothing of a team is hidden from whoever has this scope: whether they may change all there is."""
    changed = scope.to_change().repositories
    rows = await current().reader.fetch(
        "SELECT repository_id FROM repository WHERE team_id = ? AND hidden_at IS NULL", scope.team_id
    )
    return changed is None or (bool(rows) and all(row["repository_id"] in changed for row in rows))


async def last_deliveries() -> list[tuple[int, datetime]]:
    """Return each installation that is not deleted, and when its last delivery came."""
    with database_errors():
        rows = await current().reader.fetch(
            "SELECT installation_id, last_delivery_at FROM installation"
            " WHERE state <> 'deleted' AND last_delivery_at IS NOT NULL ORDER BY installation_id"
        )
    return [(row["installation_id"], moment) for row in rows if (moment := to_moment(row["last_delivery_at"]))]


async def silent_installations() -> dict[int, bool]:
    """Return of each installation that is not deleted whether no delivery comes though REST shows new runs."""
    with database_errors():
        rows = await current().reader.fetch(
            "SELECT installation_id, CASE WHEN state = 'active' AND silent_since IS NOT NULL"
            " AND (last_delivery_at IS NULL OR last_delivery_at < silent_since) THEN 1 ELSE 0 END AS silent"
            " FROM installation WHERE state <> 'deleted' ORDER BY installation_id"
        )
    return {row["installation_id"]: bool(row["silent"]) for row in rows}
