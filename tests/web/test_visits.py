"""The frame of pages: who is let in, what forms must bring, and how an error is told to a person."""

import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from msgspec import Meta
from yarl import URL

from bot import access
from bot.access import sessions
from bot.access.sessions import Session
from bot.errors import DatabaseUnavailable, GitHubAway, NotFound
from bot.store import connected
from bot.web import cookies
from bot.web.asking import handler_for
from bot.web.problems import Problem
from bot.web.route import NoQuery, Route, Who
from bot.web.visits import Visit
from tests.databases import quick
from tests.web.conftest import Client
from tests.web.rooms import NOW, Rooms, make_app


class Name(msgspec.Struct, frozen=True):
    name: Annotated[str, Meta(min_length=1, max_length=20)]
    days: Annotated[int | None, Meta(description="Days")] = None
    loud: bool = False


class Number(msgspec.Struct, frozen=True):
    number: Annotated[int, Meta(ge=1, le=9)]


async def show(visit: Visit, query: Any, *path: Any) -> web.StreamResponse:
    told = [msgspec.to_builtins(each) for each in (query, *path)]
    return web.json_response({"login": visit.login, "told": told, "session": visit.session is not None})


async def fail(visit: Visit, query: Any, *path: Any) -> web.StreamResponse:
    raise FAILURES[visit.request.headers["Failure"]]


FAILURES: dict[str, Exception] = {
    "bug": RuntimeError("the password is hunter2"),
    "not there": NotFound("no team <b>acme</b>"),
    "github": GitHubAway("gone"),
    "database": DatabaseUnavailable("10.0.0.3"),
    "problem": Problem(409, "This <b>is</b> so already."),
}


def route(path: str, who: Who, method: str = "GET", handler: Any = show, **more: Any) -> Route:
    return Route(
        method=method, path=path, handler=handler, who=who, summary="", tag="", answers={}, is_page=True, **more
    )


ROUTES = [
    route("/anyone", Who.ANYONE),
    route("/person", Who.PERSON, query=Number),
    route("/setting-up", Who.SETUP),
    route("/failing", Who.ANYONE, handler=fail),
    route("/failing/{number}", Who.ANYONE, handler=fail, path_parameters=Number),
    *(route(f"/{who.value}/{{number}}", who, "POST", form=Name, path_parameters=Number) for who in Who),
    route("/plain", Who.ANYONE, "POST", form=NoQuery),
]


class People(Rooms):
    """Rooms in which a session's person is known, until they have to sign in again."""

    gone = False

    async def caller_of_session(self, session: Session) -> access.Caller | None:
        actor = access.Actor("person", "mona", session.user_id)
        return None if self.gone or session.user_id is None else access.Caller(actor, f"session {session.id}")


@pytest.fixture
async def people(migrated_sqlite: str) -> AsyncIterator[People]:
    async with connected(quick(migrated_sqlite)):
        yield People()


@pytest.fixture
async def client(people: People) -> AsyncIterator[Client]:
    app = make_app(people)
    for each in ROUTES:
        app.router.add_route(each.method, each.path, handler_for(each))
    async with TestClient(TestServer(app)) as client:
        yield client


async def session_of(user_id: int | None) -> Session:
    return await sessions.open_session(user_id, NOW)


def with_cookie(session: Session) -> dict[str, str]:
    return {"Cookie": f"{cookies.SESSION}={session.secret}"}


async def test_a_person_is_let_in(client: Client) -> None:
    answer = await client.get("/person?number=3", headers=with_cookie(await session_of(5)))
    assert await answer.json() == {"login": "mona", "told": [{"number": 3}], "session": True}


@pytest.mark.parametrize("held", ["nothing", "nonsense", "a set-up session", "a session without a grant"])
async def test_anybody_else_is_led_to_the_login_and_back(client: Client, people: People, held: str) -> None:
    cookie = {
        "nothing": {},
        "nonsense": {"Cookie": f"{cookies.SESSION}=nonsense"},
        "a set-up session": with_cookie(await session_of(None)),
        "a session without a grant": with_cookie(await session_of(5)),
    }[held]
    people.gone = True
    answer = await client.get("/person?number=3&x=%26", headers=cookie, allow_redirects=False)
    assert answer.status == 303
    location = URL(answer.headers["Location"], encoded=True)
    assert (location.path, dict(location.query)) == ("/login", {"return_to": "/person?number=3&x=%26"})
    assert answer.headers["Cache-Control"] == "no-store"
    posted = await _post(client, "/person/3", cookie, await session_of(5))
    assert posted.status in {401, 403}


@pytest.mark.parametrize(("user_id", "status"), [(None, 200), (5, 403), ("nobody", 403)])
async def test_the_set_up_is_for_whoever_opened_the_link(client: Client, user_id: Any, status: int) -> None:
    cookie = {} if user_id == "nobody" else with_cookie(await session_of(user_id))
    answer = await client.get("/setting-up", headers=cookie)
    assert answer.status == status
    if status == 403:
        assert "Open the link that the service printed" in await answer.text()


async def _post(client: Client, path: str, cookie: dict[str, str], session: Session, **options: Any) -> Any:
    fields = {"csrf": session.csrf_token, "name": "ci"}
    return await client.post(path, **({"headers": cookie, "data": fields} | options), allow_redirects=False)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "ci"}, {"name": "ci", "days": None, "loud": False}),
        ({"name": "é +&=\u2028", "days": "3", "loud": "true"}, {"name": "é +&=\u2028", "days": 3, "loud": True}),
        ({"name": "ci", "days": ""}, {"name": "ci", "days": None, "loud": False}),
    ],
)
async def test_a_form_is_read(client: Client, fields: dict[str, str], told: dict[str, Any]) -> None:
    session = await session_of(5)
    answer = await _post(client, "/person/4", with_cookie(session), session, data={"csrf": session.csrf_token} | fields)
    assert answer.status == 200, await answer.text()
    assert (await answer.json())["told"] == [told, {"number": 4}]


@pytest.mark.parametrize(
    ("path", "fields", "named"),
    [
        ("/person/4", {}, ["name"]),
        ("/person/4", {"name": ""}, ["name"]),
        ("/person/4", {"name": "n" * 21, "days": "x", "loud": "yes"}, ["name", "days", "loud"]),
        ("/person/4", {"name": "a", "colour": "red"}, ["colour"]),
        ("/person/4", {"name": "a\0"}, ["name"]),
        ("/person/4", [("name", "a"), ("name", "b")], ["name"]),
        ("/person/44", {"name": "a"}, ["number"]),
        ("/person/4?x=1", {"name": "a"}, ["x"]),
        ("/plain", {"name": "a"}, ["name"]),
    ],
)
async def test_what_is_wrong_with_a_form_is_named(client: Client, path: str, fields: Any, named: list[str]) -> None:
    session = await session_of(5)
    pairs = [("csrf", session.csrf_token), *(fields.items() if isinstance(fields, dict) else fields)]
    answer = await _post(client, path, with_cookie(session), session, data=pairs)
    text = await answer.text()
    assert (answer.status, answer.content_type) == (400, "text/html")
    for name in named:
        assert f"<code>{name}</code>" in text


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, b"{}", 415),
        ({"Content-Type": "text/plain"}, b"csrf=x", 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--", 415),
        ({"Content-Type": FORM, "Content-Encoding": "gzip"}, b"x", 415),
        ({"Content-Type": FORM}, b"name=" + b"n" * 65536, 413),
        ({"Content-Type": FORM + "; charset=utf-8"}, b"name=ci", 403),
        ({"Content-Type": FORM}, b"csrf=\xff", 403),
        ({"Content-Type": FORM}, b"", 403),
    ],
)
async def test_only_a_form_of_moderate_size_is_one(
    client: Client, headers: dict[str, str], body: bytes, status: int
) -> None:
    cookie = with_cookie(await session_of(5))
    answer = await client.post("/person/4", headers=cookie | headers, data=body)
    assert (answer.status, answer.content_type) == (status, "text/html")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "{own}", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        # A proxy may have changed the Host; the browser knows where it is.
        ({"Origin": "https://ledger.example.com", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://{host}"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://{host}.evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "{own}"}, 403),
    ],
)
async def test_a_form_comes_from_a_page_of_ours(client: Client, headers: dict[str, str], status: int) -> None:
    session, host = await session_of(5), f"{client.host}:{client.port}"
    sent = {name: value.format(own=f"http://{host}", host=host) for name, value in headers.items()}
    answer = await _post(client, "/person/4", {}, session, headers=with_cookie(session) | sent)
    assert answer.status == status, await answer.text()


@pytest.mark.parametrize("who", [Who.ANYONE, Who.PERSON, Who.SETUP])
async def test_each_form_wants_the_token_of_its_own_session(client: Client, who: Who) -> None:
    mine, other = await session_of(None if who is Who.SETUP else 5), await session_of(6)
    path, cookie = f"/{who.value}/4", with_cookie(mine)
    assert (await _post(client, path, cookie, mine)).status == 200
    for csrf in (other.csrf_token, mine.secret, "", mine.csrf_token[:-1], "ü"):
        answer = await _post(client, path, cookie, mine, data={"csrf": csrf, "name": "ci"})
        assert answer.status == 403
        assert "Load the page again" in await answer.text()
    answer = await _post(client, path, {}, mine)
    if who is Who.SETUP:
        # Signing in would be of no use.
        assert (answer.status, "Open the link" in await answer.text()) == (403, True)
    else:
        assert (answer.status, 'href="/login"' in await answer.text()) == (401, True)


@pytest.mark.parametrize(
    ("failure", "status", "told"),
    [
        ("bug", 500, "Something went wrong here"),
        ("not there", 404, "or it is not yours to see"),
        ("github", 503, "GitHub can&#39;t be asked now"),
        ("database", 503, "The database can&#39;t take the work now"),
        ("problem", 409, "This &lt;b&gt;is&lt;/b&gt; so already."),
    ],
)
async def test_an_error_on_a_page_is_a_page(client: Client, failure: str, status: int, told: str) -> None:
    answer = await client.get("/failing", headers={"Failure": failure})
    text = await answer.text()
    assert (answer.status, answer.content_type) == (status, "text/html")
    assert told in text
    for secret in ("hunter2", "10.0.0.3", "acme"):
        assert secret not in text
    assert (answer.headers["X-Request-Id"] in text) == (status == 500)
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert answer.headers["Cache-Control"] == "no-store"


async def test_what_failed_is_logged_without_its_path(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "bot"):
        answer = await client.get("/failing/7", headers={"Failure": "bug"})
    (record,) = (record for record in caplog.records if record.name.startswith("bot"))
    assert answer.headers["X-Request-Id"] in record.getMessage()
    assert "GET /failing/{number}" in record.getMessage()


@pytest.mark.parametrize(
    ("accepted", "media_type"), [("text/html,*/*", "text/html"), ("*/*", "application/problem+json")]
)
async def test_a_browser_that_lost_its_way_gets_a_page(client: Client, accepted: str, media_type: str) -> None:
    for method, path, status in (("GET", "/nowhere", 404), ("DELETE", "/anyone", 405)):
        answer = await client.request(method, path, headers={"Accept": accepted})
        assert (answer.status, answer.content_type) == (status, media_type)


async def test_what_an_error_names_is_escaped(client: Client) -> None:
    answer = await client.get("/anyone?%3Cscript%3E=1")
    assert answer.status == 400
    assert "<script>" not in await answer.text()
    assert "&lt;script&gt;" in await answer.text()


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil"])
def test_no_page_leads_elsewhere_by_mistake(path: str) -> None:
    visit = Visit(cast("Any", None), cast("Any", None), None)
    with pytest.raises(ValueError, match="of this service"):
        visit.redirect(path)
    assert visit.redirect("/teams/a").headers["Location"] == "/teams/a"
