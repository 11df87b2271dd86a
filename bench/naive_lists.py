"""The yardstick for lists: the service's own tables, read as model instances and written with json.dumps.

It asks for less than the service does (no token, no total, no cursor), which is to its advantage. Settings:
DATABASE_URL, PORT.
"""

import json
import os
from collections import defaultdict
from datetime import datetime
from typing import Any

import uvloop
from aiohttp import web
from tortoise.backends.base.client import BaseDBAsyncClient

from bot.domain.triggers import triggering_pull_request
from bot.store import connected
from bot.store.database import current
from bot.store.models import Repository, RunPullRequest, Team, WorkflowRun

FILTERS = {
    "branch": "head_branch",
    "event": "event",
    "status": "status",
    "conclusion": "conclusion",
    "actor": "actor_login",
    "workflowId": "workflow_id",
    "since": "created_at__gte",
}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _run(run: WorkflowRun, team: Team, repository: Repository, links: list[RunPullRequest]) -> dict[str, Any]:
    completed = run.updated_at if run.status == "completed" else None
    duration = (completed - run.run_started_at).total_seconds() if completed and run.run_started_at else None
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
        "runDuration": duration,
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


async def list_runs(request: web.Request) -> web.Response:
    asked = dict(request.query)
    team = await Team.get(slug=asked["team"], using_db=_reader())
    runs = WorkflowRun.filter(team_id=team.id).using_db(_reader())
    for name in asked.keys() & FILTERS.keys():
        runs = runs.filter(**{FILTERS[name]: asked[name]})
    if "repoFullName" in asked:
        runs = runs.filter(
            repository_id=(await Repository.get(full_name=asked["repoFullName"], using_db=_reader())).repository_id
        )
    page = await runs.order_by("-created_at", "-run_id").limit(int(asked.get("limit", "50")))
    repositories = await Repository.filter(repository_id__in={run.repository_id for run in page}).using_db(_reader())
    by_id = {repository.repository_id: repository for repository in repositories}
    links: dict[int, list[RunPullRequest]] = defaultdict(list)
    for link in await RunPullRequest.filter(run_id__in=[run.run_id for run in page]).using_db(_reader()):
        links[link.run_id].append(link)
    told = [_run(run, team, by_id[run.repository_id], links[run.run_id]) for run in page]
    return web.Response(text=json.dumps({"runs": told}), content_type="application/json")


def _reader() -> BaseDBAsyncClient:
    return current().reader.client


async def serve() -> None:
    app = web.Application()
    app.router.add_get("/api/integrations/github/workflow-runs", list_runs)
    async with connected(os.environ["DATABASE_URL"]):
        await web._run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None)


if __name__ == "__main__":
    uvloop.run(serve())
