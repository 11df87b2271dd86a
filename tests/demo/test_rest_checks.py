"""What GitHub refuses of check runs and comments, and what it tells of them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.clock import ManualClock
from bot.demo.github import SimulatedGitHub
from tests.demo.client import Client, Reply, held
from tests.demo.conformance import faults_of, told
from tests.demo.stage import Stage, finish_run, set_stage

CHECKS = "/repos/acme/rocket/check-runs"
NOTE = {"path": "a.py", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "No"}
BUTTON = {"label": "l" * 20, "description": "d" * 40, "identifier": "i" * 20}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    github = SimulatedGitHub(ManualClock(), seed=7)
    async with held(github) as client:
        stage = set_stage(github)
        yield await client.as_installation(stage.installation)


@pytest.fixture
def sha(client: Client) -> str:
    (repository,) = client.github.world.repositories.values()
    return repository.tip().commit.sha


def output(**more: Any) -> dict[str, Any]:
    return {"title": "t", "summary": "s", **more}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": None}, '"name" wasn\'t supplied'),
        ({"name": 3}, "is not a string"),
        ({"status": "done"}, "is not a member of"),
        ({"status": "completed"}, '"conclusion" wasn\'t supplied'),
        ({"conclusion": "fine"}, "is not a member of"),
        ({"started_at": "yesterday"}, "is not a valid date-time"),
        ({"colour": "red"}, '"colour" is not a permitted key'),
        ({"output": {"title": "t"}}, '"summary" wasn\'t supplied'),
        ({"output": output(summary="s" * 65_536)}, "Only 65535 characters are allowed; 65536 were supplied."),
        ({"output": output(text="s" * 65_536)}, "Only 65535 characters are allowed"),
        ({"output": output(annotations=[NOTE] * 51)}, "No more than 50 items are allowed; 51 were supplied."),
        ({"output": output(annotations=[{**NOTE, "annotation_level": "bad"}])}, "is not a member of"),
        ({"output": output(annotations=[{**NOTE, "end_line": 2, "start_column": 1}])}, "Columns are only allowed"),
        ({"actions": [BUTTON] * 4}, "No more than 3 items"),
        ({"actions": [{**BUTTON, "label": "l" * 21}]}, "Only 20 characters"),
        ({"actions": [{**BUTTON, "description": "d" * 41}]}, "Only 40 characters"),
        ({"actions": [{**BUTTON, "identifier": "i" * 21}]}, "Only 20 characters"),
        ({"head_sha": "0" * 40}, "No commit found for SHA"),
    ],
)
async def test_what_is_wrong_with_a_check_run_is_said(client: Client, sha: str, body: Any, words: str) -> None:
    refused = await client.post(CHECKS, {"name": "Runledger", "head_sha": sha, **body})
    assert refused.status == 422
    assert words in refused.body["message"]
    assert refused.body["documentation_url"].startswith("https://docs.github.com/")
    assert client.github.world.check_runs == {}


async def test_the_largest_that_is_allowed(client: Client, sha: str) -> None:
    full = output(summary="s" * 65_535, text="t" * 65_535, annotations=[NOTE] * 50)
    made = await client.post(CHECKS, {"name": "n", "head_sha": sha, "output": full, "actions": [BUTTON] * 3})
    assert (made.status, made.body["output"]["annotations_count"]) == (201, 50)
    again = await client.patch(f"{CHECKS}/{made.body['id']}", {"output": full})
    assert again.body["output"]["annotations_count"] == 100
    pages = await client.walk(f"{CHECKS}/{made.body['id']}/annotations?per_page=30")
    assert [len(page.body) for page in pages] == [30, 30, 30, 10]


async def test_completed_is_for_good(client: Client, sha: str) -> None:
    made = (await client.post(CHECKS, {"name": "n", "head_sha": sha, "conclusion": "neutral"})).body
    assert (made["status"], made["completed_at"]) == ("completed", "2026-01-05T09:00:00Z")
    assert (await client.patch(f"{CHECKS}/{made['id']}", {"status": "in_progress"})).status == 422
    assert (await client.patch(f"{CHECKS}/{made['id']}", {"conclusion": "failure"})).body["conclusion"] == "failure"
    second = (await client.post(CHECKS, {"name": "n", "head_sha": sha, "status": "in_progress"})).body
    listed = f"/repos/acme/rocket/commits/{sha}/check-runs"
    assert [one["id"] for one in (await client.get(listed)).body["check_runs"]] == [second["id"]]
    every = (await client.get(f"{listed}?filter=all&check_name=n&app_id={client.github.app.id}")).body["check_runs"]
    assert [one["id"] for one in every] == [second["id"], made["id"]]
    assert (await client.get(f"{listed}?status=completed&filter=all")).body["total_count"] == 1


async def test_the_check_run_of_a_job_is_not_ours_to_change(client: Client) -> None:
    stage = stage_of(client)
    run = stage.github.actions.start_run_for(stage.open(), stage.workflow)
    finish_run(stage, run, "unit")
    job = run.jobs[0]
    assert (await client.get(f"{CHECKS}/{job.id}")).body["app"]["slug"] == "github-actions"
    refused = await client.patch(f"{CHECKS}/{job.id}", {"conclusion": "success"})
    assert (refused.status, "can only be modified by the GitHub App" in refused.body["message"]) == (403, True)
    notes = (await client.get(f"{CHECKS}/{job.id}/annotations")).body
    assert [(one["path"], one["message"]) for one in notes] == [(".github", "Process completed with exit code 1.")]


async def test_webhooks_tell_of_our_own_check_runs_and_their_buttons(client: Client, sha: str) -> None:
    github, stage = client.github, stage_of(client)
    buttons = [{**BUTTON, "identifier": "rerun"}]
    sent = {"name": "n", "head_sha": sha, "conclusion": "failure", "output": output(), "actions": buttons}
    number = (await client.post(CHECKS, sent)).body["id"]
    check = github.world.check_runs[number]
    github.checks.rerequest(check, stage.person)
    github.checks.request_action(check, "rerun", stage.person)
    github.checks.rerequest_suite(check.suite, stage.person)
    with pytest.raises(KeyError):
        github.checks.request_action(check, "other", stage.person)
    deliveries = [one for one in github.deliveries if one.event.startswith("check_")]
    assert [(one.event, one.action) for one in deliveries] == [
        ("check_run", "created"),
        ("check_run", "completed"),
        ("check_run", "rerequested"),
        ("check_run", "requested_action"),
        ("check_suite", "rerequested"),
    ]
    assert [fault for one in deliveries for fault in faults_of(one)] == []
    bodies = [told(one) for one in deliveries]
    owners = {(body["check_run"] if "check_run" in body else body["check_suite"])["app"]["id"] for body in bodies}
    assert owners == {github.app.id}
    assert told(deliveries[3])["requested_action"] == {"identifier": "rerun"}


async def test_comments_have_an_end_and_an_author(client: Client) -> None:
    stage = stage_of(client)
    pull = stage.open()
    url = f"/repos/acme/rocket/issues/{pull.number}/comments"
    too_long = await client.post(url, {"body": "b" * 65_537})
    assert (too_long.status, too_long.body["errors"][0]["resource"]) == (422, "IssueComment")
    assert "maximum is 65536" in too_long.body["errors"][0]["message"]
    assert (await client.post(url, {"body": " "})).status == 422
    assert (await client.post(url, {"text": "x"})).status == 422
    assert (await client.post(url.replace(str(pull.number), "99"), {"body": "x"})).status == 404
    longest = await client.post(url, {"body": "b" * 65_536})
    assert (longest.status, longest.body["user"]["login"]) == (201, "runledger[bot]")
    theirs = stage.github.comments.create(pull, "mine", stage.person)
    refused = await client.patch(f"/repos/acme/rocket/issues/comments/{theirs.id}", {"body": "changed"})
    assert (refused.status, theirs.body) == (403, "mine")
    assert (await client.get(f"{url}?since=2026-01-06T00:00:00Z")).body == []
    assert stage.github.counts()["comments"] == 1
    stage.github.repositories.archive(stage.repository)
    assert (await client.post(url, {"body": "late"})).status == 403


async def test_bodies_that_are_none(client: Client, sha: str) -> None:
    async def sent(content: str) -> Reply:
        headers = {"Content-Type": "application/json"}
        return await client.ask("POST", CHECKS, form=content, headers=headers)

    assert ((await sent("{")).status, (await sent("[]")).status) == (400, 400)
    assert (await sent("{")).body["message"] == "Problems parsing JSON"


async def test_pulls_of_a_commit_are_open_or_merged_and_may_come_from_forks(client: Client) -> None:
    stage = stage_of(client)
    fork = stage.github.repositories.fork(stage.repository, stage.person)
    pull = stage.github.pulls.open(stage.repository, "A", stage.person, branch="main", head_repository=fork)
    first = pull.head.sha
    url = f"/repos/acme/rocket/commits/{first}/pulls"
    assert [one["number"] for one in (await client.get(url)).body] == [pull.number]
    stage.github.pulls.close(pull)
    assert (await client.get(url)).body == []
    stage.github.pulls.reopen(pull)
    merged = stage.github.pulls.merge(pull, stage.person)
    assert [one["number"] for one in (await client.get(url.replace(first, merged.sha))).body] == [pull.number]
    assert (await client.get(url.replace(first, "0" * 40))).status == 422
    head = f"{stage.person.login}:main"
    assert len((await client.get(f"/repos/acme/rocket/pulls?state=all&head={head}")).body) == 1
    assert (await client.get("/repos/acme/rocket/pulls")).body == []
    assert (await client.get("/repos/acme/rocket/pulls?state=odd")).status == 422
    stage.github.pulls.label(pull, "ready")
    stage.github.pulls.unlabel(pull, "ready")
    labelled = [one for one in stage.github.deliveries if one.action in {"labeled", "unlabeled"}]
    assert len(labelled) == 2
    assert [fault for one in labelled for fault in faults_of(one)] == []


def stage_of(client: Client) -> Stage:
    world = client.github.world
    (installation,) = world.installations.values()
    (repository,) = installation.repositories.values()
    (workflow,) = world.workflows.values()
    person = next(one for one in world.accounts.values() if one.login == "mona")
    return Stage(client.github, repository.owner, person, repository, workflow, installation)
