"""What befalls pull requests in the simulated GitHub beside pushes: drafts, locks, forces, other bases, the queue."""

import pytest

from bot.clock import ManualClock
from bot.demo.github import Refused, SimulatedGitHub
from bot.demo.github.webhooks.deliveries import Delivery
from tests.demo.conformance import faults_of, told
from tests.demo.stage import Stage, finish_run, set_stage


@pytest.fixture
def stage() -> Stage:
    return set_stage(SimulatedGitHub(ManualClock(), seed=7))


def last(stage: Stage, event: str = "pull_request") -> Delivery:
    return [one for one in stage.github.deliveries if one.event == event][-1]


def test_what_befalls_a_pull_request_is_told_as_github_tells_it(stage: Stage) -> None:
    github, mona = stage.github, stage.person
    pull = github.pulls.open(stage.repository, "A draft", mona, branch="topic", draft=True)
    github.repositories.push(stage.repository, "Cut it", mona, "release")
    github.pulls.mark_ready(pull)
    github.pulls.mark_draft(pull)
    github.pulls.mark_ready(pull)
    github.pulls.lock(pull, mona, "spam")
    assert told(last(stage))["pull_request"]["active_lock_reason"] == "spam"
    github.pulls.unlock(pull, mona)
    github.pulls.rename(pull, "Not a draft")
    github.pulls.change_base(pull, "release")
    body = told(last(stage))
    assert body["changes"]["base"]["ref"] == {"from": "main"}
    assert body["pull_request"]["base"]["ref"] == "release"
    group = github.merge_queue.add(pull, mona)
    github.merge_queue.remove(group)
    deliveries = [one for one in github.deliveries if one.event == "pull_request"]
    assert [one.action for one in deliveries] == [
        "opened",
        "ready_for_review",
        "converted_to_draft",
        "ready_for_review",
        "locked",
        "unlocked",
        "edited",
        "edited",
        "enqueued",
        "dequeued",
    ]
    assert [fault for one in deliveries for fault in faults_of(one)] == []


def test_a_push_by_force_goes_back_to_a_commit_that_was_there(stage: Stage) -> None:
    pull = stage.open()
    first = pull.head
    second = stage.github.pulls.push(pull, "Otherwise")
    stage.github.pulls.push_back(pull, first)
    body = told(last(stage))
    assert (body["action"], body["before"], body["after"]) == ("synchronize", second.sha, first.sha)
    run = stage.github.actions.start_run_for(pull, stage.workflow)
    assert run.head is first
    assert stage.github.world.pull_requests_of(run) == [pull]
    assert stage.repository.branches["topic"] is first


def test_a_merge_group_is_tested_on_a_branch_of_the_queue_and_merged_as_it_was_tested(stage: Stage) -> None:
    github, repository = stage.github, stage.repository
    queue = github.actions.add_workflow(repository, "Queue", "queue.yml", stage.workflow.jobs, ("merge_group",))
    pull, base = stage.open(), repository.branches["main"]
    group = github.merge_queue.add(pull, stage.person)
    (run,) = group.runs
    assert (run.workflow, run.event) == (queue, "merge_group")
    assert run.head_branch == f"gh-readonly-queue/main/pr-{pull.number}-{base.sha}"
    assert told(last(stage, "workflow_run"))["workflow_run"]["pull_requests"] == []
    finish_run(stage, run)
    github.merge_queue.merge(group)
    assert repository.branches["main"] is group.commit
    assert group.branch not in repository.branches
    assert (pull.state, pull.merge_commit_sha) == ("closed", group.commit.sha)
    assert told(last(stage))["sender"]["login"] == "github-merge-queue[bot]"


def test_what_can_not_be_is_refused(stage: Stage) -> None:
    github, mona = stage.github, stage.person
    draft = github.pulls.open(stage.repository, "A draft", mona, branch="topic", draft=True)
    with pytest.raises(Refused, match="not ready"):
        github.merge_queue.add(draft, mona)
    with pytest.raises(Refused, match="still a draft"):
        github.pulls.merge(draft, mona)
    with pytest.raises(Refused, match="that already"):
        github.pulls.mark_draft(draft)
    with pytest.raises(Refused, match="No commit found"):
        github.pulls.push_back(draft, github.repositories.commit("Elsewhere", mona))
    github.pulls.close(draft)
    with pytest.raises(Refused, match="closed"):
        github.pulls.change_base(draft, "main")
