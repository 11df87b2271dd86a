"""Workflows, runs with their attempts, jobs with their steps, and runners."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bot.demo.github.state.accounts import Account
    from bot.demo.github.state.causes import Cause
    from bot.demo.github.state.repositories import Commit, Repository

Status = Literal["queued", "waiting", "in_progress", "completed"]
Conclusion = Literal[
    "success", "failure", "cancelled", "skipped", "timed_out", "neutral", "action_required", "startup_failure", "stale"
]


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job as a workflow file declares it; `needs` are names of other jobs, `environment` one that asks a reviewer.

    With `continue_on_error` its failure makes no difference to the run.
    """

    name: str
    steps: tuple[str, ...]
    labels: tuple[str, ...] = ("ubuntu-latest",)
    needs: tuple[str, ...] = ()
    environment: str | None = None
    continue_on_error: bool = False


@dataclass(slots=True, eq=False)
class Workflow:
    """A workflow file of a repository; `on` are the events that start it."""

    id: int
    repository: Repository
    name: str
    path: str
    on: tuple[str, ...]
    jobs: tuple[JobSpec, ...]
    created_at: datetime
    updated_at: datetime
    runs_so_far: int = 0


@dataclass(frozen=True, slots=True)
class Runner:
    """A machine that takes jobs whose labels it has."""

    id: int
    name: str
    group_id: int
    group_name: str
    labels: tuple[str, ...]


@dataclass(slots=True)
class Step:
    """One step of a job; numbers begin at 1."""

    number: int
    name: str
    status: Status
    conclusion: Conclusion | None
    started_at: datetime | None
    completed_at: datetime | None


@dataclass(slots=True, eq=False)
class Job:
    """A job of one attempt. Until it starts, `started_at` equals `created_at`, as GitHub has it.

    Of one that failed, `cause` says why, if somebody said so; `causes.cause_of` finds one that fits otherwise.
    """

    id: int
    attempt: RunAttempt
    spec: JobSpec
    status: Status
    created_at: datetime
    started_at: datetime
    conclusion: Conclusion | None = None
    completed_at: datetime | None = None
    runner: Runner | None = None
    steps: list[Step] = field(default_factory=list)
    carried_over_from: Job | None = None
    cause: Cause | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def run(self) -> WorkflowRun:
        return self.attempt.run

    @property
    def open(self) -> bool:
        return self.status != "completed"

    @property
    def passed(self) -> bool:
        return self.conclusion == "success"


@dataclass(slots=True, eq=False)
class RunAttempt:
    """One attempt of a run; `updated_at` never goes back, `begun` tells whether a job has ever started."""

    run: WorkflowRun
    number: int
    triggering_actor: Account
    run_started_at: datetime
    updated_at: datetime
    status: Status = "queued"
    conclusion: Conclusion | None = None
    begun: bool = False
    jobs: list[Job] = field(default_factory=list)

    def find_job(self, name: str) -> Job | None:
        return next((job for job in self.jobs if job.name == name), None)

    def open_jobs(self) -> list[Job]:
        return [job for job in self.jobs if job.open]


@dataclass(slots=True, eq=False)
class WorkflowRun:
    """A run; its state is that of its newest attempt."""

    id: int
    workflow: Workflow
    number: int
    event: str
    head_branch: str
    head: Commit
    head_repository: Repository
    actor: Account
    display_title: str
    check_suite_id: int
    created_at: datetime
    attempts: list[RunAttempt] = field(default_factory=list)

    @property
    def repository(self) -> Repository:
        return self.workflow.repository

    @property
    def latest(self) -> RunAttempt:
        return self.attempts[-1]

    @property
    def status(self) -> Status:
        return self.latest.status

    @property
    def conclusion(self) -> Conclusion | None:
        return self.latest.conclusion

    @property
    def jobs(self) -> list[Job]:
        """The jobs of the newest attempt."""
        return self.latest.jobs

    def all_jobs(self) -> Iterator[Job]:
        for attempt in self.attempts:
            yield from attempt.jobs

    def get_job(self, name: str) -> Job:
        """Return the newest attempt's job of that name; KeyError when there is none (yet)."""
        job = self.latest.find_job(name)
        if job is None:
            raise KeyError(name)
        return job
