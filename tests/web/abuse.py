"""What somebody may try on every route, and how each must answer."""

import difflib
import io
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from bot.access.secrets import new_secret
from bot.web import cookies
from bot.web.parameters import parameters_of
from bot.web.route import Route, Who
from bot.web.routes import ROUTES
from tests.web.asked import NOWHERE, ROWS, Place, Row, is_of_the_api, label, refusal
from tests.web.town import Answer, Visitor
from tests.web.witness import heard, rows
from tests.web.world import World

LONG_URL, LARGE_FORM, LARGE_DELIVERY = 9_000, 70_000, 25 * 1024 * 1024 + 1
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"}
ELSEWHERE = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
)
OF_ONE_ANSWER = {"date", "x-request-id", "content-length"}


# What is tried


async def without_good_credentials(world: World, route: Route) -> None:
    for name, who in world.everybody_bad():
        answer = await world.ask(route, world.mine, who)
        # A token says nothing to a page, and a wrong one takes nothing away from whom anybody may see.
        assert answer.status == refusal(route), (name, answer.status, answer.text[:300])
        if answer.status == 303 and route.who is Who.PERSON:
            assert answer.location.startswith("/login?return_to=/"), answer.location
        kept = answer.headers.getall("Set-Cookie", [])
        assert not any(cookies.SESSION + "=" in each for each in kept), kept


async def as_somebody_of_another_team(world: World, route: Route) -> None:
    for who in ("otto", "hal", "rita"):
        await _is_kept_out(world, route, world.visitors[who], replace(world.mine, team="nowhere"))
        if who != "hal" and is_of_the_api(route):
            await _is_kept_out(world, route, world.tokens[who], replace(world.mine, team="nowhere"))
    if is_of_the_api(route):
        await _is_kept_out(world, route, world.tokens["other"], replace(world.mine, team="nowhere"))


async def as_a_member_of_another_repository(world: World, route: Route) -> None:
    everybody: list[Visitor | str] = [world.visitors["carl"], *([world.tokens["carl"]] if is_of_the_api(route) else [])]
    for who in everybody:
        if ROWS[label(route)].names_a_repository:
            await _is_the_same(world, route, who, world.hidden, NOWHERE)
        if route.method == "GET":
            assert "cellar" not in (await world.ask(route, world.hidden, who)).text


async def of_a_suspended_installation(world: World, route: Route) -> None:
    who = world.visitors["hal"]
    held = replace(world.mine, team="held", repo="held/rocket")
    if not ROWS[label(route)].names_a_team:
        assert "held" not in (await world.ask(route, held, who)).text
        return
    answer = await _is_the_same(world, route, who, held, replace(held, team="nowhere"))
    assert answer.status == 404


async def with_a_forged_installation(world: World, route: Route) -> None:
    row = ROWS[label(route)]
    joint = "&" if "?" in row.asked else "?"
    who = world.visitors["carl"] if is_of_the_api(route) or route.who is Who.PERSON else world.visitors["setup"]
    told = set()
    for forged in (world.town.other.id, world.town.held.id, 10**15):
        asked = f"{row.asked}{joint}installation_id={forged}"
        answer = await world.ask(route, world.mine, who, row=replace(row, asked=asked))
        assert answer.status in {400, 401, 403} or route.who in {Who.ANYONE, Who.OPERATOR, Who.SCRAPER}, answer.text
        told.add((answer.status, answer.location, _without_id(answer.text) if answer.status >= 400 else ""))
    assert len(told) == 1, told


async def with_a_state_that_was_used(world: World, route: Route) -> None:
    row, place = ROWS[label(route)], world.mine
    path = row.asked.partition("?")[0]
    assert row.replayed is not None
    for who in ("nobody", "setup", "carl"):
        for state in (world.tokens["used state"], world.tokens["another's state"], new_secret()):
            visitor = world.visitors[who]
            visitor = replace(visitor, kept=visitor.kept | {cookies.LEAVING: world.tokens["browser"]})
            answer = await world.ask(route, place, visitor, row=Row(f"{path}?code=abc&state={state}"))
            expected = row.replayed if who == "setup" or route.who is Who.ANYONE else refusal(route)
            assert answer.status == expected, (who, answer.text)


async def from_another_site(world: World, route: Route) -> None:
    who = world.visitors["setup" if route.who is Who.SETUP else "carl"]
    for headers in ELSEWHERE:
        assert (await world.ask(route, world.mine, who, headers=headers)).status == 403, headers
    if route.sessionless:
        return
    for csrf in (None, "", "wrong", world.visitors["otto"].csrf_token, who.secret):
        answer = await _with_csrf(world, route, who, csrf)
        assert answer.status == 403, csrf


async def too_large(world: World, route: Route) -> None:
    who = world.visitors["setup" if route.who is Who.SETUP else "carl"]
    row = ROWS[label(route)]
    joint = "&" if "?" in row.asked else "?"
    long = await world.ask(route, world.mine, who, row=replace(row, asked=f"{row.asked}{joint}q={'q' * LONG_URL}"))
    assert long.status in {400, 414}
    if route.who is Who.GITHUB:
        answer = await world.ask(route, world.mine, who, data=io.BytesIO(b" " * LARGE_DELIVERY))
        assert answer.status == 413
    elif route.is_page and route.method != "GET":
        answer = await world.ask(route, world.mine, who, data={"csrf": who.csrf_token, "name": "n" * LARGE_FORM})
        assert answer.status == 413
    elif route.takes_body:
        answer = await world.ask(route, world.mine, who, json={"team": "t" * LARGE_FORM})
        assert (answer.status, '"parameter":"body"' in answer.text) == (400, True)


async def by_another_method(world: World, route: Route) -> None:
    taken = {each.method for each in ROUTES if each.path == route.path}
    if any(each.method == "GET" and not each.acts for each in ROUTES if each.path == route.path):
        taken.add("HEAD")
    path = world.mine.fill(ROWS[label(route)].asked)
    for method in METHODS - taken:
        for who in ("nobody", "carl", "setup"):
            answer = await world.visitors[who].ask(method, path)
            assert answer.status == 405, method
            assert {name.strip() for name in answer.headers["Allow"].split(",")} == taken


Abuse = Callable[[World, Route], Awaitable[None]]
ABUSES: Mapping[Abuse, Callable[[Route], bool]] = {
    without_good_credentials: lambda route: True,
    as_somebody_of_another_team: lambda route: is_of_the_api(route) or route.who is Who.PERSON,
    as_a_member_of_another_repository: lambda route: is_of_the_api(route) or route.who is Who.PERSON,
    of_a_suspended_installation: lambda route: is_of_the_api(route) or route.who is Who.PERSON,
    with_a_forged_installation: lambda route: True,
    with_a_state_that_was_used: lambda route: "state" in parameters_of(route.query),
    from_another_site: lambda route: route.method != "GET" and route.who is not Who.GITHUB,
    too_large: lambda route: True,
    by_another_method: lambda route: True,
}
CASES = [
    (abuse, route) for route in ROUTES if label(route) in ROWS for abuse, applies in ABUSES.items() if applies(route)
]


def name_of(case: object) -> str:
    return label(case) if isinstance(case, Route) else getattr(case, "__name__", "")


async def try_it(world: World, abuse: Abuse, route: Route) -> None:
    """Try it, and see that no row has changed."""
    before = await rows()
    await abuse(world, route)
    after = await rows()
    changed = {table for table in before if before[table] != after[table]}
    assert not changed, {table: after[table] for table in changed}


# What an answer tells


async def _is_kept_out(world: World, route: Route, who: Visitor | str, nowhere: Place) -> None:
    if ROWS[label(route)].names_a_team:
        answer = await _is_the_same(world, route, who, world.mine, nowhere)
        assert answer.status == 404, answer.text
    else:
        answer = await world.ask(route, world.mine, who)
        assert answer.status == ROWS[label(route)].in_use
        assert "acme" not in answer.text


async def _is_the_same(world: World, route: Route, who: Visitor | str, theirs: Place, nowhere: Place) -> Answer:
    """Hold that what is not theirs is answered by the same statements and the same bytes as what is not there."""
    with heard() as first:
        not_theirs = await world.ask(route, theirs, who)
    with heard() as second:
        not_there = await world.ask(route, nowhere, who)
    assert not_theirs.status == not_there.status
    assert _told(not_theirs, theirs) == _told(not_there, nowhere)
    assert first == second, "\n".join(difflib.unified_diff(first, second, lineterm=""))
    assert first, "nothing was heard"
    return not_theirs


def _told(answer: Answer, place: Place) -> tuple[dict[str, str], str]:
    headers = {name.lower(): value for name, value in answer.headers.items() if name.lower() not in OF_ONE_ANSWER}
    if "link" in headers:
        # It repeats what was asked for.
        headers["link"] = headers["link"].replace(place.repo.replace("/", "%2F"), "REPO").replace(place.repo, "REPO")
    return headers, _without_id(answer.text)


def _without_id(text: str) -> str:
    return re.sub(r"[0-9a-f]{32}", "ID", text)


async def _with_csrf(world: World, route: Route, who: Visitor, csrf: str | None) -> Answer:
    fields = {name: world.mine.fill(text) for name, text in ROWS[label(route)].fields.items()}
    path = world.mine.fill(ROWS[label(route)].asked)
    if route.is_page:
        return await who.ask(route.method, path, data=fields | ({} if csrf is None else {"csrf": csrf}))
    return await who.ask(route.method, path, {} if csrf is None else {"X-CSRF-Token": csrf}, json=fields)
