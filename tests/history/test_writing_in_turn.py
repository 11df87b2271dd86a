"""Two processes write to GitHub one after the other, and both heed what either is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.demo.github import let_pass
from bot.demo.github.rest.faults import RateLimited
from bot.github import Client, GitHub
from bot.github import errors as github_errors
from bot.github.checks import create_check_run
from bot.github.repositories import get_repository
from bot.store.database import Database
from bot.store.leases import Leases, WriteLeases, new_holder
from tests.history.house import House, housed, settings_for


@asynccontextmanager
async def beside(house: House) -> AsyncIterator[GitHub]:
    """Give another process's client of the same GitHub, on the same database."""
    settings = settings_for(house.github, house.github.world.addresses.api)
    assert settings.app_id is not None
    assert settings.private_key is not None
    rights = WriteLeases(Leases(house.database, house.clock, new_holder()))
    key = settings.private_key.get_secret_value()
    async with GitHub(
        settings.app_id, key, api_url=settings.github_api_url, clock=house.clock, rights=rights
    ) as github:
        yield github


async def post_checks(house: House, github: GitHub, who: str, number: int) -> None:
    client, sha = github.installation(house.installation_id), house.stage.repository.tip().commit.sha
    posts = [
        create_check_run(client, "acme/rocket", {"name": f"{who} {each}", "head_sha": sha}) for each in range(number)
    ]
    await asyncio.gather(*posts)


async def test_two_processes_write_one_after_the_other(database: Database) -> None:
    async with housed(database) as house, beside(house) as another:
        writing = asyncio.gather(
            post_checks(house, house.tools.github, "ours", 6), post_checks(house, another, "theirs", 6)
        )
        await let_pass(house.github, house.clock, 120, step=0.2, until=writing.done)
        await writing
        names = [check.name.partition(" ")[0] for check in house.github.world.check_runs.values()]
        assert sorted(names) == ["ours"] * 6 + ["theirs"] * 6
        # Neither waits until the other has nothing more to say.
        assert len({*names[:6]}) == 2
    # That no two went out at once, or within a second, is what `housed` asks GitHub in the end.


# GitHub's silence

SILENCE = 70
READ, WRITE = "repos/get", "checks/create"


async def be_refused(house: House, operation: str) -> float:
    """Let GitHub refuse something to the first process; return the epoch second until which it wants silence."""
    client = house.tools.github.installation(house.installation_id, patience=1)
    house.github.rest.scripted_faults.add(RateLimited(429, retry_after=SILENCE), operation=operation)
    asking = get_repository(client, "acme/rocket") if operation == READ else create(client, house)
    with pytest.raises(github_errors.RateLimited):
        await house.while_time_passes(asking, step=0.1)
    return house.clock.time() + SILENCE


async def create(client: Client, house: House) -> None:
    sha = house.stage.repository.tip().commit.sha
    await create_check_run(client, "acme/rocket", {"name": "CI", "head_sha": sha})


@pytest.mark.parametrize("operation", [READ, WRITE])
async def test_what_one_process_is_refused_no_other_asks_for_too_early(database: Database, operation: str) -> None:
    async with housed(database) as house, beside(house) as another:
        until = await be_refused(house, operation)
        hasty = another.installation(house.installation_id, patience=1)
        # A write notes it by itself, a read once it is told to.
        with pytest.raises(github_errors.RateLimited) as refusal:
            await house.while_time_passes(create(hasty, house), step=0.1)
        assert refusal.value.until.timestamp() == pytest.approx(until, abs=1)
        async with beside(house) as reading:
            await reading.heed(house.installation_id)
            assert reading.installation(house.installation_id).outlook().paused_until == pytest.approx(until, abs=1)
        patient = another.installation(house.installation_id)
        await house.while_time_passes(create(patient, house), step=0.2)
        # On a busy machine the clock moves on while the database answers; nobody waits as long once more.
        assert until - 1 <= house.clock.time() <= until + SILENCE / 2
    # That nothing was sent too early is what `housed` asks GitHub in the end.
