"""The yardstick for lists: the service's own tables, read as model instances and written with json.dumps.

It asks for less than the service does (no token, no total, no cursor), which is to its advantage. Settings:
DATABASE_URL, PORT.
"""

import json
import os
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import uvloop
from aiohttp import web
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.queryset import QuerySet

from bot.domain.triggers import triggering_pull_request
from bot.store import connected
from bot.store.database import current
from bot.store.models import Repository, RunPullRequest, Team, WorkflowJob, WorkflowRun

BOTH = {"branch": "head_branch", "status": "status", "conclusion": "conclusion"}
FILTERS = {
    **BOTH,
    "event": "event",
    "actor": "actor_login",
    "workflowId": "workflow_id",
    "since": "created_at__gte",
    "until": "created_at__lte",
}
JOB_FILTERS = {
    **BOTH,
    "name": "name",
    "runnerName": "runner_name",
    "since": "listed_at__gte",
    "until": "listed_at__lte",
}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _run(run: WorkflowRun, team: Team, repository: Repository, links: list[RunPullRequest]) -> dict[str, Any]:
    completed = run.updated_at if run.status == "completed" else None
    return {
        "provider": "github",
        "team": team.slug,
        "installationId": repository.installation_id,
        "repositoryId": run.repository_id,
        "repoFullName": repository.full_name,
        "runId": run.run_id,
        "runAttempt": run.run_attempt,
        "runNumber": run.run_number,
        "workflowId": run.workflow_id,
        "workflowName": run.workflow_name,
        "workflowPath": run.workflow_path,
        "displayTitle": run.display_title,
        "event": run.event,
        "status": run.status,
        "conclusion": run.conclusion,
        "headBranch": run.head_branch,
        "headSha": run.head_sha,
        "htmlUrl": run.html_url,
        "createdAt": _iso(run.created_at),
        "updatedAt": _iso(run.updated_at),
        "runStartedAt": _iso(run.run_started_at),
        "runCompletedAt": _iso(completed),
        "runDuration": _seconds(run.run_started_at, completed),
        "actorLogin": run.actor_login,
        "actorId": run.actor_id,
        "triggeringActorLogin": run.triggering_actor_login,
        "headRepoFullName": run.head_repo_full_name,
        "pullRequests": [
            {"number": link.number, "headSha": link.head_sha or run.head_sha, "baseRef": link.base_ref}
            for link in links
        ],
        "triggeringPrNumber": triggering_pull_request(run.event, run.head_branch, {link.number for link in links}),
    }


def _job(job: WorkflowJob) -> dict[str, Any]:
    return {
        "jobId": job.job_id,
        "runId": job.run_id,
        "runAttempt": job.run_attempt,
        "name": job.name,
        "workflowName": job.workflow_name,
        "status": job.status,
        "conclusion": job.conclusion,
        "headSha": job.head_sha,
        "headBranch": job.head_branch,
        "htmlUrl": job.html_url,
        "createdAt": _iso(job.created_at),
        "startedAt": _iso(job.started_at),
        "completedAt": _iso(job.completed_at),
        "queuedSeconds": _seconds(job.created_at, job.started_at),
        "duration": _seconds(job.started_at, job.completed_at),
        "runnerName": job.runner_name,
        "runnerGroupName": job.runner_group_name,
        "labels": json.loads(job.labels),
        "steps": json.loads(job.steps),
    }


def _seconds(began: datetime | None, ended: datetime | None) -> float | None:
    return (ended - began).total_seconds() if began and ended else None


async def list_runs(request: web.Request) -> web.Response:
    team = await _team(request)
    runs = await _filtered(request, WorkflowRun.filter(team_id=team.id), FILTERS)
    page = await runs.order_by("-created_at", "-run_id").limit(_limit(request))
    repositories = await Repository.filter(repository_id__in={run.repository_id for run in page}).using_db(_reader())
    by_id = {repository.repository_id: repository for repository in repositories}
    links: dict[int, list[RunPullRequest]] = defaultdict(list)
    for link in await RunPullRequest.filter(run_id__in=[run.run_id for run in page]).using_db(_reader()):
        links[link.run_id].append(link)
    told = [_run(run, team, by_id[run.repository_id], links[run.run_id]) for run in page]
    return web.Response(text=json.dumps({"runs": told}), content_type="application/json")


async def list_jobs(request: web.Request) -> web.Response:
    team = await _team(request)
    jobs = await _filtered(request, WorkflowJob.filter(team_id=team.id), JOB_FILTERS)
    page = await jobs.order_by("-listed_at", "-job_id").limit(_limit(request))
    return web.Response(text=json.dumps({"jobs": [_job(job) for job in page]}), content_type="application/json")


async def _team(request: web.Request) -> Team:
    return await Team.get(slug=request.query["team"], using_db=_reader())


async def _filtered(request: web.Request, rows: QuerySet[Any], filters: dict[str, str]) -> QuerySet[Any]:
    rows = rows.using_db(_reader())
    for name in request.query.keys() & filters.keys():
        told = request.query[name]
        rows = rows.filter(**{filters[name]: _moment(told) if name in {"since", "until"} else told})
    if "repoFullName" in request.query:
        repository = await Repository.get(full_name=request.query["repoFullName"], using_db=_reader())
        rows = rows.filter(repository_id=repository.repository_id)
    return rows


def _moment(told: str) -> datetime:
    moment = datetime.fromisoformat(told)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _limit(request: web.Request) -> int:
    return int(request.query.get("limit", "50"))


def _reader() -> BaseDBAsyncClient:
    return current().reader.client


async def serve() -> None:
    app = web.Application()
    app.router.add_get("/api/integrations/github/workflow-runs", list_runs)
    app.router.add_get("/api/integrations/github/workflow-jobs", list_jobs)
    async with connected(os.environ["DATABASE_URL"]):
        await web._run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None)


if __name__ == "__main__":
    uvloop.run(serve())
