"""Jobs of runs."""

from collections.abc import Iterable
from datetime import UTC, datetime
from operator import attrgetter

from msgspec import Struct

from bot.domain import ordering, payloads
from bot.domain.facts.base import NO_TIME, Fact, encoder, json_text, utc, utc_or_none


class _Step(Struct, rename="camel", gc=False):
    """A step as the API shows it."""

    number: int | None
    name: str | None
    status: str | None
    conclusion: str | None
    started_at: datetime | None
    completed_at: datetime | None


class WorkflowJob(Fact, frozen=True, kw_only=True):
    """One job at one moment; `labels` and `steps` are JSON texts in the API's own shape."""

    repository_id: int
    job_id: int
    run_id: int
    run_attempt: int | None
    name: str
    workflow_name: str | None
    status: str
    conclusion: str | None
    head_branch: str | None
    head_sha: str | None
    html_url: str | None
    created_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    runner_id: int | None
    runner_name: str | None
    runner_group_id: int | None
    runner_group_name: str | None
    labels: str
    steps: str
    version: bytes

    @property
    def listed_at(self) -> datetime:
        """What lists are ordered by, as far as this snapshot alone tells it."""
        return self.created_at or self.started_at or NO_TIME


def workflow_job(payload: payloads.WorkflowJob, repository_id: int, made_at: int) -> WorkflowJob:
    """Return what a job's body tells, from a webhook or from the REST API alike."""
    started_at, completed_at = utc_or_none(payload.started_at), utc_or_none(payload.completed_at)
    labels, steps = json_text(payload.labels or []), encoder.encode(_steps(payload.steps or ()))
    mutable = ordering.digest(
        payload.status,
        payload.conclusion,
        started_at,
        completed_at,
        payload.runner_id,
        payload.runner_name,
        payload.runner_group_id,
        payload.runner_group_name,
        labels,
        text=steps,
    )
    return WorkflowJob(
        repository_id=repository_id,
        job_id=payload.id,
        run_id=payload.run_id,
        run_attempt=payload.run_attempt,
        name=payload.name,
        workflow_name=payload.workflow_name,
        status=payload.status,
        conclusion=payload.conclusion,
        head_branch=payload.head_branch,
        head_sha=payload.head_sha,
        html_url=payload.html_url,
        created_at=utc_or_none(payload.created_at),
        started_at=started_at,
        completed_at=completed_at,
        runner_id=payload.runner_id,
        runner_name=payload.runner_name,
        runner_group_id=payload.runner_group_id,
        runner_group_name=payload.runner_group_name,
        labels=labels,
        steps=steps.decode(),
        version=ordering.job_version(payload.status, payload.conclusion, made_at, mutable),
    )


# What is told of a step, in the order of `_Step`.
_told = attrgetter("number", "name", "status", "conclusion", "started_at", "completed_at")


def _steps(told: Iterable[payloads.Step]) -> list[_Step]:
    # Jobs have dozens, which are most of what is to be read: a call for each, or for each time, would show.
    return [
        _Step(
            number,
            name,
            status,
            conclusion,
            began if began is None or began.tzinfo is UTC else utc(began),
            ended if ended is None or ended.tzinfo is UTC else utc(ended),
        )
        for number, name, status, conclusion, began, ended in map(_told, told)
    ]
