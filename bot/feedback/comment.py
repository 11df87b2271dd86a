"""The one comment on a pull request: what it should say by the record, and writing it where it says otherwise.

https://docs.github.com/en/rest/issues/comments. It is made for a failure that nothing excuses, changed in place, and
turned into one line when all is well; only a failure after that makes another, since a change notifies nobody.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from bot import metrics
from bot.domain.feedback import pacing
from bot.domain.feedback.drifting import without_drift
from bot.domain.feedback.pacing import Plan, Saying, Urgency
from bot.domain.feedback.report import Conclusion, Report, first_failure
from bot.domain.feedback.words.comment_text import Newer, Newest, failure_comment, resolved_comment
from bot.domain.feedback.words.markers import find_marker
from bot.domain.feedback.written import Marker
from bot.feedback.commits import Commit, Place, PullRequest, find_pull_request
from bot.feedback.creating import make, wait_for_late
from bot.feedback.news import may_be_told
from bot.feedback.pull_requests import refresh
from bot.feedback.reporting import Reporter
from bot.feedback.rows import CommentRow, SummaryRow, find_summary, put_off
from bot.feedback.tools import Tools
from bot.github import Client, pulls
from bot.github.errors import NotFound

NOTHING_RAN_AFTER = timedelta(minutes=15)
"""A commit on which nothing has begun by then has perhaps no workflow."""


class Said(Struct, frozen=True):
    """What a comment says: which one on the pull request it is, of which commit, and what is known of that."""

    marker: Marker
    report: Report | None
    queue: Report | None = None
    newer: Newer | None = None

    @property
    def state(self) -> str:
        return "red" if self.marker.is_red else "green"

    def text(self) -> str:
        """Return it in Markdown."""
        if self.report is not None and not self.marker.is_red:
            return resolved_comment(self.report, self.marker)
        return failure_comment(self.report, self.marker, newer=self.newer, queue=self.queue)

    def told(self) -> str:
        """Return a digest that differs where the comment is worth changing: in what people see of it."""
        report, queue = (None if each is None else without_drift(each) for each in (self.report, self.queue))
        text = msgspec.structs.replace(self, report=report, queue=queue).text()
        return _digest(text.partition("\n")[2])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


class Draft(Struct, frozen=True):
    """What is to be said, where and when; `failed_at` is when the first job failed that it tells of.

    With nothing to be said, what was begun to be said is looked for.
    """

    place: Place
    said: Said | None
    plan: Plan
    failed_at: datetime | None


class _Head(Struct, frozen=True):
    report: Report | None
    changed_at: datetime


async def draft(tools: Tools, reporter: Reporter, row: CommentRow, *, is_look: bool = False) -> Draft | None:
    """Return what the comment on a pull request should say, None where it says that, or where nothing is to be said.

    For a look it does to know the commits as they were a moment ago.
    """
    head_of = partial(_head, tools, reporter, reporter.commit_lately if is_look else reporter.commit, row)
    pull = await find_pull_request(tools.database.reader, row.repository_id, row.number)
    place = await reporter.place(row.repository_id)
    if pull is None or place is None or not place.may_write("pull_requests"):
        return None
    head = await head_of(pull.head_sha)
    queue = None if row.queue_sha is None else (await head_of(row.queue_sha)).report
    if queue is not None and not (queue.blames and _is_newer(queue, head.report)):
        queue = None
    # What is pushed takes a pull request out of the queue.
    former_queue = queue if row.queue_head_sha not in {None, pull.head_sha} else None
    queue = None if former_queue is not None else queue
    wanted = pacing.saying(pull.pull, row.posted, head.report, queue)
    now = tools.clock.now()
    blamed = pull.head_sha if queue is None or row.queue_sha is None else row.queue_sha
    begins = wanted is Saying.RED and row.posted.state != "red"
    if begins and not await may_be_told(tools.database.reader, row.repository_id, blamed, now):
        wanted = Saying.NOTHING
    said = await _said(row, wanted, pull, head.report, queue or former_queue, head_of)
    if said is None:
        return None if row.creating_since is None else Draft(place, None, Plan(Urgency.COMMENT, now), None)
    plan = pacing.comment_plan(wanted, head.report, head.changed_at, row.differs_since or now, now)
    if row.is_deleted:
        if not _is_worth_another(row, wanted):
            return None
    else:
        in_the_end = _nothing_ran(said, head.report)
        if row.posted.told == said.told():
            if in_the_end is None or row.written_at is None:
                return None
            said, plan = in_the_end, Plan(Urgency.COMMENT, max(now, row.written_at + NOTHING_RAN_AFTER))
        elif in_the_end is not None and row.posted.told == in_the_end.told():
            return None
    return Draft(
        place=place,
        said=said,
        plan=Plan(plan.urgency, plan.at, is_new=said.marker.sequence > row.sequence),
        failed_at=None if head.report is None else first_failure(head.report),
    )


def _is_worth_another(row: CommentRow, wanted: Saying) -> bool:
    """Tell whether something is to be done though somebody has deleted the comment.

    It comes again only once all was well in between, which is kept therefore.
    """
    return (wanted, row.posted.state) in {(Saying.RED, "green"), (Saying.GREEN, "red")}


def _newer(sha: str, report: Report | None) -> Newer:
    """Return what is known of a newer commit that has no result yet."""
    states = {Conclusion.CANCELLED: Newest.CANCELLED, Conclusion.ACTION_REQUIRED: Newest.WAITS}
    if report is None or report.conclusion is None:
        return Newer(sha)
    return Newer(sha, states.get(report.conclusion, Newest.AWAITED))


def _nothing_ran(said: Said, head: Report | None) -> Said | None:
    """Return what is said in the end where nothing has begun on a newer commit."""
    if said.newer is None or head is not None:
        return None
    return msgspec.structs.replace(said, newer=Newer(said.newer.sha, Newest.NOTHING_RAN))


def _is_newer(queue: Report, head: Report | None) -> bool:
    """Tell whether a merge queue has tested what the head is now: whatever ran for it ran before."""
    return head is None or max(run.began_at for run in queue.runs) >= max(run.began_at for run in head.runs)


async def _head(
    tools: Tools,
    reporter: Reporter,
    read: Callable[[SummaryRow], Awaitable[Commit | None]],
    row: CommentRow,
    sha: str,
) -> _Head:
    summary = await find_summary(tools.database.reader, row.repository_id, sha)
    if summary is None:
        return _Head(None, tools.clock.now())
    commit = await read(summary)
    if commit is None or not commit.runs:
        return _Head(None, summary.changed_at)
    return _Head(await reporter.report(commit, summary.revision, row.number), summary.changed_at)


async def _said(
    row: CommentRow,
    wanted: Saying,
    pull: PullRequest,
    report: Report | None,
    queue: Report | None,
    head_of: Callable[[str], Awaitable[_Head]],
) -> Said | None:
    if wanted is Saying.RED:
        sequence = row.sequence if row.posted.state == "red" else row.sequence + 1
        blamed = report if report is not None and report.blames else None
        return Said(Marker(row.number, sequence, True, pull.head_sha), blamed, queue)
    if wanted is Saying.GREEN:
        return Said(Marker(row.number, row.sequence, False, pull.head_sha), report)
    if wanted is Saying.OUTDATED and row.posted.head_sha is not None:
        former = (await head_of(row.posted.head_sha)).report
        marker = Marker(row.number, row.sequence, True, row.posted.head_sha)
        newer = _newer(pull.head_sha, report)
        if former is not None and former.blames:
            return Said(marker, former, queue, newer=newer)
        if queue is not None:
            return Said(marker, None, queue, newer=newer)
    return None


async def note_difference(tools: Tools, row: CommentRow, what: Draft | None) -> None:
    """Keep since when the comment differs from what it should say, and when it is due therefore."""
    since = None if what is None else row.differs_since or tools.clock.now()
    if since != row.differs_since:
        sql = "UPDATE failure_comment SET differs_since = ? WHERE id = ?"
        await tools.database.execute(sql, since, row.id)
    await put_off(tools.database, row, None if what is None else what.plan)


async def write(tools: Tools, client: Client, row: CommentRow, what: Draft) -> None:
    """Write a comment as drafted, and keep what was written. Raises a GitHubError, having kept nothing.

    GitHub is asked first how the pull request stands: a delivery that was lost must not let us speak on a closed one.
    """
    is_in_doubt = row.creating_since is not None or row.sequence == 0
    if await refresh(tools, client, what.place, row.number):
        await put_off(tools.database, row, Plan(Urgency.LOOK, tools.clock.now()))
    elif is_in_doubt and await _find_and_adopt(tools, client, row, what):
        return
    elif what.said is None:
        await _forget(tools, row)
    elif what.plan.is_new or row.comment_id is None:
        await _begin(tools, client, row, what, what.said)
    else:
        await _change(tools, client, row, what, what.said, row.comment_id)


async def _begin(tools: Tools, client: Client, row: CommentRow, what: Draft, said: Said) -> None:
    """Make a comment, unless somebody has deleted what it would mend."""
    if said.state == "green":
        await _keep(tools, row, said, None)
        return
    repository, text = what.place.full_name, said.text()
    comment_id = await make(
        tools, row, lambda sending: pulls.create_comment(client, repository, row.number, text, sending=sending)
    )
    _count_created(what, tools.clock.now())
    await _keep(tools, row, said, comment_id)


async def _change(tools: Tools, client: Client, row: CommentRow, what: Draft, said: Said, comment_id: int) -> None:
    repository, text = what.place.full_name, said.text()
    try:
        # An earlier try may have been taken, though no answer came.
        in_doubt = row.posted.told is None
        there = (await pulls.get_comment(client, repository, comment_id)).data.get("body") if in_doubt else None
        if there != text:
            await tools.database.execute("UPDATE failure_comment SET body_hash = NULL WHERE id = ?", row.id)
            await pulls.update_comment(client, repository, comment_id, text)
            metrics.count_feedback("comment", "edit")
    except NotFound:
        await _let_go(tools, row)
        return
    await _keep(tools, row, said, comment_id)


def _count_created(what: Draft, now: datetime) -> None:
    metrics.count_feedback("comment", "create")
    if what.failed_at is not None:
        metrics.FAILURE_TO_FEEDBACK_SECONDS.labels("comment").observe(max((now - what.failed_at).total_seconds(), 0.0))


async def _find_and_adopt(tools: Tools, client: Client, row: CommentRow, what: Draft) -> bool:
    """Go on with the newest comment of ours that the row does not know of; return whether there is one, or may be soon.

    There is where a process died before it kept the id. It is ours if it bears the mark and our App has written it;
    anybody can copy the mark.
    """
    newest: tuple[int, Marker, str] | None = None
    async for answer in pulls.comment_pages(client, what.place.full_name, row.number):
        for comment in answer.data:
            body = str(comment.get("body") or "")
            marker = find_marker(body)
            if marker is None or marker.number != row.number or not _is_ours(tools, comment):
                continue
            is_unknown = marker.sequence > row.sequence or (row.comment_id is None and marker.sequence == row.sequence)
            if is_unknown and (newest is None or marker.sequence >= newest[1].sequence):
                newest = int(comment["id"]), marker, body
    if newest is None:
        return await wait_for_late(tools, row, Urgency.COMMENT)
    if what.said is not None and newest[2] == what.said.text():
        await _keep(tools, row, what.said, newest[0])
    else:
        await _adopt(tools, row, *newest[:2])
    return True


def _is_ours(tools: Tools, comment: Mapping[str, Any]) -> bool:
    app = comment.get("performed_via_github_app")
    return isinstance(app, dict) and app.get("id") == tools.app_id


async def _forget(tools: Tools, row: CommentRow) -> None:
    """Note that what was begun has not come, and will not."""
    sql = "UPDATE failure_comment SET creating_since = NULL, urgency = 0, due_at = ? WHERE id = ?"
    await tools.database.execute(sql, tools.clock.now(), row.id)


async def _adopt(tools: Tools, row: CommentRow, comment_id: int, marker: Marker) -> None:
    sql = (
        "UPDATE failure_comment SET comment_id = ?, sequence = ?, state = ?, head_sha = ?, body_hash = NULL,"
        " creating_since = NULL, urgency = 0, due_at = ? WHERE id = ?"
    )
    state = "red" if marker.is_red else "green"
    values = (comment_id, marker.sequence, state, marker.head_sha, tools.clock.now())
    await tools.database.execute(sql, *values, row.id)


async def _let_go(tools: Tools, row: CommentRow) -> None:
    """Note that somebody has deleted the comment, who does not want to read of these failures."""
    sql = "UPDATE failure_comment SET comment_id = NULL, differs_since = NULL WHERE id = ?"
    await tools.database.execute(sql, row.id)
    await put_off(tools.database, row, Plan(Urgency.LOOK, tools.clock.now()))


async def _keep(tools: Tools, row: CommentRow, said: Said, comment_id: int | None) -> None:
    sql = (
        "UPDATE failure_comment SET comment_id = ?, sequence = ?, state = ?, head_sha = ?, body_hash = ?,"
        " written_at = ?, differs_since = NULL, creating_since = NULL, tries = 0 WHERE id = ?"
    )
    now, marker = tools.clock.now(), said.marker
    values = (comment_id, marker.sequence, said.state, marker.head_sha, said.told(), now)
    await tools.database.execute(sql, *values, row.id)
    await put_off(tools.database, row, Plan(Urgency.LOOK, now))
