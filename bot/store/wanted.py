"""What GitHub is to be asked about: rows that say so, for whoever finds that something is missing."""

import functools
from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter

from msgspec import Struct

from bot.store import models
from bot.store.database import Executor, Transaction
from bot.store.writes import Form, Upsert

COLUMNS = (
    "run_id",
    "installation_id",
    "repository_id",
    "backfill_id",
    "urgency",
    "with_jobs",
    "run_created_at",
    "due_at",
    "tries",
)
# A row that is there already becomes more urgent, never less, and is due sooner only if it does; whose it is may have
# changed since.
_IS_MORE_URGENT = "excluded.urgency < run_wanted.urgency"
_RULES = {
    "installation_id": "excluded.installation_id",
    "due_at": f"CASE WHEN {_IS_MORE_URGENT} THEN excluded.due_at ELSE run_wanted.due_at END",
    "urgency": f"CASE WHEN {_IS_MORE_URGENT} THEN excluded.urgency ELSE run_wanted.urgency END",
    "with_jobs": "run_wanted.with_jobs OR excluded.with_jobs",
    "backfill_id": "COALESCE(run_wanted.backfill_id, excluded.backfill_id)",
}


class WantedRun(Struct, frozen=True):
    """A run that GitHub is to be asked about; the fields are the columns."""

    run_id: int
    installation_id: int
    repository_id: int
    backfill_id: int | None
    urgency: int
    with_jobs: bool
    run_created_at: datetime
    due_at: datetime
    tries: int = 0


def wanting(wanted: Iterable[WantedRun]) -> Upsert:
    """Return what adds runs to what is wanted, each of them once."""
    ordered = sorted(wanted, key=lambda each: each.run_id)
    return Upsert(_form(), [_values(each) for each in ordered])


@functools.cache
def _form() -> Form:
    return Form(models.RunWanted, ("run_id",), COLUMNS, _RULES)


_values = attrgetter(*COLUMNS)


async def want_runs(tx: Transaction, wanted: Iterable[WantedRun]) -> None:
    """Add runs to what is wanted, each of them once."""
    await tx.write([wanting(wanted)])


async def want_sync(executor: Executor, installation_id: int) -> None:
    """Let GitHub be asked before long what an installation still sees."""
    await executor.execute("UPDATE installation SET sync_due_at = NULL WHERE installation_id = ?", installation_id)
