"""Questions about the App that the set-up page registered, and about the key that it is sealed under."""

import contextlib

from bot.checks.findings import Finding, fault, good, words
from bot.settings import Settings
from bot.store.database import Database
from bot.store.registration import Configuration, find_registered_app
from bot.store.sealing import CannotOpen

SHORTEST_KEY = 32
HOW_TO_MAKE_ONE = "make one with `openssl rand -hex 32`"


def judge_secret_key(settings: Settings) -> list[Finding]:
    """Say whether credentials can be kept in the database, and safely."""
    if settings.secret_key is not None:
        length = len(settings.secret_key.get_secret_value())
        if length < SHORTEST_KEY:
            return [fault(f"SECRET_KEY is shorter than {SHORTEST_KEY} characters, so it can be guessed.")]
        return [good("SECRET_KEY is set.")]
    if settings.is_unconfigured:
        return [fault(f"SECRET_KEY is not set, which the set-up page needs: {HOW_TO_MAKE_ONE}.")]
    if settings.github_client_id is not None:
        return [fault(f"SECRET_KEY is not set, without which nobody can sign in: {HOW_TO_MAKE_ONE}.")]
    return [good("SECRET_KEY is not set, so nobody can sign in, and the API is read with tokens alone.")]


def name_of_kept(configuration: Configuration) -> str | None:
    """Return the name of the App in the database, None where there is none or the environment names its key itself."""
    kept, given = configuration.registration, configuration.given
    counts = kept is not None and given.app_id is None and given.private_key is None
    return kept.name if kept is not None and counts else None


async def ask_kept(configuration: Configuration, database: Database) -> list[Finding]:
    """Say whether there is an App in the database, and whether it counts. Raises DatabaseUnavailable."""
    with contextlib.suppress(CannotOpen):
        await configuration.refresh(database)
    if configuration.fault is not None:
        remedy = "Set the key of that time as SECRET_KEY_PREVIOUS, or register the App anew on the set-up page"
        return [fault(f"The App in the database was sealed under another SECRET_KEY. {remedy}.")]
    kept = configuration.registration
    if kept is None:
        if await find_registered_app(database) is None:
            return []
        return [fault("The App in the database can't be opened without the SECRET_KEY that it was sealed under.")]
    if configuration.current.app_id != kept.app_id:
        return [good(f"The environment names another App than {words(kept.name)}, which is in the database.")]
    return [good(f"The App {words(kept.name)} of {words(kept.owner_login)} is kept in the database, sealed.")]
