"""Jobs and their logs.

https://docs.github.com/en/rest/actions/workflow-jobs
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.operations.refusal import Refused
from bot.demo.github.payloads import actions
from bot.demo.github.rest.answers import Answer, Failure, not_found
from bot.demo.github.rest.comments import refuse_archived
from bot.demo.github.rest.fields import Fields
from bot.demo.github.rest.paging import paged
from bot.demo.github.rest.workflow_runs import find_attempt, find_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.state.actions import Job


def list_jobs_for_workflow_run(ask: Ask) -> Answer:
    """Answer with the jobs of the newest attempt or, with `filter=all`, of every attempt."""
    run, which = find_run(ask), ask.choice("filter", ("latest", "all"), "latest")
    return _list(ask, run.jobs if which == "latest" else list(run.all_jobs()))


def list_jobs_for_workflow_run_attempt(ask: Ask) -> Answer:
    """Answer with the jobs of one attempt."""
    return _list(ask, find_attempt(ask).jobs)


def get_job_for_workflow_run(ask: Ask) -> Answer:
    """Answer with a job."""
    return Answer(200, actions.workflow_job(ask.addresses, find_job(ask)))


def download_job_logs_for_workflow_run(ask: Ask) -> Answer:
    """Lead to the log on the other host, if there is one."""
    job = find_job(ask)
    if not ask.github.rest.logs.has(job, ask.at):
        raise not_found()
    return Answer(302, None, {"Location": ask.github.rest.logs.grant(job, ask.at)})


def re_run_job_for_workflow_run(ask: Ask) -> Answer:
    """Run a job of the newest attempt again, and what depends on it."""
    refuse_archived(ask.repository())
    fields = Fields(ask.body or {})
    fields.take("enable_debug_logging", bool)
    fields.done()
    try:
        ask.github.actions.rerun_job(find_job(ask), ask.token.installation.app.as_account())
    except Refused as refused:
        raise Failure(refused.status_code, refused.message) from None
    return Answer(201, {})


def find_job(ask: Ask) -> Job:
    """Return the job that the path names."""
    repository, job = ask.repository(), ask.world.runs.find_job(ask.number("job_id"))
    if job is None or job.run.repository is not repository:
        raise not_found()
    return job


def _list(ask: Ask, jobs: Sequence[Job]) -> Answer:
    return paged(ask, jobs, lambda job: actions.workflow_job(ask.addresses, job), "jobs")
