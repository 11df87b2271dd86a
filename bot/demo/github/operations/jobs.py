"""The life of jobs and their steps, and how the end of the last job ends its run."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from bot.demo.github.operations.refusal import Refused
from bot.demo.github.state.actions import Job
from bot.demo.github.state.causes import over_time, runner_lost, too_slow
from bot.demo.github.state.steps import break_off, close_steps, planned_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.demo.github.state.accounts import Account
    from bot.demo.github.state.actions import Conclusion, JobSpec, RunAttempt, Runner, Status
    from bot.demo.github.state.causes import Cause
    from bot.demo.github.state.world import World
    from bot.demo.github.webhooks.events import Events


class Jobs:
    """Operations on jobs. A run is in progress from its first job's start and completed at its last job's end."""

    def __init__(self, world: World, events: Events) -> None:
        self._world = world
        self._events = events

    def create_ready(self, attempt: RunAttempt) -> None:
        """Create the jobs whose needs are met, and skip those of which a need has failed; there are no others yet."""
        made = {job.name for job in attempt.jobs}
        while ready := [s for s in attempt.run.workflow.jobs if s.name not in made and _is_ready(s, attempt)]:
            for spec in ready:
                self._create(attempt, spec)
                made.add(spec.name)
        self._after_change(attempt)

    def start(self, job: Job, runner: Runner | None = None) -> None:
        """Give a queued job to `runner`, or to any that has its labels."""
        if job.status != "queued":
            raise Refused(409, f"{job.name} is {job.status}")
        job.status, job.started_at = "in_progress", self._world.now()
        job.runner = runner or self._world.runner_for(job.spec.labels)
        job.steps = planned_steps(job.spec)
        job.steps[0].status, job.steps[0].started_at = "in_progress", job.started_at
        self._begin(job.attempt)
        self._events.workflow_job("in_progress", job, job.attempt.triggering_actor)

    def complete(
        self,
        job: Job,
        conclusion: Conclusion = "success",
        *,
        failed_step: str | None = None,
        cause: Cause | None = None,
    ) -> None:
        """End a running job; the steps share its time, and a failure is that of `failed_step` (by default the last).

        `cause` is what the step says then (by default what fits its name). KeyError when the job has no such step.
        """
        self._refuse_idle(job)
        culprit = None if conclusion == "success" else failed_step or job.spec.steps[-1]
        if culprit is not None and all(step.name != culprit for step in job.steps):
            raise KeyError(culprit)
        job.cause = cause or (too_slow() if conclusion == "timed_out" else None)
        self._close(job, conclusion, culprit)
        self.create_ready(job.attempt)

    def lose_runner(self, job: Job) -> None:
        """End a running job whose runner is not heard of any more: it failed, a step goes on for ever, no log comes."""
        self._refuse_idle(job)
        hosted = job.runner is None or job.runner.group_id == 0
        job.cause = runner_lost("" if job.runner is None else job.runner.name, hosted=hosted)
        job.status, job.conclusion = "completed", "failure"
        job.completed_at = max(job.started_at, self._world.now())
        break_off(job)
        self.touch(job.attempt)
        self._tell_completed(job, job.attempt.triggering_actor)
        self.create_ready(job.attempt)

    def exceed_time(self, job: Job) -> None:
        """End a running job that takes longer than its `timeout-minutes`: most often GitHub calls that cancelled."""
        self._refuse_idle(job)
        job.cause = over_time("" if job.runner is None else job.runner.name)
        self._close(job, "cancelled", job.spec.steps[-1])
        self.create_ready(job.attempt)

    def approve_deployment(self, job: Job, sender: Account) -> None:
        """Let a job that waits for its environment go to the queue."""
        if job.status != "waiting":
            raise Refused(409, f"{job.name} is {job.status}")
        job.status = "queued"
        self.touch(job.attempt)
        self._events.workflow_job("queued", job, sender)
        self._after_change(job.attempt)

    def end(self, job: Job, conclusion: Conclusion, sender: Account) -> None:
        """End a job from outside, running or not, and leave its run as it is."""
        if job.status == "in_progress":
            running = next((step.name for step in job.steps if step.name in job.spec.steps), None)
            self._close(job, conclusion, running)
            return
        job.status, job.conclusion = "completed", conclusion
        job.started_at = job.completed_at = max(job.created_at, self._world.now())
        self.touch(job.attempt)
        self._tell_completed(job, sender)

    def carry_over(self, jobs: Iterable[Job], attempt: RunAttempt, sender: Account) -> None:
        """Put copies of finished jobs into a new attempt."""
        for former in jobs:
            job = Job(
                id=self._world.numbers.next("job"),
                attempt=attempt,
                spec=former.spec,
                status="completed",
                created_at=self._world.now(),
                started_at=former.started_at,
                conclusion=former.conclusion,
                completed_at=former.completed_at,
                runner=former.runner,
                steps=[copy(step) for step in former.steps],
                carried_over_from=former,
                cause=former.cause,
            )
            self._keep(job)
            self._tell_completed(job, sender)

    def finish_attempt(self, attempt: RunAttempt, conclusion: Conclusion, sender: Account | None = None) -> None:
        """Complete the run with its newest attempt."""
        attempt.status, attempt.conclusion = "completed", conclusion
        self.touch(attempt)
        sender = sender or attempt.triggering_actor
        self._events.workflow_run("completed", attempt, sender)
        self._events.check_suite("completed", attempt, sender)

    def touch(self, attempt: RunAttempt) -> None:
        attempt.updated_at = max(attempt.updated_at, self._world.now())

    def _create(self, attempt: RunAttempt, spec: JobSpec) -> None:
        now = self._world.now()
        status: Status = "waiting" if spec.environment else "queued"
        job = Job(self._world.numbers.next("job"), attempt, spec, status, created_at=now, started_at=now)
        self._keep(job)
        sender = attempt.triggering_actor
        if not _needs_passed(spec, attempt):
            self.end(job, "skipped", sender)
            return
        self._events.workflow_job(job.status, job, sender)
        self._events.check_run("created", job, sender)

    def _keep(self, job: Job) -> None:
        job.attempt.jobs.append(job)
        self._world.runs.add_job(job)

    def _refuse_idle(self, job: Job) -> None:
        if job.status != "in_progress":
            raise Refused(409, f"{job.name} is {job.status}")

    def _close(self, job: Job, conclusion: Conclusion, culprit: str | None) -> None:
        job.status, job.conclusion = "completed", conclusion
        job.completed_at = max(job.started_at, self._world.now())
        close_steps(job, culprit)
        self.touch(job.attempt)
        self._tell_completed(job, job.attempt.triggering_actor)

    def _tell_completed(self, job: Job, sender: Account) -> None:
        self._events.workflow_job("completed", job, sender)
        self._events.check_run("completed", job, sender)

    def _begin(self, attempt: RunAttempt) -> None:
        attempt.status = "in_progress"
        self.touch(attempt)
        if not attempt.begun:
            attempt.begun = True
            self._events.workflow_run("in_progress", attempt, attempt.triggering_actor)

    def _after_change(self, attempt: RunAttempt) -> None:
        open_jobs = attempt.open_jobs()
        if not open_jobs:
            self.finish_attempt(attempt, conclude(attempt.jobs))
        elif all(job.status == "waiting" for job in open_jobs):
            attempt.status = "waiting"
        elif attempt.status == "waiting":
            attempt.status = "in_progress" if attempt.begun else "queued"


def conclude(jobs: Sequence[Job]) -> Conclusion:
    """Return a run's conclusion from those of its jobs."""
    conclusions = {"success" if _is_tolerated(job) else job.conclusion for job in jobs}
    if conclusions & {"failure", "timed_out"}:
        return "failure"
    if "cancelled" in conclusions:
        return "cancelled"
    return "success" if "success" in conclusions or not conclusions else "skipped"


def _is_tolerated(job: Job) -> bool:
    return job.spec.continue_on_error and job.conclusion in {"failure", "timed_out"}


def _is_ready(spec: JobSpec, attempt: RunAttempt) -> bool:
    needed = [attempt.find_job(name) for name in spec.needs]
    return all(job is not None and not job.open for job in needed)


def _needs_passed(spec: JobSpec, attempt: RunAttempt) -> bool:
    needed = [attempt.find_job(name) for name in spec.needs]
    return all(job is not None and (job.passed or _is_tolerated(job)) for job in needed)
