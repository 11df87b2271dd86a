"""Answers that GitHub would never give, from whatever stands in its place: nobody is signed in by them."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bot.access import sessions
from bot.access.people import People
from bot.clock import Clock
from bot.errors import GitHubAway
from bot.settings import Settings
from bot.store.database import Database
from bot.store.leases import Leases
from bot.store.registration import Configuration
from tests.access.office import CALLBACK, SECRET_KEY

TOKEN, USER = "/login/oauth/access_token", "/user"
INSTALLATIONS, REPOSITORIES = "/user/installations", "/user/installations/1/repositories"
GOOD = {
    TOKEN: b'{"access_token": "ghu_x", "expires_in": 28800, "refresh_token": "ghr_x"}',
    USER: b'{"id": 77, "login": "gary"}',
    INSTALLATIONS: b'{"total_count": 1, "installations": [{"id": 1}]}',
    REPOSITORIES: b'{"total_count": 1, "repositories": [{"id": 5}]}',
}


@dataclass
class Stand:
    """What is in GitHub's place: it answers each path with what it is told to, and remembers what was to be ended."""

    people: People = field(init=False)
    answers: dict[str, bytes] = field(default_factory=lambda: dict(GOOD))
    ended: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        if request.method == "DELETE":
            self.ended.append(json.loads(await request.read())["access_token"])
            return web.Response(status=204)
        return web.Response(body=self.answers[request.path], content_type="application/json")

    async def sign_in(self) -> sessions.Session:
        person = await self.people.sign_in("a code", "a verifier", CALLBACK)
        return await sessions.open_session(person.user_id, Clock().now())


@pytest.fixture
async def stand(database: Database) -> AsyncIterator[Stand]:
    stand, app, clock = Stand(), web.Application(), Clock()
    app.router.add_route("*", "/{path:.*}", stand.handle)
    async with TestServer(app) as server:
        address = str(server.make_url("/")).rstrip("/")
        settings = Settings(
            _env_file=None,
            secret_key=SecretStr(SECRET_KEY),
            github_client_id="Iv1.a",
            github_client_secret=SecretStr("hush"),
            github_api_url=address,
            github_server_url=address,
        )
        leases = Leases(database, clock, "here")
        async with People(Configuration(settings, clock), clock, database, leases) as stand.people:
            yield stand


@pytest.mark.parametrize(
    "user",
    [
        b'{"id": 9223372036854775808, "login": "gary"}',
        b'{"id": 1e300, "login": "gary"}',
        b'{"id": 0, "login": "gary"}',
        b'{"id": -5, "login": "gary"}',
        b'{"id": 77, "login": "\\ud800"}',
        b'{"id": 77, "login": "a\\u0000b"}',
        b'{"id": 77, "login": "gary\\n"}',
        b'{"id": 77, "login": ""}',
    ],
)
async def test_somebody_who_cannot_be_is_not_signed_in_and_their_token_is_ended(stand: Stand, user: bytes) -> None:
    stand.answers[USER] = user
    with pytest.raises(GitHubAway):
        await stand.sign_in()
    assert stand.ended == ["ghu_x"]


@pytest.mark.parametrize(
    ("path", "listed"),
    [
        (INSTALLATIONS, b'{"total_count": 1, "installations": [{"id": 99999999999999999999999}]}'),
        (INSTALLATIONS, b'{"total_count": 1, "installations": [{"id": 9223372036854775808}]}'),
        (INSTALLATIONS, b'{"total_count": 1, "installations": [{"id": 0}]}'),
        (REPOSITORIES, b'{"total_count": 1, "repositories": [{"id": 9223372036854775808}]}'),
        (REPOSITORIES, b'{"total_count": 1, "repositories": [{"id": -5}]}'),
    ],
)
async def test_lists_of_what_cannot_be_show_nothing(stand: Stand, path: str, listed: bytes) -> None:
    stand.answers[path] = listed
    session = await stand.sign_in()
    with pytest.raises(GitHubAway):
        await stand.people.caller_of_session(session)


async def test_what_can_be_is_shown(stand: Stand) -> None:
    caller = await stand.people.caller_of_session(await stand.sign_in())
    assert caller is not None
    assert (caller.user_id, caller.actor.name, stand.ended) == (77, "gary", [])
