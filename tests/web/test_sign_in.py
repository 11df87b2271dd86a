"""Signing in with GitHub and out: a state is good once and in one browser, a session has a secret of its own."""

import re
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from bot.access import create_token, sessions
from bot.access.secrets import hash_of, new_secret
from bot.web import cookies
from bot.web.pages.login import challenge_of
from bot.web.visits import is_local
from tests.web.conftest import Serve
from tests.web.town import API, CALLBACK, Town

TEAMS = f"{API}/teams"


in_town = pytest.mark.asyncio(loop_scope="module")


async def live_sessions(town: Town) -> int:
    return len(await town.rows("SELECT id FROM session WHERE revoked_at IS NULL"))


@in_town
async def test_whoever_comes_back_is_signed_in_and_led_to_where_they_were(town: Town) -> None:
    visitor = town.visitor()
    answer = await visitor.sign_in("/login?return_to=" + quote("/teams/acme/runs?branch=a%20b", safe=""))
    assert (answer.status, answer.location) == (303, "/teams/acme/runs?branch=a%20b")
    assert answer.headers["Cache-Control"] == "no-store"
    assert await visitor.is_signed_in()
    (kept,) = await town.rows("SELECT hash FROM session ORDER BY id DESC LIMIT 1")
    assert kept["hash"] == hash_of(visitor.secret)


@in_town
async def test_the_cookies_are_for_this_host_alone_and_no_script_sees_them(town: Town) -> None:
    visitor = town.visitor()
    left = await visitor.get("/login")
    back = await visitor.sign_in()
    told = [*left.headers.getall("Set-Cookie"), *back.headers.getall("Set-Cookie")]
    assert [each.partition("=")[0] for each in told] == ["__Host-runledger-leaving", "__Host-runledger"]
    for each in told:
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(each.split("; "))
        assert "Domain" not in each


@in_town
async def test_github_is_asked_with_a_state_and_a_challenge_that_nobody_can_guess(town: Town) -> None:
    asked = [parse_qs(urlsplit((await town.visitor().get("/login")).location).query) for _ in range(2)]
    for query in asked:
        assert query["client_id"] == [town.github.app.client_id]
        assert query["redirect_uri"] == [town.address + CALLBACK]
        assert query["code_challenge_method"] == ["S256"]
        assert len(query["state"][0]) == len(query["code_challenge"][0]) == 43
    assert asked[0]["state"] != asked[1]["state"]
    assert asked[0]["code_challenge"] != asked[1]["code_challenge"]
    (kept,) = await town.rows("SELECT hash FROM pending_state ORDER BY id DESC LIMIT 1")
    assert kept["hash"] == hash_of(asked[1]["state"][0])


def test_a_challenge_is_what_rfc_7636_says() -> None:
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


LOCAL = ["/", "/teams/acme", "/teams/acme/runs?cursor=a%2Fb&x=[1]", "/login", "/a//b", "/?next=https://evil.example"]
ELSEWHERE = [
    *("//evil.example", "https://evil.example", "http:evil.example", "/\\evil.example", "\\\\evil.example", "evil"),
    *("/\tevil", "/\n/evil.example", " /", "/ü", "/a\x00", "javascript:alert(1)", "/a\\b", "/" + "a" * 2000),
]


@pytest.mark.parametrize("path", LOCAL)
def test_a_path_of_ours_may_be_returned_to(path: str) -> None:
    assert is_local(path)


@in_town
@pytest.mark.parametrize("path", ELSEWHERE)
async def test_nobody_is_led_elsewhere_afterwards(town: Town, path: str) -> None:
    assert not is_local(path)
    answer = await town.visitor().get("/login?return_to=" + quote(path, safe=""))
    assert (answer.status, answer.location) == (400, "")
    assert "return_to" in answer.text


@in_town
async def test_a_state_is_good_once(town: Town) -> None:
    visitor = town.visitor()
    back = await visitor.leave()
    assert (await visitor.get(back)).status == 303
    there = await live_sessions(town)
    again = await visitor.get(back)
    assert (again.status, again.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert "Sign in again" in again.text
    assert await live_sessions(town) == there
    assert await visitor.is_signed_in()


@in_town
async def test_a_state_is_good_in_the_browser_that_left_with_it_alone(town: Town) -> None:
    attacker, victim, newcomer = town.visitor(), town.visitor(), town.visitor()
    back = await attacker.leave()
    await victim.leave()
    for other in (victim, newcomer):
        assert (await other.get(back)).status == 400
        assert not await other.is_signed_in()
    assert (await attacker.get(back)).status == 303


@in_town
async def test_two_tabs_come_back_each_by_itself(town: Town) -> None:
    visitor = town.visitor()
    first, second = await visitor.leave("/login?return_to=/a"), await visitor.leave("/login?return_to=/b")
    assert [(await visitor.get(back)).location for back in (second, first)] == ["/b", "/a"]


@in_town
@pytest.mark.parametrize("query", ["", "code=abc", "state={other}", "code=abc&state={other}", "error=access_denied"])
async def test_a_forged_way_back_leads_nowhere(town: Town, query: str) -> None:
    visitor = town.visitor()
    await visitor.leave()
    answer = await visitor.get(f"{CALLBACK}?{query.format(other=new_secret())}")
    assert answer.status == 400
    assert "not on its way" in answer.text
    assert not await visitor.is_signed_in()


@in_town
async def test_a_code_that_github_did_not_give_is_refused(town: Town) -> None:
    visitor = town.visitor()
    back = await visitor.leave()
    answer = await visitor.get(re.sub(r"code=\w+", "code=0123456789abcdef0123", back))
    assert answer.status == 403
    assert "GitHub did not take back the code" in answer.text
    assert not await visitor.is_signed_in()


@in_town
async def test_whoever_says_no_at_github_is_told_so(town: Town) -> None:
    visitor = town.visitor()
    state = parse_qs(urlsplit(await visitor.leave()).query)["state"][0]
    refused = "error=access_denied&error_description=The+user+has+denied&error_uri=https%3A%2F%2Fdocs"
    answer = await visitor.get(f"{CALLBACK}?{refused}&state={state}")
    assert answer.status == 403
    assert "not allowed to tell" in answer.text
    assert "denied" not in answer.text


@in_town
async def test_a_planted_session_is_never_taken_over(town: Town) -> None:
    planted = new_secret()
    visitor = town.visitor(**{cookies.SESSION: planted})
    await visitor.sign_in()
    assert visitor.secret != planted
    assert await visitor.is_signed_in()
    assert not await town.visitor(**{cookies.SESSION: planted}).is_signed_in()


@in_town
@pytest.mark.parametrize("login", ["carl", "tess"])
async def test_signing_in_again_ends_the_session_before(town: Town, login: str) -> None:
    visitor = await town.signed_in("carl")
    before, there = visitor.secret, await live_sessions(town)
    town.github.rest.signed_in = town.account(login)
    await visitor.sign_in()
    town.github.rest.signed_in = town.account("carl")
    assert visitor.secret != before
    assert await live_sessions(town) == there
    assert not await town.visitor(**{cookies.SESSION: before}).is_signed_in()
    assert f">{login}<" in (await visitor.get("/")).text


@in_town
async def test_signing_out_ends_it_here_and_at_github(town: Town) -> None:
    visitor = await town.signed_in("olive")
    page = await visitor.get("/logout")
    assert f'name="csrf" value="{visitor.csrf_token}"' in page.text
    assert page.headers["Cache-Control"] == "no-store"
    secret = visitor.secret
    answer = await visitor.post("/logout")
    assert (answer.status, answer.location, visitor.secret) == (303, "/", "")
    assert not await town.visitor(**{cookies.SESSION: secret}).is_signed_in()
    (person,) = await town.rows("SELECT access_token FROM person WHERE login = 'olive'")
    assert person["access_token"] is None
    assert "You are signed out" in (await visitor.get("/logout")).text


@in_town
async def test_an_api_takes_a_session_and_a_token_before_it(town: Town) -> None:
    visitor = await town.signed_in("carl")
    assert (await visitor.get(TEAMS)).status == 200
    for headers in ({"Authorization": "Bearer nonsense"}, {"Authorization": ""}):
        assert (await visitor.get(TEAMS, headers=headers)).status == 401
    asked = {"team": "acme", "repoFullName": "acme/rocket"}
    csrf = {"X-CSRF-Token": visitor.csrf_token}
    for headers, status in (({}, 403), (csrf, 202), (csrf | {"Origin": town.address}, 202)):
        assert (await visitor.ask("POST", f"{API}/backfills", headers, json=asked)).status == status


@in_town
async def test_whoever_asks_for_history_is_noted_with_the_repository(town: Town) -> None:
    visitor = await town.signed_in("carl")
    asked = {"team": "acme", "repoFullName": "acme/rocket"}
    last = "SELECT * FROM audit_entry WHERE action = 'backfill.asked' ORDER BY id"
    before = len(await town.rows(last))
    token = {"Authorization": f"Bearer {await create_token('acme', 'ci', town.clock.now())}"}
    for who, headers in ((visitor, {"X-CSRF-Token": visitor.csrf_token}), (town.visitor(), token)):
        assert (await who.ask("POST", f"{API}/backfills", headers, json=asked)).status == 202
        refused = await who.ask("POST", f"{API}/backfills", headers, json=asked | {"repoFullName": "acme/nowhere"})
        assert refused.status == 404
    noted = (await town.rows(last))[before:]
    assert [(row["actor_kind"], row["actor"]) for row in noted] == [("person", "carl"), ("token", "ci")]
    (team,) = await town.rows("SELECT id FROM team WHERE slug = 'acme'")
    for row in noted:
        about = (row["subject"], row["team_id"], row["repository_id"])
        assert about == ("acme/rocket", team["id"], town.stage.repository.id)


@in_town
async def test_a_token_is_not_called_by_spaces_alone(town: Town) -> None:
    visitor = await town.signed_in("carl")
    answer = await visitor.post("/teams/acme/tokens", name="   ", days="7")
    assert answer.status == 400
    assert "more than spaces" in answer.text


@in_town
async def test_a_session_ends_by_itself(town: Town) -> None:
    visitor = await town.signed_in("carl")
    await town.rows("UPDATE session SET used_at = created_at WHERE id > 0 RETURNING id")
    ahead = town.clock.ahead
    town.clock.ahead += sessions.IDLE_LASTS
    try:
        assert not await visitor.is_signed_in()
    finally:
        town.clock.ahead = ahead


SETTINGS = {"secret_key": "a key", "github_client_id": "Iv1.a", "github_client_secret": "hush"}


@pytest.mark.parametrize("missing", sorted(SETTINGS))
@pytest.mark.parametrize("path", ["/login", "/login/callback?code=a&state=b"])
async def test_a_page_says_what_is_missing(serve: Serve, missing: str, path: str) -> None:
    client = await serve(**{name: value for name, value in SETTINGS.items() if name != missing})
    answer = await client.get(path, allow_redirects=False)
    text = await answer.text()
    assert answer.status == 200
    assert missing.upper() in text
    assert "Nobody can sign in yet" in text


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        ({}, {"Host": "ledger.internal"}),
        ({}, {"Host": "10.1.2.3:8080"}),
        ({"public_url": "http://ledger.internal"}, {}),
    ],
)
async def test_where_no_browser_would_keep_a_session_nobody_is_sent_to_github(
    serve: Serve, settings: dict[str, str], headers: dict[str, str]
) -> None:
    client = await serve(**SETTINGS, **settings)
    text = await (await client.get("/login", headers=headers, allow_redirects=False)).text()
    assert "only over https" in text


@pytest.mark.parametrize(
    ("address", "keeps"),
    [
        ("https://ledger.example.com", True),
        ("http://localhost:8080", True),
        ("http://runledger.localhost", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://ledger.example.com", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://10.1.2.3", False),
        ("", False),
    ],
)
def test_where_browsers_keep_our_cookies(address: str, *, keeps: bool) -> None:
    assert cookies.keeps_cookies(address) is keeps
