"""The steps that a runner makes of what a workflow file asks for, and how they end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.state.actions import Step

if TYPE_CHECKING:
    from bot.demo.github.state.actions import Job, JobSpec


def planned_steps(spec: JobSpec) -> list[Step]:
    """Return the steps of a job that begins, the runner's own included.

    Those that clean up afterwards are numbered with a gap, as on GitHub.
    """
    own = list(enumerate(("Set up job", *spec.steps), start=1))
    after = [f"Post {name}" for name in reversed(spec.steps) if name.startswith("Run actions/checkout")]
    numbered = own + list(enumerate((*after, "Complete job"), start=2 * len(own)))
    return [Step(number, name, "queued", None, None, None) for number, name in numbered]


def close_steps(job: Job, culprit: str | None) -> None:
    """End all steps of a job that has ended, in order and with equal shares of its whole seconds.

    After the `culprit`, whose conclusion is failure or cancelled, the job's own steps are skipped, and with those that
    never began goes what would have cleaned up after them.
    """
    if job.completed_at is None:
        raise ValueError(f"{job.name} goes on")
    share = (job.completed_at - job.started_at) / len(job.steps)
    failed, skipped = False, set[str]()
    for index, step in enumerate(job.steps):
        step.status = "completed"
        step.started_at = (job.started_at + index * share).replace(microsecond=0)
        step.completed_at = (job.started_at + (index + 1) * share).replace(microsecond=0)
        left_out = (failed and step.name in job.spec.steps) or step.name.removeprefix("Post ") in skipped
        step.conclusion = "skipped" if left_out else "success"
        if left_out:
            skipped.add(step.name)
        if step.name == culprit and not failed:
            step.conclusion = "cancelled" if job.conclusion == "cancelled" else "failure"
            failed = True
    job.steps[-1].completed_at = job.completed_at


def break_off(job: Job) -> None:
    """Leave the steps of a job that has ended as they were when its runner was last heard of: one goes on for ever."""
    began = job.started_at.replace(microsecond=0)
    for step in job.steps:
        if step.name in job.spec.steps:
            step.status, step.started_at = "in_progress", began
            return
        step.status, step.conclusion, step.started_at, step.completed_at = "completed", "success", began, began
