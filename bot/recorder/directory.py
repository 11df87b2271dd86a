"""Who owns what: teams, installations and repositories, and so which team a record belongs to.

Every event tells of its repository, and nearly always nothing new: the hot path is one look at the rows. `bench/ingest`
shows what it is worth, and `bench/ingest_postgres` what it is to spare the second look that a lock costs there. What is
new is written under one lock for the whole directory, because several rows change together and such news is rare.
Whatever changes what is known of an installation, or of what it sees, makes it due to be compared with what GitHub
says.
"""

import itertools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from cachetools import LRUCache

from bot.domain import facts
from bot.domain.ordering import NO_VERSION
from bot.recorder.due import mark_installation
from bot.settings import Dialect
from bot.store import models
from bot.store.conversation import Conversation, one_of
from bot.store.database import Transaction
from bot.store.writes import ForEach, Pattern, Write

# Any number does, as long as every recorder takes the same.
ADVISORY_LOCK = 7_215_467
SLUG_LENGTH = 80
LAST_DELIVERY_GRAIN = timedelta(seconds=10)

# What a snapshot may tell anew, and what else is to be known of a repository.
_TOLD_OF_REPOSITORIES = ("full_name", "private", "archived", "default_branch", "html_url")
_COLUMNS = ("repository_id", *_TOLD_OF_REPOSITORIES, "account_id", "installation_id", "hidden_at", "team_id")
_LOOK = f"SELECT {', '.join(_COLUMNS)} FROM repository WHERE repository_id {{among}}"
_NOTE_ARRIVAL = Pattern(
    "UPDATE installation SET last_delivery_at = {came}{from_each} WHERE installation.installation_id = {id}"
    " AND (installation.last_delivery_at IS NULL OR installation.last_delivery_at < {before})",
    {"came": "TIMESTAMPTZ", "id": "BIGINT", "before": "TIMESTAMPTZ"},
)

Told = tuple[Any, ...]

# What an `installation` event or the REST API tells of an installation, and what is written when it does.
_TOLD = ("state", "repository_selection", "permissions", "events")
_LOGIN = ("account_login", "login_version")
_TAKEN = (*_TOLD, *_LOGIN, "account_type", "version", "deleted_at", "suspended_since", "sync_due_at")


def slug_of(login: str) -> str:
    """Return the login as a team's slug: lower case, and nothing in it that an address would have to escape."""
    return re.sub(r"[^a-z0-9_-]+", "-", login.lower()).strip("-")[:SLUG_LENGTH] or "team"


class DirectoryNews(Exception):
    """What is to be recorded of accounts, installations and repositories has to be recorded before all else."""


def look_at_directory(
    dialect: Dialect, repositories: Sequence[facts.Repository], *, exclusive: bool, recorded: bool = False
) -> Conversation[dict[int, int]]:
    """Return each repository's team id. Raises DirectoryNews where they tell more than is known, unless `recorded`.

    The rows stay locked until the transaction ends, `exclusive` where what belongs together is to be found from both
    sides at once: runs and pull requests, runs and their late jobs.
    """
    distinct: dict[Told, facts.Repository] = {_compared(fact): fact for fact in repositories}
    lock = ""
    if dialect is Dialect.POSTGRESQL:
        lock = " ORDER BY repository_id FOR " + ("NO KEY UPDATE" if exclusive else "SHARE")
        if not recorded and not all(map(_confirmed.__contains__, distinct)):
            # Whoever has something to record must not hold a lock yet, or two of them would wait for each other.
            yield from _known(distinct, "")
    known = yield from (
        _look({fact.repository_id for fact in repositories}, lock) if recorded else _known(distinct, lock)
    )
    return {repository_id: row["team_id"] for repository_id, row in known.items()}


def holding_repositories(dialect: Dialect, repositories: Collection[int]) -> Conversation[None]:
    """Let nobody else record anything of these until the transaction ends, as `look_at_directory` does `exclusive`."""
    if dialect is Dialect.POSTGRESQL:
        yield from _look(repositories, " ORDER BY repository_id FOR NO KEY UPDATE")


# Snapshots that told nothing new when they were compared last: a guess, and so it does no harm where it is wrong.
_confirmed: LRUCache[Told, None] = LRUCache(maxsize=10_000)


def _known(told: Mapping[Told, facts.Repository], lock: str) -> Conversation[dict[int, dict[str, Any]]]:
    known = yield from _look({fact.repository_id for fact in told.values()}, lock)
    for name, fact in told.items():
        if _tells_more(known.get(fact.repository_id), fact):
            _confirmed.pop(name, None)
            raise DirectoryNews
        _confirmed[name] = None
    return known


def _look(identifiers: Collection[int], suffix: str = "") -> Conversation[dict[int, dict[str, Any]]]:
    if not identifiers:
        return {}
    rows = yield one_of(_LOOK + suffix, sorted(identifiers))
    return {row[0]: dict(zip(_COLUMNS, row, strict=True)) for row in rows}


_compared = attrgetter(
    "repository_id", *_TOLD_OF_REPOSITORIES, "owner", "installation_id", "hidden", "announced", "past_name"
)


def _tells_more(row: dict[str, Any] | None, told: facts.Repository) -> bool:
    return row is None or told.announced or _differs(row, told)


def _differs(row: dict[str, Any], told: facts.Repository) -> bool:
    if (row["hidden_at"] is not None) != told.hidden:
        return True
    if told.installation_id is not None and told.installation_id != row["installation_id"]:
        return True
    return any(value is not None and value != row[column] for column, value in _columns(told).items())


def _columns(told: facts.Repository) -> dict[str, Any]:
    owner = {"account_id": told.owner.account_id} if told.owner else {}
    return owner | {column: getattr(told, column) for column in _TOLD_OF_REPOSITORIES}


async def record_directory(tx: Transaction, news: Sequence[facts.Facts], now: datetime) -> None:
    """Record what `news` tells of accounts, installations and repositories, and is not known."""
    repositories = _newest_of_equals(fact for fact in news if isinstance(fact, facts.Repository))
    others = [fact for fact in news if isinstance(fact, facts.Installation | facts.AccountRename)]
    known = await tx.converse(_look({fact.repository_id for fact in repositories}))
    changes = [fact for fact in repositories if _tells_more(known.get(fact.repository_id), fact)]
    if changes or others:
        await _record_news(tx, others, changes, now)


def _newest_of_equals(repositories: Iterable[facts.Repository]) -> list[facts.Repository]:
    newest: dict[Told, facts.Repository] = {}
    for fact in repositories:
        told = _compared(fact)
        if told not in newest or fact.version > newest[told].version:
            newest[told] = fact
    return list(newest.values())


async def hold_directory(tx: Transaction) -> None:
    """Let nobody else change whose anything is until the transaction ends, before any of that is read."""
    if tx.dialect is Dialect.POSTGRESQL:
        await tx.fetch("SELECT pg_advisory_xact_lock(?)", ADVISORY_LOCK)


async def _record_news(
    tx: Transaction,
    others: Iterable[facts.Installation | facts.AccountRename],
    repositories: Sequence[facts.Repository],
    now: datetime,
) -> None:
    await hold_directory(tx)
    for fact in others:
        if isinstance(fact, facts.AccountRename):
            await _record_rename(tx, fact)
        else:
            await _record_installation(tx, fact, now)
    await _make_due(
        tx, {await _record_repository(tx, each, now) for each in await _without_confirmed(tx, repositories)}
    )


async def _without_confirmed(tx: Transaction, told: Sequence[facts.Repository]) -> list[facts.Repository]:
    """Let what is known be known from the newer snapshot where nothing differs, all at once; return the others."""
    # A list of all that an installation sees comes every hour, and hardly ever tells anything new.
    known = await tx.converse(_look({each.repository_id for each in told if each.announced}))
    confirmed: list[facts.Repository] = []
    others: list[facts.Repository] = []
    for each in sorted(told, key=lambda each: each.repository_id):
        row = known.get(each.repository_id)
        is_confirmed = row is not None and each.past_name is None and not _differs(row, each)
        (confirmed if is_confirmed else others).append(each)
    await tx.execute_many(
        "UPDATE repository SET version = ? WHERE repository_id = ? AND version < ?",
        [(each.version, each.repository_id, each.version) for each in confirmed],
    )
    return others


async def _make_due(tx: Transaction, installation_ids: Iterable[int | None]) -> None:
    await tx.execute_many(
        "UPDATE installation SET sync_due_at = NULL WHERE installation_id = ? AND sync_due_at IS NOT NULL",
        [(each,) for each in sorted(filter(None, installation_ids))],
    )


async def _record_installation(tx: Transaction, told: facts.Installation, now: datetime) -> models.Installation:
    row = await models.Installation.filter(installation_id=told.installation_id).using_db(tx.client).first()
    if row is None:
        row = models.Installation(
            installation_id=told.installation_id,
            team=await _team_for(tx, told.account, now),
            created_at=now,
            version=NO_VERSION,
            login_version=NO_VERSION,
            state="active",
            account_id=told.account.account_id,
            account_login=told.account.login,
            account_type=told.account.type,
        )
        await row.save(using_db=tx.client)
    if told.version is not None and told.version > row.version:
        await _take_installation(tx, row, told, told.version, now)
    return row


async def _take_installation(
    tx: Transaction, row: models.Installation, told: facts.Installation, version: bytes, now: datetime
) -> None:
    if told.login_version is not None and told.login_version > row.login_version:
        row.account_login, row.login_version = told.account.login, told.login_version
    before, granted = [getattr(row, name) for name in _TOLD], row.permissions
    for name in _TOLD:
        setattr(row, name, getattr(told, name))
    row.account_type, row.version = told.account.type, version
    row.deleted_at = now if told.state == "deleted" else None
    if told.state == "suspended":
        row.suspended_since = row.suspended_since or now
    if before != [getattr(row, name) for name in _TOLD]:
        row.sync_due_at = None
        # What was refused may be granted now.
        await tx.execute("UPDATE repository SET refused_until = NULL WHERE installation_id = ?", row.installation_id)
    # The other columns are not the directory's, and may have changed since the row was read.
    await row.save(using_db=tx.client, update_fields=_TAKEN)
    if granted is not None and granted != row.permissions:
        await mark_installation(tx, row.installation_id, now)
    if told.state == "deleted":
        theirs = models.Repository.filter(installation_id=row.installation_id, hidden_at=None)
        await theirs.using_db(tx.client).update(hidden_at=now)


async def _team_for(tx: Transaction, account: facts.Account, now: datetime) -> models.Team:
    # An account that was linked to another team stays there when the App is installed on it again.
    earlier = models.Installation.filter(account_id=account.account_id).order_by("-id")
    if (installation := await earlier.using_db(tx.client).prefetch_related("team").first()) is not None:
        return installation.team
    team = await models.Team.filter(account_id=account.account_id).using_db(tx.client).first()
    if team is None:
        slug = await _free_slug(tx, account)
        team = models.Team(slug=slug, name=account.login, account_id=account.account_id, created_at=now)
        await team.save(using_db=tx.client)
    return team


async def _free_slug(tx: Transaction, account: facts.Account) -> str:
    # The login may have been another account's before, whose team is not ours to join, and anyone may have a login that
    # looks like a login with a number.
    slug = candidate = slug_of(account.login)
    numbers = itertools.chain([account.account_id], itertools.count(2))
    while await models.Team.filter(slug=candidate).using_db(tx.client).exists():
        candidate = f"{slug}-{next(numbers)}"
    return candidate


async def _record_rename(tx: Transaction, told: facts.AccountRename) -> None:
    account = told.account
    renamed = models.Installation.filter(account_id=account.account_id).using_db(tx.client)
    for installation in await renamed:
        if told.version > installation.login_version:
            installation.account_login, installation.login_version = account.login, told.version
            await installation.save(using_db=tx.client, update_fields=_LOGIN)
    for row in await models.Repository.filter(account_id=account.account_id).using_db(tx.client):
        if told.version > row.version:
            row.full_name = f"{account.login}/{row.full_name.partition('/')[2]}"
            row.version = told.version
            await row.save(using_db=tx.client)
            await _remember_names(tx, row.repository_id, row.full_name)


async def _record_repository(tx: Transaction, told: facts.Repository, now: datetime) -> int | None:
    """Record a snapshot; return the installation of which it tells more than rides along with every event."""
    row = await models.Repository.filter(repository_id=told.repository_id).using_db(tx.client).first()
    owner = told.owner or _owner_of(row)
    if owner is None:
        return None
    # The old owner's installation lets go of what was transferred away; whose it is now is not for it to say.
    if told.hidden and row is not None and row.account_id != owner.account_id:
        return None
    if row is not None and told.version <= row.version:
        await _remember_names(tx, told.repository_id, told.full_name, told.past_name)
        return None
    installation = await _installation_of(tx, told, owner, now)
    tells_of_it = told.announced or row is None
    if row is None:
        row = models.Repository(repository_id=told.repository_id, created_at=now, archived=False)
    before = getattr(row, "team_id", None)
    await _take_repository(tx, row, told, owner, installation, now)
    await _remember_names(tx, told.repository_id, told.full_name, told.past_name)
    if before is not None and before != row.team_id:  # type: ignore[attr-defined]
        await move_record(tx, told.repository_id, row.team_id)  # type: ignore[attr-defined]
    return row.installation_id if tells_of_it else None


def _owner_of(row: models.Repository | None) -> facts.Account | None:
    if row is None:
        return None
    return facts.Account(row.account_id, row.full_name.partition("/")[0])


async def _installation_of(
    tx: Transaction, told: facts.Repository, owner: facts.Account, now: datetime
) -> models.Installation | None:
    if told.installation_id is None:
        return None
    named = facts.Installation(installation_id=told.installation_id, account=owner)
    installation = await _record_installation(tx, named, now)
    # After a transfer the old owner's installation may still tell of a repository that is no longer its own.
    return installation if installation.account_id == owner.account_id else None


async def _take_repository(
    tx: Transaction,
    row: models.Repository,
    told: facts.Repository,
    owner: facts.Account,
    installation: models.Installation | None,
    now: datetime,
) -> None:
    if installation is None and getattr(row, "installation_id", None) and row.account_id == owner.account_id:
        installation = await models.Installation.get(installation_id=row.installation_id, using_db=tx.client)
    seen_by = installation.installation_id if installation else None
    moved = seen_by != getattr(row, "installation_id", None)
    row.installation_id = seen_by
    row.team = await _team_of(tx, installation, owner, now)
    row.account_id = owner.account_id
    for column, value in _columns(told).items():
        if value is not None:
            setattr(row, column, value)
    hidden = told.hidden or (installation is not None and installation.state == "deleted")
    if (not hidden and getattr(row, "hidden_at", None) is not None) or moved:
        # Nobody told of what ran while it was out of sight, and so it is no news either.
        row.history_asked_at = row.refused_until = None
        row.created_at = now
    row.hidden_at = (getattr(row, "hidden_at", None) or now) if hidden else None
    row.version = told.version
    await row.save(using_db=tx.client)


async def _team_of(
    tx: Transaction, installation: models.Installation | None, owner: facts.Account, now: datetime
) -> models.Team:
    if installation is None:
        return await _team_for(tx, owner, now)
    return await models.Team.get(id=installation.team_id, using_db=tx.client)  # type: ignore[attr-defined]


async def _remember_names(tx: Transaction, repository_id: int, *names: str | None) -> None:
    rows = [(repository_id, name.lower(), name) for name in names if name]
    await tx.execute_many(
        "INSERT INTO repository_name (repository_id, name, full_name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", rows
    )


def arrival_statements(arrivals: Mapping[int, datetime]) -> list[Write]:
    """Return what notes when each installation's last delivery came; to some seconds, so that few events write it."""
    rows = [(came, installation, came - LAST_DELIVERY_GRAIN) for installation, came in sorted(arrivals.items())]
    return [ForEach(_NOTE_ARRIVAL, rows)]


async def note_deliveries(tx: Transaction, arrivals: Mapping[int, datetime]) -> None:
    """Note when each installation's last delivery came."""
    await tx.write(arrival_statements(arrivals))


async def move_record(tx: Transaction, repository_id: int, team_id: int) -> None:
    """Let a repository's runs, jobs and backfills be `team_id`'s."""
    for table in ("workflow_run", "workflow_job", "backfill"):
        await tx.execute(f"UPDATE {table} SET team_id = ? WHERE repository_id = ?", team_id, repository_id)
