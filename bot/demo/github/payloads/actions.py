"""Workflows, runs, jobs and deployments as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.payloads import repositories
from bot.demo.github.payloads.accounts import app, user
from bot.demo.github.payloads.pulls import pull_request_link
from bot.demo.github.payloads.values import Json, precise_timestamp, timestamp
from bot.demo.github.state.identity import node_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.demo.github.state.accounts import App
    from bot.demo.github.state.actions import Job, RunAttempt, Step, Workflow, WorkflowRun
    from bot.demo.github.state.repositories import PullRequest
    from bot.demo.github.state.world import Addresses


def workflow(at: Addresses, workflow: Workflow) -> Json:
    """Render a workflow file."""
    repository = workflow.repository
    file = workflow.path.rpartition("/")[2]
    html = repositories.html_url(at, repository)
    return {
        "id": workflow.id,
        "node_id": node_id("W", repository.id, workflow.id),
        "name": workflow.name,
        "path": workflow.path,
        "state": "active",
        "created_at": precise_timestamp(workflow.created_at),
        "updated_at": precise_timestamp(workflow.updated_at),
        "url": f"{repositories.url(at, repository)}/actions/workflows/{workflow.id}",
        "html_url": f"{html}/blob/{repository.default_branch}/{workflow.path}",
        "badge_url": f"{html}/workflows/{file}/badge.svg",
    }


def workflow_run(at: Addresses, attempt: RunAttempt, pulls: Sequence[PullRequest]) -> Json:
    """Render a run as it is at `attempt`; `pulls` are those that GitHub lists, none for a fork's."""
    run = attempt.run
    return {
        "id": run.id,
        "name": run.workflow.name,
        "node_id": node_id("WFR", run.repository.id, run.id),
        "head_branch": run.head_branch,
        "head_sha": run.head.sha,
        "path": run.workflow.path,
        "display_title": run.display_title,
        "run_number": run.number,
        "event": run.event,
        "status": attempt.status,
        "conclusion": attempt.conclusion,
        "workflow_id": run.workflow.id,
        "check_suite_id": run.check_suite_id,
        "check_suite_node_id": node_id("CS", run.repository.id, run.check_suite_id),
        **_run_addresses(at, run, attempt.number),
        "pull_requests": [pull_request_link(at, pull) for pull in pulls],
        "created_at": timestamp(run.created_at),
        "updated_at": timestamp(attempt.updated_at),
        "actor": user(at, run.actor),
        "run_attempt": attempt.number,
        "referenced_workflows": [],
        "run_started_at": timestamp(attempt.run_started_at),
        "triggering_actor": user(at, attempt.triggering_actor),
        "head_commit": repositories.commit(run.head),
        "repository": repositories.minimal_repository(at, run.repository),
        "head_repository": repositories.minimal_repository(at, run.head_repository),
    }


def _run_addresses(at: Addresses, run: WorkflowRun, number: int) -> Json:
    api = repositories.url(at, run.repository)
    url = f"{api}/actions/runs/{run.id}"
    return {
        "url": url,
        "html_url": run_html_url(at, run),
        "jobs_url": f"{url}/jobs",
        "logs_url": f"{url}/logs",
        "check_suite_url": f"{api}/check-suites/{run.check_suite_id}",
        "artifacts_url": f"{url}/artifacts",
        "cancel_url": f"{url}/cancel",
        "rerun_url": f"{url}/rerun",
        "previous_attempt_url": f"{url}/attempts/{number - 1}" if number > 1 else None,
        "workflow_url": f"{api}/actions/workflows/{run.workflow.id}",
    }


def run_html_url(at: Addresses, run: WorkflowRun) -> str:
    """Return the page of a run."""
    return f"{repositories.html_url(at, run.repository)}/actions/runs/{run.id}"


def job_html_url(at: Addresses, job: Job) -> str:
    """Return the page of a job, which is that of its check run too."""
    return f"{run_html_url(at, job.run)}/job/{job.id}"


def workflow_job(at: Addresses, job: Job) -> Json:
    """Render a job with its steps."""
    run, runner = job.run, job.runner
    api = repositories.url(at, run.repository)
    return {
        "id": job.id,
        "run_id": run.id,
        "workflow_name": run.workflow.name,
        "head_branch": run.head_branch,
        "run_url": f"{api}/actions/runs/{run.id}",
        "run_attempt": job.attempt.number,
        "node_id": node_id("CR", run.repository.id, job.id),
        "head_sha": run.head.sha,
        "url": f"{api}/actions/jobs/{job.id}",
        "html_url": job_html_url(at, job),
        "status": job.status,
        "conclusion": job.conclusion,
        "created_at": timestamp(job.created_at),
        "started_at": timestamp(job.started_at),
        "completed_at": timestamp(job.completed_at),
        "name": job.name,
        "steps": [step(one) for one in job.steps],
        "check_run_url": f"{api}/check-runs/{job.id}",
        "labels": list(job.spec.labels),
        "runner_id": None if runner is None else runner.id,
        "runner_name": None if runner is None else runner.name,
        "runner_group_id": None if runner is None else runner.group_id,
        "runner_group_name": None if runner is None else runner.group_name,
    }


def step(step: Step) -> Json:
    """Render one step of a job."""
    return {
        "name": step.name,
        "status": step.status,
        "conclusion": step.conclusion,
        "number": step.number,
        "started_at": precise_timestamp(step.started_at),
        "completed_at": precise_timestamp(step.completed_at),
    }


def deployment(at: Addresses, job: Job, github_actions: App) -> Json:
    """Render the deployment that a job with an environment makes, numbered after the job."""
    api = repositories.url(at, job.run.repository)
    url = f"{api}/deployments/{job.id}"
    return {
        "url": url,
        "id": job.id,
        "node_id": node_id("DE", job.run.repository.id, job.id),
        "task": "deploy",
        "original_environment": job.spec.environment,
        "environment": job.spec.environment,
        "description": None,
        "created_at": timestamp(job.created_at),
        "updated_at": timestamp(job.created_at),
        "statuses_url": f"{url}/statuses",
        "repository_url": api,
        "creator": user(at, job.attempt.triggering_actor),
        "sha": job.run.head.sha,
        "ref": job.run.head_branch,
        "payload": {},
        "transient_environment": False,
        "production_environment": job.spec.environment == "production",
        "performed_via_github_app": app(at, github_actions),
    }
