"""Questions to the database: whether it is fit for use, and what its rows tell of deliveries and installations."""

from datetime import datetime, timedelta

from bot import inbox
from bot.checks.answers import judge_granted, judge_suspended, name_of
from bot.checks.findings import Finding, fault, good, moment, span
from bot.checks.github import Told
from bot.checks.manifest import Grants, asked_for
from bot.errors import DatabaseUnavailable
from bot.store import health, models
from bot.store.database import current, database_errors
from bot.store.migrate import pending_migrations

# They are gone through every few minutes, and GitHub keeps them for three days, so there is time to mend what is wrong.
LATE = timedelta(hours=1)


async def find_unfit(url: str) -> Finding | None:
    """Return why nothing can be asked of the database behind `url`, None where something can."""
    try:
        missing = await pending_migrations(url)
    except DatabaseUnavailable as error:
        return fault(f"The database can't be reached: {error}.")
    return fault(f"The database lacks {len(missing)} migration(s): run `runledger migrate`.") if missing else None


async def ask_record(now: datetime, told: Told) -> list[Finding]:
    """Look at the open database; what GitHub has `told` already is not said again."""
    return [await _database(), *await _rows(now, told)]


async def _database() -> Finding:
    try:
        await health.check_writable()
    except DatabaseUnavailable as error:
        return fault(f"The database can't be written to: {error}.")
    return good(f"The database ({current().dialect}) is at the newest schema and takes writes.")


async def _rows(now: datetime, told: Told) -> list[Finding]:
    try:
        with database_errors():
            alive = await _is_worker_alive(now)
            scan = [await _scan(now)] if alive and told.asked else []
            return [await _inbox(), _worker(alive=alive), *scan, *await _installations(now, told)]
    except DatabaseUnavailable as error:
        return [fault(f"The database can't be read: {error}.")]


async def _inbox() -> Finding:
    statistics = await inbox.get_statistics()
    if statistics.dead:
        dead = "1 delivery is" if statistics.dead == 1 else f"{statistics.dead} deliveries are"
        return fault(f"{dead} dead: see `runledger inbox list --state dead`.")
    return good(f"No delivery is dead, {statistics.waiting} {'waits' if statistics.waiting == 1 else 'wait'}.")


async def _is_worker_alive(now: datetime) -> bool:
    beat = await health.newest_heartbeat()
    return beat is not None and now - beat <= health.FRESH


def _worker(*, alive: bool) -> Finding:
    if not alive:
        return fault("No worker is alive: deliveries are kept but nobody handles them.")
    return good("A worker is alive.")


async def _scan(now: datetime) -> Finding:
    """Look how far GitHub's list of deliveries has been gone through, which only a living worker does."""
    scan = await models.DeliveryScan.all().using_db(current().client).first()
    if scan is None or scan.point is None:
        return good("GitHub's deliveries have not been gone through yet, so nothing tells whether all of them arrived.")
    if now - scan.point > LATE:
        lost = "what did not arrive since then is not asked for again"
        return fault(f"GitHub's deliveries have not been gone through since {moment(scan.point)}: {lost}.")
    return good(f"GitHub's deliveries have been gone through up to {span(now - scan.point)} ago.")


async def _installations(now: datetime, told: Told) -> list[Finding]:
    order = models.Installation.exclude(state="deleted").order_by("installation_id")
    installations = await order.using_db(current().client)
    if told.installations:
        return [finding for each in installations for finding in _heard(each, now)]
    if not installations:
        return [fault("The App is not installed anywhere, as far as any delivery tells.")]
    return [finding for each in installations for finding in (*_granted(each), *_heard(each, now))]


def _granted(installation: models.Installation) -> list[Finding]:
    name, wanted = _name(installation), asked_for()
    if installation.state == "suspended":
        return judge_suspended(name)
    if installation.permissions is None:
        return [good(f"{name} has not said yet what it grants.")]
    return judge_granted(name, Grants(installation.permissions, installation.events or []), wanted, wanted)


def _heard(installation: models.Installation, now: datetime) -> list[Finding]:
    last, silent = installation.last_delivery_at, installation.silent_since
    if silent is not None and (last is None or last <= silent) and installation.state == "active":
        return [fault(f"{_name(installation)} is silent: GitHub shows runs since {moment(silent)}, but sent nothing.")]
    if last is None:
        return []
    return [good(f"Installation {installation.installation_id}: the last delivery came {span(now - last)} ago.")]


def _name(installation: models.Installation) -> str:
    return name_of(installation.installation_id, installation.account_login)
