"""The questions, in the order in which a newcomer would meet the faults."""

from bot.checks.findings import About, Finding, fault, good, on
from bot.checks.github import ask_github
from bot.checks.kept import ask_kept, judge_secret_key, name_of_kept
from bot.checks.record import ask_record, find_unfit
from bot.clock import Clock
from bot.errors import DatabaseUnavailable
from bot.settings import Settings
from bot.store import connected
from bot.store.database import Database
from bot.store.registration import Configuration


async def examine(settings: Settings, clock: Clock) -> list[Finding]:
    """Look at settings, GitHub, database and record; return what was found, faults and all.

    `settings` are the environment's; the App may be in the database. What GitHub can't be asked, or does not answer in
    some seconds, is answered from what the record knows of it.
    """
    url = settings.database_url.get_secret_value()
    unfit = await find_unfit(url)
    if unfit is not None:
        told = await ask_github(settings, clock)
        return [*_settings(settings), *told.findings, unfit]
    async with connected(url) as database:
        configuration = Configuration(settings, clock)
        kept = await _kept(configuration, database)
        told = await ask_github(configuration.current, clock, name_of_kept(configuration))
        return [*kept, *told.findings, *await ask_record(clock.now(), told)]


async def _kept(configuration: Configuration, database: Database) -> list[Finding]:
    try:
        kept = await ask_kept(configuration, database)
    except DatabaseUnavailable:
        # What is wrong with it is said by the questions to the record.
        kept = []
    return [*_settings(configuration.current), *on(About.SETTINGS, *kept)]


def _settings(settings: Settings) -> list[Finding]:
    return on(About.SETTINGS, *_app(settings), *judge_secret_key(settings))


def _app(settings: Settings) -> list[Finding]:
    wanted = {
        "APP_ID": settings.app_id,
        "PRIVATE_KEY or PRIVATE_KEY_PATH": settings.private_key,
        "WEBHOOK_SECRET": settings.webhook_secret,
    }
    missing = [name for name, value in wanted.items() if value is None]
    if missing:
        return [fault(f"{name} is not set.") for name in missing]
    return [good("The settings name an App, its key and its webhook secret.")]
