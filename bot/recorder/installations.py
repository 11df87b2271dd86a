"""Installations of the App, and the team of the account that each is on."""

import itertools
import re
from datetime import datetime

from bot.domain import facts
from bot.domain.ordering import NO_VERSION
from bot.recorder.accounts import Logins
from bot.recorder.due import mark_installation
from bot.store import models
from bot.store.database import Transaction

SLUG_LENGTH = 80

# What an `installation` event or the REST API tells of an installation, and what is written when it does.
_TOLD = ("state", "repository_selection", "permissions", "events")
_TAKEN = (*_TOLD, "account_type", "version", "deleted_at", "suspended_since", "sync_due_at")


def slug_of(login: str) -> str:
    """Return the login as a team's slug: lower case, and nothing in it that an address would have to escape."""
    return re.sub(r"[^a-z0-9_-]+", "-", login.lower()).strip("-")[:SLUG_LENGTH] or "team"


async def state_of(tx: Transaction, installation_id: int) -> str | None:
    """Return an installation's state, None where there is no such installation yet."""
    rows = await tx.fetch("SELECT state FROM installation WHERE installation_id = ?", installation_id)
    return str(rows[0]["state"]) if rows else None


async def record_installation(
    tx: Transaction, told: facts.Installation, logins: Logins, now: datetime
) -> models.Installation:
    """Record a snapshot, or that there is such an installation; return its row."""
    row = await models.Installation.filter(installation_id=told.installation_id).using_db(tx.client).first()
    if row is None:
        row = models.Installation(
            installation_id=told.installation_id,
            team=await team_for(tx, told.account, now),
            created_at=now,
            version=NO_VERSION,
            login_version=NO_VERSION,
            state="active",
            account_id=told.account.account_id,
            account_login=_login_of(told.account, logins),
            account_type=told.account.type,
        )
        await row.save(using_db=tx.client)
    if told.version is not None and told.version > row.version:
        await _take_installation(tx, row, told, told.version, now)
    return row


def _login_of(account: facts.Account, logins: Logins) -> str:
    return logins[account.account_id][0] if account.account_id in logins else account.login


async def _take_installation(
    tx: Transaction, row: models.Installation, told: facts.Installation, version: bytes, now: datetime
) -> None:
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


async def correct_account(tx: Transaction, told: facts.Installation, logins: Logins, now: datetime) -> bool:
    """Let an installation be on the account that it says itself, and tell whether it was taken to be on another.

    What was heard first of it may have been a repository that its account had given away. What knows the account from
    here corrects nothing, and an operator who has linked it to another team meant the installation, not the account.
    """
    row = await models.Installation.filter(installation_id=told.installation_id).using_db(tx.client).first()
    if row is None or told.login_version is None or row.account_id == told.account.account_id:
        return False
    if await models.Team.filter(id=row.team_id, account_id=row.account_id).using_db(tx.client).exists():  # type: ignore[attr-defined]
        row.team = await team_for(tx, told.account, now)
        sql = "UPDATE backfill SET team_id = ? WHERE installation_id = ? AND repository_id IS NULL"
        await tx.execute(sql, row.team.id, row.installation_id)
    row.account_id = told.account.account_id
    row.account_login, row.login_version = _login_of(told.account, logins), NO_VERSION
    await row.save(using_db=tx.client, update_fields=("team_id", "account_id", "account_login", "login_version"))
    return True


async def team_for(tx: Transaction, account: facts.Account, now: datetime) -> models.Team:
    """Return the team of an account, which is made where there is none."""
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
