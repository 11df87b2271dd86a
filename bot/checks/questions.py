"""The questions, in the order in which a newcomer would meet the faults."""

from bot.checks.findings import Finding, fault, good
from bot.checks.github import ask_github
from bot.checks.record import ask_record
from bot.clock import Clock
from bot.settings import Settings


async def examine(settings: Settings, clock: Clock) -> list[Finding]:
    """Look at settings, GitHub, database and record; return what was found, faults and all.

    What GitHub can't be asked, or does not answer in some seconds, is answered from what the record knows of it.
    """
    told = await ask_github(settings, clock)
    recorded = await ask_record(settings.database_url.get_secret_value(), clock.now(), told)
    return [*_settings(settings), *told.findings, *recorded]


def _settings(settings: Settings) -> list[Finding]:
    wanted = {
        "APP_ID": settings.app_id,
        "PRIVATE_KEY or PRIVATE_KEY_PATH": settings.private_key,
        "WEBHOOK_SECRET": settings.webhook_secret,
    }
    missing = [name for name, value in wanted.items() if value is None]
    if missing:
        return [fault(f"{name} is not set.") for name in missing]
    return [good("The settings name an App, its key and its webhook secret.")]
