"""Runs of workflows, one attempt each."""

import struct
from datetime import datetime

from msgspec import Struct

from bot.domain import ordering, payloads
from bot.domain.facts.base import Fact, utc, utc_or_none


class RunPullRequest(Struct, frozen=True, array_like=True):
    """A pull request that a run's snapshot lists."""

    run_id: int
    repository_id: int
    number: int
    head_sha: str | None
    base_ref: str | None
    run_created_at: datetime
    version: bytes


class WorkflowRun(Fact, frozen=True, kw_only=True):
    """One attempt of a run at one moment."""

    repository_id: int
    run_id: int
    run_attempt: int
    run_number: int | None
    workflow_id: int | None
    workflow_name: str | None
    workflow_path: str | None
    display_title: str | None
    event: str | None
    status: str
    conclusion: str | None
    head_branch: str | None
    head_sha: str | None
    head_repository_id: int | None
    head_repo_full_name: str | None
    html_url: str | None
    created_at: datetime
    updated_at: datetime
    run_started_at: datetime | None
    actor_id: int | None
    actor_login: str | None
    triggering_actor_login: str | None
    version: bytes
    pull_requests: tuple[RunPullRequest, ...] = ()


def workflow_run(payload: payloads.WorkflowRun, repository_id: int, made_at: int) -> WorkflowRun:
    """Return what a run's body tells, from a webhook or from the REST API alike.

    `made_at` is in microseconds, see `ordering.made_at`. Pull requests of other repositories, which GitHub lists too
    when they share the commit, are left out.
    """
    updated_at = utc(payload.updated_at)
    started_at = utc_or_none(payload.run_started_at)
    version = ordering.run_version(
        payload.status,
        payload.conclusion,
        updated_at,
        made_at,
        ordering.digest(payload.status, payload.conclusion, updated_at, started_at),
    )
    created_at = utc(payload.created_at)
    actor, head = payload.actor, payload.head_repository
    return WorkflowRun(
        repository_id=repository_id,
        run_id=payload.id,
        run_attempt=payload.run_attempt,
        run_number=payload.run_number,
        workflow_id=payload.workflow_id,
        workflow_name=payload.name,
        workflow_path=payload.path,
        display_title=payload.display_title,
        event=payload.event,
        status=payload.status,
        conclusion=payload.conclusion,
        head_branch=payload.head_branch,
        head_sha=payload.head_sha,
        head_repository_id=head.id if head else None,
        head_repo_full_name=head.full_name if head else None,
        html_url=payload.html_url,
        created_at=created_at,
        updated_at=updated_at,
        run_started_at=started_at,
        actor_id=actor.id if actor else None,
        actor_login=actor.login if actor else None,
        triggering_actor_login=payload.triggering_actor.login if payload.triggering_actor else None,
        version=version,
        pull_requests=tuple(
            RunPullRequest(payload.id, repository_id, each.number, each.head.sha, each.base.ref, created_at, version)
            for each in payload.pull_requests or ()
            if each.base.repo is None or each.base.repo.id == repository_id
        ),
    )


def workflow_version(run: WorkflowRun) -> bytes:
    """Return the version of what a run tells of its workflow: the newest run knows its name best.

    A snapshot that leaves out the name or the path must not blank what another one told.
    """
    whole = run.workflow_name is not None and run.workflow_path is not None
    return struct.pack(">BQQ", whole, ordering.microseconds(run.created_at), run.run_id) + run.version
