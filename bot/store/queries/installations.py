"""Installations as those who see them on GitHub are told of them."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from bot.store.database import current, database_errors, to_moment

_SEEN = (
    "SELECT installation.installation_id, installation.account_login, installation.account_type, installation.state,"
    " seen.is_suspended, installation.created_at, installation.last_delivery_at, installation.silent_since,"
    " team.id AS team_id, team.slug AS team, team.name AS team_name FROM person_installation AS seen"
    " JOIN installation ON installation.installation_id = seen.installation_id"
    " JOIN team ON team.id = installation.team_id"
    " WHERE seen.user_id = ? AND installation.state <> 'deleted'"
    " ORDER BY team.slug, installation.account_login, installation.installation_id"
)
_TIMES = ("created_at", "last_delivery_at", "silent_since")


class SeenInstallation(Struct, frozen=True):
    """An installation that a person sees, and how it is.

    `is_suspended` says that GitHub tells nothing of it, so that nothing of it is shown.
    """

    installation_id: int
    account_login: str
    account_type: str | None
    state: str
    is_suspended: bool
    created_at: datetime
    last_delivery_at: datetime | None
    silent_since: datetime | None
    team_id: int
    team: str
    team_name: str

    @property
    def is_silent(self) -> bool:
        """Whether no delivery comes though REST shows new runs."""
        since, last = self.silent_since, self.last_delivery_at
        return not self.is_suspended and since is not None and (last is None or last < since)


async def list_seen_installations(user_id: int) -> list[SeenInstallation]:
    """Return the installations that a person sees, by team and account. Raises DatabaseUnavailable."""
    with database_errors():
        rows = await current().reader.fetch(_SEEN, user_id)
    return [_installation(row) for row in rows]


def _installation(row: dict[str, Any]) -> SeenInstallation:
    is_suspended = bool(row["is_suspended"]) or row["state"] == "suspended"
    return SeenInstallation(**row | {name: to_moment(row[name]) for name in _TIMES} | {"is_suspended": is_suspended})
