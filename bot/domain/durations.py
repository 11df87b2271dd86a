"""How long things took."""

from datetime import datetime


def seconds_between(since: datetime | None, until: datetime | None) -> float | None:
    """Return the seconds from `since` to `until`, or None where either is not known.

    Never negative: GitHub lets a skipped job end a second before it began, and a job carried over begin before it was
    created.
    """
    if since is None or until is None:
        return None
    return max(0.0, (until - since).total_seconds())
