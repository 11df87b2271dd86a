"""The life of workflow runs: started, gated, re-run, cancelled.

https://docs.github.com/en/actions/how-tos/manage-workflow-runs/re-run-workflows-and-jobs
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.demo.github.operations.jobs import Jobs
from bot.demo.github.operations.refusal import Refused
from bot.demo.github.state.actions import JobSpec, RunAttempt, Runner, Workflow, WorkflowRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.demo.github.state.accounts import Account
    from bot.demo.github.state.actions import Job
    from bot.demo.github.state.repositories import PullRequest, Repository, Tip
    from bot.demo.github.state.world import World
    from bot.demo.github.webhooks.events import Events

_RERUNS_FOR = timedelta(days=30)
_MOST_ATTEMPTS = 50


class Actions:
    """Operations on workflows and their runs; `jobs` has those on single jobs."""

    def __init__(self, world: World, events: Events) -> None:
        self._world = world
        self._events = events
        self.jobs = Jobs(world, events)

    def add_workflow(
        self,
        repository: Repository,
        name: str,
        path: str,
        jobs: Sequence[JobSpec],
        on: Sequence[str] = ("push", "pull_request"),
    ) -> Workflow:
        """Add a workflow file; `path` is like `.github/workflows/ci.yml`. Names need not be unique, paths are."""
        number, now = self._world.numbers.next("workflow"), self._world.now()
        workflow = Workflow(number, repository, name, path, tuple(on), tuple(jobs), now, now)
        self._world.workflows[number] = workflow
        return workflow

    def add_runner(self, name: str, group_name: str, labels: Sequence[str]) -> Runner:
        """Register a self-hosted runner, which takes the jobs whose labels it has."""
        runner = Runner(len(self._world.runners) + 1, name, 2, group_name, tuple(labels))
        self._world.runners.append(runner)
        return runner

    def workflows_of(self, repository: Repository, event: str) -> list[Workflow]:
        """Return the workflows of `repository` that `event` starts."""
        return [one for one in self._world.workflows.values() if one.repository is repository and event in one.on]

    def start_run(
        self,
        workflow: Workflow,
        *,
        event: str,
        tip: Tip,
        actor: Account,
        title: str | None = None,
        needs_approval: bool = False,
        startup_failure: bool = False,
    ) -> WorkflowRun:
        """Request a run for what stands at `tip` and queue the jobs that wait for no other.

        With `needs_approval` it stops at the gate for first-time contributors (completed, action_required) until
        `approve_run`; with `startup_failure` the workflow file is broken, and there are no jobs.
        """
        run = self._new_run(workflow, event, tip, actor, title or tip.commit.headline)
        attempt = self._new_attempt(run, actor)
        self._events.workflow_run("requested", attempt, actor)
        if needs_approval:
            self.jobs.finish_attempt(attempt, "action_required")
        elif startup_failure:
            self.jobs.finish_attempt(attempt, "startup_failure")
        else:
            self.jobs.create_ready(attempt)
        return run

    def start_run_for(self, pull: PullRequest, workflow: Workflow, *, needs_approval: bool = False) -> WorkflowRun:
        """Start a run for the head of a pull request."""
        return self.start_run(
            workflow,
            event="pull_request",
            tip=pull.tip,
            actor=pull.user,
            title=pull.title,
            needs_approval=needs_approval,
        )

    def approve_run(self, run: WorkflowRun, sender: Account) -> None:
        """Let a run through its gate: the same attempt goes on."""
        attempt = run.latest
        if attempt.conclusion != "action_required":
            raise Refused(403, "This run is not awaiting approval")
        attempt.status, attempt.conclusion = "queued", None
        self.jobs.touch(attempt)
        self._events.workflow_run("requested", attempt, sender)
        self.jobs.create_ready(attempt)

    def rerun(self, run: WorkflowRun, sender: Account, *, failed_only: bool = False) -> RunAttempt:
        """Begin another attempt: of every job, or of the failed ones and what depends on them.

        Jobs that are not run again are carried over: the attempt gets a copy of each under a new id, with the times,
        steps and runner of the old one, so that it started before it was created. A completed event comes for each.
        """
        if failed_only and all(job.passed for job in run.jobs):
            raise Refused(403, "The workflow run containing these jobs has no failed jobs")
        return self._rerun(run, sender, [job for job in run.jobs if failed_only and job.passed])

    def rerun_job(self, job: Job, sender: Account) -> RunAttempt:
        """Begin another attempt of one job of the newest attempt and of what depends on it."""
        if job.attempt is not job.run.latest:
            raise Refused(422, "Only jobs from the current attempt can be re-run")
        again = _with_dependents(job.run.workflow, job.name)
        return self._rerun(job.run, sender, [one for one in job.run.jobs if one.name not in again])

    def cancel(self, run: WorkflowRun, sender: Account) -> None:
        """Cancel what is not completed yet."""
        attempt = run.latest
        if attempt.status == "completed":
            raise Refused(409, "Cannot cancel a workflow run that is completed")
        for job in attempt.open_jobs():
            self.jobs.end(job, "cancelled", sender)
        self.jobs.finish_attempt(attempt, "cancelled", sender)

    def delete_run(self, run: WorkflowRun) -> None:
        """Delete a finished run with all its attempts; no event tells of it."""
        if run.status != "completed":
            raise Refused(403, "Could not delete the workflow run")
        self._world.runs.remove(run)

    def _rerun(self, run: WorkflowRun, sender: Account, kept: list[Job]) -> RunAttempt:
        self._refuse_rerun(run)
        self._world.runs.adopt(run)
        attempt = self._new_attempt(run, sender)
        self._events.workflow_run("requested", attempt, sender)
        self.jobs.carry_over(kept, attempt, sender)
        self.jobs.create_ready(attempt)
        return attempt

    def _refuse_rerun(self, run: WorkflowRun) -> None:
        if run.status != "completed" or run.conclusion == "action_required":
            raise Refused(403, "This workflow is already running")
        if self._world.now() - run.created_at > _RERUNS_FOR:
            raise Refused(403, "Unable to retry this workflow run because it was created over a month ago")
        if len(run.attempts) > _MOST_ATTEMPTS:
            raise Refused(403, "This workflow run has been re-run too often")

    def _new_run(self, workflow: Workflow, event: str, tip: Tip, actor: Account, title: str) -> WorkflowRun:
        workflow.runs_so_far += 1
        run = WorkflowRun(
            id=self._world.numbers.next("run"),
            workflow=workflow,
            number=workflow.runs_so_far,
            event=event,
            head_branch=tip.branch,
            head=tip.commit,
            head_repository=tip.repository,
            actor=actor,
            display_title=title,
            check_suite_id=self._world.numbers.next("check_suite"),
            created_at=self._world.now(),
        )
        self._world.runs.add(run)
        return run

    def _new_attempt(self, run: WorkflowRun, triggering_actor: Account) -> RunAttempt:
        now = self._world.now()
        attempt = RunAttempt(run, len(run.attempts) + 1, triggering_actor, run_started_at=now, updated_at=now)
        run.attempts.append(attempt)
        return attempt


def _with_dependents(workflow: Workflow, name: str) -> set[str]:
    found = {name}
    while True:
        more = {spec.name for spec in workflow.jobs if found & set(spec.needs)} | found
        if more == found:
            return found
        found = more
