"""What is installed where, and who sees what, learnt from REST alone and beside events that come late or never."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from bot import history
from bot.demo.github.rest.answers import Answer
from bot.demo.github.rest.faults import RateLimited, ServerError, Slow
from bot.demo.github.rest.ledger import Call
from bot.demo.github.state.accounts import Installation
from bot.demo.github.state.repositories import Repository
from bot.github.errors import GitHubUnavailable, NotFound
from bot.history import opened, sync_installation
from bot.history.installations import EVERY, LATER, SOON
from bot.store.database import Database, to_moment
from tests.history.house import settings_for
from tests.history.town import REPOSITORIES, Town, founded

TOKENS = "apps/create-installation-access-token"


@pytest.fixture
async def town(database: Database) -> AsyncIterator[Town]:
    async with founded(database) as opened_town:
        yield opened_town


class Settled:
    """The App on acme for two of its three repositories, on globex for all, and all that is known."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.rocket, self.widget, self.spare = town.create("rocket", "widget", "spare")
        (self.tool,) = town.create("tool", owner=town.globex)
        self.acme = town.install(self.rocket, self.widget)
        self.globex = town.install(owner=town.globex)


@pytest.fixture
async def settled(town: Town) -> Settled:
    made = Settled(town)
    await town.sync()
    return made


async def test_what_is_there_already_is_found(town: Town, settled: Settled) -> None:
    directory = await town.directory()
    assert directory == town.truth()
    assert directory["installations"].keys() == {settled.acme.id, settled.globex.id}
    assert directory["repositories"].keys() == {settled.rocket.id, settled.widget.id, settled.tool.id}
    assert await town.find() == 2


# One thing happens, and no event tells of it.


def adds(now: Settled) -> None:
    now.town.github.installations.add_repositories(now.acme, [now.spare])


def removes(now: Settled) -> None:
    now.town.github.installations.remove_repositories(now.acme, [now.rocket])


def creates(now: Settled) -> None:
    now.town.create("gadget", owner=now.town.globex)


def renames(now: Settled) -> None:
    now.town.github.repositories.rename(now.rocket, "shuttle")


def swaps_names(now: Settled) -> None:
    for repository, name in ((now.rocket, "x"), (now.widget, "rocket"), (now.rocket, "widget")):
        now.town.github.repositories.rename(repository, name)


def renames_account(now: Settled) -> None:
    now.town.github.installations.rename_account(now.town.acme, "acme-works")


def archives(now: Settled) -> None:
    now.town.github.repositories.archive(now.rocket)


def makes_private(now: Settled) -> None:
    now.rocket.private = True


def deletes_repository(now: Settled) -> None:
    now.town.github.repositories.delete(now.rocket)


def transfers(now: Settled) -> None:
    now.town.github.repositories.transfer(now.rocket, now.town.globex)


def transfers_away(now: Settled) -> None:
    now.town.github.repositories.transfer(now.rocket, now.town.github.add_user("mona"))


def suspends(now: Settled) -> None:
    now.town.github.installations.suspend(now.acme)


def accepts_permissions(now: Settled) -> None:
    now.acme.app.permissions["actions"] = "write"
    now.town.github.installations.accept_permissions(now.acme)


def uninstalls(now: Settled) -> None:
    now.town.github.installations.delete(now.acme)


def installs_again(now: Settled) -> None:
    uninstalls(now)
    now.town.install()


HAPPENINGS: list[Callable[[Settled], None]] = [
    adds,
    removes,
    creates,
    renames,
    swaps_names,
    renames_account,
    archives,
    makes_private,
    deletes_repository,
    transfers,
    transfers_away,
    suspends,
    accepts_permissions,
    uninstalls,
    installs_again,
]


def name_of(happening: Callable[[Settled], None]) -> str:
    return happening.__name__


@pytest.mark.parametrize("happens", HAPPENINGS, ids=name_of)
async def test_healed_by_the_next_sync(town: Town, settled: Settled, happens: Callable[[Settled], None]) -> None:
    await town.pass_time()
    happens(settled)
    assert await town.directory() != town.truth()
    await town.pass_time(EVERY.total_seconds())
    await town.sync()
    assert await town.directory() == town.truth()
    # The deliveries come all the same, in any order, and change nothing any more.
    late = town.github.deliveries
    await town.hear(Random(happens.__name__).sample(late, len(late)))
    assert await town.directory() == town.truth()


async def test_what_a_sync_confirms_is_newer_than_what_was_before(town: Town, settled: Settled) -> None:
    known = len(town.github.deliveries)
    for name in ("shuttle", "rocket"):
        await town.pass_time()
        town.github.repositories.rename(settled.rocket, name)
    away, _ = town.github.deliveries[known:]
    await town.pass_time()
    await sync_installation(town.tools, settled.acme.id)
    await town.hear([away])
    assert await town.directory() == town.truth()


async def test_suspended_and_back_with_other_repositories(town: Town, settled: Settled) -> None:
    tokens = town.github.rest.ledger.counts[TOKENS]
    town.github.installations.suspend(settled.acme)
    await town.sync()
    assert (await town.row(settled.acme))["state"] == "suspended"
    before = await town.database.fetch("SELECT hidden_at FROM repository WHERE full_name = 'acme/rocket'")
    assert before == [{"hidden_at": None}]
    removes(settled)
    town.github.installations.unsuspend(settled.acme)
    await town.sync()
    assert await town.directory() == town.truth()
    # What was a token before the suspension is none any more.
    assert town.github.rest.ledger.counts[TOKENS] == tokens + 1


async def test_what_ran_while_it_was_suspended_is_asked_for_once(town: Town, settled: Settled) -> None:
    asked = "SELECT kind, since FROM backfill WHERE installation_id = ? AND kind = 'gap'"
    suspends(settled)
    await town.sync()
    began = town.clock.now()
    await town.pass_time(50 * 24 * 3600)
    assert await town.database.fetch(asked, settled.acme.id) == []
    town.github.installations.unsuspend(settled.acme)
    for _ in range(2):
        await town.pass_time(EVERY.total_seconds())
        await town.sync()
    (gap,) = await town.database.fetch(asked, settled.acme.id)
    since = to_moment(gap["since"])
    assert since is not None
    assert since <= began
    assert (await town.row(settled.acme))["suspended_since"] is None


async def test_a_new_repository_gets_its_default_history(town: Town, settled: Settled) -> None:
    async def asked() -> list[tuple[int, str]]:
        rows = await town.database.fetch("SELECT repository_id, kind FROM backfill ORDER BY id")
        return [(row["repository_id"], row["kind"]) for row in rows]

    first = {(each.id, "installation") for each in (settled.rocket, settled.widget, settled.tool)}
    assert set(await asked()) == first
    adds(settled)
    await town.pass_time(EVERY.total_seconds())
    await town.sync()
    assert set(await asked()) == first | {(settled.spare.id, "installation")}
    assert len(await asked()) == 4


# What events alone leave wrong.


async def test_an_account_renamed_before_its_first_event(town: Town) -> None:
    (rocket,) = town.create("rocket")
    town.install(rocket)
    await town.pass_time()
    town.github.installations.rename_account(town.acme, "acme-works")
    created, renamed = town.github.deliveries
    await town.hear([renamed, created])
    wrong = await town.directory()
    assert wrong["repositories"][rocket.id]["full_name"] == "acme/rocket"
    await town.sync_due()
    assert await town.directory() == town.truth()


async def test_a_short_snapshot_that_is_newer_than_a_full_one(town: Town) -> None:
    rocket, widget = town.create("rocket", "widget")
    acme = town.install(rocket, widget)
    await town.pass_time()
    town.github.repositories.archive(rocket)
    await town.pass_time()
    town.github.installations.remove_repositories(acme, [rocket])
    town.github.installations.add_repositories(acme, [rocket])
    _, archived, _, added = town.github.deliveries
    await town.hear([added, archived])
    wrong = (await town.directory())["repositories"][rocket.id]
    assert (wrong["archived"], wrong["default_branch"]) == (False, None)
    await town.sync_due()
    assert await town.directory() == town.truth()


async def test_removed_that_comes_before_transferred(town: Town) -> None:
    rocket, _ = town.create("rocket", "widget")
    acme, globex = town.install(), town.install(owner=town.globex)
    await town.sync()
    before = len(town.github.deliveries)
    await town.pass_time()
    transfer = town.github.repositories
    transfer.transfer(rocket, town.globex)
    removed, added, transferred = town.github.deliveries[before:]
    assert (removed.installation_id, transferred.installation_id) == (acme.id, globex.id)
    # Of the two that tell of the new owner neither comes.
    await town.hear([removed])
    assert rocket.id not in (await town.directory())["repositories"]
    await town.pass_time(EVERY.total_seconds())
    await town.sync()
    assert await town.directory() == town.truth()
    await town.hear([transferred, added, removed])
    assert await town.directory() == town.truth()


@pytest.mark.parametrize("first", ["acme", "globex"])
async def test_a_transfer_seen_by_both_in_one_second(town: Town, settled: Settled, first: str) -> None:
    transfers(settled)
    await town.pass_time()
    ids = [settled.acme.id, settled.globex.id]
    for installation_id in ids if first == "acme" else reversed(ids):
        await sync_installation(town.tools, installation_id)
    assert await town.directory() == town.truth()


# Large installations.


def is_about(due_in: timedelta | None, expected: timedelta) -> bool:
    """Tell whether something is due as it should be, but for the seconds that have passed meanwhile."""
    return due_in is not None and abs(due_in - expected) < timedelta(seconds=10)


async def test_more_than_a_page_is_recorded_and_hidden(town: Town) -> None:
    repositories = town.create(*(f"part-{number}" for number in range(230)))
    acme = town.install(*repositories)
    await town.sync()
    assert await town.directory() == town.truth()
    town.github.installations.remove_repositories(acme, repositories[5:])
    await town.pass_time(EVERY.total_seconds())
    await town.sync()
    assert await town.directory() == town.truth()
    assert town.github.rest.ledger.counts[REPOSITORIES] == 4


async def between_pages(town: Town, acme: Installation, act: Callable[[], Any]) -> None:
    """Sync, let something happen and be heard of when the first page has been put together, and end the sync."""
    is_made = asyncio.Event()
    town.github.rest.on_answer = lambda call, _: is_made.set() if call.operation == REPOSITORIES else None
    town.github.rest.scripted_faults.add(Slow(5), operation=REPOSITORIES)
    await town.pass_time()
    syncing = asyncio.create_task(sync_installation(town.tools, acme.id))
    await is_made.wait()
    made = len(town.github.deliveries)
    await town.pass_time(1)
    act()
    await town.hear(town.github.deliveries[made:])
    await town.while_time_passes(syncing)


@pytest.fixture
async def large(town: Town) -> tuple[Installation, list[Repository]]:
    repositories = town.create(*(f"part-{number:03}" for number in range(150)))
    acme = town.install(*repositories)
    await town.sync()
    return acme, repositories


async def test_what_is_added_while_pages_are_turned_stays(
    town: Town, large: tuple[Installation, list[Repository]]
) -> None:
    acme, repositories = large
    (late,) = town.create("late")
    world = town.github.installations

    def act() -> None:
        # Its place is on the page that has been read already.
        world.add_repositories(acme, [late])
        order = sorted(acme.repositories.values(), key=lambda each: each is not late)
        acme.repositories = {each.id: each for each in order if each is not repositories[0]}

    await between_pages(town, acme, act)
    assert late.id in (await town.directory())["repositories"]
    # What is newer than the list lets it be read again soon, and then all is well.
    assert is_about(await town.due_in(acme), SOON)
    await town.pass_time(SOON.total_seconds())
    assert await town.sync_due() == [acme.id]
    assert await town.directory() == town.truth()
    assert await town.due_in(acme) == EVERY


async def test_nothing_is_hidden_because_it_moved_to_a_page_read_already(
    town: Town, large: tuple[Installation, list[Repository]]
) -> None:
    acme, repositories = large
    # Nobody is told of it.
    await between_pages(town, acme, lambda: acme.repositories.pop(repositories[0].id))
    known = (await town.directory())["repositories"]
    assert known.keys() >= acme.repositories.keys()
    assert is_about(await town.due_in(acme), LATER)
    await town.pass_time(LATER.total_seconds())
    await town.sync_due()
    assert await town.directory() == town.truth()


# What goes wrong while GitHub is asked.


@pytest.mark.parametrize("happens", [suspends, uninstalls], ids=name_of)
async def test_it_ends_between_two_questions(town: Town, settled: Settled, happens: Callable[[Settled], None]) -> None:
    def end(call: Call, _: Answer) -> None:
        if call.operation == "apps/get-installation":
            town.github.rest.on_answer = None
            happens(settled)

    town.github.rest.on_answer = end
    await town.pass_time()
    await town.while_time_passes(sync_installation(town.tools, settled.acme.id))
    assert await town.directory() == town.truth()
    assert (await town.row(settled.acme))["state"] == ("suspended" if happens is suspends else "deleted")


async def test_a_deleted_one_is_not_asked_for_again(town: Town, settled: Settled) -> None:
    uninstalls(settled)
    await town.pass_time()
    await sync_installation(town.tools, settled.acme.id)
    asked = town.github.rest.ledger.counts["apps/get-installation"]
    await town.find()
    assert town.github.rest.ledger.counts["apps/get-installation"] == asked
    await town.pass_time(EVERY.total_seconds())
    assert await history.due_installations(town.clock.now()) == [settled.globex.id]


async def test_an_installation_that_github_loses_sight_of_for_a_moment(town: Town, settled: Settled) -> None:
    settled.acme.deleted_at = town.clock.now()
    await town.find()
    assert settled.acme.id not in (await town.directory())["installations"]
    settled.acme.deleted_at = None
    await town.sync()
    assert await town.directory() == town.truth()


async def test_nothing_is_deleted_because_github_does_not_know_the_app(
    town: Town, settled: Settled, caplog: pytest.LogCaptureFixture
) -> None:
    right = settings_for(town.github, town.github.world.addresses.api)
    wrong = right.model_copy(update={"app_id": 1})
    async with opened(wrong, town.database, town.clock) as tools:
        await sync_installation(tools, settled.acme.id)
        with pytest.raises(NotFound):
            await history.find_installations(tools)
    assert await town.directory() == town.truth()
    assert await town.due_in(settled.acme) == LATER
    assert "an installation can't be synced" in caplog.text


async def test_an_installation_on_an_enterprise_is_passed_over(
    town: Town, settled: Settled, caplog: pytest.LogCaptureFixture
) -> None:
    enterprise = {"id": 9, "slug": "conglomerate", "name": "Conglomerate"}

    def upend(call: Call, answer: Answer) -> None:
        listed = answer.body if call.operation == "apps/list-installations" else [answer.body]
        for each in listed:
            if each.get("id") == settled.acme.id:
                each["account"] = enterprise

    town.github.rest.on_answer = upend
    renames(settled)
    assert await town.find() == 2
    await sync_installation(town.tools, settled.acme.id)
    assert "GitHub lists what can't be recorded: Installation" in caplog.text
    row = await town.row(settled.acme)
    assert (row["state"], row["account_login"]) == ("active", "acme")
    assert await town.due_in(settled.acme) == EVERY


async def test_github_is_away(town: Town, settled: Settled) -> None:
    town.github.rest.scripted_faults.add(ServerError(), operation="apps/get-installation", times=None)
    with pytest.raises(GitHubUnavailable):
        await town.while_time_passes(sync_installation(town.tools, settled.acme.id))
    assert is_about(await town.due_in(settled.acme), LATER)


async def test_a_budget_that_is_used_up_is_not_waited_for(town: Town, settled: Settled) -> None:
    town.github.rest.scripted_faults.add(RateLimited(403, reset_in=1800), operation=REPOSITORIES)
    await sync_installation(town.tools, settled.acme.id)
    assert is_about(await town.due_in(settled.acme), timedelta(minutes=30))


# Whose turn it is.


async def test_each_has_its_turn_every_hour(town: Town, settled: Settled) -> None:
    assert (await town.row(settled.acme))["synced_at"] is not None
    before = await town.due_in(settled.acme)
    # To be listed as it is known makes no installation due.
    await town.find()
    assert await town.sync_due() == []
    assert await town.due_in(settled.acme) == before - timedelta(seconds=2) if before else None
    await town.pass_time(EVERY.total_seconds())
    assert set(await history.due_installations(town.clock.now())) == {settled.acme.id, settled.globex.id}
    await town.sync_due()
    suspends(settled)
    await town.find()
    assert await history.due_installations(town.clock.now()) == [settled.acme.id]


async def test_news_makes_it_due(town: Town, settled: Settled) -> None:
    async def heard() -> list[int]:
        """Hear what is new, and return what is due; GitHub is not asked."""
        await town.hear(town.github.deliveries[known:])
        due = await history.due_installations(town.clock.now())
        await town.sync_due()
        return due

    for happens in (adds, renames, archives, accepts_permissions, suspends):
        known = len(town.github.deliveries)
        await town.pass_time()
        happens(settled)
        assert await heard() == [settled.acme.id], happens
        assert await town.directory() == town.truth()
        # The same once more is no news.
        assert await heard() == [], happens


async def test_a_run_of_a_repository_not_heard_of_makes_it_due(town: Town, settled: Settled) -> None:
    await town.pass_time()
    adds(settled)
    workflow = town.github.actions.add_workflow(settled.spare, "CI", ".github/workflows/ci.yml", [])
    known = len(town.github.deliveries)
    run = town.github.actions.start_run(workflow, event="push", tip=settled.spare.tip(), actor=town.acme)
    ran = [each for each in town.github.deliveries[known:] if each.event == "workflow_run"]
    assert run.repository is settled.spare
    await town.hear(ran)
    assert await town.sync_due() == [settled.acme.id]
    assert await town.directory() == town.truth()
    # From now on its runs are nothing new.
    await town.hear(ran)
    assert await town.sync_due() == []
