"""Check runs, check suites and annotations as JSON: of workflow jobs and their runs, and of Apps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.payloads import repositories
from bot.demo.github.payloads.accounts import app
from bot.demo.github.payloads.actions import job_html_url
from bot.demo.github.payloads.pulls import pull_request_link
from bot.demo.github.payloads.values import Json, timestamp
from bot.demo.github.state.identity import node_id
from bot.demo.github.state.repositories import Commit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.demo.github.state.accounts import App
    from bot.demo.github.state.actions import Job, RunAttempt
    from bot.demo.github.state.checks import Annotation, CheckRun, CheckSuite
    from bot.demo.github.state.repositories import PullRequest, Repository
    from bot.demo.github.state.world import Addresses


def check_run(at: Addresses, job: Job, owner: App, pulls: Sequence[PullRequest], annotations: int) -> Json:
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
            "annotations_count": annotations,
            "annotations_url": f"{api}/check-runs/{job.id}/annotations",
        },
        "check_suite": {**_suite(at, job.attempt, owner), "pull_requests": links},
        "app": app(at, owner),
        "pull_requests": links,
    }


def app_check_run(at: Addresses, check: CheckRun, pulls: Sequence[PullRequest], annotations: int) -> Json:
    """Render a check run that an App has made itself."""
    api, suite = repositories.url(at, check.repository), check.suite
    html = f"{repositories.html_url(at, check.repository)}/runs/{check.id}"
    links = [pull_request_link(at, pull) for pull in pulls]
    return {
        "id": check.id,
        "name": check.name,
        "node_id": node_id("CR", check.repository.id, check.id),
        "head_sha": suite.head_sha,
        "external_id": check.external_id,
        "url": f"{api}/check-runs/{check.id}",
        "html_url": html,
        "details_url": check.details_url or suite.app.external_url,
        "status": check.status,
        "conclusion": check.conclusion,
        "started_at": timestamp(check.started_at),
        "completed_at": timestamp(check.completed_at),
        "output": {
            "title": check.title,
            "summary": check.summary,
            "text": check.text,
            "annotations_count": annotations,
            "annotations_url": f"{api}/check-runs/{check.id}/annotations",
        },
        "check_suite": {**_app_suite(at, suite), "pull_requests": links},
        "app": app(at, suite.app),
        "pull_requests": links,
    }


def app_check_suite(at: Addresses, suite: CheckSuite, pulls: Sequence[PullRequest]) -> Json:
    """Render the suite of an App's own check runs."""
    owner = suite.app.as_account()
    return {
        **_app_suite(at, suite),
        "pull_requests": [pull_request_link(at, pull) for pull in pulls],
        "rerequestable": True,
        "runs_rerequestable": True,
        "latest_check_runs_count": len(suite.check_runs),
        "check_runs_url": f"{repositories.url(at, suite.repository)}/check-suites/{suite.id}/check-runs",
        "head_commit": repositories.commit(Commit(suite.head_sha, suite.head_sha, "", owner, suite.created_at)),
    }


def annotation(at: Addresses, repository: Repository, head_sha: str, annotation: Annotation) -> Json:
    """Render a remark on some lines of a file."""
    return {
        "path": annotation.path,
        "blob_href": f"{repositories.html_url(at, repository)}/blob/{head_sha}/{annotation.path}",
        "start_line": annotation.start_line,
        "start_column": annotation.start_column,
        "end_line": annotation.end_line,
        "end_column": annotation.end_column,
        "annotation_level": annotation.annotation_level,
        "title": annotation.title or "",
        "message": annotation.message,
        "raw_details": annotation.raw_details or "",
    }


def _app_suite(at: Addresses, suite: CheckSuite) -> Json:
    done = bool(suite.check_runs) and all(check.status == "completed" for check in suite.check_runs)
    failed = any(check.conclusion in {"failure", "timed_out", "action_required"} for check in suite.check_runs)
    return {
        "id": suite.id,
        "node_id": node_id("CS", suite.repository.id, suite.id),
        "head_branch": suite.head_branch,
        "head_sha": suite.head_sha,
        "status": "completed" if done else "queued",
        "conclusion": ("failure" if failed else "success") if done else None,
        "url": f"{repositories.url(at, suite.repository)}/check-suites/{suite.id}",
        "before": None,
        "after": suite.head_sha,
        "app": app(at, suite.app),
        "created_at": timestamp(suite.created_at),
        "updated_at": timestamp(suite.updated_at),
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
