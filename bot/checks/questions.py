"""The questions, in the order in which a newcomer would meet the faults."""

from datetime import datetime, timedelta

from msgspec import Struct

from bot import inbox
from bot.checks.manifest import read_manifest
from bot.errors import DatabaseUnavailable
from bot.settings import Settings
from bot.store import connected, health, models, queries
from bot.store.database import current
from bot.store.migrate import pending_migrations

_LEVELS = {"none": 0, "read": 1, "write": 2, "admin": 3}


class Finding(Struct):
    """One thing that was looked at: a plain sentence, and whether it is as it should be."""

    good: bool
    sentence: str


def _good(sentence: str) -> Finding:
    return Finding(True, sentence)


def _fault(sentence: str) -> Finding:
    return Finding(False, sentence)


async def examine(settings: Settings, now: datetime) -> list[Finding]:
    """Look at settings, database and record; return what was found, faults and all."""
    findings = _settings(settings)
    url = settings.database_url.get_secret_value()
    try:
        missing = await pending_migrations(url)
    except DatabaseUnavailable as error:
        return [*findings, _fault(f"The database can't be reached: {error}.")]
    if missing:
        return [*findings, _fault(f"The database lacks {len(missing)} migration(s): run `runledger migrate`.")]
    async with connected(url):
        return [*findings, *await _database(), *await _inbox(), *await _worker(now), *await _installations(now)]


def _settings(settings: Settings) -> list[Finding]:
    wanted = {
        "APP_ID": settings.app_id,
        "PRIVATE_KEY or PRIVATE_KEY_PATH": settings.private_key,
        "WEBHOOK_SECRET": settings.webhook_secret,
    }
    missing = [name for name, value in wanted.items() if value is None]
    if missing:
        return [_fault(f"{name} is not set.") for name in missing]
    return [_good("The settings name an App, its key and its webhook secret.")]


async def _database() -> list[Finding]:
    try:
        await health.check_writable()
    except DatabaseUnavailable as error:
        return [_fault(f"The database can't be written to: {error}.")]
    return [_good(f"The database ({current().dialect}) is at the newest schema and takes writes.")]


async def _inbox() -> list[Finding]:
    statistics = await inbox.get_statistics()
    if statistics.dead:
        return [_fault(f"{statistics.dead} deliveries are dead: see `runledger inbox list --state dead`.")]
    return [_good(f"No delivery is dead, {statistics.waiting} wait.")]


async def _worker(now: datetime) -> list[Finding]:
    beat = await health.newest_heartbeat()
    if beat is None or now - beat > health.FRESH:
        return [_fault("No worker is alive: deliveries are kept but nobody handles them.")]
    return [_good("A worker is alive.")]


async def _installations(now: datetime) -> list[Finding]:
    installations = await models.Installation.exclude(state="deleted").using_db(current().client)
    if not installations:
        return [_fault("The App is not installed anywhere, as far as any delivery tells.")]
    findings = [finding for each in installations for finding in (*_paused(each), *_granted(each))]
    for installation_id, last in await queries.last_deliveries():
        findings.append(_good(f"Installation {installation_id}: the last delivery came {_ago(now - last)} ago."))
    return findings


def _paused(installation: models.Installation) -> list[Finding]:
    if installation.state != "suspended":
        return []
    name = f"Installation {installation.installation_id} ({installation.account_login})"
    return [_fault(f"{name} is suspended: GitHub sends nothing from it until it is unsuspended.")]


def _granted(installation: models.Installation) -> list[Finding]:
    name = f"Installation {installation.installation_id} ({installation.account_login})"
    if installation.permissions is None:
        return [_good(f"{name} has not said yet what it grants.")]
    manifest = read_manifest()
    lacking = [
        f"{permission}: {level}"
        for permission, level in manifest["default_permissions"].items()
        if _LEVELS.get(installation.permissions.get(permission, "none"), 0) < _LEVELS[level]
    ]
    silent = sorted(set(manifest["default_events"]) - set(installation.events or ()))
    findings = [_fault(f"{name} does not grant {each}.") for each in lacking]
    findings += [_fault(f"{name} does not send {each} events.") for each in silent]
    return findings or [_good(f"{name} grants and sends all that app.yml asks for.")]


def _ago(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 120:
        return f"{max(0, minutes)} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"
