"""How far backfills have come, and when they are done."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.settings import Dialect
from bot.store import models
from bot.store.conversation import Conversation, Question
from bot.store.database import Executor, Transaction

# After that GitHub may have become of another mind, if nothing has told so before.
REFUSED_FOR = timedelta(days=1)
_IS_NAMED = "SELECT 1 FROM repository WHERE repository_id = ? AND full_name = ?"
OUT_OF_SIGHT = "the App is not installed on the repository any more"
# A backfill is done when nothing of it is left to list and no run of it is left to ask about.
_NOTHING_LEFT = (
    "NOT EXISTS (SELECT 1 FROM backfill_window AS left_over WHERE left_over.backfill_id = backfill.id)"
    " AND NOT EXISTS (SELECT 1 FROM run_wanted AS left_over WHERE left_over.backfill_id = backfill.id)"
)
_FINISH = (
    "UPDATE backfill SET state = CASE WHEN error IS NULL THEN 'done' ELSE 'failed' END, finished_at = ?"
    f" WHERE id = ? AND finished_at IS NULL AND {_NOTHING_LEFT} RETURNING id"
)
# By then the record itself tells how many there are, also those that webhooks brought.
_COUNT_STORED = (
    "UPDATE backfill SET runs_stored = (SELECT count(*) FROM workflow_run AS run"
    " WHERE run.repository_id = backfill.repository_id AND run.created_at >= backfill.since"
    " AND run.created_at <= backfill.until) WHERE id = ? AND repository_id IS NOT NULL"
)


async def finish_if_done(tx: Transaction, backfill_id: int, now: datetime) -> None:
    """Mark a backfill as done, or as failed where something of it was given up, once nothing of it is left."""
    if tx.dialect is Dialect.POSTGRESQL:
        # Of two that do the last of it at once, the second has to see what the first has done.
        await tx.fetch("SELECT id FROM backfill WHERE id = ? FOR UPDATE", backfill_id)
    await tx.converse(_finishing(backfill_id, now))


def _finishing(backfill_id: int, now: datetime) -> Conversation[None]:
    if (yield Question(_FINISH, (now, backfill_id))):
        yield Question(_COUNT_STORED, (backfill_id,))


def counting(waiting: Mapping[int, int | None], jobs: Mapping[int, int], now: datetime) -> Conversation[None]:
    """Add the jobs of runs to those that the backfills which waited for them have stored, and end those that are done.

    `waiting` gives the backfill of each run, None for none, `jobs` how many were found of each.
    """
    stored: dict[int, int] = defaultdict(int)
    for run_id, backfill_id in waiting.items():
        if backfill_id is not None:
            stored[backfill_id] += jobs.get(run_id, 0)
    for backfill_id, count in sorted(stored.items()):
        # Whoever has counted holds the row, and sees what others have done that held it before.
        yield Question("UPDATE backfill SET jobs_stored = jobs_stored + ? WHERE id = ?", (count, backfill_id))
        yield from _finishing(backfill_id, now)


async def give_up(
    tx: Transaction, repository_id: int, reason: str, now: datetime, *, refused_as: str | None = None
) -> None:
    """Ask nothing more of a repository, and say so on the backfills that wanted to.

    Its history is asked for anew when it can be seen again; where GitHub refused it under a name, not before a day is
    over, unless other permissions are granted. Where it has another name by now, nothing is given up.
    """
    if refused_as is not None and not await tx.fetch(_IS_NAMED, repository_id, refused_as):
        return
    rows = await tx.fetch(
        "SELECT backfill_id FROM backfill_window WHERE repository_id = ? UNION"
        " SELECT backfill_id FROM run_wanted WHERE repository_id = ? AND backfill_id IS NOT NULL",
        repository_id,
        repository_id,
    )
    await forget_repository(tx, repository_id)
    again = "UPDATE repository SET refused_until = ?, history_asked_at = NULL WHERE repository_id = ?"
    await tx.execute(again, None if refused_as is None else now + REFUSED_FOR, repository_id)
    for row in sorted(rows, key=lambda row: row["backfill_id"]):
        about_it = models.Backfill.filter(id=row["backfill_id"], error=None, repository_id=repository_id)
        await about_it.using_db(tx.client).update(error=reason)
        await finish_if_done(tx, row["backfill_id"], now)


async def drop_window(tx: Transaction, window: models.BackfillWindow, reason: str | None, now: datetime) -> None:
    """Leave out what can't be listed, and say on its backfill why that makes it incomplete (None: it doesn't)."""
    await window.delete(using_db=tx.client)
    if reason is not None:
        await models.Backfill.filter(id=window.backfill_id, error=None).using_db(tx.client).update(error=reason)
    await finish_if_done(tx, window.backfill_id, now)


async def hand_over(tx: Transaction, repository_id: int, installation_id: int) -> None:
    """Leave what is wanted of a repository to the installation that sees it now."""
    for table in ("backfill_window", "run_wanted"):
        sql = f"UPDATE {table} SET installation_id = ? WHERE repository_id = ?"
        await tx.execute(sql, installation_id, repository_id)


async def put_off(tx: Transaction, repository_id: int, until: datetime, now: datetime) -> None:
    """Ask nothing before a moment of what is due of a repository."""
    for table in ("backfill_window", "run_wanted"):
        sql = f"UPDATE {table} SET due_at = ? WHERE repository_id = ? AND due_at <= ?"
        await tx.execute(sql, until, repository_id, now)


async def forget_repository(executor: Executor, repository_id: int) -> None:
    """Want nothing of a repository any more."""
    for table in ("backfill_window", "run_wanted"):
        await executor.execute(f"DELETE FROM {table} WHERE repository_id = ?", repository_id)
