"""Asking for history: rows that whoever has the time and the budget works off, now or after a restart."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from bot.domain.windows import Window, whole_seconds
from bot.errors import NotFound, ParameterError
from bot.settings import Dialect
from bot.store import models
from bot.store.database import Transaction, current
from bot.store.queries.scope import Scope, repositories_named

# How far back a new repository's history is fetched without anyone asking for more.
DEFAULT_SPAN = timedelta(days=90)
RUNS, PULLS = "runs", "pulls"
ADVISORY_LOCK = 7_215_468


class Kind(StrEnum):
    """Who asks."""

    REQUEST = "request"
    INSTALLATION = "installation"
    GAP = "gap"
    OVERLAP = "overlap"
    NIGHTLY = "nightly"


# The others are about all that an installation sees, be it one repository.
OF_REPOSITORY = (Kind.REQUEST, Kind.INSTALLATION)
# What is listed first: what was missed, then what somebody waits for.
_ORDER = (Kind.GAP, Kind.OVERLAP, Kind.REQUEST, Kind.INSTALLATION, Kind.NIGHTLY)


def urgency_of(kind: Kind, what: str) -> int:
    """Return the place in the order in which windows are listed.

    Pull requests come just before the runs, which find theirs by its branch, where GitHub names none.
    """
    return 2 * _ORDER.index(kind) + (what == RUNS)


class Target(Struct, frozen=True):
    """A repository that history is asked of."""

    repository_id: int
    installation_id: int


async def ask_for_backfill(
    scope: Scope, full_name: str | None, since: datetime | None, until: datetime | None, now: datetime
) -> list[int]:
    """Ask for the history of one repository of a scope, or of each; return the ids of the backfills.

    What is being fetched already, and takes all of it in, is joined. Raises NotFound for a repository that is not there
    or not to be seen, ParameterError (`repoFullName`, `since`) where the App can't ask for it, or the span ends before
    it begins.
    """
    begin = since or now - DEFAULT_SPAN
    # Nothing is to be listed of what is still to come.
    end = None if until is None or until >= now else until
    if begin > (end or now):
        raise ParameterError("since", "must be before the end of what is asked for")
    targets = await _targets_of(scope, full_name)
    async with current().transaction() as tx:
        if tx.dialect is Dialect.POSTGRESQL:
            # Elsewhere nobody else writes meanwhile; here somebody may be asking for the same.
            await tx.fetch("SELECT pg_advisory_xact_lock(?)", ADVISORY_LOCK)
        return [
            await _find_open(tx, scope, target, begin, end)
            or await add_backfill(tx, Kind.REQUEST, scope.team_id, [target], begin, end or now, now)
            for target in targets
        ]


async def _targets_of(scope: Scope, full_name: str | None) -> list[Target]:
    seen = await repositories_named(scope, full_name)
    if full_name is not None and not seen:
        message = f"there is no repository {full_name} in team {scope.slug}"
        raise NotFound(message)
    if full_name is not None and len(seen) > 1:
        raise ParameterError("repoFullName", f"several repositories were called {full_name} once: say what one is now")
    rows = await current().reader.fetch(
        "SELECT repository.repository_id, repository.installation_id FROM repository JOIN installation"
        " ON installation.installation_id = repository.installation_id AND installation.state = 'active'"
        f" WHERE repository.repository_id IN ({', '.join('?' * len(seen)) or 'NULL'}) ORDER BY repository.full_name",
        *seen,
    )
    if not rows:
        which = full_name or f"any repository of team {scope.slug}"
        raise ParameterError("repoFullName", f"the App is not installed on {which}, or suspended there")
    return [Target(**row) for row in rows]


async def _find_open(
    tx: Transaction, scope: Scope, target: Target, begin: datetime, end: datetime | None
) -> int | None:
    """Return the backfill under way that takes a span of a repository in, where None as its end means up to now.

    What looks back by itself is none: it has to wait for others, and is forgotten sooner.
    """
    mine = models.Backfill.filter(
        team_id=scope.team_id,
        repository_id=target.repository_id,
        kind__in=OF_REPOSITORY,
        state__in=("waiting", "running"),
        since__lte=begin,
    )
    for backfill in await mine.order_by("id").using_db(tx.client):
        if end is None or (backfill.until is not None and end <= backfill.until):
            return backfill.id
    return None


async def ask_where_new(installation_id: int, now: datetime, span: timedelta = DEFAULT_SPAN) -> int:
    """Ask for the last 90 days of an installation's repositories that nobody has asked for yet; return how many."""
    rows = await current().fetch(
        "SELECT repository_id, team_id FROM repository WHERE installation_id = ? AND hidden_at IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM backfill WHERE backfill.repository_id = repository.repository_id AND backfill.kind IN (?, ?))",
        installation_id,
        *OF_REPOSITORY,
    )
    async with current().transaction() as tx:
        for row in rows:
            target = Target(row["repository_id"], installation_id)
            since = now - span
            await add_backfill(tx, Kind.INSTALLATION, row["team_id"], [target], since, now, now)
    return len(rows)


async def add_backfill(
    tx: Transaction,
    kind: Kind,
    team_id: int,
    targets: Iterable[Target],
    since: datetime,
    until: datetime,
    now: datetime,
) -> int:
    """Add a backfill of these repositories of one installation, and return its id.

    Runs created from `since` to `until` are listed, and but for the hourly look back also the pull requests changed
    after `since`.
    """
    wanted = list(targets)
    backfill = await models.Backfill.create(
        team_id=team_id,
        installation_id=wanted[0].installation_id if wanted else None,
        repository_id=wanted[0].repository_id if len(wanted) == 1 else None,
        kind=kind,
        state="waiting",
        since=since,
        until=until,
        created_at=now,
        using_db=tx.client,
    )
    span = whole_seconds(since, until)
    lists = (RUNS,) if kind is Kind.OVERLAP else (PULLS, RUNS)
    rows = [_window(backfill.id, kind, each, what, span, now) for each in wanted for what in lists]
    await models.BackfillWindow.bulk_create(rows, using_db=tx.client)
    return backfill.id


def _window(
    backfill_id: int, kind: Kind, target: Target, what: str, span: Window, now: datetime
) -> models.BackfillWindow:
    return models.BackfillWindow(
        backfill_id=backfill_id,
        installation_id=target.installation_id,
        repository_id=target.repository_id,
        what=what,
        urgency=urgency_of(kind, what),
        since=span.since,
        until=span.until,
        page=1,
        due_at=now,
        tries=0,
    )


async def ask_of_installation(
    tx: Transaction, kind: Kind, installation_id: int, since: datetime, until: datetime, now: datetime
) -> int | None:
    """Ask for a span of everything that an installation sees; return the backfill's id, or None where it sees nothing.

    The hourly and the nightly look back leave out the repositories that the last one is not through with.
    """
    mine = models.Repository.filter(installation_id=installation_id, hidden_at=None).using_db(tx.client)
    left_out = [*await _just_asked_for(tx, kind, since, now), *await _being_listed(tx, kind, installation_id)]
    rows = await mine.exclude(repository_id__in=left_out)
    if not rows:
        return None
    # Nothing runs in an archived repository, but it may have been archived since.
    targets = [
        Target(row.repository_id, installation_id) for row in rows if kind is not Kind.OVERLAP or not row.archived
    ]
    if not targets:
        return None
    return await add_backfill(tx, kind, rows[0].team_id, targets, since, until, now)  # type: ignore[attr-defined]


async def _just_asked_for(tx: Transaction, kind: Kind, since: datetime, now: datetime) -> list[int]:
    """Return the repositories of which as much, or more, was asked for in the last hours: the nightly look can wait."""
    if kind is not Kind.NIGHTLY:
        return []
    asked = models.Backfill.filter(created_at__gte=now - timedelta(hours=12), since__lte=since)
    ids = await asked.exclude(repository_id=None).using_db(tx.client).values_list("repository_id", flat=True)
    return [int(each) for each in ids]  # type: ignore[call-overload]


async def _being_listed(tx: Transaction, kind: Kind, installation_id: int) -> list[int]:
    if kind not in {Kind.OVERLAP, Kind.NIGHTLY}:
        return []
    urgencies = [urgency_of(kind, what) for what in (PULLS, RUNS)]
    theirs = models.BackfillWindow.filter(installation_id=installation_id, urgency__in=urgencies).using_db(tx.client)
    return await theirs.distinct().values_list("repository_id", flat=True)  # type: ignore[return-value]
