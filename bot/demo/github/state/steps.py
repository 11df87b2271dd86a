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

    After the `culprit`, whose conclusion is failure or cancelled, the job's own steps are skipped.
    """
    if job.completed_at is None:
        raise ValueError(f"{job.name} goes on")
    share = (job.completed_at - job.started_at) / len(job.steps)
    failed = False
    for index, step in enumerate(job.steps):
        step.status = "completed"
        step.started_at = (job.started_at + index * share).replace(microsecond=0)
        step.completed_at = (job.started_at + (index + 1) * share).replace(microsecond=0)
        step.conclusion = "skipped" if failed and step.name in job.spec.steps else "success"
        if step.name == culprit and not failed:
            step.conclusion = "cancelled" if job.conclusion == "cancelled" else "failure"
            failed = True
    job.steps[-1].completed_at = job.completed_at
