"""Workflows and their runs.

https://docs.github.com/en/rest/actions/workflow-runs, https://docs.github.com/en/rest/actions/workflows
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.operations.refusal import Refused
from bot.demo.github.payloads import actions
from bot.demo.github.rest.answers import Answer, Failure, not_found
from bot.demo.github.rest.asking import created_range
from bot.demo.github.rest.comments import refuse_archived
from bot.demo.github.rest.fields import Fields
from bot.demo.github.rest.paging import asked_page, page_links, paged
from bot.demo.github.state.runs import RunFilter

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.demo.github.payloads.values import Json
    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.state.actions import RunAttempt, Workflow, WorkflowRun

# Once anything is asked but the page, a list ends here; without, GitHub refuses pages beyond the other.
MOST_FILTERED = 1_000
MOST_UNFILTERED = 40_000
_FILTERS = {"actor", "branch", "check_suite_id", "created", "event", "head_sha", "status"}
_STATUSES = {"queued", "in_progress", "completed", "requested", "waiting", "pending"}
_CONCLUSIONS = {"success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required", "stale"}
_TOO_FAR = "In order to keep the API fast for everyone, pagination is limited for this resource."


def list_workflow_runs_for_repo(ask: Ask) -> Answer:
    """Answer with runs of a repository."""
    return _list(ask, None)


def list_workflow_runs(ask: Ask) -> Answer:
    """Answer with runs of one workflow."""
    return _list(ask, find_workflow(ask))


def get_workflow_run(ask: Ask) -> Answer:
    """Answer with a run as its newest attempt has it."""
    return Answer(200, _render(ask, find_run(ask).latest))


def get_workflow_run_attempt(ask: Ask) -> Answer:
    """Answer with a run as one of its attempts has it."""
    return Answer(200, _render(ask, find_attempt(ask)))


def re_run_workflow(ask: Ask) -> Answer:
    """Run all jobs of a run again."""
    return _act(ask, lambda run: ask.github.actions.rerun(run, ask.token.installation.app.as_account()))


def re_run_workflow_failed_jobs(ask: Ask) -> Answer:
    """Run the failed jobs of a run again, and what depends on them."""

    def rerun(run: WorkflowRun) -> None:
        ask.github.actions.rerun(run, ask.token.installation.app.as_account(), failed_only=True)

    return _act(ask, rerun)


def cancel_workflow_run(ask: Ask) -> Answer:
    """Cancel what is not completed yet; 409 when everything is."""
    refuse_archived(ask.repository())
    run = find_run(ask)
    try:
        ask.github.actions.cancel(run, ask.token.installation.app.as_account())
    except Refused as refused:
        raise Failure(refused.status_code, refused.message) from None
    return Answer(202, {})


def list_repo_workflows(ask: Ask) -> Answer:
    """Answer with the workflows of a repository."""
    repository = ask.repository()
    mine = [one for one in ask.world.workflows.values() if one.repository is repository]
    return paged(ask, mine, lambda one: actions.workflow(ask.addresses, one), "workflows")


def get_workflow(ask: Ask) -> Answer:
    """Answer with a workflow."""
    return Answer(200, actions.workflow(ask.addresses, find_workflow(ask)))


def find_run(ask: Ask) -> WorkflowRun:
    """Return the run that the path names."""
    repository, run = ask.repository(), ask.world.runs.find(ask.number("run_id"))
    if run is None or run.repository is not repository:
        raise not_found()
    return run


def find_attempt(ask: Ask) -> RunAttempt:
    """Return the attempt that the path names."""
    run, number = find_run(ask), ask.number("attempt_number")
    if not 1 <= number <= len(run.attempts):
        raise not_found()
    return run.attempts[number - 1]


def find_workflow(ask: Ask) -> Workflow:
    """Return the workflow that the path names by its id or its file."""
    repository, name = ask.repository(), ask.path["workflow_id"]
    for one in ask.world.workflows.values():
        if one.repository is repository and name in {str(one.id), one.path.rpartition("/")[2]}:
            return one
    raise not_found()


def _list(ask: Ask, workflow: Workflow | None) -> Answer:
    """Answer with a page of runs, newest first; what lies beyond a filtered list's end is empty."""
    repository, page = ask.repository(), asked_page(ask)
    wanted = _wanted(ask, workflow)
    filtered = bool(_FILTERS & ask.query.keys())
    if not filtered and page.stop > MOST_UNFILTERED:
        raise Failure(422, _TOO_FAR, documentation="https://docs.github.com/v3/#pagination")
    total = ask.world.runs.count(repository, wanted)
    listed = min(total, MOST_FILTERED) if filtered else total
    runs = ask.world.runs.newest_first(repository, wanted, page.start, min(page.stop, listed))
    told = listed if ask.github.rest.limits.capped_totals else total
    body = {"total_count": told, "workflow_runs": [_render(ask, run.latest) for run in runs]}
    return Answer(200, body, page_links(ask, page, listed))


def _wanted(ask: Ask, workflow: Workflow | None) -> RunFilter:
    query = ask.query
    status = query.get("status")
    if status is not None and status not in _STATUSES | _CONCLUSIONS:
        raise Failure(422, f"Invalid value for status: {status}")
    suite = query.get("check_suite_id")
    since, until = created_range(query.get("created"))
    return RunFilter(
        workflow_id=None if workflow is None else workflow.id,
        actor=query.get("actor"),
        branch=query.get("branch"),
        event=query.get("event"),
        status=status,
        head_sha=query.get("head_sha"),
        check_suite_id=None if suite is None else int(suite) if suite.isdecimal() else -1,
        since=since,
        until=until,
    )


def _render(ask: Ask, attempt: RunAttempt) -> Json:
    pulls = () if ask.flag("exclude_pull_requests") else ask.world.listed_pull_requests(attempt.run)
    return actions.workflow_run(ask.addresses, attempt, pulls)


def _act(ask: Ask, act: Callable[[WorkflowRun], object]) -> Answer:
    refuse_archived(ask.repository())
    fields = Fields(ask.body or {})
    fields.take("enable_debug_logging", bool)
    fields.done()
    try:
        act(find_run(ask))
    except Refused as refused:
        raise Failure(refused.status_code, refused.message) from None
    return Answer(201, {})
