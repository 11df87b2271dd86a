"""From the record to a report: how a commit stands, which failures are whose, and what is not known yet."""

from collections.abc import Sequence
from datetime import timedelta

from cachetools import TTLCache

from bot.domain.feedback.cancelled import as_they_ended
from bot.domain.feedback.classes import classify
from bot.domain.feedback.estimate import seconds_left
from bot.domain.feedback.grouping import grouped
from bot.domain.feedback.report import Evidence, FailedJob, Failure, FailureClass, Flake, Job, Report, Run
from bot.domain.feedback.standing import (
    allowed_to_fail,
    conclude,
    count_jobs,
    flaky_attempts,
    in_order,
    is_tolerated,
    runs_without_jobs,
)
from bot.domain.triggers import merge_queue_base
from bot.feedback.base_rows import Subject
from bot.feedback.commits import Commit, Place, find_place, read_commit, while_unsettled
from bot.feedback.evidence import count_flakes, find_evidence
from bot.feedback.failures import asked_about, failures_of
from bot.feedback.losses import with_losses
from bot.feedback.rows import SummaryRow
from bot.feedback.tools import Tools
from bot.feedback.usual import UsualTimes

FLAKES_SPAN = timedelta(days=14)
MISSING_WAITED_FOR = timedelta(minutes=15)
# Of a matrix that fails as a whole the rest hardly tells anything more, and each job costs two requests.
MOST_EXAMINED = 100
# A commit and the comment about it are looked at one after the other.
REMEMBERED_SECONDS, MOST_REMEMBERED = 2.0, 256


class Reporter:
    """Reads the record of commits; what it has just found out it remembers for a moment."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._reader = tools.database.reader
        self._usual = UsualTimes(tools.clock)
        self._reports: TTLCache[tuple[int, str, int, int | None, bool], Report] = TTLCache(
            MOST_REMEMBERED, REMEMBERED_SECONDS, timer=tools.clock.time
        )
        self._commits: TTLCache[tuple[int, int], Commit] = TTLCache(
            MOST_REMEMBERED, REMEMBERED_SECONDS, timer=tools.clock.time
        )

    async def place(self, repository_id: int) -> Place | None:
        """Return where a repository is, None where nothing may be written there now."""
        return await find_place(self._reader, repository_id, self._tools.server_url)

    async def commit(self, row: SummaryRow) -> Commit | None:
        """Return what is recorded of a commit, None where nothing may be written there now.

        What is missing of it is not waited for in vain, for so long has nothing changed.
        """
        place = await self.place(row.repository_id)
        if place is None:
            return None
        commit = await read_commit(self._reader, place, row.head_sha)
        if self._tools.clock.now() < row.changed_at + MISSING_WAITED_FOR:
            commit = while_unsettled(commit)
        self._commits[row.id, row.revision] = commit
        return commit

    async def commit_lately(self, row: SummaryRow) -> Commit | None:
        """Return the same, as it was a moment ago if it was read then: enough for a look, too old for a write."""
        return self._commits.get((row.id, row.revision)) or await self.commit(row)

    async def report(self, commit: Commit, revision: int, number: int | None = None) -> Report:
        """Return how a commit stands; `revision` is that of its row, read before the commit was.

        Of several pull requests whose head it is, `number` says for which of them; without one, a failure is excused
        only if it is for all.
        """
        number = number if len(commit.heads) > 1 else None
        # Whether more is waited for depends on the time as well.
        key = (commit.place.repository_id, commit.sha, revision, number, bool(commit.unsettled))
        report = self._reports.get(key)
        if report is None:
            report = self._reports[key] = await self._report(commit, number)
        return report

    async def _report(self, commit: Commit, number: int | None) -> Report:
        runs, jobs = await self._as_they_ended(commit)
        every = [(job, run) for run in runs for job in jobs[run.run_id]]
        failed = await self._failed(commit, every, number)
        allowed = allowed_to_fail(failed)
        if not commit.place.wishes.excerpts:
            failed = [each.without_quotes() for each in failed]
        causes = grouped(each for each in failed if each.job.job_id not in allowed)
        without_jobs = runs_without_jobs(runs, jobs)
        now = self._tools.clock.now()
        usual = await self._usual.of(self._reader, commit.place.repository_id)
        return Report(
            repo_full_name=commit.place.full_name,
            html_url=commit.place.html_url,
            head_sha=commit.sha,
            base_branch=subjects_of(commit, number)[0].base_ref,
            counts=count_jobs(every, allowed),
            runs=runs,
            causes=tuple(causes),
            flakes=await self._flakes(commit),
            cancelled_jobs=tuple(
                job for job, run in every if job.conclusion == "cancelled" and not is_tolerated(job, run)
            ),
            runs_without_jobs=tuple(without_jobs),
            waiting_for_approval=tuple(run for run in runs if run.conclusion == "action_required"),
            conclusion=conclude(runs, every, causes, without_jobs),
            seconds_left=seconds_left(runs, jobs, usual, now),
        )

    async def _as_they_ended(self, commit: Commit) -> tuple[tuple[Run, ...], dict[int, list[Job]]]:
        """Return the runs and their jobs, of which those have failed that nobody cancelled, though GitHub says so."""
        jobs = commit.current_jobs()
        cancelled = [job.job_id for of_run in jobs.values() for job in of_run if job.conclusion == "cancelled"]
        if not cancelled:
            return commit.runs, jobs
        found = await failures_of(self._reader, cancelled)
        ended = [as_they_ended(run, jobs[run.run_id], found) for run in commit.runs]
        return tuple(run for run, _ in ended), {run.run_id: of_run for run, of_run in ended}

    async def _failed(self, commit: Commit, jobs: Sequence[tuple[Job, Run]], number: int | None) -> list[FailedJob]:
        failed = [(job, run) for job, run in jobs if job.has_failed and not is_tolerated(job, run)]
        if not failed:
            return []
        found = await failures_of(self._reader, [job.job_id for job, _ in failed])
        asked = [(job, run, found.get(job.job_id)) for job, run in failed]
        unseen = await self._unseen([job.job_id for job, _, failure in asked if failure is None], len(found))
        judged: list[list[FailedJob]] = []
        for subject in subjects_of(commit, number):
            evidence = await find_evidence(self._reader, subject, asked, self._tools.clock.now())
            evidence = await with_losses(self._reader, commit.jobs, asked, evidence)
            judged.append(
                [
                    _judged(job, run, failure, evidence.get(job.job_id, Evidence()), is_unseen=job.job_id in unseen)
                    for job, run, failure in asked
                ]
            )
        return [_least_excused(of_job) for of_job in zip(*judged, strict=True)]

    async def _unseen(self, job_ids: Sequence[int], seen: int) -> set[int]:
        """Return the jobs that are not looked into because enough others are."""
        if seen < MOST_EXAMINED:
            return set()
        return set(job_ids) - await asked_about(self._reader, job_ids)

    async def _flakes(self, commit: Commit) -> tuple[Flake, ...]:
        passed = [
            (job, run, attempts[job.job_id])
            for run in commit.runs
            if (attempts := flaky_attempts(commit.jobs.get(run.run_id, ())))
            for job in commit.jobs[run.run_id]
            if job.job_id in attempts
        ]
        if not passed:
            return ()
        since = self._tools.clock.now() - FLAKES_SPAN
        names = [(run.workflow_id or 0, job.name) for job, run, _ in passed]
        times = await count_flakes(self._reader, commit.place.repository_id, names, since)
        return in_order(
            Flake(job, run, attempts, max(times.get((run.workflow_id or 0, job.name), 1), 1))
            for job, run, attempts in passed
        )


def _judged(job: Job, run: Run, failure: Failure | None, evidence: Evidence, *, is_unseen: bool) -> FailedJob:
    failure_class = FailureClass.UNSEEN if is_unseen else classify(job, failure, evidence)
    return FailedJob(job, run, failure, evidence, failure_class)


def _least_excused(judged: Sequence[FailedJob]) -> FailedJob:
    """Return of one failure, as judged for several pull requests, the judgement that blames, if one does."""
    return next((each for each in judged if not each.failure_class.is_excused), judged[0])


def subjects_of(commit: Commit, number: int | None = None) -> list[Subject]:
    """Return whose failures these are: of each pull request whose head it is, of that one, or of the merge queue's."""
    heads = [pull for pull in commit.heads if number in {None, pull.number}]
    queue_base = next((base for run in commit.runs if (base := merge_queue_base(run.head_branch)) is not None), None)
    pulls = heads or ([] if queue_base is not None else list(commit.pulls[:1]))
    repository_id = commit.place.repository_id
    if not pulls:
        return [Subject(repository_id=repository_id, head_sha=commit.sha, number=commit.queued, base_ref=queue_base)]
    return [
        Subject(
            repository_id=repository_id,
            head_sha=commit.sha,
            number=each.number,
            author_id=each.author_id,
            base_ref=each.base_ref,
            base_sha=each.base_sha,
        )
        for each in pulls
    ]
