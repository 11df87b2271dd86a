"""A sync of an installation that sees more than a page of repositories, and of what changes while pages are turned."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bot.demo.github.rest.faults import Slow
from bot.demo.github.state.accounts import Installation
from bot.demo.github.state.repositories import Repository
from bot.history import sync_installation
from bot.history.installations import EVERY, LATER, SOON
from tests.history.settled import is_about
from tests.history.town import REPOSITORIES, Town


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
