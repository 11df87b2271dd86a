"""The check run of a workflow job and the check suite of a workflow run as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.payloads import repositories
from bot.demo.github.payloads.accounts import app
from bot.demo.github.payloads.actions import job_html_url
from bot.demo.github.payloads.pulls import pull_request_link
from bot.demo.github.payloads.values import Json, timestamp
from bot.demo.github.state.identity import node_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.demo.github.state.accounts import App
    from bot.demo.github.state.actions import Job, RunAttempt
    from bot.demo.github.state.repositories import PullRequest
    from bot.demo.github.state.world import Addresses


def check_run(at: Addresses, job: Job, owner: App, pulls: Sequence[PullRequest]) -> Json:
    """Render the check run that Actions makes of a job: its id is the job's."""
    api = repositories.url(at, job.run.repository)
    links = [pull_request_link(at, pull) for pull in pulls]
    return {
        "id": job.id,
        "name": job.name,
        "node_id": node_id("CR", job.run.repository.id, job.id),
        "head_sha": job.run.head.sha,
        "external_id": "",
        "url": f"{api}/check-runs/{job.id}",
        "html_url": job_html_url(at, job),
        "details_url": job_html_url(at, job),
        "status": "queued" if job.status == "waiting" else job.status,
        "conclusion": job.conclusion,
        "started_at": timestamp(job.started_at),
        "completed_at": timestamp(job.completed_at),
        "output": {
            "title": None,
            "summary": None,
            "text": None,
            "annotations_count": 0,
            "annotations_url": f"{api}/check-runs/{job.id}/annotations",
        },
        "check_suite": {**_suite(at, job.attempt, owner), "pull_requests": links},
        "app": app(at, owner),
        "pull_requests": links,
    }


def check_suite(at: Addresses, attempt: RunAttempt, owner: App, pulls: Sequence[PullRequest]) -> Json:
    """Render the check suite that Actions makes of a run."""
    run = attempt.run
    return {
        **_suite(at, attempt, owner),
        "pull_requests": [pull_request_link(at, pull) for pull in pulls],
        "rerequestable": True,
        "runs_rerequestable": False,
        "latest_check_runs_count": len(attempt.jobs),
        "check_runs_url": f"{repositories.url(at, run.repository)}/check-suites/{run.check_suite_id}/check-runs",
        "head_commit": repositories.commit(run.head),
    }


def _suite(at: Addresses, attempt: RunAttempt, owner: App) -> Json:
    run = attempt.run
    return {
        "id": run.check_suite_id,
        "node_id": node_id("CS", run.repository.id, run.check_suite_id),
        "head_branch": run.head_branch,
        "head_sha": run.head.sha,
        "status": "queued" if attempt.status == "waiting" else attempt.status,
        "conclusion": attempt.conclusion,
        "url": f"{repositories.url(at, run.repository)}/check-suites/{run.check_suite_id}",
        "before": None,
        "after": run.head.sha,
        "app": app(at, owner),
        "created_at": timestamp(run.created_at),
        "updated_at": timestamp(attempt.updated_at),
    }
