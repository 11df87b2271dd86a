"""Going through GitHub's own list of deliveries for what the inbox does not have.

GitHub never delivers again by itself, but lists every attempt of the last three days, and delivers again when asked to:
https://docs.github.com/en/rest/apps/webhooks.
"""

import logging
from dataclasses import asdict
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from bot.domain import payloads
from bot.errors import MalformedPayload
from bot.github import Answer, Client, Json, apps
from bot.github.errors import BadRequest, GitHubError, NotFound, Unprocessable
from bot.history.missed import (
    PATIENCE,
    Counts,
    ListedDelivery,
    active_installations,
    ask_for_gap,
    is_any_missing,
    keep_missing,
    redeliver_missing,
    settle_missing,
)
from bot.history.tools import Tools
from bot.store import models
from bot.store.database import Transaction

log = logging.getLogger(__name__)

REACH = timedelta(hours=72)
# An attempt is listed once it has ended, which takes GitHub ten seconds and more.
OVERLAP = timedelta(minutes=10)
# A list that ends so much later than where the last one began does not reach back; a shorter gap may just be quiet.
LONGEST_QUIET = timedelta(hours=1)
THE_SCAN = 1


class Hole(Struct, frozen=True):
    """A span of which GitHub lists no deliveries any more."""

    since: datetime
    until: datetime


async def recover_deliveries(tools: Tools) -> int:
    """List what GitHub delivered, and have what is missing redelivered; return how many redeliveries were asked for.

    Every cycle first lists what is new, from the newest attempt back to where the last complete listing began, at most
    72 hours; what is missing there is kept in `missed_delivery`, page by page, with the cursor of the next page. Then
    everything that is missing is seen to, from whichever listing it is. So a delivery that can't be brought, which
    takes five cycles to show, holds up no other. The scan's `point` moves up to what is listed as soon as nothing is
    missing any more: all of it has arrived, was left to a backfill, or was given up.

    One process at a time may do this. When GitHub can't be asked, the next cycle goes on from there.
    """
    counts = Counts()
    try:
        await _list_deliveries(tools, counts)
        await settle_missing(tools, counts)
        await redeliver_missing(tools, counts)
        await _move_point(tools)
    except GitHubError as error:
        log.warning("missed deliveries are left for later: %s", error)
    log.info("looked for missed deliveries", extra=asdict(counts))
    return counts.redelivered


async def _list_deliveries(tools: Tools, counts: Counts) -> None:
    """List up to the end; each page is one transaction, so that what was listed is never listed again."""
    app = tools.github.app.with_patience(PATIENCE)
    scan = await _opened_scan(tools)
    while scan.began_at is not None:
        answer = await _ask_for_page(tools, app, scan)
        if scan.cursor is None:
            # By GitHub's clock, which tells when each was delivered; ours may be wrong.
            scan.began_at = answer.date
        listed = _read(answer)
        acted_on = [each for each in listed if tools.acts_on(each.event, each.action)]
        async with tools.database.transaction() as tx:
            await keep_missing(tx, acted_on)
            await _go_on(tx, scan, listed, _next_cursor(answer, scan.cursor), answer.date)
        counts.listed += len(listed)


async def _opened_scan(tools: Tools) -> models.DeliveryScan:
    """Return the scan, a listing under way: the one that was interrupted, or a new one."""
    first = "INSERT INTO delivery_scan (id) VALUES (?) ON CONFLICT (id) DO NOTHING"
    await tools.database.execute(first, THE_SCAN)
    scan = await models.DeliveryScan.filter(id=THE_SCAN).using_db(tools.database.client).get()
    return _begun(scan, tools.clock.now()) if scan.began_at is None else scan


def _begun(scan: models.DeliveryScan, now: datetime) -> models.DeliveryScan:
    return scan.update_from_dict({"began_at": now, "cursor": None})


async def _ask_for_page(tools: Tools, app: Client, scan: models.DeliveryScan) -> Answer[list[Json]]:
    try:
        return await apps.list_deliveries(app, scan.cursor)
    except (BadRequest, NotFound, Unprocessable) as error:
        if scan.cursor is None:
            raise
        log.info("deliveries are listed from the newest on again: %s", error)
    _begun(scan, tools.clock.now())
    return await apps.list_deliveries(app)


def _read(answer: Answer[list[Json]]) -> list[ListedDelivery]:
    listed = []
    for body in answer.data:
        try:
            listed.append(payloads.read(body, ListedDelivery))
        except MalformedPayload as error:
            # One that can't be read must not keep the others from being found.
            log.warning("GitHub lists a delivery that can't be read: %s", error)
    return listed


def _next_cursor(answer: Answer[list[Json]], cursor: str | None) -> str | None:
    following = parse_qs(urlsplit(answer.next_url or "").query).get("cursor", [None])[0]
    # A list that leads back to the page it is on would never end.
    return None if following == cursor else following


async def _go_on(
    tx: Transaction, scan: models.DeliveryScan, listed: list[ListedDelivery], cursor: str | None, now: datetime
) -> None:
    """Move on to the page at `cursor`, or end the listing where there is none or it lies beyond what is wanted."""
    oldest = min((each.delivered_at for each in listed), default=now)
    horizon = now - REACH
    if cursor is not None and oldest >= max(scan.listed_to or horizon, horizon):
        scan.cursor = cursor
    else:
        hole = find_hole(scan.listed_to, horizon, oldest if cursor is None else horizon)
        if hole is not None:
            await _ask_for_hole(tx, hole, now)
        _end(scan, now)
    await scan.save(update_fields=("listed_to", "began_at", "cursor"), using_db=tx.client)


def _end(scan: models.DeliveryScan, now: datetime) -> None:
    reached = (scan.began_at or now) - OVERLAP
    listed_to = reached if scan.listed_to is None else max(scan.listed_to, reached)
    scan.update_from_dict({"listed_to": listed_to, "began_at": None, "cursor": None})


def find_hole(listed_to: datetime | None, horizon: datetime, end: datetime) -> Hole | None:
    """Return what lies between `listed_to` and the oldest delivery that could be listed.

    GitHub keeps nothing from before `horizon`; `end` is the oldest attempt of a list that ended, else the horizon.
    Before the very first listing (`listed_to` is None) there is no hole: that is what backfill is for.
    """
    if listed_to is None:
        return None
    if listed_to < horizon:
        return Hole(listed_to, max(horizon, end))
    return Hole(listed_to, end) if end - listed_to > LONGEST_QUIET else None


async def _ask_for_hole(tx: Transaction, hole: Hole, now: datetime) -> None:
    about = {"since": hole.since.isoformat(), "until": hole.until.isoformat()}
    log.warning("GitHub lists no deliveries of a while any more, whose runs are fetched instead", extra=about)
    for installation_id in await active_installations(tx):
        await ask_for_gap(tx, installation_id, hole.since, hole.until, now)


_MOVE_POINT = "UPDATE delivery_scan SET point = listed_to WHERE id = ? AND (point IS NULL OR point < listed_to)"


async def _move_point(tools: Tools) -> None:
    async with tools.database.transaction() as tx:
        if not await is_any_missing(tx):
            await tx.execute(_MOVE_POINT, THE_SCAN)
