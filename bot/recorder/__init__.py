"""The one door into the record: webhooks, history and scripts all write through it, by the same ordering rule."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.clock import Clock
from bot.domain import facts, ordering, payloads
from bot.recorder.actions import action_statements
from bot.recorder.directory import note_deliveries, record_directory
from bot.recorder.due import NEWS_SPAN, Marks, due_statements, mark_commit_of_run, only_news
from bot.recorder.gone import end_unlisted_jobs, mark_gone
from bot.recorder.known import repository_as_known
from bot.recorder.links import link_by_branch
from bot.recorder.sight import sight_statements
from bot.recorder.statements import Statement, job_statements, pull_request_statements, run_statements
from bot.store.database import Transaction, current

__all__ = [
    "NEWS_SPAN",
    "Marks",
    "end_unlisted_jobs",
    "link_by_branch",
    "mark_commit_of_run",
    "mark_gone",
    "note_deliveries",
    "record",
    "repository_as_known",
    "upsert_workflow_job",
    "upsert_workflow_run",
]


async def record(tx: Transaction, news: Sequence[facts.Facts], now: datetime, *, marks: Marks = Marks.ALWAYS) -> None:
    """Record facts inside an open transaction; the order they come in makes no difference.

    `marks` says when the commits they are about are to be looked at because of it.
    """
    runs = [fact for fact in news if isinstance(fact, facts.WorkflowRun)]
    jobs = [fact for fact in news if isinstance(fact, facts.WorkflowJob)]
    pull_requests = [fact for fact in news if isinstance(fact, facts.PullRequest)]
    heads = [fact for fact in news if isinstance(fact, facts.PullRequestHead)]
    teams = await record_directory(tx, news, now, exclusive=bool(pull_requests or heads))
    marked = await _marked(tx, news, marks)
    recorded = statements(runs, jobs, pull_requests, teams, heads)
    besides = (*due_statements(marked, now, marks), *action_statements(news, now), *sight_statements(news, now))
    for statement in (*recorded, *besides):
        await tx.execute_many(statement.sql, statement.rows)


async def _marked(tx: Transaction, news: Sequence[facts.Facts], marks: Marks) -> Sequence[facts.Facts]:
    return news if marks is Marks.ALWAYS else await only_news(tx, news)


def statements(
    runs: Sequence[facts.WorkflowRun],
    jobs: Sequence[facts.WorkflowJob],
    pull_requests: Sequence[facts.PullRequest],
    teams: Mapping[int, int],
    heads: Sequence[facts.PullRequestHead] = (),
) -> list[Statement]:
    """Return what records all of these, in an order of tables that every writer keeps."""
    return [
        *run_statements(runs, teams),
        *job_statements(jobs, teams),
        *pull_request_statements(pull_requests, heads),
    ]


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
