"""What only the operator may do: look at every team, rename one, and join installations under one."""

import re
from datetime import datetime

from bot.access.audit import OPERATOR, note
from bot.access.names import checked_name
from bot.errors import NotFound, RunledgerError
from bot.recorder.directory import hold_directory
from bot.recorder.repositories import move_record
from bot.store import models, queries
from bot.store.database import current
from bot.store.views import TeamList

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,98}[a-z0-9])?")


async def list_all_teams() -> TeamList:
    """Return every team there is."""
    identifiers = await models.Team.all(using_db=current().client).values_list("id", flat=True)
    return await queries.list_teams([int(each) for each in identifiers])  # type: ignore[call-overload]


async def rename_team(team: str, slug: str, name: str | None = None, *, now: datetime) -> None:
    """Give a team another slug, and maybe another name, as the operator.

    Raises NotFound for an unknown team, RunledgerError for a slug or a name that is malformed, or a slug that is taken.
    """
    slug = slug.lower()
    if not SLUG.fullmatch(slug):
        message = f"{slug!r} is no slug: use letters, digits, hyphens and underscores"
        raise RunledgerError(message)
    change = {"slug": slug} | ({} if name is None else {"name": checked_name(name)})
    scope = await _get_scope(team)
    async with current().transaction() as tx:
        taken = await models.Team.filter(slug=slug).using_db(tx.client).first()
        if taken is not None and taken.id != scope.team_id:
            message = f"there is a team {slug} already"
            raise RunledgerError(message)
        await models.Team.filter(id=scope.team_id).using_db(tx.client).update(**change)
        await note(OPERATOR, "team.renamed", scope.slug, now, team_id=scope.team_id, details=change, tx=tx)


async def link_installation(installation_id: int, team: str, *, now: datetime) -> None:
    """Let an installation, its repositories and all their records belong to `team`, as the operator.

    Raises NotFound for an unknown team or installation.
    """
    scope = await _get_scope(team)
    async with current().transaction() as tx:
        await hold_directory(tx)
        theirs = models.Installation.filter(installation_id=installation_id).using_db(tx.client)
        if not await theirs.update(team_id=scope.team_id):
            message = f"there is no installation {installation_id}"
            raise NotFound(message)
        # The repositories' rows are locked first, so that no record is written under the old team meanwhile.
        await tx.execute("UPDATE repository SET team_id = ? WHERE installation_id = ?", scope.team_id, installation_id)
        for repository in await models.Repository.filter(installation_id=installation_id).using_db(tx.client):
            await move_record(tx, repository.repository_id, scope.team_id)
        sql = "UPDATE backfill SET team_id = ? WHERE installation_id = ? AND repository_id IS NULL"
        await tx.execute(sql, scope.team_id, installation_id)
        details = {"installation": installation_id}
        await note(OPERATOR, "team.linked", scope.slug, now, team_id=scope.team_id, details=details, tx=tx)


async def _get_scope(team: str) -> queries.Scope:
    scope = await queries.find_scope(team)
    if scope is None:
        message = f"there is no team {team!r}"
        raise NotFound(message)
    return scope
