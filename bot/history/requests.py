"""Asking for history: rows that whoever has the time and the budget works off, now or after a restart."""

from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from tortoise.expressions import Q

from bot.domain.windows import Window, whole_seconds
from bot.errors import NotFound, ParameterError
from bot.recorder import Marks
from bot.settings import Dialect
from bot.store import models
from bot.store.database import Transaction, current
from bot.store.queries.conditions import Condition
from bot.store.queries.scope import Scope, repositories_named

# How far back a new repository's history is fetched without anyone asking for more.
DEFAULT_SPAN = timedelta(days=90)
# GitHub Actions ran nothing before, so that nothing is asked for (https://github.blog/2018-10-17-action-demos).
FIRST_RUN = datetime(2018, 1, 1, tzinfo=UTC)
# Where nothing ran for so long in one of many, the nightly look back is enough.
FEW, ACTIVE = 300, timedelta(days=7)
ONCE_IN = timedelta(hours=6)
MOST_UNDER_WAY = 5
RUNS, PULLS = "runs", "pulls"
ADVISORY_LOCK = 7_215_468


Note = Callable[[Transaction, int], Awaitable[None]]


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


async def marks_for(tx: Transaction, backfill_id: int | None) -> Marks:
    """Return what recording for a backfill (None: for none) lets be looked at.

    What was before the App is no news, nor is what somebody asks for as history.
    """
    rows = await tx.fetch("SELECT kind FROM backfill WHERE id = ?", backfill_id) if backfill_id else []
    return Marks.IF_TOLD if rows and rows[0]["kind"] in OF_REPOSITORY else Marks.IF_NEW


class Target(Struct, frozen=True):
    """A repository that history is asked of."""

    repository_id: int
    installation_id: int


async def ask_for_backfill(
    scope: Scope,
    full_name: str | None,
    since: datetime | None,
    until: datetime | None,
    now: datetime,
    note: Note | None = None,
) -> list[int]:
    """Ask for the history of one repository of a scope, or of each; return the ids of the backfills.

    What is being fetched already, and takes all of it in, is joined. `note` is called in the transaction for each
    repository, by its id. Raises NotFound for a repository that is not there
    or not to be seen, ParameterError (`repoFullName`, `since`) where the App can't ask for it, or the span ends before
    it begins.
    """
    begin = max(since or now - DEFAULT_SPAN, FIRST_RUN)
    # Nothing is to be listed of what is still to come.
    end = None if until is None or until >= now else until
    if begin > (end or now):
        raise ParameterError("since", "must be before the end of what is asked for")
    targets = await _targets_of(scope, full_name)
    async with current().transaction() as tx:
        if tx.dialect is Dialect.POSTGRESQL:
            # Elsewhere nobody else writes meanwhile; here somebody may be asking for the same.
            await tx.fetch("SELECT pg_advisory_xact_lock(?)", ADVISORY_LOCK)
        if note is not None:
            for target in targets:
                await note(tx, target.repository_id)
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
    condition = Condition()
    condition.add_among("repository.repository_id", seen)
    rows = await current().reader.fetch(
        "SELECT repository.repository_id, repository.installation_id FROM repository JOIN installation"
        " ON installation.installation_id = repository.installation_id AND installation.state = 'active'"
        f" WHERE {condition.sql} ORDER BY repository.full_name",
        *condition.parameters,
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
    )
    under_way = await mine.order_by("id").using_db(tx.client)
    for backfill in under_way:
        takes_in = backfill.since is not None and backfill.since <= begin
        if takes_in and (end is None or (backfill.until is not None and end <= backfill.until)):
            return backfill.id
    if len(under_way) >= MOST_UNDER_WAY:
        raise ParameterError("repoFullName", f"{MOST_UNDER_WAY} backfills of it are under way: wait for one to end")
    return None


async def ask_where_new(installation_id: int, now: datetime, span: timedelta = DEFAULT_SPAN) -> int:
    """Ask for the last 90 days of the repositories that an installation sees for the first time, or again.

    Returns how many those are.
    """
    async with current().transaction() as tx:
        rows = await tx.fetch(
            "UPDATE repository SET history_asked_at = ? WHERE installation_id = ? AND hidden_at IS NULL"
            " AND history_asked_at IS NULL AND (refused_until IS NULL OR refused_until <= ?)"
            " RETURNING repository_id, team_id",
            now,
            installation_id,
            now,
        )
        for row in rows:
            target = Target(row["repository_id"], installation_id)
            await add_backfill(tx, Kind.INSTALLATION, row["team_id"], [target], now - span, now, now)
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


_SEEN = (
    "SELECT repository_id, team_id FROM repository WHERE installation_id = ? AND hidden_at IS NULL"
    " AND (refused_until IS NULL OR refused_until <= ?)"
)
# Nothing runs in an archived repository, and where very many are seen, little where nothing has run for a week.
_ACTIVE = (
    " AND NOT archived AND ((SELECT count(*) FROM repository AS other"
    " WHERE other.installation_id = repository.installation_id AND other.hidden_at IS NULL) <= ?"
    " OR EXISTS (SELECT 1 FROM workflow_run AS run"
    " WHERE run.repository_id = repository.repository_id AND run.created_at >= ?))"
)
_NOT_BEING_LISTED = (
    " AND NOT EXISTS (SELECT 1 FROM backfill_window AS listed WHERE listed.repository_id = repository.repository_id"
    " AND listed.urgency IN (?, ?))"
)
_NOT_JUST_ASKED_FOR = (
    " AND NOT EXISTS (SELECT 1 FROM backfill AS asked WHERE asked.repository_id = repository.repository_id"
    " AND asked.created_at >= ? AND asked.since <= ?)"
)


async def ask_of_installation(
    tx: Transaction,
    kind: Kind,
    installation_id: int,
    since: datetime,
    until: datetime,
    now: datetime,
    only: Collection[int] | None = None,
) -> int | None:
    """Ask for a span of what an installation sees, or of `only` these repositories; return the backfill's id.

    None where nothing is to be asked. The hourly look back, where very many repositories are seen, is at those in which
    something ran of late; it and the nightly one leave out those that the last one is not through with.
    """
    conditions, parameters = [_SEEN], [installation_id, now]
    if kind is Kind.OVERLAP:
        conditions.append(_ACTIVE)
        parameters += [FEW, now - ACTIVE]
    if kind in {Kind.OVERLAP, Kind.NIGHTLY}:
        conditions.append(_NOT_BEING_LISTED)
        parameters += [urgency_of(kind, what) for what in (PULLS, RUNS)]
    if kind is Kind.NIGHTLY:
        conditions.append(_NOT_JUST_ASKED_FOR)
        parameters += [now - ONCE_IN, since]
    rows = await tx.fetch("".join(conditions), *parameters)
    rows = [row for row in rows if only is None or row["repository_id"] in only]
    if not rows:
        return None
    targets = [Target(row["repository_id"], installation_id) for row in rows]
    return await add_backfill(tx, kind, rows[0]["team_id"], targets, since, until, now)


async def being_listed(tx: Transaction, kind: Kind, installation_id: int) -> list[int]:
    """Return the repositories of which a backfill of this kind has still something to list."""
    urgencies = [urgency_of(kind, what) for what in (PULLS, RUNS)]
    theirs = models.BackfillWindow.filter(installation_id=installation_id, urgency__in=urgencies).using_db(tx.client)
    return [row["repository_id"] for row in await theirs.distinct().values("repository_id")]


async def asked_since(tx: Transaction, kind: Kind, installation_id: int, moment: datetime) -> bool:
    """Tell whether a span of all that an installation sees was asked for since a moment, or is not done yet."""
    mine = models.Backfill.filter(installation_id=installation_id, kind=kind).using_db(tx.client)
    return await mine.filter(Q(finished_at=None) | Q(created_at__gte=moment)).exists()
