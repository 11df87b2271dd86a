"""What the REST API answers, as facts: the same that webhooks tell, made at the response's date."""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from msgspec import Struct

from bot.domain import facts, ordering, payloads
from bot.errors import MalformedPayload
from bot.github import Answer, Json

log = logging.getLogger(__name__)

Shape = TypeVar("Shape", bound=Struct)


def read_run(body: Json, repository_id: int, date: datetime) -> facts.WorkflowRun | None:
    """Return what a run's body tells, or None where it can't be recorded, or is of another repository.

    A name that was given up may be another's before anything has told so.
    """
    if not is_run_of(body, repository_id):
        log.warning("GitHub tells of another repository's run", extra={"repository": repository_id})
        return None
    run = _read(body, payloads.WorkflowRun)
    return None if run is None else facts.workflow_run(run, repository_id, ordering.microseconds(date))


def is_run_of(body: Json, repository_id: int) -> bool:
    """Tell whether a run's body is of this repository, as far as it tells."""
    repository = body.get("repository") if isinstance(body, dict) else None
    return not isinstance(repository, dict) or repository.get("id") in {None, repository_id}


def read_runs(answer: Answer[list[Json]], repository_id: int) -> list[facts.WorkflowRun]:
    """Return what a page of runs tells."""
    return _known(read_run(body, repository_id, answer.date) for body in answer.data)


def read_jobs(answer: Answer[list[Json]], repository_id: int) -> list[facts.WorkflowJob]:
    """Return what a page of jobs tells."""
    made = ordering.microseconds(answer.date)
    jobs = _known(_read(body, payloads.WorkflowJob) for body in answer.data)
    return [facts.workflow_job(job, repository_id, made) for job in jobs]


def read_pull_requests(answer: Answer[list[Json]], repository_id: int) -> list[facts.PullRequest]:
    """Return what a page of pull requests tells, those of other repositories left out."""
    made = ordering.microseconds(answer.date)
    found = _known(_read(body, payloads.PullRequest) for body in answer.data)
    ours = (each for each in found if each.base.repo is not None and each.base.repo.id == repository_id)
    return [facts.pull_request(each, repository_id, made) for each in ours]


def read_installation(body: Json, date: datetime) -> facts.Installation | None:
    """Return what an installation's body tells, or None where it can't be recorded, such as one on an enterprise."""
    installation = _read(body, payloads.Installation)
    return None if installation is None else facts.installation(installation, None, ordering.microseconds(date))


def read_repositories(answer: Answer[list[Json]], installation_id: int, date: datetime) -> list[facts.Repository]:
    """Return what a page of the repositories that an installation sees tells; `date` is that of the whole list."""
    made = ordering.microseconds(date)
    found = _known(_read(body, payloads.Repository) for body in answer.data)
    return [facts.repository(each, installation_id, made, announced=True) for each in found]


def _read(body: Any, shape: type[Shape]) -> Shape | None:
    try:
        return payloads.read(body, shape)
    except MalformedPayload as error:
        # One that can't be read must not keep the rest of history out.
        log.warning("GitHub lists what can't be recorded: %s", error)
        return None


T = TypeVar("T")


def _known(found: Iterable[T | None]) -> list[T]:
    return [each for each in found if each is not None]
