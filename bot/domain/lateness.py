"""Jobs that are late: listed long after their run was created, as they waited, or the run was run again.

The jobs of nearly all runs are created with the run or as others of it end, and on GitHub's own runners a job ends
within six hours (https://docs.github.com/en/actions/reference/limits). Where the line is drawn only decides how many
jobs count as late.
"""

from datetime import UTC, datetime, timedelta

LATE_AFTER = timedelta(hours=6)
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def on_time_since(listed_at: datetime) -> datetime:
    """Return when a run was created at the earliest of which a job that is listed then is on time."""
    return max(listed_at, _EARLIEST + LATE_AFTER) - LATE_AFTER
