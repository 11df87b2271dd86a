"""The one door into the record: webhooks, history and scripts all write through it, by the same ordering rule."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from bot.clock import Clock
from bot.domain import facts, ordering, payloads
from bot.recorder.actions import action_statements
from bot.recorder.directory import (
    DirectoryNews,
    arrival_statements,
    look_at_directory,
    note_deliveries,
    record_directory,
)
from bot.recorder.due import NEWS_SPAN, Marks, commits_of_runs, due_statements, worth_marking
from bot.recorder.gone import ending_unlisted_jobs, marking_gone
from bot.recorder.job_labels import label_jobs, labelling
from bot.recorder.known import repository_as_known
from bot.recorder.links import linking_by_branch
from bot.recorder.run_marks import (
    jobs_of,
    mark_runs,
    marking_runs,
    marking_runs_of,
    runs_to_look_at,
    without_jobs,
)
from bot.recorder.sight import sight_statements
from bot.recorder.statements import (
    job_statements,
    merged_attempts,
    pull_request_statements,
    related_statements,
    run_statements,
)
from bot.settings import Dialect
from bot.store.conversation import Conversation
from bot.store.database import Transaction, current

T = TypeVar("T")

__all__ = [
    "NEWS_SPAN",
    "DirectoryNews",
    "Marks",
    "arrival_statements",
    "commits_of_runs",
    "ending_unlisted_jobs",
    "label_jobs",
    "linking_by_branch",
    "mark_runs",
    "marking_gone",
    "note_deliveries",
    "record",
    "record_directory",
    "recording",
    "repository_as_known",
    "upsert_workflow_job",
    "upsert_workflow_run",
]


def _nothing_more() -> Conversation[None]:
    yield from ()


async def record(
    tx: Transaction,
    news: Sequence[facts.Facts],
    now: datetime,
    *,
    marks: Marks = Marks.ALWAYS,
    then: Callable[[], Conversation[T]] = _nothing_more,  # type: ignore[assignment]  # where T is None
) -> T:
    """Record facts inside an open transaction; the order they come in makes no difference.

    `marks` says when the commits they are about are to be looked at because of it. What is to be done `then` goes along
    with the recording, and what it comes to is returned.
    """

    def recording_and_more(*, directory_recorded: bool) -> Conversation[T]:
        yield from recording(tx.dialect, news, now, marks=marks, directory_recorded=directory_recorded)
        return (yield from then())

    try:
        return await tx.converse(recording_and_more(directory_recorded=False))
    except DirectoryNews:
        await record_directory(tx, news, now)
        return await tx.converse(recording_and_more(directory_recorded=True))


def recording(
    dialect: Dialect,
    news: Sequence[facts.Facts],
    now: datetime,
    *,
    marks: Marks = Marks.ALWAYS,
    directory_recorded: bool = False,
) -> Conversation[None]:
    """Do what `record` does, as part of a longer conversation.

    Raises DirectoryNews, having written nothing, where `record_directory` has to be called before.
    """
    told = _by_kind(news)
    if not directory_recorded and (told[facts.Installation] or told[facts.AccountRename]):
        raise DirectoryNews
    to_look_at = yield from runs_to_look_at(told[facts.WorkflowRun], now, of_the_past=marks is Marks.IF_TOLD)
    exclusive = bool(told[facts.PullRequest] or told[facts.PullRequestHead] or to_look_at)
    teams = yield from look_at_directory(
        dialect, told[facts.Repository], exclusive=exclusive, recorded=directory_recorded
    )
    marked = yield from worth_marking(news, marks)
    spans = yield from jobs_of(to_look_at)
    jobless = _jobless(told, to_look_at, spans, now)
    yield from writing(
        told[facts.WorkflowRun],
        told[facts.WorkflowJob],
        told[facts.PullRequest],
        teams,
        told[facts.PullRequestHead],
        without_jobs=jobless,
    )
    yield from labelling(dialect, told[facts.WorkflowJob])
    yield from marking_runs(spans)
    yield from due_statements(marked, now, marks)
    yield from action_statements(told[facts.ActionWanted], now)
    yield from sight_statements([*told[facts.SightChange], *told[facts.AuthorizationRevoked]], now)


def _by_kind(news: Iterable[facts.Facts]) -> dict[type, list[Any]]:
    kinds: dict[type, list[Any]] = defaultdict(list)
    for fact in news:
        kinds[type(fact)].append(fact)
    return kinds


def _jobless(
    told: Mapping[type, list[Any]], looked_at: Sequence[int], with_jobs: Iterable[int], now: datetime
) -> set[int]:
    runs = [run for run in told[facts.WorkflowRun] if run.run_id in looked_at]
    return without_jobs(runs, [*with_jobs, *(job.run_id for job in told[facts.WorkflowJob])], now)


def writing(
    runs: Sequence[facts.WorkflowRun],
    jobs: Sequence[facts.WorkflowJob],
    pull_requests: Sequence[facts.PullRequest],
    teams: Mapping[int, int],
    heads: Sequence[facts.PullRequestHead] = (),
    *,
    without_jobs: Collection[int] = (),
) -> Conversation[None]:
    """Write all of these, in an order of tables that every writer keeps; runs `without_jobs` are marked if new."""
    attempts = merged_attempts(runs)
    yield from run_statements(attempts, teams, without_jobs)
    yield from marking_runs_of(jobs)
    yield from related_statements(runs, attempts)
    yield from job_statements(jobs, teams)
    yield from pull_request_statements(pull_requests, heads)


async def upsert_workflow_run(
    run: Mapping[str, Any],
    repository: Mapping[str, Any] | None = None,
    *,
    installation_id: int | None = None,
    made_at: datetime | None = None,
) -> None:
    """Record a workflow run as GitHub's REST API or a webhook gives it.

    `repository` may be left out where `run` has its own. `made_at` is when GitHub made the answer (its `Date` header),
    the last but one of the tie-breaks. Raises MalformedPayload when the run can't be recorded.
    """
    owner = payloads.read(repository or run.get("repository"), payloads.Repository)
    made = ordering.microseconds(made_at) if made_at else 0
    fact = facts.workflow_run(payloads.read(run, payloads.WorkflowRun), owner.id, made)
    await _upsert(owner, installation_id, made, fact)


async def upsert_workflow_job(
    job: Mapping[str, Any],
    repository: Mapping[str, Any],
    *,
    installation_id: int | None = None,
    made_at: datetime | None = None,
) -> None:
    """Record a workflow job, like `upsert_workflow_run`; a job's own body doesn't tell its repository."""
    owner = payloads.read(repository, payloads.Repository)
    made = ordering.microseconds(made_at) if made_at else 0
    fact = facts.workflow_job(payloads.read(job, payloads.WorkflowJob), owner.id, made)
    await _upsert(owner, installation_id, made, fact)


async def _upsert(
    owner: payloads.Repository, installation_id: int | None, made: int, fact: facts.WorkflowRun | facts.WorkflowJob
) -> None:
    now = Clock().now()
    repository = facts.repository(owner, installation_id, made or ordering.microseconds(now))
    async with current().transaction() as tx:
        await record(tx, [repository, fact], now)
