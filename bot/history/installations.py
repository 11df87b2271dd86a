"""What GitHub says of the App's installations and of what they see, held against what is known here.

Events tell the same where they come. All of it carries the time at which GitHub told it, so it makes no difference
what is recorded first.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.domain import facts, ordering, payloads
from bot.github import Answer, Json
from bot.github.apps import get_app
from bot.github.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    InstallationGone,
    InstallationSuspended,
    NotFound,
    RateLimited,
    Unauthorized,
    Unprocessable,
)
from bot.github.installations import get_installation, installation_pages, repository_pages
from bot.history.missed import ask_for_gap
from bot.history.reading import read_installation, read_repositories
from bot.history.requests import DEFAULT_SPAN, ask_where_new
from bot.history.tools import Tools
from bot.recorder import record
from bot.store import models
from bot.store.database import Transaction, current, to_moment

log = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
# When there was news while GitHub was being asked, and when it could not tell all.
SOON, LATER = timedelta(minutes=1), timedelta(minutes=5)
# Others wait for their turn, too.
PATIENCE = 60.0
HIDDEN_AT_ONCE = 200
REST_FOR_EACH = timedelta(seconds=0.1)

_NEWER = (
    "SELECT 1 AS newer FROM installation WHERE installation_id = ? AND version > ?"
    " UNION ALL SELECT 1 FROM repository WHERE installation_id = ? AND version > ? LIMIT 1"
)


async def find_installations(tools: Tools) -> int:
    """Record all installations that GitHub lists, and return how many those are. Raises a GitHubError.

    Those of ours that it does not list are asked for one by one. What is new, or not as it was, becomes due for a sync;
    the others keep their turns, each within the hour, so that they never come all at once.
    """
    listed: set[int] = set()
    async for answer in installation_pages(tools.github.app.with_patience(PATIENCE)):
        listed |= _ids(answer)
        found = [read_installation(body, answer.date) for body in answer.data]
        await _record_installations(tools, [each for each in found if each is not None])
    rows = await tools.database.fetch("SELECT installation_id FROM installation WHERE state <> 'deleted'")
    for missed in sorted({row["installation_id"] for row in rows} - listed):
        try:
            told, _ = await _ask_about(tools, missed)
        except (Conflict, BadRequest, Forbidden, Unprocessable) as error:
            log.warning("GitHub does not tell of an installation: %s", error, extra={"installation": missed})
            continue
        await _record_installations(tools, [told] if told else [])
    return len(listed)


async def due_installations(now: datetime) -> list[int]:
    """Return the ids of the installations whose turn it is; suspended ones, too, for they may be so no longer."""
    rows = await current().reader.fetch(
        "SELECT installation_id, sync_due_at, synced_at, (SELECT count(*) FROM repository"
        " WHERE repository.installation_id = installation.installation_id AND hidden_at IS NULL) AS repositories"
        " FROM installation WHERE state <> 'deleted' AND (sync_due_at IS NULL OR sync_due_at <= ?)"
        " ORDER BY sync_due_at IS NOT NULL, sync_due_at, installation_id",
        now,
    )
    return [row["installation_id"] for row in rows if _has_rested(row, now)]


def _has_rested(row: dict[str, Any], now: datetime) -> bool:
    # News may come every few seconds, and a look costs a request for each hundred repositories; so a hundred of them
    # are looked at every ten seconds at the most.
    synced_at = to_moment(row["synced_at"])
    return synced_at is None or now - synced_at >= REST_FOR_EACH * row["repositories"]


async def sync_installation(tools: Tools, installation_id: int) -> None:
    """Record an installation as GitHub has it now, with the repositories that it sees, and hide those it does not.

    History is asked for of repositories that are new. Where GitHub can't tell, it is asked again after some minutes;
    raises GitHubUnavailable or Unauthorized where it could not tell of any other installation either.
    """
    try:
        await _sync(tools, installation_id)
    except (GitHubUnavailable, Unauthorized):
        await _postpone(tools, installation_id, tools.clock.now() + LATER)
        raise
    except RateLimited as error:
        await _postpone(tools, installation_id, error.until)
    except GitHubError as error:
        log.warning("an installation can't be synced: %s", error, extra={"installation": installation_id})
        await _postpone(tools, installation_id, tools.clock.now() + LATER)


async def _sync(tools: Tools, installation_id: int) -> None:
    told, date = await _ask_about(tools, installation_id)
    if told is not None and told.state == "active":
        try:
            await _sync_repositories(tools, told)
            return
        except (InstallationGone, InstallationSuspended, Unauthorized):
            # Its end has come between the two questions, or a token's; if GitHub does not say so yet, it soon will.
            tools.github.forget(installation_id)
            told, date = await _ask_about(tools, installation_id)
    if told is None:
        await _postpone(tools, installation_id, tools.clock.now() + EVERY)
    else:
        await _end_turn(tools, told, date, SOON if told.state == "active" else EVERY)


async def _ask_about(tools: Tools, installation_id: int) -> tuple[facts.Installation | None, datetime]:
    """Return what GitHub says of an installation and when; None where that can't be recorded."""
    app = tools.github.app.with_patience(PATIENCE)
    try:
        answer = await get_installation(app, installation_id)
    except NotFound:
        # GitHub says so, too, when it does not know the App, and then it says so here again.
        date = (await get_app(app)).date
        return await _deleted(tools, installation_id, date), date
    return read_installation(answer.data, answer.date), answer.date


async def _deleted(tools: Tools, installation_id: int, date: datetime) -> facts.Installation | None:
    rows = models.Installation.filter(installation_id=installation_id)
    row = await rows.using_db(tools.database.client).first()
    if row is None:
        return None
    log.info("an installation is gone", extra={"installation": installation_id})
    # An event that says so has the last word. This has not: GitHub can lose sight of an installation for a moment, the
    # settings can name another App for a while, and what is listed again is there again.
    return facts.Installation(
        installation_id=installation_id,
        account=facts.Account(row.account_id, row.account_login, row.account_type),
        state="deleted",
        repository_selection=row.repository_selection,
        permissions=row.permissions,
        events=row.events,
        version=ordering.entity_version(None, ordering.microseconds(date), ordering.digest("deleted")),
    )


async def _sync_repositories(tools: Tools, told: facts.Installation) -> None:
    # Its repositories belong to it only if it is known whose it is.
    await _record_installations(tools, [told])
    await tools.github.heed(told.installation_id)
    client = tools.github.installation(told.installation_id, patience=PATIENCE)
    listed: set[int] = set()
    date, total = None, 0
    async for answer in repository_pages(client):
        # What is added or removed from now on is newer than all the pages.
        date = date or answer.date
        listed |= _ids(answer)
        total = max(total, answer.total or 0)
        await _record(tools, read_repositories(answer, told.installation_id, date))
    assert date is not None  # noqa: S101  a list has at least one page
    # When something goes while pages are turned, what follows moves up, and one is never seen.
    is_whole = len(listed) >= total
    if is_whole:
        await _hide_others(tools, told, listed, date)
    await _end_turn(tools, told, date, EVERY if is_whole else LATER, is_synced=is_whole)
    await ask_where_new(told.installation_id, tools.clock.now(), tools.worth_asking(DEFAULT_SPAN))
    await tools.database.transact(lambda tx: _ask_for_suspended_time(tx, told.installation_id, tools.clock.now()))


async def _ask_for_suspended_time(tx: Transaction, installation_id: int, now: datetime) -> None:
    """Ask for the runs of the time in which GitHub sent nothing, now that the installation is active again."""
    mine = models.Installation.filter(installation_id=installation_id, state="active").using_db(tx.client)
    row = await mine.exclude(suspended_since=None).first()
    if row is not None and row.suspended_since is not None:
        await ask_for_gap(tx, installation_id, row.suspended_since, now, now)
        await mine.update(suspended_since=None)


async def _hide_others(tools: Tools, told: facts.Installation, listed: set[int], date: datetime) -> None:
    mine = models.Repository.filter(installation_id=told.installation_id, hidden_at=None)
    rows = await mine.using_db(tools.database.client)
    # Within one second, what another installation lists outweighs that this one does not.
    made = ordering.microseconds(date) - 1
    thin = [payloads.ThinRepository(row.repository_id, row.full_name, row.private) for row in rows]
    gone = [
        facts.thin_repository(each, told.installation_id, told.account, made, hidden=True)
        for each in thin
        if each.id not in listed
    ]
    for start in range(0, len(gone), HIDDEN_AT_ONCE):
        await _record(tools, gone[start : start + HIDDEN_AT_ONCE])
    if gone:
        about = {"installation": told.installation_id, "repositories": len(gone)}
        log.info("an installation sees fewer repositories", extra=about)


async def _end_turn(
    tools: Tools, told: facts.Installation, date: datetime, after: timedelta, *, is_synced: bool = False
) -> None:
    """Let an installation be due again `after` some time, or soon if anything was told since `date` that is newer."""
    now = tools.clock.now()
    highest = ordering.entity_version(None, ordering.microseconds(date), b"\xff" * ordering.DIGEST_BYTES)
    async with tools.database.transaction() as tx:
        # Even where it is known already: nobody else writes to the directory now until this is committed.
        await record(tx, [told], now)
        is_outdated = await tx.fetch(_NEWER, *(told.installation_id, highest) * 2)
        turn = {"sync_due_at": now + (min(SOON, after) if is_outdated else after)}
        mine = models.Installation.filter(installation_id=told.installation_id).using_db(tx.client)
        await mine.update(**turn, **({"synced_at": now} if is_synced else {}))
    _forget_unless_active(tools, told)


async def _postpone(tools: Tools, installation_id: int, until: datetime) -> None:
    sql = "UPDATE installation SET sync_due_at = ? WHERE installation_id = ?"
    await tools.database.execute(sql, until, installation_id)


async def _record_installations(tools: Tools, told: Sequence[facts.Installation]) -> None:
    await _record(tools, told)
    for each in told:
        _forget_unless_active(tools, each)


def _forget_unless_active(tools: Tools, told: facts.Installation) -> None:
    if told.state != "active":
        tools.github.forget(told.installation_id)


async def _record(tools: Tools, told: Sequence[facts.Facts]) -> None:
    if told:
        async with tools.database.transaction() as tx:
            await record(tx, told, tools.clock.now())


def _ids(answer: Answer[list[Json]]) -> set[int]:
    # Those that can't be recorded, too: that they are there is certain.
    return {body["id"] for body in answer.data if "id" in body}
