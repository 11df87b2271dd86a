"""How long things took."""

import math
from datetime import datetime


def seconds_between(since: datetime | None, until: datetime | None) -> float | None:
    """Return the seconds from `since` to `until`, or None where either is not known.

    Never negative: GitHub lets a skipped job end a second before it began, and a job carried over begin before it was
    created.
    """
    if since is None or until is None:
        return None
    return max(0.0, (until - since).total_seconds())


def in_words(seconds: float) -> str:
    """Return how long something takes as coarsely as one would say it."""
    minutes = math.ceil(seconds / 60)
    if minutes <= 1:
        return "a minute"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    return f"{hours // 24} days"


def to_the_second(seconds: float) -> str:
    """Return a duration in its two largest units."""
    whole = round(seconds)
    for unit, size, next_unit, next_size in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            count, rest = divmod(whole, size)
            return f"{count} {unit} {rest // next_size} {next_unit}" if rest >= next_size else f"{count} {unit}"
    return f"{whole} s"
