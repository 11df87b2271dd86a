"""Jobs that are late: listed long after their run was created, as they waited, or the run was run again.

The jobs of nearly all runs are created with the run or as others of it end, and on GitHub's own runners a job ends
within six hours (https://docs.github.com/en/actions/reference/limits). Where the line is drawn only decides how many
jobs count as late. None is created before its run; but a job that tells no time is listed at the very end.
"""

from datetime import UTC, datetime, timedelta

LATE_AFTER, EARLY_BEFORE = timedelta(hours=6), timedelta(hours=1)
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def on_time_since(listed_at: datetime) -> datetime:
    """Return when a run was created at the earliest of which a job that is listed then is on time."""
    return max(listed_at, _EARLIEST + LATE_AFTER) - LATE_AFTER


def on_time_until(listed_at: datetime) -> datetime:
    """Return when a run was created at the latest of which a job that is listed then is on time, and not early."""
    return min(listed_at, _LATEST - EARLY_BEFORE) + EARLY_BEFORE
