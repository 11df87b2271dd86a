"""Answers that are none, and the errors that they become; redirects, and where they end."""

import json

import pytest

from bot.github import Client, checks, runs
from bot.github.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    Gone,
    NotFound,
    Unprocessable,
)
from tests.github.asked import COMMENTS, REPOSITORY, RUN, RUNS, comment, get
from tests.github.scripted import Answer, ScriptedGitHub, patiently

# Errors


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer(404, {"message": "Not Found"}), NotFound, f"nothing at GET {RUN}: Not Found"),
        (Answer(410, {"message": "Gone"}), Gone, "no longer has"),
        (Answer(451, {"message": "Blocked"}), Gone, "may no longer show"),
        (Answer(409, {"message": "Busy"}), Conflict, "can't do now"),
        (Answer(400, {"message": "Problems parsing JSON"}), BadRequest, "answered 400"),
        (Answer(418, b"tea"), BadRequest, "answered 418"),
        (Answer(404, b"[1]"), NotFound, "nothing at"),
        (Answer(304), BadRequest, "do not follow"),
        (Answer(206, {}), BadRequest, "answered 206"),
        (Answer(200, b""), GitHubUnavailable, "not JSON"),
        (Answer(200, b"{"), GitHubUnavailable, "not JSON"),
        (Answer(200, b"<html>", {"Content-Type": "text/html"}), GitHubUnavailable, "not JSON"),
        (Answer(200, b"\xff", {"Content-Type": "application/json; charset=klingon"}), GitHubUnavailable, "not JSON"),
        (Answer(403, {"message": "Must have admin rights"}), Forbidden, "forbids GET"),
    ],
    ids=str,
)
async def test_every_answer_becomes_one_error_of_ours(
    scripted: ScriptedGitHub, client: Client, answer: Answer, kind: type[GitHubError], words: str
) -> None:
    scripted.script("GET", RUN, answer)
    with pytest.raises(kind, match=words) as caught:
        await get(client)
    assert type(caught.value) is kind


async def test_a_refusal_names_the_permission_that_is_missing(scripted: ScriptedGitHub, client: Client) -> None:
    told = {"X-Accepted-GitHub-Permissions": "actions=write", "X-RateLimit-Remaining": "0"}
    answer = Answer(403, {"message": "Resource not accessible by integration"}, told)
    scripted.script("POST", f"{RUN}/rerun-failed-jobs", answer)
    with pytest.raises(Forbidden, match="it takes actions=write") as caught:
        await runs.rerun_failed_jobs(client, REPOSITORY, 1)
    assert caught.value.permissions == "actions=write"


async def test_what_github_declines_comes_with_its_reasons(scripted: ScriptedGitHub, client: Client) -> None:
    errors = [
        {"resource": "CheckRun", "field": "name", "code": "missing_field"},
        {"message": "too long", "field": "output"},
        "plain words",
    ]
    scripted.script("POST", "/repos/octo/widgets/check-runs", Answer(422, {"message": "No", "errors": errors}))
    with pytest.raises(Unprocessable, match=r"No; CheckRun\.name: missing_field") as caught:
        await checks.create_check_run(client, REPOSITORY, {})
    assert caught.value.errors == ("CheckRun.name: missing_field", "output: too long", "plain words")


@pytest.mark.parametrize("body", [{"message": "In order to keep the API fast", "errors": None}, {"errors": "x"}, []])
async def test_a_refusal_without_reasons_is_one_all_the_same(
    scripted: ScriptedGitHub, client: Client, body: object
) -> None:
    scripted.script("GET", RUNS, Answer(422, body))
    with pytest.raises(Unprocessable):
        await runs.list_runs(client, REPOSITORY, page=401)


@pytest.mark.parametrize("body", [{"workflow_runs": 1}, [], 3, {"message": "?"}])
async def test_a_list_that_is_none_is_an_error(scripted: ScriptedGitHub, client: Client, body: object) -> None:
    scripted.script("GET", RUNS, Answer(200, body))
    with pytest.raises(GitHubUnavailable, match="not the list"):
        await runs.list_runs(client, REPOSITORY)


# Redirects


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_renamed_repository_is_followed(scripted: ScriptedGitHub, client: Client, status: int) -> None:
    scripted.script("GET", RUN, Answer(status, {}, {"Location": "/repositories/9/actions/runs/1"}))
    scripted.script("GET", "/repositories/9/actions/runs/1", Answer(body={"id": 1}))
    answer = await runs.get_run(client, REPOSITORY, 1)
    assert answer.data == {"id": 1}
    assert answer.url == f"{scripted.url}/repositories/9/actions/runs/1"


@pytest.mark.parametrize(
    "location", ["http://localhost:9/x", "//evil.example/x", "https://127.0.0.1/x", "", "http://[/"]
)
async def test_no_redirect_leads_to_another_host(scripted: ScriptedGitHub, client: Client, location: str) -> None:
    scripted.script("GET", RUN, Answer(301, {}, {"Location": location}))
    with pytest.raises(BadRequest, match="do not follow"):
        await get(client)


async def test_redirects_end(scripted: ScriptedGitHub, client: Client) -> None:
    scripted.script("GET", RUN, *[Answer(301, {}, {"Location": RUN})] * 4)
    with pytest.raises(BadRequest, match="do not follow"):
        await get(client)


async def test_a_write_goes_along_where_that_keeps_its_method(scripted: ScriptedGitHub, client: Client) -> None:
    moved = {"Location": "/repositories/9/issues/5/comments"}
    scripted.script("POST", COMMENTS, Answer(307, {}, moved), Answer(302, {}, moved))
    scripted.script("POST", "/repositories/9/issues/5/comments", Answer(201, {"id": 1}))
    assert await patiently(scripted, comment(client)) == {"id": 1}
    assert json.loads(scripted.calls("/repositories/9/issues/5/comments")[0].body) == {"body": "hello"}
    with pytest.raises(BadRequest):
        await patiently(scripted, comment(client))
