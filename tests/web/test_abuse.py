"""Whatever is tried on any route, it is refused as it must be, and nothing changes."""

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.web.route import Route, Who
from bot.web.routes import ROUTES
from tests.web.abuse import ABUSES, CASES, Abuse, name_of, try_it
from tests.web.asked import ROWS, is_of_the_api, label
from tests.web.town import API, Visitor
from tests.web.world import World, peopled

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    path = tmp_path_factory.mktemp("abuse") / "runledger.sqlite3"
    shutil.copy(sqlite_template, path)
    async with peopled(f"sqlite://{path}") as everybody:
        yield everybody


async def test_every_route_has_a_row_and_no_other() -> None:
    assert ROWS.keys() == set(map(label, ROUTES))


async def test_every_abuse_is_tried_somewhere() -> None:
    assert {abuse for abuse, _ in CASES} == set(ABUSES)


@pytest.mark.parametrize(("abuse", "route"), CASES, ids=name_of)
async def test_it_is_refused_and_changes_nothing(world: World, abuse: Abuse, route: Route) -> None:
    await try_it(world, abuse, route)


async def test_those_who_may_are_let_in(world: World) -> None:
    """Whoever is refused everywhere would pass all of the above."""
    for route in ROUTES:
        everybody: list[Visitor | str] = []
        if is_of_the_api(route):
            everybody = [world.tokens["acme"], world.tokens["carl"], world.visitors["carl"]]
        elif route.who is Who.PERSON and route.method == "GET":
            everybody = [world.visitors["carl"]]
        for who in everybody:
            answer = await world.ask(route, world.mine, who)
            assert answer.status == ROWS[label(route)].in_use, (label(route), answer.text)


async def test_a_suspended_installation_is_read_by_the_operator_alone(world: World) -> None:
    teams = {}
    for who in ("held", "hal"):
        credential = world.tokens.get(who, world.visitors.get(who, ""))
        route = next(route for route in ROUTES if route.path == f"{API}/teams")
        answer = await world.ask(route, world.mine, credential)
        teams[who] = [team["slug"] for team in json.loads(answer.body)["teams"]]
    assert teams == {"held": ["held"], "hal": []}


async def test_whom_github_lists_a_suspended_installation_is_told_that_and_no_more(world: World) -> None:
    told = {}
    for who in ("hal", "carl", "nobody"):
        page = (await world.visitors[who].get("/")).text
        told[who] = [line for line in page.splitlines() if "held" in line]
    assert {who: len(lines) for who, lines in told.items()} == {"hal": 1, "carl": 0, "nobody": 0}
    assert "held: " in told["hal"][0]
    assert "suspended at GitHub" in told["hal"][0]
    for path in ("/teams/held", "/teams/held/runs", "/teams/held/tokens"):
        assert (await world.visitors["hal"].get(path)).status == 404
