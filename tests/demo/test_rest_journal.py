"""What Apps wrote for people to read is in the journal, with what changed by it; and who may press what they wrote."""

from collections.abc import AsyncIterator, Callable

import pytest

from bot.demo.github import Refused
from tests.demo.client import Client, connected
from tests.demo.stage import Stage

REPO = "/repos/acme/rocket"
BUTTON = {"label": "Again", "description": "Do it again", "identifier": "again"}


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[Client]:
    async with connected(stage.github) as client:
        yield await client.as_installation(stage.installation)


async def test_comments_and_check_runs_are_in_the_journal_with_what_changed(client: Client, stage: Stage) -> None:
    pull, journal = stage.open(), stage.github.rest.journal
    comment = (await client.post(f"{REPO}/issues/{pull.number}/comments", {"body": "one"})).body["url"]
    path = comment.removeprefix(client.address)
    for body in ("two", "two"):
        await client.patch(path, {"body": body})
    sent = {"name": "n", "head_sha": pull.head.sha, "output": {"title": "t", "summary": "s"}}
    check = (await client.post(f"{REPO}/check-runs", sent)).body["id"]
    await client.patch(f"{REPO}/check-runs/{check}", {"status": "in_progress"})
    await client.patch(f"{REPO}/check-runs/{check}", {"output": {"title": "t", "summary": "s"}})
    assert [(one.kind, one.action, one.is_changed) for one in journal.of(pull)] == [
        ("comment", "create", True),
        ("comment", "edit", True),
        ("comment", "edit", False),
        ("check", "create", True),
        ("check", "edit", True),
        ("check", "edit", False),
    ]
    assert [one.body for one in journal.unchanged()] == [{"body": "two"}, {"output": {"title": "t", "summary": "s"}}]
    assert [one.action for one in journal.of_id(check)] == ["create", "edit", "edit"]
    counts = journal.counts()["acme/rocket", pull.number]
    assert counts == {"comment create": 1, "comment edit": 2, "check create": 1, "check edit": 2}
    assert (await client.ask("DELETE", path)).status == 204
    assert journal.writes[-1].action == "delete"


async def test_a_write_that_is_refused_is_not_in_it(client: Client, stage: Stage) -> None:
    pull = stage.open()
    stage.github.pulls.lock(pull, stage.person)
    refused = await client.post(f"{REPO}/issues/{pull.number}/comments", {"body": "one"})
    assert (refused.status, "locked" in refused.body["message"]) == (403, True)
    assert (await client.post(f"{REPO}/issues/{pull.number}/comments", {"body": " "})).status == 403
    assert stage.github.rest.journal.writes == []


async def test_a_check_run_is_made_for_the_commit_of_a_fork(client: Client, stage: Stage) -> None:
    github = stage.github
    stranger = github.add_user("kestrel")
    fork = github.repositories.fork(stage.repository, stranger)
    pull = github.pulls.open(stage.repository, "From afar", stranger, branch="main", head_repository=fork)
    made = await client.post(f"{REPO}/check-runs", {"name": "n", "head_sha": pull.head.sha})
    assert made.status == 201
    assert [one.pulls for one in github.rest.journal.writes] == [(pull.number,)]


async def test_only_those_who_may_write_have_buttons_and_only_when_it_is_done(client: Client, stage: Stage) -> None:
    github, pull = stage.github, stage.open()
    stranger = github.add_user("kestrel")
    sent = {"name": "n", "head_sha": pull.head.sha, "actions": [BUTTON]}
    check = github.world.check_runs[(await client.post(f"{REPO}/check-runs", sent)).body["id"]]
    with pytest.raises(Refused, match="when a check run is completed"):
        github.checks.request_action(check, "again", stage.person)
    await client.patch(f"{REPO}/check-runs/{check.id}", {"conclusion": "failure"})
    github.checks.request_action(check, "again", stage.person)
    presses: tuple[Callable[[], None], ...] = (
        lambda: github.checks.request_action(check, "again", stranger),
        lambda: github.checks.rerequest(check, stranger),
        lambda: github.checks.rerequest_suite(check.suite, stranger),
    )
    for press in presses:
        with pytest.raises(Refused, match="kestrel may not write to acme/rocket"):
            press()
