"""Who is let in, for how long, and to what."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.clock import ManualClock
from bot.demo.github import SimulatedGitHub
from tests.demo.client import Client, held
from tests.demo.stage import Stage, set_stage

REPO = "/repos/acme/rocket"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    github = SimulatedGitHub(ManualClock(), seed=7)
    async with held(github) as client:
        yield client
    assert github.rest.ledger.violations == []


@pytest.fixture
def stage(client: Client) -> Stage:
    return set_stage(client.github)


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"exp": -1}, "'Expiration time' claim"),
        ({"exp": 601}, "is too far in the future"),
        ({"exp": None}, "'Expiration time' claim"),
        ({"iat": 10}, "'Issued at' claim"),
        ({"iat": None}, "'Issued at' claim"),
    ],
)
async def test_a_jwt_is_held_to_githubs_own_clock(client: Client, claims: dict[str, Any], message: str) -> None:
    now = int(client.github.clock.now().timestamp())
    moved = {name: None if seconds is None else now + seconds for name, seconds in claims.items()}
    refused = await client.as_app(**moved).get("/app")
    assert refused.status == 401
    assert message in refused.body["message"]


async def test_a_jwt_is_good_for_ten_minutes_and_may_be_a_little_ahead(client: Client) -> None:
    now = int(client.github.clock.now().timestamp())
    app = client.as_app(iat=now + 4, exp=now + 600)
    assert (await app.get("/app")).status == 200
    await advance(client, 600)
    assert (await app.get("/app")).status == 401


async def test_a_jwt_names_the_app_and_bears_its_signature(client: Client) -> None:
    assert (await client.as_app(iss=client.github.app.client_id).get("/app")).status == 200
    stranger = await client.as_app(iss="1").get("/app")
    assert (stranger.status, stranger.body["message"]) == (404, "Integration not found")
    now = int(client.github.clock.now().timestamp())
    claims = {"iat": now, "exp": now + 60, "iss": str(client.github.app.id)}
    other = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for forged in (
        jwt.encode(claims, other, "RS256"),
        jwt.encode(claims, "x" * 32, "HS256"),
        jwt.encode(claims, "", "none"),
        "a.b.c",
    ):
        refused = await client.bearing(forged).get("/app")
        assert (refused.status, refused.body["message"]) == (401, "A JSON web token could not be decoded")


async def test_a_token_is_long_and_lasts_an_hour(client: Client, stage: Stage) -> None:
    made = await client.as_app().post(f"/app/installations/{stage.installation.id}/access_tokens")
    assert made.body["token"].startswith("ghs_")
    assert len(made.body["token"]) == 520
    assert made.body["expires_at"] == "2026-01-05T10:00:00Z"
    installed = client.bearing(made.body["token"])
    await advance(client, 3599)
    assert (await installed.get(REPO)).status == 200
    await advance(client, 1)
    late = await installed.get(REPO)
    assert (late.status, late.body["message"]) == (401, "Bad credentials")


async def test_a_token_is_as_narrow_as_it_was_asked_for(client: Client, stage: Stage) -> None:
    other = stage.github.repositories.create(stage.organization, "plane")
    narrow = await client.as_installation(
        stage.installation, repository_ids=[other.id], permissions={"actions": "read"}
    )
    seen = await narrow.get("/installation/repositories")
    assert [one["name"] for one in seen.body["repositories"]] == ["plane"]
    assert (await narrow.get("/repos/acme/plane/actions/runs")).status == 200
    assert (await narrow.get(f"{REPO}/actions/runs")).status == 404
    refused = await narrow.get("/repos/acme/plane/pulls")
    assert (refused.status, refused.body["message"]) == (403, "Resource not accessible by integration")
    assert refused.headers["X-Accepted-GitHub-Permissions"] == "pull_requests=read"
    url = f"/app/installations/{stage.installation.id}/access_tokens"
    for body in ({"permissions": {"actions": "write"}}, {"repositories": ["unheard-of"]}, {"repositories": "rocket"}):
        assert (await client.as_app().post(url, body)).status == 422


async def test_what_is_not_granted_is_refused(client: Client, stage: Stage) -> None:
    installed = await client.as_installation(stage.installation)
    run = stage.github.actions.start_run_for(stage.open(), stage.workflow)
    refused = await installed.post(f"{REPO}/actions/runs/{run.id}/cancel")
    assert (refused.status, refused.headers["X-Accepted-GitHub-Permissions"]) == (403, "actions=write")
    assert run.status == "queued"
    stage.github.app.permissions["actions"] = "write"
    installed = await client.as_installation(stage.installation)
    await advance(client, 1)
    assert (await installed.post(f"{REPO}/actions/runs/{run.id}/cancel")).status == 403
    stage.github.installations.accept_permissions(stage.installation)
    installed = await client.as_installation(stage.installation)
    await advance(client, 1)
    assert (await installed.post(f"{REPO}/actions/runs/{run.id}/cancel")).status == 202


async def test_suspended_is_refused_and_deleted_is_gone(client: Client, stage: Stage) -> None:
    installed = await client.as_installation(stage.installation)
    url = f"/app/installations/{stage.installation.id}"
    stage.github.installations.suspend(stage.installation)
    assert (await client.as_app().post(f"{url}/access_tokens")).status == 403
    assert (await installed.get(REPO)).status == 403
    assert (await client.as_app().get(url)).body["suspended_at"] == "2026-01-05T09:00:00Z"
    stage.github.installations.unsuspend(stage.installation)
    assert (await installed.get(REPO)).status == 200
    stage.github.installations.delete(stage.installation)
    assert (await client.as_app().post(f"{url}/access_tokens")).status == 404
    assert (await client.as_app().get(url)).status == 404
    assert (await installed.get(REPO)).status == 401
    assert (await client.as_app().get("/app/installations")).body == []


async def test_everybody_has_routes_of_their_own(client: Client, stage: Stage) -> None:
    installed = await client.as_installation(stage.installation)
    assert (await client.get(REPO)).status == 401
    assert (await client.get("/app")).status == 401
    assert (await installed.get("/app")).status == 401
    assert (await client.as_app().get("/installation/repositories")).status == 403
    assert (await installed.get("/user")).status == 403
    assert (await client.bearing("ghs_made_up").get(REPO)).status == 401
    assert (await client.bearing("made up").get(REPO)).status == 401
    unknown = await installed.get("/nothing/here")
    assert (unknown.status, unknown.body["message"], unknown.body["status"]) == (404, "Not Found", "404")
    assert (await installed.get(REPO, **{"User-Agent": ""})).status == 403
    assert (await installed.get(REPO, **{"X-GitHub-Api-Version": "1999-01-01"})).status == 400


async def test_only_what_is_installed_is_seen(client: Client, stage: Stage) -> None:
    elsewhere = stage.github.add_organization("elsewhere")
    stage.github.repositories.create(elsewhere, "secret")
    installed = await client.as_installation(stage.installation)
    assert (await installed.get("/repos/elsewhere/secret")).status == 404
    stage.github.installations.remove_repositories(stage.installation, [stage.repository])
    assert (await installed.get(REPO)).status == 404


async def test_a_fresh_token_may_not_be_known_yet(client: Client, stage: Stage) -> None:
    client.github.rest.credentials.fresh_for = timedelta(seconds=3)
    installed = await client.as_installation(stage.installation)
    assert (await installed.get(REPO)).status == 401
    await advance(client, 3)
    assert (await installed.get(REPO)).status == 200


async def test_a_renamed_repository_leads_on_by_its_id(client: Client, stage: Stage) -> None:
    installed = await client.as_installation(stage.installation)
    run = stage.github.actions.start_run_for(stage.open(), stage.workflow)
    stage.github.repositories.rename(stage.repository, "shuttle")
    moved = await installed.get(f"{REPO}/actions/runs?per_page=1")
    assert moved.status == 301
    assert moved.headers["Location"] == moved.body["url"]
    there = await installed.get(moved.body["url"])
    assert [one["id"] for one in there.body["workflow_runs"]] == [run.id]
    assert (await installed.get(f"/repositories/{stage.repository.id}")).body["full_name"] == "acme/shuttle"
    assert (await installed.get("/repos/ACME/Shuttle")).status == 200
    stage.github.installations.rename_account(stage.organization, "apex")
    assert (await installed.get("/repos/acme/shuttle")).status == 301
    stage.github.repositories.create(stage.organization, "rocket")
    assert (await installed.get("/repos/apex/rocket")).body["id"] != stage.repository.id


async def advance(client: Client, seconds: float) -> None:
    assert isinstance(client.github.clock, ManualClock)
    await client.github.clock.advance(seconds)
