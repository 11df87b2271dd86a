"""What GitHub itself would say in the end: plain data to hold a service's database against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.payloads.actions import job_html_url, run_html_url
from bot.demo.github.payloads.values import Json, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.demo.github.state.accounts import Installation
    from bot.demo.github.state.actions import Job, RunAttempt, Step, WorkflowRun
    from bot.demo.github.state.world import World


def truth(world: World, installation: Installation | None = None) -> Json:
    """Return `{"runs", "attempts", "jobs", "pull_requests"}`, lists of flat records sorted by id (and attempt).

    Fields are GitHub's own; times are `2026-01-05T09:00:00Z`. A run's record is that of its newest attempt, and its
    `pull_requests` are the numbers of those it belongs to, which GitHub's own field leaves out for forks. With an
    `installation`, only what belongs to the repositories that it sees.
    """
    return {
        "runs": list(each_run(world, installation)),
        "attempts": list(each_attempt(world, installation)),
        "jobs": sorted(each_job(world, installation), key=lambda job: int(job["id"])),
        "pull_requests": _pull_requests(world, installation),
    }


def each_run(world: World, installation: Installation | None = None) -> Iterator[Json]:
    """Yield the records of runs one by one, for a past that is too large to hold."""
    return (_run(world, run.latest) for run in _seen_runs(world, installation, with_jobs=False))


def each_attempt(world: World, installation: Installation | None = None) -> Iterator[Json]:
    """Yield the records of attempts one by one, those of one run together."""
    seen = _seen_runs(world, installation, with_jobs=False)
    return (_run(world, attempt) for run in seen for attempt in run.attempts)


def each_job(world: World, installation: Installation | None = None) -> Iterator[Json]:
    """Yield the records of jobs one by one, those of one run together."""
    seen = _seen_runs(world, installation, with_jobs=True)
    return (_job(world, job) for run in seen for job in run.all_jobs())


def counts(world: World, installation: Installation | None = None) -> dict[str, int]:
    """Return how many of each there are, without spelling them out; check runs and comments are the App's own."""
    seen = _seen_repositories(world, installation)
    living = [run for run in world.runs.living.values() if run.repository.id in seen]
    past = [history.totals() for number in seen for history in world.runs.histories.get(number, ())]
    return {
        "runs": len(living) + sum(one["runs"] for one in past),
        "attempts": sum(len(run.attempts) for run in living) + sum(one["attempts"] for one in past),
        "jobs": sum(1 for run in living for _ in run.all_jobs()) + sum(one["jobs"] for one in past),
        "pull_requests": sum(pull.repository.id in seen for pull in world.pull_requests.values()),
        "check_runs": sum(check.repository.id in seen for check in world.check_runs.values()),
        "comments": sum(one.pull.repository.id in seen for one in world.comments.values() if one.app is not None),
    }


def _seen_repositories(world: World, installation: Installation | None) -> set[int]:
    return set(world.repositories if installation is None else installation.repositories)


def _seen_runs(world: World, installation: Installation | None, *, with_jobs: bool) -> Iterator[WorkflowRun]:
    return world.runs.every(_seen_repositories(world, installation), with_jobs=with_jobs)


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
    repositories = _seen_repositories(world, installation)
    seen = (pull for pull in world.pull_requests.values() if pull.repository.id in repositories)
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
