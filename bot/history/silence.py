"""Noticing that an installation's deliveries stay away, though REST shows that there is something to deliver."""

import logging
from datetime import datetime, timedelta

from bot.store import models
from bot.store.database import Transaction

log = logging.getLogger(__name__)

# A delivery comes within seconds, unless it is sent again.
PATIENCE = timedelta(minutes=30)
# GitHub's clock is not ours, and when a delivery came is noted only to some seconds.
SLACK = timedelta(minutes=1)


def is_silent(last_delivery_at: datetime | None, newest_run_at: datetime, now: datetime) -> bool:
    """Tell whether deliveries should have come of a run created at `newest_run_at`, and none has."""
    if now - newest_run_at <= PATIENCE:
        return False
    return last_delivery_at is None or last_delivery_at < newest_run_at - SLACK


async def note_runs_seen(tx: Transaction, installation_id: int, newest_run_at: datetime, now: datetime) -> None:
    """Note that REST shows an installation's runs, the newest created at `newest_run_at`.

    Where none of its deliveries came since then it is silent from then on, until one comes; both are logged, once.
    """
    row = await models.Installation.filter(installation_id=installation_id).using_db(tx.client).first()
    if row is None or row.state != "active":
        return
    # Of what was before we knew of the installation nobody could tell us.
    heard_at = row.last_delivery_at or row.created_at
    if row.silent_since is not None and not is_silent(row.last_delivery_at, row.silent_since, now):
        await _end_silence(tx, row)
    elif row.silent_since is None and is_silent(heard_at, newest_run_at, now):
        await _begin_silence(tx, row, newest_run_at)


async def _begin_silence(tx: Transaction, row: models.Installation, since: datetime) -> None:
    # Several workers may see the same at once; one of them says so.
    sql = "UPDATE installation SET silent_since = ? WHERE installation_id = ? AND silent_since IS NULL"
    if await tx.execute(sql, since, row.installation_id):
        log.warning(
            "REST shows new runs of %s, but no delivery of its installation %s comes: look at the App's webhook URL and"
            " recent deliveries on GitHub, and run `runledger doctor`",
            row.account_login,
            row.installation_id,
            extra={"installation": row.installation_id, "since": f"{since}"},
        )


async def _end_silence(tx: Transaction, row: models.Installation) -> None:
    sql = "UPDATE installation SET silent_since = NULL WHERE installation_id = ? AND silent_since IS NOT NULL"
    if await tx.execute(sql, row.installation_id):
        about = {"installation": row.installation_id, "since": f"{row.silent_since}"}
        log.info("deliveries of %s come again", row.account_login, extra=about)
