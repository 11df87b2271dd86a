"""What is installed where, and who sees what, learnt from REST alone and beside events that come late or never."""

from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest

from bot import history
from bot.history import sync_installation
from bot.history.installations import EVERY
from bot.store.database import to_moment
from tests.history.settled import (
    HAPPENINGS,
    Settled,
    accepts_permissions,
    adds,
    archives,
    name_of,
    removes,
    renames,
    suspends,
    transfers,
)
from tests.history.town import Town

TOKENS = "apps/create-installation-access-token"


async def test_what_is_there_already_is_found(town: Town, settled: Settled) -> None:
    directory = await town.directory()
    assert directory == town.truth()
    assert directory["installations"].keys() == {settled.acme.id, settled.globex.id}
    assert directory["repositories"].keys() == {settled.rocket.id, settled.widget.id, settled.tool.id}
    assert await town.find() == 2


# One thing happens, and no event tells of it.


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


# What tells only a part, and what events alone leave wrong.


async def test_an_account_renamed_before_its_first_event(town: Town) -> None:
    (rocket,) = town.create("rocket")
    town.install(rocket)
    await town.pass_time()
    town.github.installations.rename_account(town.acme, "acme-works")
    created, renamed = town.github.deliveries
    await town.hear([renamed, created])
    told = await town.directory()
    assert told["repositories"][rocket.id]["full_name"] == "acme-works/rocket"
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
    told = (await town.directory())["repositories"][rocket.id]
    assert (told["archived"], told["default_branch"]) == (True, "main")
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
