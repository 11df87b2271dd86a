"""The rules that state and events of the simulated GitHub keep."""

import random
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.clock import ManualClock
from bot.demo.github import JobSpec, Refused, SimulatedGitHub
from bot.demo.github.activity import TOUR, activity
from bot.demo.github.company import found
from bot.demo.github.state.actions import WorkflowRun
from bot.demo.github.webhooks.deliveries import Delivery, guid_time
from tests.demo.conformance import faults_of, told
from tests.demo.stage import Stage, set_stage


def of(github: SimulatedGitHub, event: str, action: str | None = None) -> list[dict[str, Any]]:
    return [told(one) for one in github.deliveries if one.event == event and action in {None, one.action}]


def finish(github: SimulatedGitHub, run: WorkflowRun, *failing: str) -> None:
    """Run every job of the newest attempt to its end."""
    while jobs := run.latest.open_jobs():
        for job in jobs:
            github.actions.jobs.start(job)
            github.actions.jobs.complete(job, "failure" if job.name in failing else "success")


async def play_everything(seed: int) -> list[Delivery]:
    """Play every story and every operation that stories leave out."""
    github = SimulatedGitHub(ManualClock(), seed=seed)
    github.ping()
    company = found(github)
    installation = github.installations.install(company.organization)
    _ = [moment async for moment in activity(github, company, TOUR)]
    other = github.add_organization("elsewhere")
    github.installations.install(other)
    uploader, console = company.repositories["uploader"], company.repositories["web-console"]
    github.repositories.rename(uploader, "lifter")
    github.repositories.transfer(uploader, other)
    github.repositories.archive(uploader)
    github.repositories.create(other, "fresh")
    github.repositories.delete(uploader)
    github.installations.rename_account(other, "somewhere")
    github.installations.suspend(installation)
    github.installations.unsuspend(installation)
    github.app.permissions["actions"] = "write"
    github.installations.accept_permissions(installation)
    github.installations.remove_repositories(installation, [console])
    github.installations.add_repositories(installation, [console])
    github.installations.delete(installation)
    return github.deliveries


async def test_every_body_meets_githubs_schema() -> None:
    deliveries = await play_everything(3)
    assert {(one.event, one.action) for one in deliveries} >= {
        ("workflow_run", action) for action in ("requested", "in_progress", "completed")
    } | {("workflow_job", action) for action in ("queued", "waiting", "in_progress", "completed")} | {
        ("pull_request", action) for action in ("opened", "synchronize", "closed", "reopened")
    } | {("installation", action) for action in ("created", "deleted", "suspend", "unsuspend")} | {
        ("installation", "new_permissions_accepted"),
        ("installation_repositories", "added"),
        ("installation_repositories", "removed"),
        ("installation_target", "renamed"),
        ("repository", "renamed"),
        ("repository", "transferred"),
        ("check_run", "created"),
        ("check_run", "completed"),
        ("check_suite", "completed"),
        ("ping", None),
    }
    assert [(one.event, one.action, fault) for one in deliveries for fault in faults_of(one)] == []


async def test_the_same_seed_gives_the_same_bytes() -> None:
    first, again, other = [await play_everything(seed) for seed in (5, 5, 6)]
    assert [(one.guid, one.body, one.headers) for one in first] == [(one.guid, one.body, one.headers) for one in again]
    assert {one.guid for one in first}.isdisjoint(one.guid for one in other)


async def test_bodies_are_as_large_as_githubs() -> None:
    smallest = dict.fromkeys(("workflow_run", "workflow_job", "pull_request"), 10**9)
    for one in await play_everything(4):
        if one.event in smallest:
            smallest[one.event] = min(smallest[one.event], len(one.body))
    assert smallest["workflow_run"] > 17_000
    assert smallest["workflow_job"] > 7_000
    assert smallest["pull_request"] > 20_000


async def test_a_guid_tells_when_its_delivery_was_made(stage: Stage) -> None:
    clock = stage.github.clock
    assert isinstance(clock, ManualClock)
    await clock.advance(3600.25)
    with stage.github.at(clock.now() - timedelta(minutes=20)):
        stage.github.actions.start_run_for(stage.open(), stage.workflow)
    late = [one for one in stage.github.deliveries if one.made_at == clock.now()]
    guids = [uuid.UUID(one.guid) for one in late]
    assert len(late) == 6
    assert {guid.version for guid in guids} == {1}
    assert {guid_time(guid) for guid in guids} == {datetime(2026, 1, 5, 10, 0, 0, 250_000, tzinfo=UTC)}
    assert sorted(guids, key=lambda guid: guid.time) == guids
    assert len(set(guids)) == 6
    assert told(late[1])["workflow_run"]["updated_at"] == "2026-01-05T09:40:00Z"


def test_nothing_is_stamped_in_the_future(stage: Stage) -> None:
    with pytest.raises(ValueError, match="has not come"), stage.github.at(datetime(2026, 1, 6, tzinfo=UTC)):
        stage.open()


def test_a_run_goes_from_requested_to_completed(stage: Stage) -> None:
    github, run = stage.github, stage.github.actions.start_run_for(stage.open(), stage.workflow)
    assert run.id > 2**31
    assert [job.name for job in run.jobs] == ["unit", "lint"]
    finish(github, run)
    assert (run.status, run.conclusion) == ("completed", "success")
    assert [body["action"] for body in of(github, "workflow_run")] == ["requested", "in_progress", "completed"]
    package = [body["workflow_job"] for body in of(github, "workflow_job") if body["workflow_job"]["name"] == "package"]
    assert [job["status"] for job in package] == ["queued", "in_progress", "completed"]
    assert [len(job["steps"]) for job in package] == [0, 4, 4]
    assert Counter(body["action"] for body in of(github, "check_run")) == {"created": 3, "completed": 3}


def test_a_runs_updated_at_follows_what_happens_and_never_goes_back(stage: Stage) -> None:
    github, now = stage.github, stage.github.clock.now()
    with github.at(now - timedelta(minutes=30)):
        run = github.actions.start_run_for(stage.open(), stage.workflow)
    with github.at(now - timedelta(minutes=20)):
        github.actions.jobs.start(run.get_job("unit"))
    with github.at(now - timedelta(minutes=10)):
        github.actions.jobs.start(run.get_job("lint"))
    with github.at(now - timedelta(minutes=15)):
        finish_started(github, run)
    snapshots = [body["workflow_run"] for body in of(github, "workflow_run")]
    assert [one["updated_at"][11:] for one in snapshots] == ["08:30:00Z", "08:40:00Z", "08:50:00Z"]
    assert {(one["created_at"], one["run_started_at"]) for one in snapshots} == {("2026-01-05T08:30:00Z",) * 2}
    github.actions.rerun(run, stage.person)
    (again,) = [one for one in of(github, "workflow_run") if one["workflow_run"]["run_attempt"] == 2]
    assert again["workflow_run"]["run_started_at"] == again["workflow_run"]["updated_at"] == "2026-01-05T09:00:00Z"
    assert again["workflow_run"]["created_at"] == "2026-01-05T08:30:00Z"


def finish_started(github: SimulatedGitHub, run: WorkflowRun) -> None:
    """End the jobs that run now, the first badly, so that none follows."""
    first, second = run.latest.open_jobs()
    github.actions.jobs.complete(first, "failure")
    github.actions.jobs.complete(second)


def test_run_numbers_count_per_workflow(stage: Stage) -> None:
    nightly = stage.github.actions.add_workflow(
        stage.repository, "CI", ".github/workflows/nightly.yml", stage.workflow.jobs
    )
    pull = stage.open()
    runs = [stage.github.actions.start_run_for(pull, one) for one in (stage.workflow, nightly, stage.workflow)]
    assert [run.number for run in runs] == [1, 1, 2]
    assert len({run.id for run in runs}) == 3


def test_a_failed_job_skips_what_needs_it(stage: Stage) -> None:
    run = stage.github.actions.start_run_for(stage.open(), stage.workflow)
    finish(stage.github, run, "unit")
    assert {job.name: job.conclusion for job in run.jobs} == {
        "unit": "failure",
        "lint": "success",
        "package": "skipped",
    }
    assert run.conclusion == "failure"
    steps = {step.name: step.conclusion for step in run.get_job("unit").steps}
    assert steps == {
        "Set up job": "success",
        "Run actions/checkout@v4": "success",
        "Run tests": "failure",
        "Post Run actions/checkout@v4": "success",
        "Complete job": "success",
    }


def test_rerunning_failed_jobs_carries_the_others_over(stage: Stage) -> None:
    github, run = stage.github, stage.github.actions.start_run_for(stage.open(), stage.workflow)
    with github.at(github.clock.now() - timedelta(minutes=9)):
        finish(github, run, "unit")
    told_before = len(github.deliveries)
    attempt = github.actions.rerun(run, stage.person, failed_only=True)
    (copy,) = [job for job in attempt.jobs if job.carried_over_from]
    assert (copy.name, copy.conclusion, copy.attempt.number) == ("lint", "success", 2)
    former = run.attempts[0].find_job("lint")
    assert former is not None
    assert copy.id != former.id
    assert (copy.started_at, copy.completed_at, copy.runner) == (former.started_at, former.completed_at, former.runner)
    since = [(one.event, one.action) for one in github.deliveries[told_before:]]
    assert since[:3] == [("workflow_run", "requested"), ("workflow_job", "completed"), ("check_run", "completed")]
    finish(github, run)
    assert (run.id, run.latest.number, run.conclusion) == (run.attempts[0].run.id, 2, "success")
    assert run.attempts[0].conclusion == "failure"
    assert {job.id for job in run.attempts[0].jobs}.isdisjoint(job.id for job in run.jobs)
    assert github.counts() | {"runs": 1, "attempts": 2, "jobs": 6} == github.counts()


def test_rerunning_a_run_runs_every_job_again(stage: Stage) -> None:
    run = stage.github.actions.start_run_for(stage.open(), stage.workflow)
    finish(stage.github, run)
    stage.github.actions.rerun(run, stage.person)
    assert {job.name: job.status for job in run.jobs} == {"unit": "queued", "lint": "queued"}
    finish(stage.github, run)
    assert [job.carried_over_from for job in run.jobs] == [None] * 3


def test_rerunning_one_job_takes_what_depends_on_it_along(stage: Stage) -> None:
    run = stage.github.actions.start_run_for(stage.open(), stage.workflow)
    finish(stage.github, run)
    stage.github.actions.rerun_job(run.get_job("lint"), stage.person)
    assert {job.name: job.status for job in run.jobs} == {"unit": "completed", "lint": "queued"}
    finish(stage.github, run)
    assert run.get_job("package").carried_over_from is None


async def test_what_github_refuses(stage: Stage) -> None:
    actions, pull = stage.github.actions, stage.open()
    run = actions.start_run_for(pull, stage.workflow)
    refused = pytest.raises(Refused)
    with refused as running:
        actions.rerun(run, stage.person)
    finish(stage.github, run)
    with refused as nothing_failed:
        actions.rerun(run, stage.person, failed_only=True)
    with refused as over:
        actions.cancel(run, stage.person)
    assert [error.value.status_code for error in (running, nothing_failed, over)] == [403, 403, 409]
    assert isinstance(stage.github.clock, ManualClock)
    await stage.github.clock.advance(31 * 86_400)
    with pytest.raises(Refused, match="over a month ago"):
        actions.rerun(run, stage.person)
    stage.github.pulls.merge(pull, stage.person)
    with pytest.raises(Refused):
        stage.github.pulls.reopen(pull)
    with pytest.raises(Refused):
        stage.github.installations.install(stage.organization)


def test_an_approval_gate_completes_a_run_that_goes_on_later(stage: Stage) -> None:
    github = stage.github
    run = github.actions.start_run_for(stage.open(), stage.workflow, needs_approval=True)
    assert (run.status, run.conclusion, run.jobs) == ("completed", "action_required", [])
    github.actions.approve_run(run, stage.person)
    finish(github, run)
    seen = [(body["action"], body["workflow_run"]["conclusion"]) for body in of(github, "workflow_run")]
    assert seen == [
        ("requested", None),
        ("completed", "action_required"),
        ("requested", None),
        ("in_progress", None),
        ("completed", "success"),
    ]
    assert len(run.attempts) == 1


def test_an_environment_makes_its_job_wait(stage: Stage) -> None:
    github = stage.github
    spec = JobSpec("deploy", ("Roll out",), environment="production")
    workflow = github.actions.add_workflow(stage.repository, "Deploy", ".github/workflows/deploy.yml", [spec])
    run = github.actions.start_run(workflow, event="push", tip=stage.repository.tip(), actor=stage.person)
    job = run.get_job("deploy")
    assert (run.status, job.status) == ("waiting", "waiting")
    with pytest.raises(Refused):
        github.actions.jobs.start(job)
    github.actions.jobs.approve_deployment(job, stage.person)
    finish(github, run)
    bodies = of(github, "workflow_job")
    assert [body["action"] for body in bodies] == ["waiting", "queued", "in_progress", "completed"]
    assert {body["deployment"]["environment"] for body in bodies} == {"production"}
    assert run.conclusion == "success"


def test_cancelling_ends_every_open_job(stage: Stage) -> None:
    run = stage.github.actions.start_run_for(stage.open(), stage.workflow)
    stage.github.actions.jobs.start(run.get_job("unit"))
    stage.github.actions.cancel(run, stage.person)
    assert [job.conclusion for job in run.jobs] == ["cancelled", "cancelled"]
    assert run.conclusion == "cancelled"
    assert of(stage.github, "workflow_run")[-1]["workflow_run"]["conclusion"] == "cancelled"


def test_a_broken_workflow_file_has_no_jobs(stage: Stage) -> None:
    run = stage.github.actions.start_run(
        stage.workflow, event="push", tip=stage.repository.tip(), actor=stage.person, startup_failure=True
    )
    assert (run.conclusion, run.jobs) == ("startup_failure", [])


def test_a_runs_pull_requests_are_empty_for_a_fork(stage: Stage) -> None:
    github, stranger = stage.github, stage.github.add_user("visitor")
    fork = github.repositories.fork(stage.repository, stranger)
    pull = github.pulls.open(stage.repository, "From outside", stranger, branch="main", head_repository=fork)
    own = stage.open()
    runs = [github.actions.start_run_for(one, stage.workflow) for one in (pull, own)]
    github.pulls.push(own, "Another commit")
    finish(github, runs[1])
    bodies = {body["workflow_run"]["id"]: body["workflow_run"] for body in of(github, "workflow_run")}
    outside, inside = (bodies[run.id] for run in runs)
    assert outside["pull_requests"] == []
    assert (outside["head_branch"], outside["head_repository"]["full_name"]) == ("main", "visitor/rocket")
    assert [one["number"] for one in inside["pull_requests"]] == [own.number]
    assert inside["pull_requests"][0]["head"]["sha"] == own.head.sha != inside["head_sha"]
    assert [run["pull_requests"] for run in github.truth()["runs"]] == [[pull.number], [own.number]]


def test_only_those_who_see_a_repository_hear_of_it(stage: Stage) -> None:
    github = stage.github
    heard = len(github.deliveries)
    github.installations.suspend(stage.installation)
    stage.open("unheard")
    github.installations.unsuspend(stage.installation)
    github.installations.remove_repositories(stage.installation, [stage.repository])
    stage.open("unseen")
    github.installations.delete(stage.installation)
    assert [one.action for one in github.deliveries[heard:]] == ["suspend", "unsuspend", "removed", "deleted"]
    again = github.installations.install(stage.organization)
    assert again.id > stage.installation.id


def test_without_checks_write_no_check_runs_are_told() -> None:
    stage = set_stage(SimulatedGitHub(ManualClock(), permissions={"metadata": "read", "actions": "read"}))
    finish(stage.github, stage.github.actions.start_run_for(stage.open(), stage.workflow))
    assert {one.event for one in stage.github.deliveries} == {
        "installation",
        "pull_request",
        "workflow_run",
        "workflow_job",
    }


def test_a_transfer_is_heard_by_those_who_see_it_afterwards(stage: Stage) -> None:
    github, other = stage.github, stage.github.add_organization("globex")
    there = github.installations.install(other)
    github.repositories.rename(stage.repository, "shuttle")
    github.repositories.transfer(stage.repository, other)
    (renamed,) = of(github, "repository", "renamed")
    (transferred,) = of(github, "repository", "transferred")
    assert renamed["changes"]["repository"]["name"]["from"] == "rocket"
    assert (transferred["repository"]["full_name"], transferred["installation"]["id"]) == ("globex/shuttle", there.id)
    assert transferred["changes"]["owner"]["from"]["organization"]["login"] == "acme"
    assert (list(stage.installation.repositories), list(there.repositories)) == ([], [stage.repository.id])
    assert github.world.find_repository("globex/shuttle") is stage.repository


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), acts=st.integers(5, 60))
def test_any_life_of_a_run_keeps_the_rules_and_the_last_word_is_the_truth(seed: int, acts: int) -> None:
    stage, chance = set_stage(SimulatedGitHub(ManualClock(), seed=1)), random.Random(seed)
    github = stage.github
    moment = github.clock.now() - timedelta(days=1)
    with github.at(moment):
        run = github.actions.start_run_for(stage.open(), stage.workflow, needs_approval=chance.random() < 0.3)
    for _ in range(acts):
        moment += timedelta(seconds=chance.choice((0, 0, 1, 40)))
        with github.at(moment):
            act_once(stage, run, chance)
    bodies = [told(one) for one in github.deliveries]
    keep_run_rules([body["workflow_run"] for body in bodies if "workflow_run" in body])
    jobs = [body["workflow_job"] for body in bodies if "workflow_job" in body]
    keep_job_rules(jobs)
    truth = github.truth(stage.installation)
    attempts = {body["workflow_run"]["run_attempt"]: body["workflow_run"] for body in bodies if "workflow_run" in body}
    assert [attempt["run_attempt"] for attempt in truth["attempts"]] == list(range(1, len(run.attempts) + 1))
    for attempt in truth["attempts"]:
        assert attempt["conclusion"] == attempts[attempt["run_attempt"]]["conclusion"]
    assert truth["runs"][-1] == truth["attempts"][-1]
    last_words = {job["id"]: job for job in jobs}
    assert {job["id"]: (job["status"], job["conclusion"], job["completed_at"]) for job in truth["jobs"]} == {
        number: (job["status"], job["conclusion"], job["completed_at"]) for number, job in last_words.items()
    }


def act_once(stage: Stage, run: WorkflowRun, chance: random.Random) -> None:
    """Do something that can be done now."""
    actions = stage.github.actions
    if run.conclusion == "action_required":
        actions.approve_run(run, stage.person)
    elif run.status == "completed":
        failed_only = run.conclusion != "success" and chance.random() < 0.7
        actions.rerun(run, stage.person, failed_only=failed_only)
    elif chance.random() < 0.05:
        actions.cancel(run, stage.person)
    else:
        job = chance.choice(run.latest.open_jobs())
        if job.status == "queued":
            actions.jobs.start(job)
        else:
            actions.jobs.complete(job, chance.choice(("success", "success", "failure")))


def keep_run_rules(snapshots: list[dict[str, Any]]) -> None:
    for before, after in pairwise(snapshots):
        assert before["id"] == after["id"]
        assert before["created_at"] == after["created_at"]
        assert before["updated_at"] <= after["updated_at"]
        assert after["run_attempt"] - before["run_attempt"] == (
            before["status"] == "completed" and before["conclusion"] != "action_required"
        )
    began = Counter(one["run_attempt"] for one in snapshots if one["status"] == "in_progress")
    assert set(began.values()) <= {1}


def keep_job_rules(snapshots: list[dict[str, Any]]) -> None:
    rank = {"queued": 0, "in_progress": 1, "completed": 2}
    seen: dict[int, int] = {}
    for job in snapshots:
        assert job["id"] > 2**31
        assert rank[job["status"]] > seen.get(job["id"], -1)
        seen[job["id"]] = rank[job["status"]]
        assert job["completed_at"] is None or job["started_at"] <= job["completed_at"]
        times = [at for step in job["steps"] for at in (step["started_at"], step["completed_at"]) if at]
        assert times == sorted(times)
        assert (job["status"] == "in_progress") <= bool(job["steps"])
