"""Jobs that are late: listed long after their run was created, as they waited, or the run was run again.

The jobs of nearly all runs are created with the run or as others of it end, and a job on GitHub's own runners ends
within six hours (https://docs.github.com/en/actions/reference/limits). The longest wait of all is 65 days: a run may
be run again for 30, and an attempt may take 35.
"""

from datetime import UTC, datetime, timedelta

LATE_AFTER = timedelta(hours=6)
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def on_time_since(listed_at: datetime) -> datetime:
    """Return since when a run was created of which a job that is listed then is on time."""
    return max(listed_at, _EARLIEST + LATE_AFTER) - LATE_AFTER
