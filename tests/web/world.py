"""A town in which everybody has been: some are signed in, some were, some have tokens, and some have left."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bot import access
from bot.access import sessions
from bot.access.secrets import hash_of, new_secret
from bot.store.database import current
from bot.web import cookies
from bot.web.route import Route, Who
from tests.web.asked import ROWS, Place, Row, label
from tests.web.town import API, Answer, Town, Visitor, founded


@dataclass
class World:
    """A town with everybody's credentials: sessions and tokens, those that are good and those that are not."""

    town: Town
    mine: Place = field(default_factory=Place)
    hidden: Place = field(default_factory=Place)
    visitors: dict[str, Visitor] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    async def ask(
        self, route: Route, place: Place, who: Visitor | str, *, row: Row | None = None, **options: Any
    ) -> Answer:
        """Ask as a browser, or with a token, which a page takes no notice of; writes bring what they must."""
        row = row or ROWS[label(route)]
        headers = dict(options.pop("headers", {}))
        visitor = who if isinstance(who, Visitor) else self.town.visitor()
        if isinstance(who, str):
            headers["Authorization"] = f"Bearer {who}"
        fields = {name: place.fill(text) for name, text in row.fields.items()}
        if route.is_page and route.method != "GET":
            options.setdefault("data", {"csrf": visitor.csrf_token} | fields)
        elif route.who is Who.GITHUB:
            headers = {"Content-Type": "application/json", "X-Hub-Signature-256": "sha256=" + "0" * 64} | headers
            options.setdefault("data", b"{}")
        elif route.method != "GET":
            headers.setdefault("X-CSRF-Token", visitor.csrf_token)
            options.setdefault("json", fields)
        return await visitor.ask(route.method, place.fill(row.asked), headers, **options)

    def everybody_bad(self) -> Iterator[tuple[str, Visitor | str]]:
        yield from ((name, self.visitors[name]) for name in ("nobody", "planted", "revoked", "expired"))
        yield from ((f"token {name}", self.tokens[name]) for name in ("made up", "revoked", "expired"))
        yield from self._by_neighbours()

    def _by_neighbours(self) -> Iterator[tuple[str, Visitor]]:
        """Yield browsers with a good secret in a cookie that a neighbouring host may have set."""
        good = self.visitors["otto"].secret
        for name in (f"\u2000{cookies.SESSION}", f"\xa0{cookies.SESSION}", cookies.SESSION.lower()):
            yield f"cookie {name!r}", self.town.visitor(**{name: good})
        yield "cookie twice", self.town.visitor(**{cookies.SESSION: f"{good}; {cookies.SESSION}={good}"})


@asynccontextmanager
async def peopled(url: str) -> AsyncIterator[World]:
    """Let them all come, and give the town."""
    async with founded(url) as town:
        world = World(town)
        await _make_tokens(world)
        await _sign_in(world)
        await _name_places(world)
        await _send_rita_away(world)
        await _warm_up(world)
        yield world


async def _warm_up(world: World) -> None:
    """Let each credential be used, so that this is noted, and GitHub asked what each sees, now and not for minutes."""
    for token in world.tokens.values():
        await world.town.visitor().get(f"{API}/teams", headers={"Authorization": f"Bearer {token}"})
    for visitor in world.visitors.values():
        await visitor.get(f"{API}/teams")


async def _make_tokens(world: World) -> None:
    now = world.town.clock.now()
    for name in ("acme", "other", "held"):
        world.tokens[name] = await access.create_token(name, name, now)
    for name in ("revoked", "expired"):
        world.tokens[name] = await access.create_token("acme", name, now, 1)
    await access.revoke_token("revoked", now)
    await _put_into_the_past("api_token", hash_of(world.tokens["expired"]))
    world.tokens["made up"] = access.tokens.PREFIX + new_secret()


async def _sign_in(world: World) -> None:
    town, visitors = world.town, world.visitors
    for login in ("carl", "rita", "otto", "hal"):
        visitors[login] = town.visitors[login] = await town.signed_in(login)
    for name in ("revoked", "expired"):
        visitors[name] = await town.signed_in("tess")
    await _revoke_session(visitors["revoked"], town)
    await _put_into_the_past("session", hash_of(visitors["expired"].secret))
    visitors["nobody"], visitors["planted"] = town.visitor(), town.visitor(**{cookies.SESSION: new_secret()})
    setup = await sessions.open_session(None, town.clock.now())
    visitors["setup"] = town.visitor(**{cookies.SESSION: setup.secret})
    for login, team in (("carl", "acme"), ("rita", "acme"), ("otto", "other")):
        world.tokens[login] = await town.make_token(login, team, f"{login}'s")
    await _use_states(world)


async def _use_states(world: World) -> None:
    """Let somebody sign in, and keep the state that was used; and one that another browser was given."""
    visitor = world.town.visitor()
    back = await visitor.leave()
    world.tokens["used state"] = dict(parse_qsl(urlsplit(back).query))["state"]
    world.tokens["browser"] = visitor.kept[cookies.LEAVING]
    assert (await visitor.get(back)).status == 303
    other = world.town.visitor()
    world.tokens["another's state"] = dict(parse_qsl(urlsplit(await other.leave()).query))["state"]


async def _revoke_session(visitor: Visitor, town: Town) -> None:
    session = await sessions.find_session(visitor.secret, town.clock.now())
    assert session is not None
    await sessions.revoke_session(session.id, town.clock.now())


async def _put_into_the_past(table: str, hashed: str) -> None:
    await current().execute(f"UPDATE {table} SET expires_at = created_at WHERE hash = ?", hashed)


async def _name_places(world: World) -> None:
    """Learn the ids of what is carl's, and of what he doesn't see."""
    places = []
    for repository, token in ((world.town.stage.repository, "carl's"), (world.town.cellar, "rita's")):
        (run,) = await current().fetch("SELECT run_id FROM workflow_run WHERE repository_id = ?", repository.id)
        asked = {"team": "acme", "repoFullName": repository.full_name}
        headers = {"Authorization": f"Bearer {world.tokens['acme']}"}
        answer = await world.town.visitor().ask("POST", f"{API}/backfills", headers, json=asked)
        (kept,) = await current().fetch("SELECT id FROM api_token WHERE name = ?", token)
        backfill = json.loads(answer.body)["id"]
        places.append(Place("acme", repository.full_name, run["run_id"], repository.id, backfill, kept["id"]))
    world.mine, world.hidden = places


async def _send_rita_away(world: World) -> None:
    town = world.town
    town.github.people.remove_member(town.stage.organization, town.account("rita"))
    # As an event does that tells of something that may change what she sees; then she is looked at anew.
    await current().execute("UPDATE person SET looked_at = NULL WHERE login = 'rita'")
    assert (await world.visitors["rita"].get(f"{API}/teams")).text == '{"teams":[]}'
