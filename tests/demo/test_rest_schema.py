"""Every operation answers as GitHub's published schema says."""

from typing import Any

from aiohttp import encode_basic_auth

from bot.clock import ManualClock
from bot.demo.github import SimulatedGitHub
from bot.demo.github.rest.routes import ROUTES
from bot.demo.github.state.checks import Annotation
from tests.demo.client import Client, connected
from tests.demo.conformance import AnswersHeld
from tests.demo.stage import Receiver, Stage, finish_run, set_stage

REPO = "/repos/acme/rocket"


async def test_every_operation_meets_githubs_schema(receiver: Receiver) -> None:
    permissions = {"metadata": "read", "actions": "write", "checks": "write", "pull_requests": "write"}
    github = SimulatedGitHub(ManualClock(), webhook_url=receiver.url, permissions=permissions)
    held = github.rest.on_answer = AnswersHeld()
    async with connected(github) as client:
        stage = set_stage(github)
        await ask_as_the_app(client, stage)
        await ask_about_tokens(client, stage)
        installed = await client.as_installation(stage.installation)
        await ask_about_runs(installed, stage)
        await ask_about_checks(installed, stage)
        await ask_about_pulls(installed, stage)
        await ask_as_a_person(client, stage)
        await github.settle()
    assert held.faults == []
    assert {operation for operation, status in held.held if status < 400} == {
        route.operation for route in ROUTES if route.operation
    }


async def ask_as_the_app(client: Client, stage: Stage) -> None:
    app, number = client.as_app(), stage.installation.id
    await stage.github.settle()
    for path in ("/app", "/app/installations", f"/app/installations/{number}", "/app/hook/config"):
        assert (await app.get(path)).status == 200
    assert (await app.get(f"{REPO}/installation")).body["id"] == number
    (first, *_) = (await app.get("/app/hook/deliveries")).body
    assert (await app.get(f"/app/hook/deliveries/{first['id']}")).body["request"]["payload"]
    assert (await app.post(f"/app/hook/deliveries/{first['id']}/attempts")).status == 202
    narrowed = {"repositories": ["rocket"], "permissions": {"actions": "read"}}
    assert (await app.post(f"/app/installations/{number}/access_tokens", narrowed)).status == 201
    client.github.rest.signed_in = stage.person
    manifest = '{"name": "Ledger Two", "url": "https://example.com", "redirect_url": "http://127.0.0.1/back",'
    manifest += '"default_permissions": {"actions": "write", "checks": "write", "pull_requests": "write"}}'
    led = await client.ask("POST", "/settings/apps/new?state=s", form={"manifest": manifest})
    code = led.headers["Location"].partition("code=")[2].partition("&")[0]
    # The App that it makes would be the newest one from then on.
    former = stage.github.world.apps.copy()
    assert (await client.post(f"/app-manifests/{code}/conversions")).status == 201
    stage.github.world.apps = former


async def ask_about_tokens(client: Client, stage: Stage) -> None:
    app, issue = stage.github.app, stage.github.rest.credentials.issue_to
    basic = {"Authorization": encode_basic_auth(app.client_id, app.client_secret)}
    for method, path, status in (("POST", "token", 200), ("DELETE", "token", 204), ("DELETE", "grant", 204)):
        sent = {"access_token": issue(stage.person).value}
        asked = await client.ask(method, f"/applications/{app.client_id}/{path}", sent, headers=basic)
        assert asked.status == status


async def ask_about_runs(client: Client, stage: Stage) -> None:
    run = stage.github.actions.start_run_for(stage.open("one"), stage.workflow)
    url = f"{REPO}/actions/runs/{run.id}"
    finish_run(stage, run, "unit")
    failed = next(job for job in run.jobs if job.name == "unit")
    assert (await client.get(f"{REPO}/actions/jobs/{failed.id}/logs")).status == 302
    assert (await client.post(f"{url}/rerun-failed-jobs")).status == 201
    finish_run(stage, run)
    assert (await client.post(f"{REPO}/actions/jobs/{run.jobs[0].id}/rerun")).status == 201
    assert (await client.post(f"{url}/cancel")).status == 202
    assert (await client.post(f"{url}/rerun", {"enable_debug_logging": True})).status == 201
    paths = ("/actions/runs", "/actions/workflows", f"/actions/workflows/{stage.workflow.id}", "")
    jobs = (f"/actions/jobs/{failed.id}", f"/actions/runs/{run.id}", f"/actions/runs/{run.id}/jobs?filter=all")
    attempts = (f"/actions/runs/{run.id}/attempts/1", f"/actions/runs/{run.id}/attempts/1/jobs")
    for path in (*paths, *jobs, *attempts, "/actions/workflows/ci.yml/runs"):
        assert (await client.get(REPO + path)).status == 200
    for path in ("/installation/repositories", "/rate_limit", f"{REPO}/collaborators/mona/permission"):
        assert (await client.get(path)).status == 200


async def ask_about_checks(client: Client, stage: Stage) -> None:
    pull = stage.open("two")
    run = stage.github.actions.start_run_for(pull, stage.workflow)
    stage.github.world.annotations[run.jobs[0].id].append(Annotation("a.py", 3, 3, "warning", "Unused", "F401"))
    finish_run(stage, run, "unit")
    note = {"path": "a.py", "start_line": 1, "end_line": 2, "annotation_level": "failure", "message": "No"}
    output = {"title": "Two failed", "summary": "…", "text": "More", "annotations": [note]}
    sent: dict[str, Any] = {"name": "Runledger", "head_sha": pull.head.sha, "status": "in_progress", "output": output}
    check = (await client.post(f"{REPO}/check-runs", sent)).body
    buttons = [{"label": "Re-run", "description": "Run it again", "identifier": "rerun"}]
    url = f"{REPO}/check-runs/{check['id']}"
    done = await client.patch(url, {"conclusion": "failure", "actions": buttons, "output": output})
    assert (done.body["status"], done.body["output"]["annotations_count"]) == ("completed", 2)
    assert (await client.post(f"{REPO}/check-suites/{check['check_suite']['id']}/rerequest")).status == 201
    for path in (f"/check-runs/{check['id']}/annotations", f"/check-runs/{run.jobs[0].id}/annotations"):
        assert len((await client.get(REPO + path)).body) == 2
    assert (await client.get(url)).body["name"] == "Runledger"
    names = [one["name"] for one in (await client.get(f"{REPO}/commits/two/check-runs")).body["check_runs"]]
    assert sorted(names) == ["Runledger", "lint", "package", "unit"]


async def ask_about_pulls(client: Client, stage: Stage) -> None:
    pull = stage.open("three")
    stage.github.pulls.label(pull, "needs tests")
    comments = f"{REPO}/issues/{pull.number}/comments"
    comment = (await client.post(comments, {"body": "Hello"})).body
    url = f"{REPO}/issues/comments/{comment['id']}"
    assert (await client.patch(url, {"body": "Hello again"})).body["body"] == "Hello again"
    assert [one["body"] for one in (await client.get(comments)).body] == ["Hello again"]
    assert (await client.get(url)).body["performed_via_github_app"]["id"] == stage.github.app.id
    assert [one["name"] for one in (await client.get(f"{REPO}/issues/{pull.number}/labels")).body] == ["needs tests"]
    assert (await client.get(f"{REPO}/pulls/{pull.number}")).body["comments"] == 1
    assert (await client.get(f"{REPO}/pulls")).body[0]["number"] == pull.number
    assert (await client.get(f"{REPO}/commits/{pull.head.sha}/pulls")).body[0]["number"] == pull.number
    assert (await client.ask("DELETE", url)).status == 204
    assert (await client.get(url)).status == 404


async def ask_as_a_person(client: Client, stage: Stage) -> None:
    stage.github.add_member(stage.organization, stage.person)
    person = client.bearing(stage.github.rest.credentials.issue_to(stage.person).value)
    assert (await person.get("/user")).body["login"] == "mona"
    (installation,) = (await person.get("/user/installations")).body["installations"]
    seen = await person.get(f"/user/installations/{installation['id']}/repositories")
    assert [one["full_name"] for one in seen.body["repositories"]] == ["acme/rocket"]
