"""Who owns what: accounts, installations and repositories, and so which team a record belongs to.

Every event tells of its repository, and nearly always nothing new: the hot path is one look at the rows. `bench/ingest`
shows what it is worth, and `bench/ingest_postgres` what it is to spare the second look that a lock costs there. What is
new is written under one lock for the whole directory, because several rows change together and such news is rare.
Whatever changes what is known of an installation, or of what it sees, makes it due to be compared with what GitHub
says.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from cachetools import LRUCache

from bot.domain import facts
from bot.recorder.accounts import Logins, record_logins
from bot.recorder.installations import correct_account, record_installation, state_of
from bot.recorder.repositories import confirming, record_repository, settle_seen_by
from bot.settings import Dialect
from bot.store.conversation import Conversation, one_of
from bot.store.database import Transaction
from bot.store.writes import ForEach, Pattern, Write

# Any number does, as long as every recorder takes the same.
ADVISORY_LOCK = 7_215_467
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
    # What a batch tells of one repository is compared with what the rest of the batch makes of it, too.
    changed = {fact.repository_id for fact in repositories if _tells_more(known.get(fact.repository_id), fact)}
    changes = [fact for fact in repositories if fact.repository_id in changed]
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
    others: Sequence[facts.Installation | facts.AccountRename],
    repositories: Sequence[facts.Repository],
    now: datetime,
) -> None:
    await hold_directory(tx)
    logins = await record_logins(tx, [*others, *repositories])
    for fact in others:
        if isinstance(fact, facts.Installation):
            await _record_own_word(tx, fact, logins, now)
    await _make_due(
        tx, {await record_repository(tx, each, logins, now) for each in await _without_confirmed(tx, repositories)}
    )


async def _record_own_word(tx: Transaction, told: facts.Installation, logins: Logins, now: datetime) -> None:
    before = await state_of(tx, told.installation_id)
    is_corrected = await correct_account(tx, told, logins, now)
    row = await record_installation(tx, told, logins, now)
    if is_corrected or (before == "deleted" and row.state != "deleted"):
        await settle_seen_by(tx, told.installation_id, now)


async def _without_confirmed(tx: Transaction, told: Sequence[facts.Repository]) -> list[facts.Repository]:
    """Let what is known be known from the newer snapshot where nothing differs, all at once; return the others."""
    # A list of all that an installation sees comes every hour, and hardly ever tells anything new.
    known = await tx.converse(_look({each.repository_id for each in told if each.announced}))
    confirmed: dict[int, facts.Repository] = {}
    others: list[facts.Repository] = []
    for each in sorted(told, key=lambda each: each.repository_id):
        row = known.get(each.repository_id)
        if row is None or each.repository_id in confirmed or not _is_confirmed(row, each):
            others.append(each)
        else:
            confirmed[each.repository_id] = each
    if confirmed:
        await tx.write(confirming([*confirmed.values()]))
    return others


def _is_confirmed(row: dict[str, Any], told: facts.Repository) -> bool:
    return told.installation_id is not None and not told.hidden and told.past_name is None and not _differs(row, told)


async def _make_due(tx: Transaction, installation_ids: Iterable[int | None]) -> None:
    await tx.execute_many(
        "UPDATE installation SET sync_due_at = NULL WHERE installation_id = ? AND sync_due_at IS NOT NULL",
        [(each,) for each in sorted(filter(None, installation_ids))],
    )


def arrival_statements(arrivals: Mapping[int, datetime]) -> list[Write]:
    """Return what notes when each installation's last delivery came; to some seconds, so that few events write it."""
    rows = [(came, installation, came - LAST_DELIVERY_GRAIN) for installation, came in sorted(arrivals.items())]
    return [ForEach(_NOTE_ARRIVAL, rows)]


async def note_deliveries(tx: Transaction, arrivals: Mapping[int, datetime]) -> None:
    """Note when each installation's last delivery came."""
    await tx.write(arrival_statements(arrivals))
