"""A look at a commit or a comment of which something may have changed: it writes nothing, and says what is to be."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from bot.domain import wanting
from bot.domain.feedback.pacing import Plan, Urgency
from bot.domain.feedback.report import Job, Report, Run
from bot.domain.feedback.standing import perhaps_too_slow
from bot.domain.fingerprints import job_without_matrix
from bot.domain.triggers import PULL_REQUEST_EVENTS
from bot.feedback import check_summary, comment
from bot.feedback.commits import Commit, find_pull_request
from bot.feedback.evidence import unexamined_base_jobs
from bot.feedback.failures import Unexamined, want_failures
from bot.feedback.news import may_be_told
from bot.feedback.pull_requests import Asked, ask_for_untold
from bot.feedback.reporting import MISSING_WAITED_FOR, MOST_EXAMINED, Reporter, subjects_of
from bot.feedback.rows import CommentRow, SummaryRow, ensure_comments, mark_comments, note_queue, put_off
from bot.feedback.tools import Tools
from bot.github import Client
from bot.store.wanted import WantedRun, want_runs

MOST_OF_BASE = 20
MOST_CANCELLED = 5
"""So many cancelled jobs of a commit are looked into."""
# Deliveries overtake one another, by some seconds.
MAY_BE_ON_ITS_WAY = timedelta(seconds=15)


async def look_at_commit(tools: Tools, client: Client, reporter: Reporter, asked: Asked, row: SummaryRow) -> None:
    """Find out what is to be written of a commit, what is to be asked for it, and whose comments it may change.

    GitHub itself is asked only for a pull request that no delivery told of. Raises a GitHubError then.
    """
    commit = await reporter.commit(row)
    if commit is None:
        return
    if not commit.runs:
        await put_off(tools.database, row, None)
        return
    if commit.untold and await ask_for_untold(tools, client, commit, asked):
        return
    if commit.heads or commit.queued is not None or row.posted.status is not None:
        report = await reporter.report(commit, row.revision)
        is_news = await may_be_told(tools.database.reader, row.repository_id, row.head_sha, tools.clock.now())
        if is_news:
            await _ask_about_failures(tools, commit, report)
        await _mark_comments(tools, commit, report, is_news=is_news)
    elif await _is_base(tools, commit):
        await _ask_about_base(tools, commit)
    drafted = await check_summary.draft_of(tools, reporter, row, commit)
    plan = None if drafted is None else drafted.plan
    if drafted is not None and plan is None and commit.unsettled:
        plan = await _ask_for_missing(tools, asked, commit, row)
    await put_off(tools.database, row, plan)


async def _ask_for_missing(tools: Tools, asked: Asked, commit: Commit, row: SummaryRow) -> Plan:
    """Have GitHub asked about runs of which something was not told; return when to look again."""
    now, place = tools.clock.now(), commit.place
    if now < row.changed_at + MAY_BE_ON_ITS_WAY:
        return Plan(Urgency.LOOK, row.changed_at + MAY_BE_ON_ITS_WAY)
    wanted = [
        WantedRun(
            run_id=run.run_id,
            installation_id=place.installation_id,
            repository_id=place.repository_id,
            backfill_id=None,
            urgency=wanting.Urgency.ASKED,
            with_jobs=True,
            run_created_at=run.began_at,
            due_at=now,
        )
        for run in commit.unsettled
        if asked.is_new(place.repository_id, run.run_id, str(run.attempt))
    ]
    await tools.database.transact(lambda tx: want_runs(tx, wanted))
    return Plan(Urgency.LOOK, row.changed_at + MISSING_WAITED_FOR)


async def look_at_comment(tools: Tools, reporter: Reporter, row: CommentRow) -> None:
    """Find out what is to be said on a pull request."""
    await comment.note_difference(tools, row, await comment.draft(tools, reporter, row, is_look=True))


async def _ask_about_failures(tools: Tools, commit: Commit, report: Report) -> None:
    """Let it be asked why the jobs failed, and why those of the base branch did which may excuse them."""
    failed = [(each.job, each.run, each.failure) for cause in report.causes for each in cause.jobs]
    asked = [*_worth_asking(report), *_perhaps_too_slow(commit)]
    now = tools.clock.now()
    reader = tools.database.reader
    of_base = [
        job for subject in subjects_of(commit) for job in await unexamined_base_jobs(reader, subject, failed, now)
    ]
    if not asked and not of_base:
        return
    async with tools.database.transaction() as tx:
        await want_failures(tx, [_one(commit, job, run) for job, run in asked], now, urgency=0)
        await want_failures(tx, of_base[:MOST_OF_BASE], now, urgency=1)


def _worth_asking(report: Report) -> list[tuple[Job, Run]]:
    """Return jobs that are to be looked into: 100 of them, and 100 more as long as those before are all excused."""
    failed = [each for cause in report.causes for each in cause.jobs]
    seen = [each for each in failed if each.failure is not None]
    if len(seen) >= MOST_EXAMINED and any(not each.failure_class.is_excused for each in seen):
        return []
    most = (len(seen) // MOST_EXAMINED + 1) * MOST_EXAMINED - len(seen)
    return _varied((each.job, each.run) for each in failed if each.failure is None)[:most]


def _perhaps_too_slow(commit: Commit) -> list[tuple[Job, Run]]:
    """Return cancelled jobs whose annotations may tell that they took too long."""
    jobs = commit.current_jobs()
    return [(job, run) for run in commit.runs for job in perhaps_too_slow(jobs[run.run_id])][:MOST_CANCELLED]


def _varied(failed: Iterable[tuple[Job, Run]]) -> list[tuple[Job, Run]]:
    """Return failed jobs so that of each kind of job one comes before others of that kind."""
    seen: dict[tuple[object, ...], int] = {}
    ranked: list[tuple[int, int, tuple[Job, Run]]] = []
    for place, (job, run) in enumerate(failed):
        key = (run.workflow_id, job_without_matrix(job.name), job.step)
        seen[key] = seen.get(key, -1) + 1
        ranked.append((seen[key], place, (job, run)))
    return [each for _, _, each in sorted(ranked, key=lambda entry: entry[:2])]


def _one(commit: Commit, job: Job, run: Run) -> Unexamined:
    return Unexamined(
        job_id=job.job_id,
        repository_id=commit.place.repository_id,
        run_id=run.run_id,
        run_attempt=job.attempt,
        head_sha=commit.sha,
        failed_at=job.completed_at or run.began_at,
    )


async def _mark_comments(tools: Tools, commit: Commit, report: Report, *, is_news: bool) -> None:
    """Let the comments be looked at to which it may make a difference."""
    now, repository_id = tools.clock.now(), commit.place.repository_id
    mark = ensure_comments if report.blames and is_news else mark_comments
    await mark(tools.database, repository_id, [pull.number for pull in commit.heads], now)
    if commit.queued is not None and await _is_newest_group(tools, commit):
        await mark(tools.database, repository_id, [commit.queued], now)
        pull = await find_pull_request(tools.database.reader, repository_id, commit.queued)
        head_sha = None if pull is None else pull.head_sha
        await note_queue(tools.database, repository_id, commit.queued, commit.sha, head_sha)


async def _is_newest_group(tools: Tools, commit: Commit) -> bool:
    """Tell whether the pull request's comment knows of no commit that the merge queue tested for it later."""
    sql = (
        "SELECT 1 AS later FROM failure_comment AS comment JOIN workflow_run AS run"
        " ON run.head_sha = comment.queue_sha AND run.repository_id = comment.repository_id"
        " WHERE comment.repository_id = ? AND comment.number = ? AND comment.queue_sha <> ? AND run.created_at > ?"
        " LIMIT 1"
    )
    began = max(run.began_at for run in commit.runs)
    place = (commit.place.repository_id, commit.queued, commit.sha)
    return not await tools.database.reader.fetch(sql, *place, began)


async def _is_base(tools: Tools, commit: Commit) -> bool:
    """Tell whether pull requests are compared with it: what ran on a branch that some are to be merged into."""
    branches = {run.head_branch for run in commit.runs if run.event not in PULL_REQUEST_EVENTS and run.head_branch}
    if commit.place.default_branch in branches:
        return True
    places = ", ".join("?" * len(branches))
    sql = f"SELECT 1 AS found FROM pull_request WHERE repository_id = ? AND state = 'open' AND base_ref IN ({places})"
    return bool(branches) and bool(
        await tools.database.reader.fetch(f"{sql} LIMIT 1", commit.place.repository_id, *sorted(branches))
    )


async def _ask_about_base(tools: Tools, commit: Commit) -> None:
    failed = [
        (job, run)
        for run in commit.runs
        if run.event not in PULL_REQUEST_EVENTS
        for job in commit.current_jobs()[run.run_id]
        if job.has_failed
    ]
    wanted: Sequence[Unexamined] = [_one(commit, job, run) for job, run in _varied(failed)[:MOST_OF_BASE]]
    if wanted:
        async with tools.database.transaction() as tx:
            await want_failures(tx, wanted, tools.clock.now(), urgency=1)
