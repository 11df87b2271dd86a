"""What becomes of what is wanted while repositories and installations go their ways."""

from bot.demo.github.state.accounts import Account
from bot.history import find_installations
from bot.history.requests import ask_for_backfill
from bot.store import queries
from tests.history.watch import Watch


async def unfinished(watch: Watch) -> None:
    """Let a run begin, of which nothing more is heard, and be looked at once."""
    run = watch.start()
    await watch.hear()
    await watch.watch(minutes=15)
    assert await watch.wanted() == [run.id]
    watch.lose("workflow_run")
    watch.lose("workflow_job")
    watch.finish(run)


async def installed_elsewhere(watch: Watch, login: str = "globex") -> Account:
    account = watch.github.add_organization(login)
    watch.github.repositories.create(account, "other")
    watch.github.installations.install(account)
    await watch.hear()
    return account


async def test_a_repository_that_was_renamed_is_followed(watch: Watch) -> None:
    await unfinished(watch)
    watch.lose("repository")
    watch.github.repositories.rename(watch.stage.repository, "comet")
    await watch.watch(minutes=20)
    # Its new name is for the sync to find; its runs are there under either.
    (difference, *others) = await watch.house.differences()
    assert "'acme/rocket', GitHub says 'acme/comet'" in difference
    await watch.database.execute("UPDATE installation SET sync_due_at = NULL")
    await watch.sync()
    assert await watch.house.differences() == []
    assert len(others) == 1


async def test_a_repository_that_was_transferred_is_asked_for_where_it_is_now(watch: Watch) -> None:
    await unfinished(watch)
    account = await installed_elsewhere(watch)
    watch.github.repositories.transfer(watch.stage.repository, account)
    await watch.hear()
    await watch.watch(hours=1)
    assert await watch.differences("globex") == []
    assert await watch.wanted() == []


async def test_nor_is_it_lost_when_the_former_installation_is_no_more(watch: Watch) -> None:
    await unfinished(watch)
    account = await installed_elsewhere(watch)
    watch.github.repositories.transfer(watch.stage.repository, account)
    watch.github.installations.delete(watch.stage.installation)
    await watch.hear()
    await watch.watch(hours=1)
    await watch.prune()
    await watch.watch(minutes=5)
    assert await watch.differences("globex") == []
    assert await watch.wanted() == []


async def test_a_transfer_that_nobody_told_of_is_found_by_the_sync(watch: Watch) -> None:
    await unfinished(watch)
    account = await installed_elsewhere(watch)
    watch.lose()
    watch.github.repositories.transfer(watch.stage.repository, account)
    await watch.watch(minutes=20)
    assert await watch.differences("globex") != []
    await watch.database.execute("UPDATE installation SET sync_due_at = NULL")
    await watch.sync()
    await watch.watch(minutes=60)
    assert await watch.differences("globex") == []


async def test_while_an_installation_is_suspended_nothing_is_asked_and_nothing_is_forgotten(watch: Watch) -> None:
    await unfinished(watch)
    watch.github.installations.suspend(watch.stage.installation)
    await watch.hear()
    asked = len(watch.github.rest.ledger.calls)
    await watch.watch(hours=2)
    assert len(watch.github.rest.ledger.calls) == asked
    watch.github.installations.unsuspend(watch.stage.installation)
    await watch.hear()
    await watch.watch(minutes=20)
    assert await watch.house.differences() == []


async def test_a_suspension_that_nobody_told_of_is_heard_of_by_asking(watch: Watch) -> None:
    await unfinished(watch)
    watch.lose()
    watch.github.installations.suspend(watch.stage.installation)
    await watch.watch(minutes=30)
    await watch.sync()
    asked = len(watch.github.rest.ledger.calls)
    await watch.watch(hours=2)
    assert len(watch.github.rest.ledger.calls) == asked
    watch.github.installations.unsuspend(watch.stage.installation)
    await watch.house.while_time_passes(find_installations(watch.house.tools))
    await watch.sync()
    await watch.watch(minutes=30)
    assert await watch.house.differences() == []


async def test_what_was_asked_of_an_installation_goes_on_with_the_one_that_follows_it(watch: Watch) -> None:
    await unfinished(watch)
    watch.house.add_past(120, days=10)
    scope, now = await queries.get_scope("acme"), watch.clock.now()
    (asked,) = await ask_for_backfill(scope, "acme/rocket", None, None, now)
    watch.github.installations.delete(watch.stage.installation)
    again = watch.github.installations.install(watch.stage.organization)
    await watch.hear()
    await watch.watch(minutes=10)
    assert (await queries.get_backfill(scope, asked)).finished_at is None
    await watch.prune()
    await watch.watch(minutes=20)
    progress = await queries.get_backfill(scope, asked)
    assert (progress.state, progress.runs_stored) == ("done", 121)
    assert await watch.differences("acme") == []
    assert again.id != watch.stage.installation.id


async def test_what_was_asked_of_one_that_is_gone_for_good_is_given_up(watch: Watch) -> None:
    await unfinished(watch)
    scope, now = await queries.get_scope("acme"), watch.clock.now()
    (asked,) = await ask_for_backfill(scope, "acme/rocket", None, None, now)
    watch.github.installations.delete(watch.stage.installation)
    await watch.hear()
    await watch.prune()
    progress = await queries.get_backfill(scope, asked)
    assert (progress.state, progress.error) == ("failed", "the App is not installed on the repository any more")
    assert await watch.wanted() == []


async def test_what_is_out_of_sight_is_given_up_beside_what_is_asked_about(watch: Watch) -> None:
    await unfinished(watch)
    watch.github.repositories.create(watch.stage.organization, "comet")
    await watch.hear()
    (comet,) = await watch.database.fetch("SELECT repository_id FROM repository WHERE full_name = 'acme/comet'")
    await watch.database.execute(
        "INSERT INTO run_wanted"
        " (repository_id, run_id, installation_id, urgency, with_jobs, run_created_at, due_at, tries)"
        " SELECT ?, run_id + 1, installation_id, urgency, with_jobs, run_created_at, due_at, tries FROM run_wanted",
        comet["repository_id"],
    )
    hidden = "UPDATE repository SET hidden_at = ? WHERE repository_id = ?"
    await watch.database.execute(hidden, watch.clock.now(), comet["repository_id"])
    await watch.watch(hours=1)
    assert await watch.wanted() == []
    (run,) = watch.github.world.runs.living.values()
    assert await watch.state(run) == ("completed", "success")
