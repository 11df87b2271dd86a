"""What GitHub itself would say in the end: plain data to hold a service's database against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.payloads.actions import job_html_url, run_html_url
from bot.demo.github.payloads.values import Json, timestamp

if TYPE_CHECKING:
    from bot.demo.github.state.accounts import Installation
    from bot.demo.github.state.actions import Job, RunAttempt, Step, WorkflowRun
    from bot.demo.github.state.world import World


def truth(world: World, installation: Installation | None = None) -> Json:
    """Return `{"runs", "attempts", "jobs", "pull_requests"}`, lists of flat records sorted by id (and attempt).

    Fields are GitHub's own; times are `2026-01-05T09:00:00Z`. A run's record is that of its newest attempt, and its
    `pull_requests` are the numbers of those it belongs to, which GitHub's own field leaves out for forks. With an
    `installation`, only what belongs to the repositories that it sees.
    """
    runs = sorted(_seen_runs(world, installation), key=lambda run: run.id)
    return {
        "runs": [_run(world, run.latest) for run in runs],
        "attempts": [_run(world, attempt) for run in runs for attempt in run.attempts],
        "jobs": sorted((_job(world, job) for run in runs for job in run.all_jobs()), key=lambda job: int(job["id"])),
        "pull_requests": _pull_requests(world, installation),
    }


def counts(world: World, installation: Installation | None = None) -> dict[str, int]:
    """Return how many of each there are, without spelling them out."""
    runs = _seen_runs(world, installation)
    return {
        "runs": len(runs),
        "attempts": sum(len(run.attempts) for run in runs),
        "jobs": sum(len(attempt.jobs) for run in runs for attempt in run.attempts),
        "pull_requests": len(_pull_requests(world, installation)),
    }


def _seen_runs(world: World, installation: Installation | None) -> list[WorkflowRun]:
    every = world.runs.values()
    return [run for run in every if installation is None or run.repository.id in installation.repositories]


def _run(world: World, attempt: RunAttempt) -> Json:
    run = attempt.run
    return {
        "id": run.id,
        "run_attempt": attempt.number,
        "run_number": run.number,
        "repository_id": run.repository.id,
        "repository": run.repository.full_name,
        "workflow_id": run.workflow.id,
        "name": run.workflow.name,
        "path": run.workflow.path,
        "display_title": run.display_title,
        "event": run.event,
        "status": attempt.status,
        "conclusion": attempt.conclusion,
        "head_branch": run.head_branch,
        "head_sha": run.head.sha,
        "head_repository": run.head_repository.full_name,
        "html_url": run_html_url(world.addresses, run),
        "created_at": timestamp(run.created_at),
        "updated_at": timestamp(attempt.updated_at),
        "run_started_at": timestamp(attempt.run_started_at),
        "actor": run.actor.login,
        "actor_id": run.actor.id,
        "triggering_actor": attempt.triggering_actor.login,
        "pull_requests": sorted(pull.number for pull in world.pull_requests_of(run)),
    }


def _job(world: World, job: Job) -> Json:
    return {
        "id": job.id,
        "run_id": job.run.id,
        "run_attempt": job.attempt.number,
        "repository_id": job.run.repository.id,
        "name": job.name,
        "workflow_name": job.run.workflow.name,
        "status": job.status,
        "conclusion": job.conclusion,
        "head_sha": job.run.head.sha,
        "head_branch": job.run.head_branch,
        "html_url": job_html_url(world.addresses, job),
        "created_at": timestamp(job.created_at),
        "started_at": timestamp(job.started_at),
        "completed_at": timestamp(job.completed_at),
        "runner_name": None if job.runner is None else job.runner.name,
        "runner_group_name": None if job.runner is None else job.runner.group_name,
        "labels": list(job.spec.labels),
        "steps": [_step(step) for step in job.steps],
    }


def _step(step: Step) -> Json:
    return {
        "number": step.number,
        "name": step.name,
        "status": step.status,
        "conclusion": step.conclusion,
        "started_at": timestamp(step.started_at),
        "completed_at": timestamp(step.completed_at),
    }


def _pull_requests(world: World, installation: Installation | None) -> list[Json]:
    seen = (
        pull
        for pull in world.pull_requests.values()
        if installation is None or pull.repository.id in installation.repositories
    )
    return [
        {
            "id": pull.id,
            "number": pull.number,
            "repository_id": pull.repository.id,
            "repository": pull.repository.full_name,
            "title": pull.title,
            "state": pull.state,
            "merged": pull.merged_at is not None,
            "head_ref": pull.head_ref,
            "head_sha": pull.head.sha,
            "head_repository": pull.head_repository.full_name,
            "base_ref": pull.base_ref,
            "user": pull.user.login,
        }
        for pull in sorted(seen, key=lambda pull: pull.id)
    ]
