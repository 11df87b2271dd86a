"""The check run that sums a commit up: what it should say by the record, and writing it where it says otherwise.

https://docs.github.com/en/rest/checks/runs. Of a commit there is one current check run; once it is completed it can't
go back, so that after a re-run another of the same name takes its place.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from bot import metrics
from bot.domain.feedback import pacing
from bot.domain.feedback.buttons import buttons
from bot.domain.feedback.drifting import without_drift
from bot.domain.feedback.estimate import STEP
from bot.domain.feedback.pacing import Plan, PostedCheck, Urgency
from bot.domain.feedback.remarks import Remark, check_annotations, read_annotations
from bot.domain.feedback.report import Report, first_failure
from bot.domain.feedback.words.check_text import check_text, told_apart
from bot.feedback.commits import Commit
from bot.feedback.creating import make, wait_for_late
from bot.feedback.failures import annotations_of
from bot.feedback.news import may_be_told
from bot.feedback.reporting import Reporter
from bot.feedback.rows import SummaryRow, put_off
from bot.feedback.tools import Tools
from bot.github import Client, checks
from bot.github.errors import NotFound

log = logging.getLogger(__name__)

NAME = "CI summary"
AT_ONCE = 50
"""GitHub takes so many annotations a request."""


class Draft(Struct, frozen=True):
    """What is to be written, when, and the annotations that have not been sent yet, in the order to send them in."""

    commit: Commit
    report: Report
    told: str
    plan: Plan | None
    is_complete: bool
    annotations: Sequence[Remark]


async def draft(tools: Tools, reporter: Reporter, row: SummaryRow) -> Draft | None:
    """Return what a commit's check run should say, None where it should have none.

    It has one where it is the head of an open pull request or tested by a merge queue; one that is there is kept true.
    """
    commit = await reporter.commit(row)
    return None if commit is None else await draft_of(tools, reporter, row, commit)


async def draft_of(tools: Tools, reporter: Reporter, row: SummaryRow, commit: Commit) -> Draft | None:
    """Return the same for a commit that has been read."""
    if not commit.has_begun or not commit.place.may_write("checks"):
        return None
    is_there = row.posted.status is not None or row.creating_since is not None
    if not is_there and not (commit.is_told and await _is_news(tools, row)):
        return None
    if commit.place.wishes.muted and row.posted.status != "in_progress" and row.creating_since is None:
        # What was begun has to end; nothing else is begun or changed.
        return None
    report = await reporter.report(commit, row.revision)
    now = tools.clock.now()
    told = hashlib.sha256(told_apart(without_drift(report)).encode("utf-8", "replace")).hexdigest()
    plan = pacing.check_plan(row.posted, report, told, row.changed_at, now)
    is_complete = report.is_finished and pacing.is_quiet(row.changed_at, now)
    annotated = [] if plan is not None and plan.is_new else json.loads(row.annotated or "[]")
    failed = [each.job.job_id for cause in report.causes for each in cause.jobs]
    by_job = await annotations_of(tools.database.reader, failed)
    unsent = check_annotations(by_job.values(), annotated)
    if plan is None and row.creating_since is not None:
        # What may have been made is to be found, and brought to an end.
        plan = Plan(Urgency.PROGRESS, now)
    plan = plan or _later(row.posted, report, unsent, now)
    return Draft(commit, report, told, plan, is_complete, unsent)


def _later(posted: PostedCheck, report: Report, unsent: Sequence[Remark], now: datetime) -> Plan | None:
    """Return what is to be done of a check run that says what it should."""
    if unsent and posted.status == "completed" and report.is_finished:
        return Plan(Urgency.PROGRESS, now)
    if report.seconds_left:
        # By then it has ended, or takes longer than usual, which is told.
        return Plan(Urgency.LOOK, now + timedelta(seconds=report.seconds_left + STEP))
    return None


async def _is_news(tools: Tools, row: SummaryRow) -> bool:
    return await may_be_told(tools.database.reader, row.repository_id, row.head_sha, tools.clock.now())


async def write(tools: Tools, client: Client, row: SummaryRow, what: Draft) -> None:
    """Write a check run as drafted, and keep what was written. Raises a GitHubError, having kept nothing."""
    if what.plan is None or (row.creating_since is not None and await _settle(tools, client, row, what, what.plan)):
        return
    unsent = what.annotations if what.is_complete else []
    try:
        wrote = True
        if what.plan.is_new:
            await _create(tools, client, row, what, unsent[:AT_ONCE])
        else:
            wrote = await _update(tools, client, row, what, unsent)
    except NotFound:
        # Without the check run, or the repository, there is nothing to go on with.
        if row.check_run_id is None or what.plan.is_new:
            raise
        await _forget(tools, row)
        return
    if wrote:
        _count(row, what, what.plan, tools.clock.now())


def _count(row: SummaryRow, what: Draft, plan: Plan, now: datetime) -> None:
    metrics.count_feedback("check", plan.urgency.name.lower())
    failed_at = first_failure(what.report)
    if failed_at is not None and not row.posted.shows_failure:
        metrics.FAILURE_TO_FEEDBACK_SECONDS.labels("check").observe(max((now - failed_at).total_seconds(), 0.0))


async def _update(tools: Tools, client: Client, row: SummaryRow, what: Draft, unsent: Sequence[Remark]) -> bool:
    """Change a check run; return whether that was needed: an earlier try may have been taken, though no answer came."""
    repository, check_run_id = what.commit.place.full_name, row.check_run_id or 0
    annotated: list[str] = json.loads(row.annotated or "[]")
    there = None
    if unsent or row.posted.told is None:
        there = (await checks.get_check_run(client, repository, check_run_id)).data
    if there is not None and unsent and _annotations_count(there) != len(annotated):
        annotated, unsent = await _annotations_there(client, repository, check_run_id, annotated, unsent)
    sending = unsent[:AT_ONCE]
    body = _body(what, sending)
    is_needed = there is None or bool(sending) or not _says(there, body)
    if is_needed:
        await _doubt(tools, row)
        await checks.update_check_run(client, repository, check_run_id, body)
    await _keep(tools, row, what, check_run_id, [*annotated, *(each.digest for each in sending)])
    return is_needed


async def _annotations_there(
    client: Client, repository: str, check_run_id: int, annotated: Sequence[str], unsent: Sequence[Remark]
) -> tuple[list[str], Sequence[Remark]]:
    """Return the digests of a check run's annotations, and those that it lacks: what is sent adds to what is there."""
    pages = checks.annotation_pages(client, repository, check_run_id)
    there = [each async for answer in pages for each in answer.data]
    digests = [remark.digest for remark in check_annotations([read_annotations(there, None)])]
    lacking = [each for each in unsent if each.digest not in digests]
    if len(there) >= len(annotated) + len(unsent):
        # All that was ever to be sent is there, if in other words than ours: nothing is sent in doubt.
        return [*annotated, *(each.digest for each in unsent)], ()
    return digests, lacking


def _annotations_count(there: Mapping[str, Any]) -> int:
    return int(there["output"]["annotations_count"])


def _says(there: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Tell whether a check run says what is to be written."""
    output, written = there.get("output") or {}, body["output"]
    same = all(output.get(name) == written[name] for name in ("title", "summary"))
    return same and there.get("status") == body["status"] and there.get("conclusion") == body.get("conclusion")


async def _doubt(tools: Tools, row: SummaryRow) -> None:
    """Note that it may be changed from now on, whatever becomes of this process or of the answer."""
    await tools.database.execute("UPDATE check_summary SET body_hash = NULL WHERE id = ?", row.id)


def _body(what: Draft, annotations: Sequence[Remark]) -> dict[str, Any]:
    report, text = what.report, check_text(what.report)
    output: dict[str, Any] = {"title": text.title, "summary": text.summary}
    if annotations:
        output["annotations"] = [each.body for each in annotations]
    body: dict[str, Any] = {"name": NAME, "status": "in_progress", "output": output}
    if what.is_complete and report.conclusion is not None:
        actions = buttons(report, what.commit.place.may_rerun)
        body |= {"status": "completed", "conclusion": report.conclusion.value, "actions": actions}
    return body


async def _settle(tools: Tools, client: Client, row: SummaryRow, what: Draft, plan: Plan) -> bool:
    """Go on with the check run that an earlier try has made, or wait for it; return False where one is to be made."""
    generation, place = row.generation + 1, what.commit.place
    made = await _find_made(tools, client, place.full_name, row.head_sha, generation)
    if made is None and await wait_for_late(tools, row, plan.urgency):
        return True
    if made is None and plan.is_new and what.commit.is_told and not place.wishes.muted:
        return False
    await _adopt(tools, row, generation, made)
    return True


async def _create(tools: Tools, client: Client, row: SummaryRow, what: Draft, annotations: Sequence[Remark]) -> None:
    repository = what.commit.place.full_name
    began = min(run.began_at for run in what.commit.runs)
    body = {
        **_body(what, annotations),
        "head_sha": row.head_sha,
        "external_id": str(row.generation + 1),
        "started_at": began.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    check_run_id = await make(
        tools, row, lambda sending: checks.create_check_run(client, repository, body, sending=sending)
    )
    await _keep(tools, row, what, check_run_id, [each.digest for each in annotations])


async def _find_made(
    tools: Tools, client: Client, repository: str, sha: str, generation: int
) -> Mapping[str, Any] | None:
    pages = checks.check_run_pages(client, repository, sha, check_name=NAME, app_id=tools.app_id)
    async for answer in pages:
        for check in answer.data:
            if check.get("external_id") == str(generation):
                return check
    return None


async def _adopt(tools: Tools, row: SummaryRow, generation: int, made: Mapping[str, Any] | None) -> None:
    """Go on with a check run that was made before; with none, forget that one was to be made."""
    now = tools.clock.now()
    if made is None:
        sql = "UPDATE check_summary SET creating_since = NULL, urgency = 0, due_at = ? WHERE id = ?"
        await tools.database.execute(sql, now, row.id)
        return
    sql = (
        "UPDATE check_summary SET generation = ?, check_run_id = ?, status = ?, conclusion = NULL, shows_failure = ?,"
        " body_hash = NULL, written_at = ?, annotated = NULL, creating_since = NULL, renew_wanted = ?, urgency = 0,"
        " due_at = ? WHERE id = ?"
    )
    status = "completed" if made.get("status") == "completed" else "in_progress"
    await tools.database.execute(sql, generation, made["id"], status, False, now, False, now, row.id)
    log.info("a check run that was made before is gone on with", extra={"check_run": made["id"]})


async def _forget(tools: Tools, row: SummaryRow) -> None:
    sql = (
        "UPDATE check_summary SET check_run_id = NULL, status = NULL, conclusion = NULL, urgency = 0, due_at = ?"
        " WHERE id = ?"
    )
    await tools.database.execute(sql, tools.clock.now(), row.id)


async def _keep(tools: Tools, row: SummaryRow, what: Draft, check_run_id: int, annotated: Sequence[str]) -> None:
    is_new = what.plan is not None and what.plan.is_new
    now, status = tools.clock.now(), "completed" if what.is_complete else "in_progress"
    conclusion = what.report.conclusion if what.is_complete else None
    classes = _classes(what.report) if what.is_complete else row.told_classes
    sql = (
        "UPDATE check_summary SET generation = generation + ?, check_run_id = ?, status = ?, conclusion = ?,"
        " told_classes = ?, shows_failure = ?, body_hash = ?, written_at = ?, annotated = ?, creating_since = NULL,"
        " tries = 0, renew_wanted = CASE WHEN ? THEN ? ELSE renew_wanted END WHERE id = ?"
    )
    await tools.database.execute(
        sql,
        int(is_new),
        check_run_id,
        status,
        None if conclusion is None else conclusion.value,
        json.dumps(classes),
        pacing.shows_failure(what.report),
        what.told,
        now,
        json.dumps(annotated),
        is_new,
        False,
        row.id,
    )
    metrics.count_classified(each for job_id, each in classes.items() if row.told_classes.get(job_id) != each)
    renew = row.posted.renew and not is_new
    posted = PostedCheck(status, pacing.shows_failure(what.report), what.told, now, renew, conclusion)
    await put_off(tools.database, row, _next(row, what, posted, annotated, now))


def _classes(report: Report) -> dict[str, str]:
    return {str(each.job.job_id): each.failure_class.value for cause in report.causes for each in cause.jobs}


def _next(row: SummaryRow, what: Draft, posted: PostedCheck, annotated: Sequence[str], now: datetime) -> Plan | None:
    """Return what is to be done of a check run after it was written; news of the commit is looked at by itself."""
    unsent = [each for each in what.annotations if each.digest not in annotated]
    plan = pacing.check_plan(posted, what.report, what.told, row.changed_at, now)
    plan = plan or _later(posted, what.report, unsent, now)
    # Of what is not known yet of the commit a look finds out whom to ask, and when.
    return plan or (Plan(Urgency.LOOK, now) if what.commit.unsettled else None)
