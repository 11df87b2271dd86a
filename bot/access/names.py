"""Names that an operator gives to tokens and teams."""

from bot.domain.texts import is_storable
from bot.errors import RunledgerError

NAME_MAX = 200


def checked_name(name: str) -> str:
    """Return `name`.

    Raises RunledgerError unless it has 1 to 200 characters, not spaces alone, all of them UTF-8 and none of them NUL.
    """
    if not 1 <= len(name) <= NAME_MAX:
        message = f"a name must have 1 to {NAME_MAX} characters, and this one has {len(name)}"
        raise RunledgerError(message)
    if not is_storable(name):
        message = f"the name {name!r} must be UTF-8 without NUL"
        raise RunledgerError(message)
    if not name.strip():
        message = "a name must be more than spaces"
        raise RunledgerError(message)
    return name
