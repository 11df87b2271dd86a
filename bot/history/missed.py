"""Deliveries that GitHub made and the inbox does not have, until each has come, is left to a backfill, or is given up.

https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct
from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from bot import metrics
from bot.github import Client, apps
from bot.github.errors import (
    BadRequest,
    Conflict,
    GitHubError,
    GitHubUnavailable,
    NotFound,
    RateLimited,
    Unauthorized,
    Unprocessable,
)
from bot.history.requests import ONCE_IN, Kind, ask_of_installation, asked_since, being_listed
from bot.history.sweep import NIGHTLY
from bot.history.tools import Tools
from bot.store import models
from bot.store.database import Executor, Transaction

log = logging.getLogger(__name__)

MOST_REDELIVERIES = 5
# Redeliveries are asked for a second apart, while one request lists a hundred runs. Beyond this many a backfill is
# sooner done, and no cycle asks for more.
MOST_AT_ONCE = 500
# What a redelivery needs to arrive, before another is asked for or the last one counts as failed.
ARRIVES_WITHIN = timedelta(minutes=2)
# GitHub lists the last attempt for three days; a row that is settled is known for longer.
KEEP_SETTLED = timedelta(days=4)
# A missed delivery may tell of a run that was created long before. A job on GitHub's runners lasts six hours at most
# (https://docs.github.com/en/actions/reference/limits), and so do nearly all runs. One that is older is known and
# unfinished, so that the sweep looks at it, or was run again, which the look back over a month finds.
SLACK = timedelta(hours=6)
# How long a request may wait for its turn; what takes longer is left for the next cycle.
PATIENCE = 120.0
RUNS_AND_JOBS = ("workflow_run", "workflow_job")


class ListedDelivery(Struct, frozen=True):
    """An attempt to deliver something, as GitHub lists it; `guid` is the delivery's, `id` the attempt's own."""

    id: int
    guid: Annotated[str, Meta(max_length=100)]
    delivered_at: Annotated[datetime, Meta(tz=True)]
    event: Annotated[str, Meta(max_length=models.WORD)]
    action: Annotated[str, Meta(max_length=models.WORD)] | None = None
    installation_id: int | None = None
    repository_id: int | None = None


@dataclass(slots=True)
class Counts:
    """What one cycle came to: attempts listed, deliveries missing after that, and what was done about them."""

    listed: int = 0
    missing: int = 0
    redelivered: int = 0
    rebuilt: int = 0
    given_up: int = 0

    def redeliver(self) -> None:
        self.redelivered += 1
        metrics.count_missed("redelivered", 1)

    def settle(self, rebuilt: int, given_up: int) -> None:
        self.rebuilt, self.given_up = rebuilt, given_up
        metrics.count_missed("rebuilt", rebuilt)
        metrics.count_missed("given_up", given_up)


# An attempt at something that was missed before may be the redelivery that we asked for: the newest attempt is the one
# that GitHub can redeliver longest, the oldest tells since when something is missing.
_KEEP = (
    "INSERT INTO missed_delivery"
    " (guid, delivery_id, event, action, installation_id, repository_id, delivered_at, redeliveries)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (guid) DO UPDATE SET"
    " delivery_id = CASE WHEN excluded.delivery_id > missed_delivery.delivery_id"
    " THEN excluded.delivery_id ELSE missed_delivery.delivery_id END,"
    " delivered_at = CASE WHEN excluded.delivered_at < missed_delivery.delivered_at"
    " THEN excluded.delivered_at ELSE missed_delivery.delivered_at END"
)


async def keep_missing(tx: Transaction, listed: Sequence[ListedDelivery]) -> None:
    """Keep those that the inbox does not have, whatever GitHub says of how they were delivered.

    Dead ones count as there: they are the operator's to replay.
    """
    known = models.Delivery.filter(guid__in=[each.guid for each in listed]).using_db(tx.client)
    there = {each.guid for each in await known.only("guid")}
    rows = [
        (
            each.guid,
            each.id,
            each.event,
            each.action,
            each.installation_id,
            each.repository_id,
            each.delivered_at,
        )
        for each in listed
        if each.guid not in there
    ]
    await tx.execute_many(_KEEP, sorted(rows))


def _missing(executor: Executor) -> QuerySet[models.MissedDelivery]:
    return models.MissedDelivery.filter(settled_at=None).using_db(executor.client)


def _not_since(moment: datetime) -> Q:
    return Q(redelivered_at=None) | Q(redelivered_at__lte=moment)


async def is_any_missing(tx: Transaction) -> bool:
    """Tell whether there is anything that has neither arrived nor been settled."""
    return await _missing(tx).exists()


# Leaving to a backfill, giving up

_DELETE_ARRIVED = (
    "DELETE FROM missed_delivery WHERE EXISTS (SELECT 1 FROM delivery WHERE delivery.guid = missed_delivery.guid)"
)
_DELETE_SETTLED = "DELETE FROM missed_delivery WHERE settled_at < ?"


async def settle_missing(tools: Tools, counts: Counts) -> None:
    """Let go of what has arrived, and of what redelivering does not bring.

    Runs and jobs of active installations are left to a backfill: all of them when very many are missing, else those
    that were redelivered often enough. What else was redelivered so often is given up.
    """
    now = tools.clock.now()
    exhausted = Q(redeliveries__gte=MOST_REDELIVERIES) & _not_since(now - ARRIVES_WITHIN)
    async with tools.database.transaction() as tx:
        await tx.execute(_DELETE_ARRIVED)
        await tx.execute(_DELETE_SETTLED, now - KEEP_SETTLED)
        counts.missing = await _missing(tx).count()
        rebuilt = await _leave_to_backfill(tx, Q() if counts.missing > MOST_AT_ONCE else exhausted, now)
        given_up = await _give_up(tx, exhausted, now)
    counts.settle(rebuilt, given_up)


async def _leave_to_backfill(tx: Transaction, which: Q, now: datetime) -> int:
    runs_and_jobs = _missing(tx).filter(which, event__in=RUNS_AND_JOBS)
    concerned = {row["installation_id"] for row in await runs_and_jobs.distinct().values("installation_id")}
    left = 0
    for installation_id in [each for each in await active_installations(tx) if each in concerned]:
        # As long as deliveries stay away there are new ones in every cycle; they wait until their repository is listed.
        theirs = runs_and_jobs.filter(installation_id=installation_id)
        if busy := await being_listed(tx, Kind.GAP, installation_id):
            theirs = theirs.filter(~Q(repository_id__in=busy))
        rows = await theirs.order_by("delivered_at").values("delivered_at", "repository_id")
        repositories = {row["repository_id"] for row in rows}
        only = None if None in repositories else repositories
        if rows and await ask_for_gap(tx, installation_id, rows[0]["delivered_at"], now, now, only):
            left += await theirs.update(settled_at=now)
    return left


async def active_installations(tx: Transaction) -> list[int]:
    """Return the ids of the installations that GitHub can be asked as."""
    active = models.Installation.filter(state="active").order_by("id").using_db(tx.client)
    return [row["installation_id"] for row in await active.values("installation_id")]


async def ask_for_gap(
    tx: Transaction,
    installation_id: int,
    since: datetime,
    until: datetime,
    now: datetime,
    only: Collection[int] | None = None,
) -> bool:
    """Ask for the runs that deliveries between `since` and `until` were about; False where nothing can be asked of.

    Runs that were created before, and run again meanwhile, are found by looking back as far as that is possible.
    """
    gap = await ask_of_installation(tx, Kind.GAP, installation_id, since - SLACK, until, now, only)
    if gap is not None and not await asked_since(tx, Kind.NIGHTLY, installation_id, now - ONCE_IN):
        await ask_of_installation(tx, Kind.NIGHTLY, installation_id, now - NIGHTLY, now, now)
    return gap is not None


async def _give_up(tx: Transaction, exhausted: Q, now: datetime) -> int:
    lost = _missing(tx).filter(exhausted)
    for installation_id in await active_installations(tx):
        if busy := await being_listed(tx, Kind.GAP, installation_id):
            lost = lost.filter(~Q(event__in=RUNS_AND_JOBS, repository_id__in=busy))
    for each in await lost:
        about = {"delivery": each.guid, "event": each.event, "installation": each.installation_id}
        log.warning("a delivery is given up: GitHub could not hand it over", extra=about)
    return await lost.update(settled_at=now)


# Redelivering


async def redeliver_missing(tools: Tools, counts: Counts) -> None:
    """Have GitHub deliver once more what is still missing, one after another, the least tried first.

    Raises a GitHubError where GitHub can't be asked now.
    """
    app = tools.github.app.with_patience(PATIENCE)
    for missed in await _due(tools):
        if await models.Delivery.filter(guid=missed.guid).using_db(tools.database.client).exists():
            await missed.delete(using_db=tools.database.client)
        elif await _redeliver(tools, app, missed):
            counts.redeliver()


async def _due(tools: Tools) -> Iterable[models.MissedDelivery]:
    earlier = _not_since(tools.clock.now() - ARRIVES_WITHIN)
    due = _missing(tools.database).filter(earlier, redeliveries__lt=MOST_REDELIVERIES)
    return await due.order_by("redeliveries", "delivered_at", "id").limit(MOST_AT_ONCE)


async def _redeliver(tools: Tools, app: Client, missed: models.MissedDelivery) -> bool:
    # Counted before it is asked for, because a process that ends between the two must not ask once too often.
    before = missed.redeliveries
    if not await _note(tools, missed, before + 1):
        # Another worker does the same, after a lease was lost.
        return False
    try:
        await apps.redeliver(app, missed.delivery_id)
    except NotFound:
        # It is over three days old.
        await _note(tools, missed, MOST_REDELIVERIES)
        return False
    except (BadRequest, Conflict, Unprocessable) as error:
        log.info("GitHub does not redeliver: %s", error, extra={"delivery": missed.guid})
        return False
    except GitHubError as error:
        if _was_not_taken(error):
            await _note(tools, missed, before)
        raise
    return True


async def _note(tools: Tools, missed: models.MissedDelivery, redeliveries: int) -> bool:
    as_it_was = models.MissedDelivery.filter(id=missed.id, redeliveries=missed.redeliveries)
    missed.redeliveries, missed.redelivered_at = redeliveries, tools.clock.now()
    told = {"redeliveries": redeliveries, "redelivered_at": missed.redelivered_at}
    return bool(await as_it_was.using_db(tools.database.client).update(**told))


def _was_not_taken(error: GitHubError) -> bool:
    if isinstance(error, GitHubUnavailable):
        return not error.maybe_taken
    return isinstance(error, RateLimited | Unauthorized)
