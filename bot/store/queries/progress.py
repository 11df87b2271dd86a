"""How far the record has come since the App was installed, over all teams: for whoever sets the service up."""

from datetime import datetime

from msgspec import Struct

from bot.store.database import current, database_errors, to_moment

_INSTALLED = (
    "SELECT installation_id, team_id, account_login, state, last_delivery_at FROM installation"
    " WHERE state <> 'deleted' ORDER BY account_login, installation_id"
)
# Each repository with the newest request for the history from before the App came to see it.
_HISTORIES = (
    "SELECT repository.full_name AS repo_full_name, backfill.state, backfill.runs_stored, backfill.runs_at_github,"
    " backfill.error FROM repository LEFT JOIN backfill ON backfill.id = (SELECT max(id) FROM backfill AS asked"
    " WHERE asked.repository_id = repository.repository_id AND asked.kind = 'installation')"
    " WHERE repository.hidden_at IS NULL AND repository.installation_id IS NOT NULL"
    " ORDER BY repository.full_name, repository.repository_id"
)


class Installed(Struct, frozen=True):
    """An installation that is recorded, and when anything was last delivered of it."""

    installation_id: int
    team_id: int
    account_login: str
    state: str
    last_delivery_at: datetime | None


class History(Struct, frozen=True):
    """A repository's history: `state` is None while it was not asked for, `runs_at_github` while GitHub was not."""

    repo_full_name: str
    state: str | None
    runs_stored: int | None
    runs_at_github: int | None
    error: str | None

    @property
    def is_over(self) -> bool:
        return self.state in {"done", "failed"}


async def list_installed() -> list[Installed]:
    """Return every installation that is not deleted. Raises DatabaseUnavailable."""
    with database_errors():
        rows = await current().reader.fetch(_INSTALLED)
    return [Installed(**row | {"last_delivery_at": to_moment(row["last_delivery_at"])}) for row in rows]


async def list_histories() -> list[History]:
    """Return how far the history of every visible repository has come. Raises DatabaseUnavailable."""
    with database_errors():
        return [History(**row) for row in await current().reader.fetch(_HISTORIES)]
