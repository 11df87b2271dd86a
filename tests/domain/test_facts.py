"""What a payload tells as rows: nothing foreign, times in UTC, the same from a webhook and from the REST API."""

import json
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import pytest

from bot.domain import facts, ordering, payloads
from tests.domain.sent import NOON, Path, changed, sent, told, without
from tests.oracle.bodies import moment
from tests.oracle.guids import timed_guid

Fact = TypeVar("Fact", bound=msgspec.Struct)


def only(kind: type[Fact], event: str, body: Any, guid: str | None = None) -> Fact:
    """Return the one fact of this kind that a body tells."""
    found = [fact for fact in (told(event, body, guid) if guid else told(event, body)) if isinstance(fact, kind)]
    assert len(found) == 1
    return found[0]


def run_with(path: Path, value: Any) -> facts.WorkflowRun:
    return only(facts.WorkflowRun, "workflow_run", changed(sent("workflow_run"), ("workflow_run", *path), value))


def job_with(path: Path, value: Any) -> facts.WorkflowJob:
    return only(facts.WorkflowJob, "workflow_job", changed(sent("workflow_job"), ("workflow_job", *path), value))


def listed(number: int, repository_id: int | None) -> dict[str, Any]:
    repo = None if repository_id is None else {"id": repository_id, "name": "some", "url": "https://example.org"}
    return {
        "number": number,
        "head": {"ref": "topic", "sha": "c" * 40, "repo": repo},
        "base": {"ref": "main", "sha": "d" * 40, "repo": repo},
    }


@pytest.mark.parametrize(
    ("entries", "numbers"),
    [
        ([], []),
        (None, []),
        ([listed(4, 10), listed(5, 99)], [4]),
        ([listed(5, 99)], []),
        ([listed(4, 10), listed(6, 10)], [4, 6]),
        ([listed(7, None)], [7]),  # nothing says that it is foreign
    ],
)
def test_pull_requests_of_other_repositories_are_left_out(entries: Any, numbers: list[int]) -> None:
    run = run_with(("pull_requests",), entries)
    assert [link.number for link in run.pull_requests] == numbers
    assert {link.repository_id for link in run.pull_requests} <= {10}


def test_a_link_tells_head_base_and_run() -> None:
    run = run_with(("pull_requests",), [listed(4, 10)])
    link = run.pull_requests[0]
    assert (link.run_id, link.head_sha, link.base_ref) == (100, "c" * 40, "main")
    assert (link.run_created_at, link.version) == (run.created_at, run.version)


@pytest.mark.parametrize(
    ("written", "hour", "microsecond"),
    [
        ("2026-11-02T12:00:00Z", 12, 0),
        ("2026-11-02T12:00:00.000Z", 12, 0),
        ("2026-11-02T12:00:00.123Z", 12, 123_000),
        ("2026-11-02T14:00:00+02:00", 12, 0),
        ("2026-11-02T08:00:00.000-04:00", 12, 0),
    ],
)
def test_times_are_in_utc(written: str, hour: int, microsecond: int) -> None:
    expected = datetime(2026, 11, 2, hour, 0, 0, microsecond, tzinfo=UTC)
    run = run_with(("updated_at",), written)
    job = job_with(("completed_at",), written)
    step = json.loads(job_with(("steps", 0, "started_at"), written).steps)[0]
    for time in (run.updated_at, job.completed_at, datetime.fromisoformat(step["startedAt"])):
        assert time == expected
        assert time is not None
        assert time.tzinfo == UTC
    assert step["startedAt"].endswith("Z")


def test_the_same_moment_written_otherwise_is_the_same_version() -> None:
    plain = run_with(("updated_at",), "2026-11-02T12:00:00Z")
    assert plain == run_with(("updated_at",), "2026-11-02T14:00:00+02:00")
    assert job_with(("steps", 0, "started_at"), "2026-11-02T12:00:01Z") == job_with(
        ("steps", 0, "started_at"), "2026-11-02T12:00:01.000Z"
    )


def test_a_webhook_and_the_rest_api_tell_the_same() -> None:
    run, job = sent("workflow_run")["workflow_run"], sent("workflow_job")["workflow_job"]
    made = ordering.microseconds(moment(NOON))
    guid = timed_guid(NOON, 3, 4)
    assert facts.workflow_run(payloads.read(run, payloads.WorkflowRun), 10, made) == only(
        facts.WorkflowRun, "workflow_run", sent("workflow_run"), guid
    )
    assert facts.workflow_job(payloads.read(job, payloads.WorkflowJob), 10, made) == only(
        facts.WorkflowJob, "workflow_job", sent("workflow_job"), guid
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "in_progress"),
        ("conclusion", None),
        ("started_at", "2026-11-02T12:00:01Z"),
        ("completed_at", None),
        ("runner_id", 9),
        ("runner_name", None),
        ("runner_group_id", 9),
        ("runner_group_name", "other"),
        ("labels", ["other"]),
        ("steps", []),
    ],
)
def test_what_may_change_of_a_job_is_in_its_version(field: str, value: Any) -> None:
    assert job_with((field,), value).version != job_with((), sent("workflow_job")["workflow_job"]).version


@pytest.mark.parametrize("field", ["status", "conclusion", "updated_at", "run_started_at"])
def test_what_may_change_of_an_attempt_is_in_its_version(field: str) -> None:
    value = {"status": "queued", "conclusion": "failure"}.get(field, "2026-11-02T12:34:56Z")
    assert run_with((field,), value).version != run_with((), sent("workflow_run")["workflow_run"]).version


@pytest.mark.parametrize("field", ["name", "event", "head_sha", "html_url", "path", "display_title"])
def test_what_never_changes_is_not(field: str) -> None:
    assert run_with((field,), "another").version == run_with((), sent("workflow_run")["workflow_run"]).version


def test_a_thin_run_and_a_thin_job() -> None:
    run, job = sent("workflow_run")["workflow_run"], sent("workflow_job")["workflow_job"]
    thin = run_with((), {name: run[name] for name in ("id", "status", "created_at", "updated_at")})
    assert (thin.run_attempt, thin.head_sha, thin.actor_login, thin.pull_requests) == (1, None, None, ())
    bare = job_with((), {name: job[name] for name in ("id", "run_id", "name", "status")})
    assert (bare.run_attempt, bare.created_at, bare.labels, bare.steps) == (None, None, "[]", "[]")


def test_the_newest_run_names_its_workflow() -> None:
    early = run_with(("created_at",), "2026-11-02T12:00:00Z")
    late = msgspec.structs.replace(early, created_at=datetime(2026, 11, 3, tzinfo=UTC), version=b"")
    twin = msgspec.structs.replace(early, run_id=early.run_id + 1, version=b"")
    assert facts.workflow_version(early) < facts.workflow_version(twin) < facts.workflow_version(late)


def test_labels_of_a_pull_request_have_no_order() -> None:
    def labelled(*names: str) -> facts.PullRequest:
        body = changed(sent("pull_request"), ("pull_request", "labels"), [{"name": name} for name in names])
        return only(facts.PullRequest, "pull_request", body)

    assert labelled("b", "a") == labelled("a", "b")
    assert labelled("a").version != labelled("b").version


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("title",), "another"),
        (("state",), "closed"),
        (("draft",), True),
        (("locked",), True),
        (("merged_at",), "2026-11-02T12:00:00Z"),
        (("closed_at",), "2026-11-02T12:00:00Z"),
        (("html_url",), "https://github.com/another/name/pull/1"),
        (("user", "login"), "renamed"),
        (("head", "sha"), "e" * 40),
        (("head", "ref"), "another"),
        (("head", "repo"), None),
        (("base", "ref"), "another"),
        (("base", "sha"), "e" * 40),
    ],
)
def test_what_may_change_of_a_pull_request_is_in_its_version(path: Path, value: Any) -> None:
    before = only(facts.PullRequest, "pull_request", sent("pull_request"))
    after = only(facts.PullRequest, "pull_request", changed(sent("pull_request"), ("pull_request", *path), value))
    assert after.version != before.version


def test_a_head_repository_that_was_deleted() -> None:
    body = changed(sent("pull_request"), ("pull_request", "head", "repo"), None)
    pull_request = only(facts.PullRequest, "pull_request", body)
    assert (pull_request.head_repository_id, pull_request.head_repo_full_name) == (None, None)


def test_a_pull_request_is_merged_when_it_has_a_time_for_it() -> None:
    merged = changed(sent("pull_request"), ("pull_request", "merged_at"), "2026-11-02T12:00:00Z")
    assert only(facts.PullRequest, "pull_request", merged).merged
    assert not only(facts.PullRequest, "pull_request", sent("pull_request")).merged


@pytest.mark.parametrize(
    ("action", "suspended_at", "state"),
    [
        ("created", None, "active"),
        ("suspend", "2026-11-02T12:00:00Z", "suspended"),
        ("suspend", 1_793_620_800, "suspended"),
        ("unsuspend", None, "active"),
        ("unsuspend", "2026-11-02T12:00:00Z", "active"),
        ("new_permissions_accepted", "2026-11-02T12:00:00Z", "suspended"),
        ("deleted", None, "deleted"),
        ("deleted", "2026-11-02T12:00:00Z", "deleted"),
    ],
)
def test_the_state_of_an_installation(action: str, suspended_at: Any, state: str) -> None:
    body = changed(sent("installation"), ("installation", "suspended_at"), suspended_at)
    assert only(facts.Installation, "installation", {**body, "action": action}).state == state


def test_a_deleted_installation_is_above_all_that_is_younger() -> None:
    deleted = only(facts.Installation, "installation", {**sent("installation"), "action": "deleted"})
    younger = only(facts.Installation, "installation", sent("installation"), timed_guid(NOON * 2, 0, 0))
    assert deleted.version is not None
    assert younger.version is not None
    assert deleted.version > younger.version


def test_what_an_installation_lists_is_its_accounts() -> None:
    added, removed = (
        fact
        for fact in told("installation_repositories", sent("installation_repositories"))
        if isinstance(fact, facts.Repository)
    )
    assert (added.repository_id, added.hidden, added.installation_id) == (10, False, 5)
    assert (removed.repository_id, removed.hidden, removed.owner) == (
        12,
        True,
        facts.Account(11, "octo-org", "Organization"),
    )


def test_a_body_without_installation() -> None:
    for event in ("workflow_run", "workflow_job", "pull_request", "repository"):
        body = without(sent(event), ("installation",))
        assert only(facts.Repository, event, body).installation_id is None


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"repository": {"name": {"from": "old"}}}, "octo-org/old"),
        ({"owner": {"from": {"user": {"login": "octocat", "id": 1}}}}, "octocat/hello-world"),
        ({"owner": {"from": {"organization": {"login": "old-org", "id": 2}}}}, "old-org/hello-world"),
        ({"owner": {"from": {}}}, None),
        ({"default_branch": {"from": "master"}}, None),
        ({}, None),
        (None, None),
    ],
)
def test_what_a_repository_was_called(changes: Any, name: str | None) -> None:
    body = {**sent("repository"), "changes": changes}
    repository = only(facts.Repository, "repository", body)
    assert repository.past_name == name
    assert repository.announced


def test_a_guid_without_a_time_falls_back_where_nothing_else_tells() -> None:
    # A run has times of its own, so its version must not hang on when it was received; a repository has none.
    untimed = "919108f7-52d1-4320-9bac-f847db4148a8"
    run, repository = (
        only(facts.WorkflowRun, "workflow_run", sent("workflow_run"), untimed),
        only(facts.Repository, "workflow_run", sent("workflow_run"), untimed),
    )
    received = ordering.microseconds(datetime(2026, 11, 2, 13, tzinfo=UTC))
    assert run.version[10:18] == bytes(8)
    assert repository.version[9:17] == received.to_bytes(8)
