"""What the record lets go of: installations deleted long ago, and runs past their retention."""

from datetime import datetime, timedelta
from functools import partial

from bot.store import models
from bot.store.database import Executor, Transaction, current

KEEP_DELETED = timedelta(days=30)
AT_ONCE = 500
# Whatever belongs to a run goes with it; the run itself last, so that a crash leaves nothing that isn't found again.
_OF_RUNS = ("run_pull_request", "job_failure", "workflow_job", "workflow_run_attempt", "workflow_run")
_OF_REPOSITORIES = (
    "action",
    "job_failure",
    "failure_comment",
    "check_summary",
    "backfill_window",
    "run_wanted",
    "backfill",
    "pull_request_head",
    "pull_request",
    "workflow",
    "repository_name",
    "repository_sight",
    "repository",
)


async def purge_deleted_installations(now: datetime) -> int:
    """Forget the repositories of installations deleted 30 days ago; return how many.

    What has been installed again under a new id points to that one by now, and stays.
    """
    gone = models.Installation.filter(state="deleted", deleted_at__lt=now - KEEP_DELETED)
    purged = 0
    for installation in await gone:
        purged += await _purge_repositories(installation.installation_id)
    return purged


async def _purge_repositories(installation_id: int) -> int:
    purged = 0
    # Asked for one by one, as any may be installed again while this takes its time.
    while (repository := await models.Repository.filter(installation_id=installation_id).first()) is not None:
        await _delete_runs("repository_id = ?", repository.repository_id)
        purged += await current().transact(partial(_purge_repository, repository.repository_id, installation_id))
    return purged


async def _purge_repository(repository_id: int, installation_id: int, tx: Transaction) -> int:
    still = "SELECT 1 AS found FROM repository WHERE repository_id = ? AND installation_id = ?"
    if not await tx.fetch(still, repository_id, installation_id):
        return 0
    await tx.execute("DELETE FROM workflow_job WHERE repository_id = ?", repository_id)
    for table in _OF_REPOSITORIES:
        await tx.execute(f"DELETE FROM {table} WHERE repository_id = ?", repository_id)
    return 1


async def apply_retention(now: datetime, days: int) -> int:
    """Delete runs created more than `days` ago, 0 keeping all; return how many."""
    if not days:
        return 0
    before, deleted = now - timedelta(days=days), 0
    # By repository, so that an index leads to the old ones.
    for repository in await models.Repository.all():
        deleted += await _delete_runs("repository_id = ? AND created_at < ?", repository.repository_id, before)
        async with current().transaction() as tx:
            left_over = "DELETE FROM workflow_job WHERE repository_id = ? AND listed_at < ?"
            await tx.execute(left_over, repository.repository_id, before)
    return deleted


async def _delete_runs(condition: str, *parameters: object) -> int:
    deleted = 0
    while True:
        async with current().transaction() as tx:
            rows = await tx.fetch(f"SELECT run_id FROM workflow_run WHERE {condition} LIMIT {AT_ONCE}", *parameters)
            await _delete_all_of(tx, [(row["run_id"],) for row in rows])
        deleted += len(rows)
        if len(rows) < AT_ONCE:
            return deleted


async def _delete_all_of(tx: Executor, run_ids: list[tuple[int]]) -> None:
    for table in _OF_RUNS:
        await tx.execute_many(f"DELETE FROM {table} WHERE run_id = ?", run_ids)
