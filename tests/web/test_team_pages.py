"""The pages of a team as people use them, signed in with GitHub on the real service, and the settings over the API."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from bot import access
from bot.recorder import upsert_workflow_run
from bot.store import models
from tests import builders as make
from tests.web.town import API, Answer, Town, Visitor
from tests.web.wellformed import Structure

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTILE = "<img src=x onerror=alert(1)> & 'x' \"y\" {{ 7 * 7 }} \u202e"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(town: Town) -> Town:
    for login in ("olive", "carl", "tess"):
        town.visitors[login] = await town.signed_in(login)
    return town


async def shown(visitor: Visitor, path: str, status: int = 200) -> Structure:
    """Open a page, which must be one as everybody can use it."""
    answer = await visitor.get(path)
    return _read(answer, status)


def _read(answer: Answer, status: int = 200) -> Structure:
    assert answer.status == status, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return Structure(answer.text)


async def _run_of(town: Town, repository_id: int) -> int:
    (row,) = await town.rows("SELECT max(run_id) AS run_id FROM workflow_run WHERE repository_id = ?", repository_id)
    return int(row["run_id"])


async def test_the_front_page_leads_strangers_in_and_people_to_their_teams(town: Town) -> None:
    stranger = Structure((await town.visitor().get("/")).text)
    assert "Sign in with GitHub" in stranger.text
    assert not any(link.startswith("/teams") for link in stranger.links)
    front = await shown(town.visitors["carl"], "/")
    assert [link for link in front.links if link.startswith("/teams")] == ["/teams/acme"]
    assert "carl" in front.text
    assert "Sign out" in front.text


async def test_of_a_suspended_installation_only_that_is_told(town: Town) -> None:
    front = await shown(await town.signed_in("hal"), "/")
    assert "held" in front.text
    assert "suspended" in front.text
    assert not any(link.startswith("/teams") for link in front.links)


async def test_a_team_shows_each_what_github_shows_them(town: Town) -> None:
    whole = await shown(town.visitors["olive"], "/teams/acme")
    assert "acme/rocket" in whole.text
    assert "acme/cellar" in whole.text
    assert "✗ failure Checks #1" in whole.text
    assert "whole since" in whole.text
    part = await shown(town.visitors["carl"], "/teams/acme")
    assert "acme/rocket" in part.text
    assert "cellar" not in part.text


async def test_a_team_is_found_by_its_id_too(town: Town) -> None:
    (row,) = await town.rows("SELECT id FROM team WHERE slug = 'acme'")
    page = await shown(town.visitors["carl"], f"/teams/{row['id']}")
    assert "/teams/acme/runs" in page.links


@pytest.mark.parametrize("page", ["", "/runs", "/tokens", "/settings", "/audit"])
async def test_every_page_leads_to_the_others(town: Town, page: str) -> None:
    structure = await shown(town.visitors["olive"], f"/teams/acme{page}")
    tabs = [link for link in structure.links if re.fullmatch(r"/teams/acme(/(runs|tokens|settings|audit))?", link)]
    assert set(tabs) == {f"/teams/acme{each}" for each in ("", "/runs", "/tokens", "/settings", "/audit")}
    assert structure.html.count('aria-current="page"') == 1
    assert set(structure.fields) <= set(structure.labelled)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 2),
        # As a form sends it in which only one field was filled in.
        ("?repoFullName=&workflow=&branch=&event=&actor=&status=&conclusion=failure", 2),
        ("?conclusion=success", 0),
        ("?repoFullName=acme%2Frocket", 1),
        ("?branch=topic&event=pull_request&status=completed&workflow=Checks", 2),
        ("?branch=main", 0),
    ],
)
async def test_runs_are_narrowed_as_over_the_api(town: Town, query: str, found: int) -> None:
    page = await shown(town.visitors["olive"], f"/teams/acme/runs{query}")
    assert len([link for link in page.links if re.fullmatch(r"/teams/acme/runs/\d+", link)]) == found


@pytest.mark.parametrize(
    ("query", "named"), [("?status=nonsense", "status"), ("?colour=red", "colour"), ("?cursor=nonsense", "cursor")]
)
async def test_a_filter_that_is_none_is_named(town: Town, query: str, named: str) -> None:
    assert named in (await shown(town.visitors["olive"], f"/teams/acme/runs{query}", 400)).text


async def test_a_run_shows_its_jobs_and_steps(town: Town) -> None:
    run_id = await _run_of(town, town.stage.repository.id)
    page = await shown(town.visitors["carl"], f"/teams/acme/runs/{run_id}")
    assert "Jobs of attempt 1" in page.text
    assert "Steps of unit" in page.text
    assert any(link.endswith("/acme/rocket/pull/1") for link in page.links)
    assert (await town.visitors["carl"].get(f"/teams/acme/runs/{run_id}?attempt=2")).status == 404


async def test_many_runs_are_shown_page_by_page(town: Town) -> None:
    (rocket,) = [each for each in town.github.world.repositories.values() if each.full_name == "other/rocket"]
    repository = make.repository("other/rocket", rocket.id, owner_id=town.other.account.id)
    for number in range(120):
        told = make.run(5000 + number, created_at=f"2026-01-05T09:{number % 60:02}:00Z", head_branch=HOSTILE)
        await upsert_workflow_run(told, repository, installation_id=town.other.id)
    visitor, path, seen = await town.signed_in("otto"), "/teams/other/runs?event=pull_request", []
    for _ in range(4):
        page = await shown(visitor, path)
        assert HOSTILE in page.text
        seen += [link for link in page.links if re.fullmatch(r"/teams/other/runs/5\d+", link)]
        following = [link for link in page.links if "cursor=" in link]
        if not following:
            break
        (path,) = following
        assert "event=pull_request" in path
    assert len(seen) == len(set(seen)) == 120


async def test_a_token_is_made_shown_once_used_and_revoked(town: Town) -> None:
    carl = town.visitors["carl"]
    made = await carl.post("/teams/acme/tokens", name=HOSTILE, days="7")
    page = _read(made)
    token = next(iter(set(re.findall(r"rlt_[\w-]{43}", made.text))))
    assert HOSTILE in page.text
    listed = await shown(carl, "/teams/acme/tokens")
    assert token not in listed.html
    assert (HOSTILE in listed.text, token[:12] in listed.text) == (True, True)
    assert "Last used" in listed.text
    asked = {"Authorization": f"Bearer {token}"}
    runs = await town.visitor().get(f"{API}/workflow-runs?team=acme", headers=asked)
    assert {run["repoFullName"] for run in json.loads(runs.body)["runs"]} == {"acme/rocket"}
    (revoke,) = [link for link in (await shown(carl, "/teams/acme/tokens")).links if link.endswith("/revoke")]
    # Nobody else can, though they administer everything.
    assert (await town.visitors["olive"].post(revoke)).status == 404
    assert (await carl.post(revoke)).location == "/teams/acme/tokens"
    assert (await town.visitor().get(f"{API}/workflow-runs?team=acme", headers=asked)).status == 401
    assert "revoked" in (await shown(carl, "/teams/acme/tokens")).text
    assert (await carl.post(revoke)).status == 404


@pytest.mark.parametrize("fields", [{"name": "", "days": "7"}, {"name": "x", "days": "366"}, {"name": "x", "days": ""}])
async def test_a_token_without_a_name_or_an_end_is_not_made(town: Town, fields: dict[str, str]) -> None:
    before = await town.rows("SELECT count(*) AS tokens FROM api_token")
    page = _read(await town.visitors["carl"].post("/teams/acme/tokens", None, **fields), 400)
    assert ("name" if not fields["name"] else "days") in page.text
    assert await town.rows("SELECT count(*) AS tokens FROM api_token") == before


async def test_nobody_has_more_tokens_than_anybody_may(town: Town) -> None:
    tess, now = town.visitors["tess"], town.clock.now()
    (person,) = await town.rows("SELECT user_id FROM person WHERE login = 'tess'")
    (team,) = await town.rows("SELECT id FROM team WHERE slug = 'acme'")
    for number in range(access.tokens.MOST_OF_A_PERSON):
        kept = {"hash": f"{number:064}", "name": f"{number}", "hint": "rlt_", "user_id": person["user_id"]}
        await models.ApiToken.create(team_id=team["id"], created_at=now, expires_at=now + timedelta(days=1), **kept)
    page = _read(await tess.post("/teams/acme/tokens", name="one more", days="7"), 400)
    assert "revoke one first" in page.text


async def test_the_operators_tokens_are_told_of_to_those_who_administer_all(town: Town) -> None:
    token = await access.create_token("acme", "the dashboard", town.clock.now())
    for login, told in (("olive", True), ("carl", False), ("tess", False)):
        page = await shown(town.visitors[login], "/teams/acme/tokens")
        assert ("the dashboard" in page.text) is told, login
        assert token[:12] not in page.html


async def test_settings_are_for_those_who_administer_the_repository(town: Town) -> None:
    rocket = town.stage.repository.id
    carl, tess = town.visitors["carl"], town.visitors["tess"]
    page = await shown(carl, "/teams/acme/settings")
    assert f"/teams/acme/settings/{rocket}" in page.links
    assert "cellar" not in page.text
    others = await shown(tess, "/teams/acme/settings")
    assert not any(link.startswith("/teams/acme/settings/") for link in others.links)
    assert "acme/rocket" in others.text
    assert (await tess.post(f"/teams/acme/settings/{rocket}", muted="true")).status == 404
    saved = await carl.post(f"/teams/acme/settings/{rocket}", comments="true", drafts="true")
    assert saved.location == f"/teams/acme/settings?saved={rocket}#repository-{rocket}"
    assert "✓ saved" in (await shown(carl, saved.location.partition("#")[0])).text
    kept = await town.rows("SELECT comments, excerpts, drafts, muted FROM repository_settings")
    assert [tuple(map(bool, row.values())) for row in kept] == [(True, False, True, False)]
    noted = await town.rows("SELECT actor, subject FROM audit_entry WHERE action = 'settings.changed'")
    assert noted[-1] == {"actor": "carl", "subject": "acme/rocket"}


async def test_the_audit_hides_what_is_hidden(town: Town) -> None:
    cellar = town.cellar.id
    assert (await town.visitors["olive"].post(f"/teams/acme/settings/{cellar}", muted="true")).status == 303
    for login, told in (("olive", True), ("carl", False)):
        assert ("acme/cellar" in (await shown(town.visitors[login], "/teams/acme/audit")).text) is told


async def _put(visitor: Visitor, repository_id: int, body: Any, **headers: str) -> Answer:
    path = f"{API}/repositories/{repository_id}/settings"
    return await visitor.ask("PUT", path, headers, json=body)


async def test_settings_over_the_api(town: Town) -> None:
    rocket, clock = town.stage.repository.id, town.clock
    token = await town.make_token("carl", "acme", "settings")
    bearer = {"Authorization": f"Bearer {token}"}
    answer = await _put(town.visitor(), rocket, {"team": "acme", "muted": True, "comments": False}, **bearer)
    assert answer.status == 200, answer.text
    told = json.loads(answer.body)["settings"]
    assert (told["muted"], told["comments"], told["repoFullName"]) == (True, False, "acme/rocket")
    read = await town.visitor().get(f"{API}/repositories/{rocket}/settings?team=acme", headers=bearer)
    assert json.loads(read.body)["settings"] == told
    (noted,) = await town.rows("SELECT actor_kind, actor FROM audit_entry ORDER BY id DESC LIMIT 1")
    assert noted == {"actor_kind": "token", "actor": "settings"}
    # A session may too, with its CSRF token; nothing given is nothing changed.
    carl = town.visitors["carl"]
    same = await _put(carl, rocket, {"team": "acme"}, **{"X-CSRF-Token": carl.csrf_token})
    assert json.loads(same.body)["settings"] == told
    operators = await access.create_token("acme", "settings of all", clock.now())
    whole = await _put(
        town.visitor(), town.cellar.id, {"team": "acme", "muted": False}, Authorization=f"Bearer {operators}"
    )
    assert json.loads(whole.body)["settings"]["muted"] is False


async def test_settings_that_one_only_reads_are_not_there_to_change(town: Town) -> None:
    rocket, tess = town.stage.repository.id, town.visitors["tess"]
    assert (await tess.get(f"{API}/repositories/{rocket}/settings?team=acme")).status == 200
    csrf = {"X-CSRF-Token": tess.csrf_token}
    refused = await _put(tess, rocket, {"team": "acme", "muted": True}, **csrf)
    nowhere = await _put(tess, 10**12, {"team": "acme", "muted": True}, **csrf)
    assert (refused.status, refused.body) == (nowhere.status, nowhere.body) == (404, nowhere.body)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"muted": "yes"}, "muted"),
        ({"muted": 1}, "muted"),
        ({"colour": True}, "colour"),
        ({"muted": [True]}, "muted"),
        (["muted"], "body"),
    ],
)
async def test_a_setting_that_is_none_is_named(town: Town, body: Any, named: str) -> None:
    carl = town.visitors["carl"]
    asked = body | {"team": "acme"} if isinstance(body, dict) else body
    answer = await _put(carl, town.stage.repository.id, asked, **{"X-CSRF-Token": carl.csrf_token})
    assert answer.status == 400
    assert named in [each["parameter"] for each in json.loads(answer.body)["errors"]]
