"""What the record lets go of: after an installation was deleted, and after so many days."""

from datetime import datetime, timedelta

import pytest

from bot.store import housekeeping
from bot.store.database import Database
from bot.store.queries import get_workflow_runs
from tests.recorder.company import (
    HELLO,
    OCTO,
    OTHER,
    REINSTALLED,
    START,
    WORLD,
    Told,
    in_every_order,
    installed,
    ran,
    runs_of,
    tell,
    tell_all,
    transferred,
    worked,
)


def days(count: float) -> datetime:
    return START + timedelta(days=count)


async def rows_of(database: Database, repository_id: int) -> dict[str, int]:
    """Count what is kept of a repository, by table."""
    tables = ("repository", "repository_name", "workflow_run", "workflow_run_attempt", "workflow_job", "workflow")
    count = "SELECT count(*) AS kept FROM {} WHERE repository_id = ?"
    return {table: (await database.fetch(count.format(table), repository_id))[0]["kept"] for table in tables}


async def test_purged_after_thirty_days(database: Database) -> None:
    await tell_all(database, [(1, ran()), (2, worked()), (3, ran(OTHER, WORLD, 500))])
    await tell(database, installed("deleted"), 4, now=days(1))
    kept = await rows_of(database, 10)
    assert set(kept.values()) == {1}
    assert await housekeeping.purge_deleted_installations(days(30.9)) == 0
    assert await rows_of(database, 10) == kept
    assert await housekeeping.purge_deleted_installations(days(31.1)) == 1
    assert set((await rows_of(database, 10)).values()) == {0}
    assert await rows_of(database, 12) == {**kept, "workflow_job": 0}
    assert await runs_of("other-org") == [500]
    assert await housekeeping.purge_deleted_installations(days(32)) == 0


async def test_what_is_installed_again_is_not_purged(database: Database) -> None:
    await tell_all(database, [*REINSTALLED, (1.5, ran(repo=WORLD, run_id=300))])
    assert await housekeeping.purge_deleted_installations(days(60)) == 1
    assert await runs_of("octo-org") == [100, 101]
    assert set((await rows_of(database, 12)).values()) == {0}


async def test_what_is_installed_again_while_others_are_purged_is_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell_all(database, [(1, ran()), (1, ran(repo=WORLD, run_id=300)), (2, installed("deleted"))])
    delete_runs, again = housekeeping._delete_runs, OCTO._replace(installation_id=9)

    async def delete_and_install_again(condition: str, *parameters: object) -> int:
        deleted = await delete_runs(condition, *parameters)
        await tell(database, installed("created", again, [HELLO, WORLD]), 60 * 86_400, now=days(60))
        return deleted

    monkeypatch.setattr(housekeeping, "_delete_runs", delete_and_install_again)
    assert await housekeeping.purge_deleted_installations(days(60)) == 0
    # Of the one that was begun with, the runs were deleted before.
    assert await runs_of("octo-org") in ([100], [300])
    assert await database.fetch("SELECT installation_id FROM repository") == 2 * [{"installation_id": 9}]


@pytest.mark.parametrize("followed_by", [7, 8, 9, 10])
async def test_installed_again_in_the_same_moment(database: Database, followed_by: int) -> None:
    # No time tells then which came first, and which digest is the higher is a matter of luck.
    again = OCTO._replace(installation_id=followed_by)
    happened: list[tuple[float, Told]] = [
        (1, ran()),
        (2, installed("deleted", repos=[HELLO])),
        (2, installed("created", again, [HELLO])),
    ]
    async for _ in in_every_order(database, happened):
        assert {run.installation_id for run in (await get_workflow_runs("octo-org")).runs} == {followed_by}


async def test_what_was_transferred_is_not_purged(database: Database) -> None:
    await tell_all(database, [(1, ran()), (2, transferred(OTHER, HELLO, OCTO)), (3, installed("deleted"))])
    assert await housekeeping.purge_deleted_installations(days(60)) == 0
    assert await runs_of("other-org") == [100]


async def test_a_suspended_installation_is_neither_hidden_nor_purged(database: Database) -> None:
    await tell_all(database, [(1, ran()), (2, installed("suspend", suspended=True))])
    assert await housekeeping.purge_deleted_installations(days(400)) == 0
    assert await runs_of("octo-org") == [100]


async def test_retention(database: Database) -> None:
    # The run was created at the start.
    await tell_all(database, [(1, ran()), (2, worked())])
    assert await housekeeping.apply_retention(days(1000), 0) == 0
    assert await housekeeping.apply_retention(days(9.9), 10) == 0
    assert await runs_of("octo-org") == [100]
    assert await housekeeping.apply_retention(days(10.1), 10) == 1
    kept = await rows_of(database, 10)
    assert (kept["workflow_run"], kept["workflow_run_attempt"], kept["workflow_job"]) == (0, 0, 0)
    assert kept["repository"] == 1
