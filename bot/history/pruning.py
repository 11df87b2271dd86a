"""Letting go of requests for history that are done with, or that nobody, or somebody else, can work on."""

from datetime import datetime, timedelta

from bot.history.progress import OUT_OF_SIGHT, give_up, hand_over
from bot.history.requests import Kind
from bot.store.database import current

# Nobody asked for these; a person's own requests stay.
_PASSING = (Kind.GAP, Kind.OVERLAP, Kind.NIGHTLY)
KEEP_PASSING = timedelta(days=2)
AT_ONCE = 500

_UNREACHABLE = (
    "SELECT DISTINCT wanted.repository_id FROM {} AS wanted LEFT JOIN repository"
    " ON repository.repository_id = wanted.repository_id LEFT JOIN installation"
    " ON installation.installation_id = repository.installation_id"
    " WHERE repository.id IS NULL OR repository.hidden_at IS NOT NULL OR installation.id IS NULL"
    " OR installation.state = 'deleted' LIMIT ?"
)
# After a transfer, or where the App was installed anew.
_ASTRAY = (
    "SELECT DISTINCT wanted.repository_id, repository.installation_id FROM {} AS wanted JOIN repository"
    " ON repository.repository_id = wanted.repository_id"
    " WHERE repository.installation_id <> wanted.installation_id LIMIT ?"
)


async def prune_history(now: datetime) -> int:
    """Give up what can't be asked any more, and forget look-backs that are done; return how many rows that were.

    What another installation sees by now is left to it.
    """
    gone = set()
    for table in ("backfill_window", "run_wanted"):
        rows = await current().fetch(_UNREACHABLE.format(table), AT_ONCE)
        gone |= {row["repository_id"] for row in rows}
    for repository_id in sorted(gone):
        async with current().transaction() as tx:
            await give_up(tx, repository_id, OUT_OF_SIGHT, now)
    for table in ("backfill_window", "run_wanted"):
        for row in await current().fetch(_ASTRAY.format(table), AT_ONCE):
            async with current().transaction() as tx:
                await hand_over(tx, row["repository_id"], row["installation_id"])
    places = ", ".join("?" * len(_PASSING))
    forget = f"DELETE FROM backfill WHERE kind IN ({places}) AND finished_at < ?"
    return len(gone) + await current().execute(forget, *_PASSING, now - KEEP_PASSING)
