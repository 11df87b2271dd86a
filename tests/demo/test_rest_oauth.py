"""Signing people in: codes, tokens, what they are exchanged for, and how they end."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from aiohttp import encode_basic_auth

from bot.clock import ManualClock
from bot.demo.github import SimulatedGitHub
from bot.demo.github.rest.oauth import challenge_of
from tests.demo.client import Client, Reply, held
from tests.demo.conformance import faults_of
from tests.demo.stage import Stage, set_stage

CALLBACK, OTHER = "http://127.0.0.1/callback", "http://127.0.0.1/other"
VERIFIER = "v" * 50
JSON = {"Accept": "application/json"}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    github = SimulatedGitHub(ManualClock(), seed=7)
    github.app.callback_urls = (CALLBACK, OTHER)
    async with held(github) as client:
        yield client
    assert github.rest.ledger.violations == []


@pytest.fixture
def stage(client: Client) -> Stage:
    stage = set_stage(client.github)
    client.github.rest.signed_in = stage.person
    return stage


async def authorize(client: Client, **asked: str) -> Reply:
    told = {"client_id": client.github.app.client_id, **asked}
    return await client.get(f"/login/oauth/authorize?{urlencode(told)}")


async def code_for(client: Client, **asked: str) -> str:
    led = await authorize(client, **asked)
    return back(led)["code"]


def back(led: Reply) -> dict[str, str]:
    assert led.status == 302
    return dict(parse_qsl(urlsplit(led.headers["Location"]).query))


async def exchange(client: Client, **sent: str) -> dict[str, Any]:
    app = client.github.app
    form = {"client_id": app.client_id, "client_secret": app.client_secret, **sent}
    reply = await client.ask("POST", "/login/oauth/access_token", form=form, headers=JSON)
    assert reply.status == 200
    told: dict[str, Any] = reply.body
    return told


async def advance(client: Client, seconds: float) -> None:
    assert isinstance(client.github.clock, ManualClock)
    await client.github.clock.advance(seconds)


async def ask_about(client: Client, token: str, method: str = "POST", path: str = "token", **changed: str) -> Reply:
    app = client.github.app
    basic = encode_basic_auth(changed.get("login", app.client_id), changed.get("secret", app.client_secret))
    url = f"/applications/{changed.get('client_id', app.client_id)}/{path}"
    return await client.ask(method, url, {"access_token": token}, headers={"Authorization": basic})


async def test_a_code_becomes_a_token_that_is_the_persons(client: Client, stage: Stage) -> None:
    challenge = {"code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256"}
    led = await authorize(client, state="s 1", allow_signup="false", **challenge)
    assert led.headers["Location"].startswith(f"{CALLBACK}?")
    assert back(led)["state"] == "s 1"
    told = await exchange(client, code=back(led)["code"], code_verifier=VERIFIER, redirect_uri=CALLBACK)
    assert (told["token_type"], told["scope"], told["expires_in"]) == ("bearer", "", 28_800)
    assert told["refresh_token_expires_in"] == 15_811_200
    assert (told["access_token"][:4], told["refresh_token"][:4]) == ("ghu_", "ghr_")
    assert (await client.bearing(told["access_token"]).get("/user")).body["login"] == "mona"


async def test_an_answer_is_a_form_unless_json_is_asked_for(client: Client, stage: Stage) -> None:
    app = client.github.app
    sent = {"client_id": app.client_id, "client_secret": app.client_secret, "code": await code_for(client)}
    form = await client.post("/login/oauth/access_token", sent)
    assert dict(parse_qsl(form.body))["access_token"].startswith("ghu_")
    again = await client.ask("POST", "/login/oauth/access_token", sent, headers=JSON)
    assert (again.status, again.body["error"]) == (200, "bad_verification_code")
    asked = await client.post(f"/login/oauth/access_token?{urlencode({**sent, 'code': await code_for(client)})}")
    assert "access_token=ghu_" in asked.body


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({"client_secret": "wrong"}, "incorrect_client_credentials"),
        ({"client_secret": ""}, "incorrect_client_credentials"),
        ({"client_id": "Iv23nobody"}, "incorrect_client_credentials"),
        ({"code": "made up"}, "bad_verification_code"),
        ({"code_verifier": "w" * 50}, "bad_verification_code"),
        ({"code_verifier": ""}, "bad_verification_code"),
        ({"redirect_uri": OTHER}, "redirect_uri_mismatch"),
        ({"redirect_uri": f"{CALLBACK}/"}, "redirect_uri_mismatch"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "bad_refresh_token"),
        ({"grant_type": "refresh_token", "refresh_token": "ghr_none"}, "bad_refresh_token"),
    ],
)
async def test_an_exchange_is_refused(client: Client, stage: Stage, sent: dict[str, str], error: str) -> None:
    code = await code_for(client, code_challenge=challenge_of(VERIFIER), code_challenge_method="S256")
    told = await exchange(client, **{"code": code, "code_verifier": VERIFIER, **sent})
    assert told["error"] == error
    assert set(told) == {"error", "error_description", "error_uri"}


async def test_a_refusal_for_a_wrong_secret_leaves_the_code_good(client: Client, stage: Stage) -> None:
    code = await code_for(client)
    assert "error" in await exchange(client, code=code, client_secret="wrong")
    assert "access_token" in await exchange(client, code=code)


async def test_codes_and_tokens_end_with_time(client: Client, stage: Stage) -> None:
    code = await code_for(client)
    await advance(client, 600)
    assert (await exchange(client, code=code))["error"] == "bad_verification_code"
    told = await exchange(client, code=await code_for(client))
    await advance(client, 8 * 3600 - 1)
    person = client.bearing(told["access_token"])
    assert (await person.get("/user")).status == 200
    await advance(client, 1)
    assert (await person.get("/user")).status == 401
    refreshing = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    await advance(client, 183 * 86_400 - 8 * 3600)
    assert (await exchange(client, **refreshing))["error"] == "bad_refresh_token"


async def test_refreshing_ends_the_old_pair(client: Client, stage: Stage) -> None:
    first = await exchange(client, code=await code_for(client))
    refreshing = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = await exchange(client, **refreshing)
    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    assert (await client.bearing(first["access_token"]).get("/user")).status == 401
    assert (await client.bearing(second["access_token"]).get("/user")).status == 200
    assert (await exchange(client, **refreshing))["error"] == "bad_refresh_token"
    assert "access_token" in await exchange(client, **{**refreshing, "refresh_token": second["refresh_token"]})


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1/callback/",
        "http://127.0.0.1/callback?next=x",
        "http://127.0.0.1/callback/deeper",
        "https://127.0.0.1/callback",
        "http://127.0.0.1:81/callback",
        "http://127.0.0.1/CALLBACK",
        "https://evil.example/callback",
    ],
)
async def test_nothing_leads_to_an_address_that_was_not_registered(
    client: Client, stage: Stage, redirect_uri: str
) -> None:
    refused = await authorize(client, redirect_uri=redirect_uri)
    assert refused.status == 422
    assert "Location" not in refused.headers
    assert "The redirect_uri is not associated with this application." in refused.body


async def test_a_registered_address_may_be_chosen(client: Client, stage: Stage) -> None:
    assert (await authorize(client, redirect_uri=OTHER)).headers["Location"].startswith(f"{OTHER}?code=")
    client.github.app.callback_urls = ()
    assert (await authorize(client)).status == 422
    assert (await client.get("/login/oauth/authorize?client_id=Iv23nobody")).status == 404


@pytest.mark.parametrize(
    "asked",
    [
        {"code_challenge": challenge_of(VERIFIER)},
        {"code_challenge": challenge_of(VERIFIER), "code_challenge_method": "plain"},
        {"code_challenge": VERIFIER, "code_challenge_method": "S256"},
        {"code_challenge": "", "code_challenge_method": "S256"},
    ],
)
async def test_a_challenge_is_s256(client: Client, stage: Stage, asked: dict[str, str]) -> None:
    told = back(await authorize(client, state="s", **asked))
    assert (told["error"], told["state"]) == ("invalid_request", "s")


async def test_a_token_can_be_looked_at_and_ended(client: Client, stage: Stage) -> None:
    told = await exchange(client, code=await code_for(client))
    token = told["access_token"]
    seen = (await ask_about(client, token)).body
    assert (seen["user"]["login"], seen["app"]["client_id"]) == ("mona", client.github.app.client_id)
    assert seen["expires_at"] == "2026-01-05T17:00:00Z"
    assert (await ask_about(client, token, "DELETE")).status == 204
    assert (await client.bearing(token).get("/user")).status == 401
    refreshing = {"grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    assert (await exchange(client, **refreshing))["error"] == "bad_refresh_token"
    assert (await ask_about(client, token)).status == 404
    assert (await ask_about(client, token, "DELETE")).status == 404
    assert client.github.rest.authorizations.is_authorized(client.github.app, stage.person)


async def test_an_authorization_can_be_ended_by_one_of_its_tokens(client: Client, stage: Stage) -> None:
    first, second = [await exchange(client, code=await code_for(client)) for _ in range(2)]
    code = await code_for(client)
    assert (await ask_about(client, first["access_token"], "DELETE", "grant")).status == 204
    assert (await client.bearing(second["access_token"]).get("/user")).status == 401
    assert (await exchange(client, code=code))["error"] == "bad_verification_code"
    refreshing = {"grant_type": "refresh_token", "refresh_token": second["refresh_token"]}
    assert (await exchange(client, **refreshing))["error"] == "bad_refresh_token"
    assert not client.github.rest.authorizations.is_authorized(client.github.app, stage.person)


@pytest.mark.parametrize(
    ("changed", "status"),
    [({"secret": "wrong"}, 401), ({"login": "Iv23nobody"}, 401), ({"client_id": "Iv23other"}, 404)],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "token"), ("DELETE", "token"), ("DELETE", "grant")])
async def test_only_the_app_itself_asks_about_its_tokens(
    client: Client, stage: Stage, method: str, path: str, changed: dict[str, str], status: int
) -> None:
    token = client.github.rest.credentials.issue_to(stage.person).value
    assert (await ask_about(client, token, method, path, **changed)).status == status
    assert (await client.bearing(token).get("/user")).status == 200


async def test_asking_about_tokens_needs_the_secret_and_a_token(client: Client, stage: Stage) -> None:
    url, person = f"/applications/{client.github.app.client_id}/token", client.github.rest.credentials
    token = person.issue_to(stage.person).value
    assert (await client.post(url, {"access_token": token})).status == 401
    assert (await client.bearing(token).post(url, {"access_token": token})).status == 403
    assert (await client.as_app().post(url, {"access_token": token})).status == 403
    assert (await ask_about(client, "")).status == 422
    wrong = {"Authorization": "Basic !"}
    assert (await client.ask("POST", url, {"access_token": token}, headers=wrong)).status == 401


async def test_who_withdraws_the_authorization_is_signed_out(client: Client, stage: Stage) -> None:
    told = await exchange(client, code=await code_for(client))
    other = client.bearing(client.github.rest.credentials.issue_to(client.github.add_user("eve")).value)
    stage.github.revoke_authorization(stage.person)
    assert (await client.bearing(told["access_token"]).get("/user")).status == 401
    assert (await other.get("/user")).status == 200
    heard = stage.github.deliveries[-1]
    assert (heard.event, heard.action, faults_of(heard)) == ("github_app_authorization", "revoked", [])


async def test_enterprise_servers_paths_lead_to_the_same(client: Client, stage: Stage) -> None:
    person = client.bearing(client.github.rest.credentials.issue_to(stage.person).value)
    assert (await person.get("/api/v3/user")).body["login"] == "mona"
    seen = (await person.get("/api/v3/user/installations")).body
    assert seen == (await person.get("/user/installations")).body
    assert (await client.as_app().get("/api/v3/app")).body["slug"] == "runledger"
    assert (await client.get("/api/v3/login/oauth/authorize")).status == 404
