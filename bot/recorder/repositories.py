"""Repositories: whose each is, what it is called, and whether it is to be seen.

No snapshot tells all of a repository, so what is told together has a version together (`models.Repository`). One that
hides tells nothing else: it comes from an installation that may have lost the repository to another account long
before, and what each installation has told last is kept apart (`models.RepositorySight`). Which of them counts follows
from whose the repository is and what accounts they are on, once all of that is known.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.domain import facts
from bot.domain.ordering import NO_VERSION
from bot.recorder.accounts import Logins, name_in, remember_names
from bot.recorder.installations import record_installation, team_for
from bot.store import models
from bot.store.database import Transaction, columns_of
from bot.store.writes import ForEach, Pattern, Write

# What only some snapshots tell, each with a version of its own.
PARTS = ("archived", "default_branch", "html_url")
NO_INSTALLATION = 0
_SINCE_IN_SIGHT = ("history_asked_at", "refused_until", "created_at")
_OWN_COLUMNS = ("team_id", *columns_of(models.Repository, "id", "repository_id", *_SINCE_IN_SIGHT))

_SEE = Pattern(
    "INSERT INTO repository_sight (repository_id, installation_id, is_hidden, version)"
    " SELECT {repository_id}, {installation_id}, {is_hidden}, {version}{from_each} WHERE true"
    " ON CONFLICT (repository_id, installation_id) DO UPDATE SET is_hidden = excluded.is_hidden,"
    " version = excluded.version WHERE repository_sight.version < excluded.version",
    {"repository_id": "BIGINT", "installation_id": "BIGINT", "is_hidden": "BOOL", "version": "BYTEA"},
)
_NEWEST = "CASE WHEN repository.version < {version} THEN {version} ELSE repository.version END"
_NEWEST_OF_PART = (
    "{part}_version = CASE WHEN repository.{part}_version < {{{part}}} THEN {{{part}}}"
    " ELSE repository.{part}_version END"
)
# Of some parts it may be the newest that is told, and of others not.
_CONFIRM = Pattern(
    f"UPDATE repository SET version = {_NEWEST},"
    f" parts_version = CASE WHEN repository.parts_version = repository.version THEN {_NEWEST} END, "
    + ", ".join(_NEWEST_OF_PART.format(part=part) for part in PARTS)
    + "{from_each} WHERE repository.repository_id = {repository_id}",
    {"repository_id": "BIGINT", "version": "BYTEA", **dict.fromkeys(PARTS, "BYTEA")},
)
# Those of the account that the repository is on, and what was told without any.
_SIGHTS = (
    "SELECT sight.installation_id, sight.is_hidden, sight.version, installation.team_id, installation.state"
    " FROM repository_sight AS sight LEFT JOIN installation"
    " ON installation.installation_id = sight.installation_id WHERE sight.repository_id = ?"
    f" AND (sight.installation_id = {NO_INSTALLATION} OR installation.account_id = ?)"
)
_TOLD_OF_BY = (
    "SELECT repository_id FROM repository_sight WHERE installation_id = ?"
    " UNION SELECT repository_id FROM repository WHERE installation_id = ?"
)


def confirming(told: Sequence[facts.Repository]) -> list[Write]:
    """Return what lets all that these tell be known from them, where it is known already."""
    rows = [(each.repository_id, each.version, *_part_versions(each)) for each in told]
    return [ForEach(_CONFIRM, rows), ForEach(_SEE, [_sight(each) for each in told])]


def _part_versions(told: facts.Repository) -> list[bytes | None]:
    return [None if getattr(told, part) is None else told.version for part in PARTS]


def _sight(told: facts.Repository) -> tuple[int, int, bool, bytes]:
    return told.repository_id, told.installation_id or NO_INSTALLATION, told.hidden, told.version


async def record_repository(tx: Transaction, told: facts.Repository, logins: Logins, now: datetime) -> int | None:
    """Record a snapshot; return the installation of which it tells more than rides along with every event."""
    if told.owner is None:
        return None
    row = await _row_of(tx, told.repository_id)
    tells_of_it = told.announced or row is None
    name = None if row is None else row.full_name
    await _hear_of_owner(tx, told, told.owner, logins, now)
    is_news = await _see(tx, _sight(told))
    if not told.hidden:
        await remember_names(tx, told, told.owner, logins[told.owner.account_id])
        row = row or _unheard_of(told, now)
        is_news |= _take(row, told, told.owner, logins)
    if row is None or not is_news:
        return told.installation_id if is_news else None
    await settle(tx, row, now)
    if name not in {None, row.full_name}:
        # What was refused was asked for by a name that is another's by now, or nobody's.
        await tx.execute("UPDATE repository SET refused_until = NULL WHERE repository_id = ?", row.repository_id)
    return row.installation_id if tells_of_it else None


async def _row_of(tx: Transaction, repository_id: int) -> models.Repository | None:
    row = await models.Repository.filter(repository_id=repository_id).using_db(tx.client).first()
    if row is not None and row.parts_version != row.version:
        await _part(tx, row)
    return row


async def _part(tx: Transaction, row: models.Repository) -> None:
    """Let everything that an older version of the program has written be as new as it took it to be."""
    for part in PARTS:
        setattr(row, f"{part}_version", row.version)
    row.parts_version = row.version
    is_hidden = row.hidden_at is not None
    if row.installation_id is not None or is_hidden:
        await _see(tx, (row.repository_id, row.installation_id or NO_INSTALLATION, is_hidden, row.version))


async def _hear_of_owner(
    tx: Transaction, told: facts.Repository, owner: facts.Account, logins: Logins, now: datetime
) -> None:
    """Let there be the installation that is told of, and the owner's team where that is not on the owner's account."""
    named_on = None
    if told.installation_id is not None:
        named = facts.Installation(installation_id=told.installation_id, account=owner)
        named_on = (await record_installation(tx, named, logins, now)).account_id
    if named_on != owner.account_id:
        await team_for(tx, owner, now)


async def _see(tx: Transaction, sight: tuple[int, int, bool, bytes]) -> bool:
    """Keep what an installation tells of a repository, and return whether it is newer than what it told before."""
    known = "SELECT 1 AS known FROM repository_sight WHERE repository_id = ? AND installation_id = ? AND version >= ?"
    if await tx.fetch(known, sight[0], sight[1], sight[3]):
        return False
    await tx.write([ForEach(_SEE, [sight])])
    return True


def _unheard_of(told: facts.Repository, now: datetime) -> models.Repository:
    return models.Repository(
        repository_id=told.repository_id,
        created_at=now,
        archived=False,
        version=NO_VERSION,
        **{f"{part}_version": NO_VERSION for part in PARTS},
    )


def _take(row: models.Repository, told: facts.Repository, owner: facts.Account, logins: Logins) -> bool:
    """Take over what is newer than what is known, and return whether anything is."""
    is_news = False
    for part, version in zip(PARTS, _part_versions(told), strict=True):
        if version is not None and version > getattr(row, f"{part}_version"):
            setattr(row, part, getattr(told, part))
            setattr(row, f"{part}_version", version)
            is_news = True
    if told.version > row.version:
        row.account_id, row.private = owner.account_id, told.private
        row.full_name = f"{logins[owner.account_id][0]}/{name_in(told.full_name)}"
        row.version = row.parts_version = told.version
        is_news = True
    return is_news


async def settle_seen_by(tx: Transaction, installation_id: int, now: datetime) -> None:
    """Find out anew whose and how visible everything is that an installation has told of."""
    for each in await tx.fetch(_TOLD_OF_BY, installation_id, installation_id):
        row = await _row_of(tx, each["repository_id"])
        if row is not None:
            await settle(tx, row, now)


async def settle(tx: Transaction, row: models.Repository, now: datetime) -> None:
    """Let a repository be its owner's, seen by what the owner's installations tell of it, and save it."""
    sights = await tx.fetch(_SIGHTS, row.repository_id, row.account_id)
    theirs = [sight for sight in sights if sight["installation_id"] != NO_INSTALLATION]
    seen_by = max(theirs, key=_version, default=None)
    # What tells of no installation has no say where any does.
    newest = seen_by or max(sights, key=_version, default=None)
    is_hidden = newest is not None and bool(newest["is_hidden"])
    if seen_by is not None:
        is_hidden = is_hidden or seen_by["state"] == "deleted"
    before = getattr(row, "team_id", None)
    row.team_id = await _team_of(tx, row, seen_by, now)
    begins = _show(row, seen_by, now, is_hidden=is_hidden)
    # What is not the directory's may have changed since the row was read.
    columns = None if row.pk is None else _OWN_COLUMNS + (_SINCE_IN_SIGHT if begins else ())
    await row.save(using_db=tx.client, update_fields=columns)
    if before is not None and before != row.team_id:  # type: ignore[attr-defined]
        await move_record(tx, row.repository_id, row.team_id)  # type: ignore[attr-defined]


def _version(sight: Mapping[str, Any]) -> bytes:
    return bytes(sight["version"])


async def _team_of(tx: Transaction, row: models.Repository, seen_by: Mapping[str, Any] | None, now: datetime) -> int:
    if seen_by is not None:
        return int(seen_by["team_id"])
    owner = facts.Account(row.account_id, row.full_name.rpartition("/")[0])
    return (await team_for(tx, owner, now)).id


def _show(row: models.Repository, seen_by: Mapping[str, Any] | None, now: datetime, *, is_hidden: bool) -> bool:
    """Let it be seen so, and return whether it comes into sight."""
    installation_id = seen_by["installation_id"] if seen_by else None
    moved = installation_id != row.installation_id
    begins = (not is_hidden and row.hidden_at is not None) or moved
    if begins:
        # Nobody told of what ran while it was out of sight, and so it is no news either.
        row.history_asked_at = row.refused_until = None
        row.created_at = now
    row.installation_id = installation_id
    row.hidden_at = (row.hidden_at or now) if is_hidden else None
    return begins


async def move_record(tx: Transaction, repository_id: int, team_id: int) -> None:
    """Let a repository's runs, jobs and backfills be `team_id`'s."""
    for table in ("workflow_run", "workflow_job", "backfill"):
        await tx.execute(f"UPDATE {table} SET team_id = ? WHERE repository_id = ?", team_id, repository_id)
