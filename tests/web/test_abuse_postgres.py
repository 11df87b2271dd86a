"""Some of what is tried on any route, on PostgreSQL."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.web.route import Route
from tests.postgres_copies import Copies
from tests.web.abuse import (
    CASES,
    Abuse,
    as_a_member_of_another_repository,
    as_somebody_of_another_team,
    name_of,
    try_it,
)
from tests.web.world import World, peopled

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What depends on the database is what is looked up and not shown; of the rest some will do.
LOOKED_UP = {as_a_member_of_another_repository, as_somebody_of_another_team}
SOME = [case for number, case in enumerate(CASES) if case[0] in LOOKED_UP or number % 6 == 0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(postgres_copies: Copies) -> AsyncIterator[World]:
    with postgres_copies.one() as url:
        async with peopled(url) as everybody:
            yield everybody


@pytest.mark.parametrize(("abuse", "route"), SOME, ids=name_of)
async def test_it_is_refused_and_changes_nothing(world: World, abuse: Abuse, route: Route) -> None:
    await try_it(world, abuse, route)
