"""githubkit, written by others for the real GitHub, can do here all that a client of ours will do."""

import inspect
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest
from githubkit import AppAuthStrategy, GitHub, OAuthWebAuthStrategy
from githubkit.cache import MemCacheStrategy
from githubkit.exception import PrimaryRateLimitExceeded, RequestFailed, SecondaryRateLimitExceeded

from bot.clock import Clock
from bot.demo.github import SimulatedGitHub
from bot.demo.github.rest import RateLimited
from bot.demo.github.state.history import Past
from tests.demo.conformance import AnswersHeld
from tests.demo.ours import operations_of_ours
from tests.demo.stage import Receiver, Stage, finish_run, set_stage

ROCKET = ("acme", "rocket")


@pytest.fixture
async def stage(receiver: Receiver) -> AsyncIterator[Stage]:
    permissions = {"metadata": "read", "actions": "write", "checks": "write", "pull_requests": "write"}
    github = SimulatedGitHub(Clock(), webhook_url=receiver.url, permissions=permissions)
    github.rest.on_answer = held = AnswersHeld()
    github.rest.ledger.seconds_between_writes = 0
    async with github, github.serve():
        yield set_stage(github)
    assert held.faults == []
    assert github.rest.ledger.violations == []


def app_of(stage: Stage) -> Any:
    # Every simulation has the same ids; tokens of another one are not to be found in a cache that all share.
    return GitHub(
        AppAuthStrategy(stage.github.app.id, stage.github.private_key_pem),
        base_url=stage.github.world.addresses.api,
        auto_retry=False,
        http_cache=False,
        cache_strategy=MemCacheStrategy(),
    )


def installed(stage: Stage) -> Any:
    app = app_of(stage)
    return app.with_auth(app.auth.as_installation(stage.installation.id))


def anonymous(stage: Stage) -> Any:
    return GitHub(base_url=stage.github.world.addresses.api, auto_retry=False, http_cache=False)


def signed_in(stage: Stage) -> Any:
    token = stage.github.rest.credentials.issue_to(stage.person).value
    return GitHub(token, base_url=stage.github.world.addresses.api, auto_retry=False, http_cache=False)


async def test_githubkit_reads_the_app_and_what_it_missed(stage: Stage, receiver: Receiver) -> None:
    app = app_of(stage)
    assert (await app.rest.apps.async_get_authenticated()).parsed_data.slug == "runledger"
    (one,) = (await app.rest.apps.async_list_installations()).parsed_data
    assert one.id == stage.installation.id
    receiver.answer = 503
    stage.open()
    await stage.github.settle()
    receiver.answer = 202
    missed = (await app.rest.apps.async_list_webhook_deliveries(per_page=100)).parsed_data
    (lost,) = [one for one in missed if one.event == "pull_request"]
    assert lost.status_code == 503
    await app.rest.apps.async_redeliver_webhook_delivery(lost.id)
    await stage.github.settle()
    assert receiver.guids.count(lost.guid) == 2
    assert (await app.rest.apps.async_get_webhook_config_for_app()).parsed_data.url == receiver.url


async def test_githubkit_walks_runs_and_jobs(stage: Stage) -> None:
    until = stage.github.clock.now() - timedelta(hours=5)
    past = Past(stage.repository, [stage.workflow], [stage.person], 150, until - timedelta(days=3), until)
    stage.github.add_history(past)
    github = installed(stage)
    pages = github.rest.paginate(
        github.rest.actions.async_list_workflow_runs_for_repo,
        map_func=lambda reply: reply.parsed_data.workflow_runs,
        owner="acme",
        repo="rocket",
        per_page=100,
        created=">=2020-01-01",
    )
    runs = [run async for run in pages]
    truth = stage.github.truth(stage.installation)
    assert sorted(run.id for run in runs) == [run["id"] for run in truth["runs"]]
    jobs = await github.rest.actions.async_list_jobs_for_workflow_run(*ROCKET, runs[0].id, filter_="all")
    assert jobs.parsed_data.total_count == sum(job["run_id"] == runs[0].id for job in truth["jobs"])


async def test_githubkit_reads_a_failure(stage: Stage) -> None:
    run = stage.github.actions.start_run_for(stage.open(), stage.workflow)
    finish_run(stage, run, "unit")
    github = installed(stage)
    log = await github.rest.actions.async_download_job_logs_for_workflow_run(*ROCKET, run.jobs[0].id)
    assert "##[error]" in log.text
    (note,) = (await github.rest.checks.async_list_annotations(*ROCKET, run.jobs[0].id)).parsed_data
    assert note.annotation_level == "failure"
    await github.rest.actions.async_re_run_workflow_failed_jobs(*ROCKET, run.id)
    assert len(run.attempts) == 2
    await github.rest.actions.async_cancel_workflow_run(*ROCKET, run.id)
    assert (await github.rest.actions.async_get_workflow_run(*ROCKET, run.id)).parsed_data.conclusion == "cancelled"


async def test_githubkit_gives_feedback(stage: Stage) -> None:
    pull, github = stage.open(), installed(stage)
    check = await github.rest.checks.async_create(*ROCKET, name="Runledger", head_sha=pull.head.sha)
    number = check.parsed_data.id
    output = {"title": "One failed", "summary": "unit"}
    await github.rest.checks.async_update(*ROCKET, number, data={"conclusion": "failure", "output": output})
    assert stage.github.world.check_runs[number].title == "One failed"
    made = await github.rest.issues.async_create_comment(*ROCKET, pull.number, body="One failed")
    await github.rest.issues.async_update_comment(*ROCKET, made.parsed_data.id, body="None failed")
    (comment,) = (await github.rest.issues.async_list_comments(*ROCKET, pull.number)).parsed_data
    assert comment.body == "None failed"
    (found,) = (
        await github.rest.repos.async_list_pull_requests_associated_with_commit(*ROCKET, pull.head.sha)
    ).parsed_data
    assert found.number == pull.number
    with pytest.raises(RequestFailed) as refused:
        await github.rest.issues.async_create_comment(*ROCKET, pull.number, body="b" * 65_537)
    assert refused.value.response.status_code == 422


@pytest.mark.parametrize(
    ("fault", "error", "wait"),
    [
        (RateLimited(403, retry_after=90), SecondaryRateLimitExceeded, timedelta(seconds=90)),
        (RateLimited(429, reset_in=1800), PrimaryRateLimitExceeded, timedelta(seconds=1800)),
    ],
)
async def test_githubkit_knows_our_limits(
    stage: Stage, fault: RateLimited, error: type[PrimaryRateLimitExceeded], wait: timedelta
) -> None:
    github = installed(stage)
    stage.github.rest.scripted_faults.add(fault, operation="pulls/list")
    with pytest.raises(error) as refused:
        await github.rest.pulls.async_list(*ROCKET)
    assert wait - timedelta(seconds=10) < refused.value.retry_after <= wait


async def test_githubkit_signs_a_person_in(stage: Stage) -> None:
    github = stage.github
    github.rest.signed_in = stage.person
    github.app.callback_urls = ("http://127.0.0.1:9/back",)
    asked = {"client_id": github.app.client_id, "redirect_uri": "http://127.0.0.1:9/back", "state": "s"}
    async with aiohttp.ClientSession() as session:
        url = f"{github.world.addresses.html}/login/oauth/authorize"
        async with session.get(url, params=asked, allow_redirects=False) as led:
            code = dict(parse_qsl(urlsplit(led.headers["Location"]).query))["code"]
    strategy = OAuthWebAuthStrategy(github.app.client_id, github.rest.client_secret, code)
    person: Any = GitHub(strategy, base_url=github.world.addresses.api, auto_retry=False)
    assert (await person.rest.users.async_get_authenticated()).parsed_data.login == "mona"
    (one,) = (await person.rest.apps.async_list_installations_for_authenticated_user()).parsed_data.installations
    assert one.id == stage.installation.id
    seen = await person.rest.apps.async_list_installation_repos_for_authenticated_user(one.id)
    assert [repository.name for repository in seen.parsed_data.repositories] == ["rocket"]


# All that our client can do.


async def values_of(stage: Stage) -> dict[str, Any]:
    """Return a value for each variable in a path, and for each body."""
    github = stage.github
    pull = stage.open()
    run = github.actions.start_run_for(pull, stage.workflow)
    finish_run(stage, run, "unit")
    client = installed(stage)
    check = await client.rest.checks.async_create(*ROCKET, name="First", head_sha=pull.head.sha)
    comment = await client.rest.issues.async_create_comment(*ROCKET, pull.number, body="First")
    await github.settle()
    return {
        "owner": "acme",
        "repo": "rocket",
        "installation_id": stage.installation.id,
        "delivery_id": github.webhooks.log.attempts[-1].id,
        "run_id": run.id,
        "attempt_number": 1,
        "job_id": run.jobs[0].id,
        "pull_number": pull.number,
        "issue_number": pull.number,
        "ref": pull.head_ref,
        "commit_sha": pull.head.sha,
        "username": stage.person.login,
        "check_run_id": check.parsed_data.id,
        "comment_id": comment.parsed_data.id,
        "code": await manifest_code(github),
    }


async def manifest_code(github: SimulatedGitHub) -> str:
    manifest = {"name": "Ledger Two", "url": "https://example.com", "redirect_url": "http://127.0.0.1:9/back"}
    github.rest.signed_in = github.add_user("founder")
    async with aiohttp.ClientSession() as session:
        url, form = f"{github.world.addresses.html}/settings/apps/new", {"manifest": json.dumps(manifest)}
        async with session.post(url, params={"state": "s"}, data=form, allow_redirects=False) as led:
            return dict(parse_qsl(urlsplit(led.headers["Location"]).query))["code"]


def body_of(operation: str, values: dict[str, Any]) -> dict[str, Any]:
    bodies: dict[str, dict[str, Any]] = {
        "checks/create": {"name": "Second", "head_sha": values["commit_sha"]},
        "checks/update": {"conclusion": "failure"},
        "issues/create-comment": {"body": "Second"},
        "issues/update-comment": {"body": "First again"},
        "apps/create-installation-access-token": {"permissions": {"actions": "read"}},
    }
    return {"data": bodies[operation]} if operation in bodies else {}


async def test_githubkit_can_do_all_that_our_client_does(stage: Stage) -> None:
    ours = operations_of_ours()
    assert len(ours) > 30
    values, run = await values_of(stage), next(iter(stage.github.world.runs.living.values()))
    asking = {
        "app": app_of(stage),
        "installation": installed(stage),
        "nobody": anonymous(stage),
        "user": signed_in(stage),
    }
    # What is run again has to have ended, and what is cancelled must not have.
    for operation in sorted(ours, key=lambda name: ("cancel" in name, "re-run" in name, name)):
        if "re-run" in operation:
            finish_run(stage, run, "unit")
        group, _, name = operation.replace("-", "_").partition("/")
        caller = next(who for who in ("nobody", "app", "installation", "user") if who in ours[operation].callers)
        method = getattr(getattr(asking[caller].rest, group), f"async_{name}")
        needed = [one for one in inspect.signature(method).parameters.values() if one.default is one.empty]
        arguments = {one.name: values[one.name] for one in needed if one.kind is not one.VAR_KEYWORD}
        await method(**arguments, **body_of(operation, values))
        *_, last = stage.github.rest.ledger.of(operation)
        assert last.status < 400


async def test_githubkit_finds_enterprise_server_under_its_path(receiver: Receiver) -> None:
    github = SimulatedGitHub(Clock())
    async with github, github.serve(api_path="/api/v3") as address:
        stage = set_stage(github)
        assert address.endswith("/api/v3")
        run, client = github.actions.start_run_for(stage.open(), stage.workflow), installed(stage)
        listed = await client.rest.actions.async_list_workflow_runs_for_repo(*ROCKET)
        (found,) = listed.parsed_data.workflow_runs
        assert (found.id, found.url) == (run.id, f"{address}/repos/acme/rocket/actions/runs/{run.id}")
        second = await client.rest.actions.async_list_workflow_runs_for_repo(*ROCKET, per_page=1, page=2)
        assert f"<{address}/repositories/" in second.headers["link"]
