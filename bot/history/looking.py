"""Asking GitHub about one run: how it stands, its earlier attempts, its jobs, and whose pull request it is."""

import logging
from datetime import datetime

import msgspec
from msgspec import Struct, field

from bot.domain import facts
from bot.domain.ordering import is_finished
from bot.domain.wanting import RunState, Urgency, want_of
from bot.github import Client, pulls, runs
from bot.github.errors import Forbidden, NotFound, Unprocessable
from bot.history.naming import check_name
from bot.history.progress import counting
from bot.history.reading import read_jobs, read_pull_requests, read_run
from bot.history.tools import Tools
from bot.history.wanted import dropping
from bot.store import models
from bot.store.conversation import Conversation
from bot.store.wanted import WantedRun
from bot.store.writes import Statement

log = logging.getLogger(__name__)

# So often a part of a run is asked for again that GitHub does not find, though the run is there.
MOST_MISSES = 5
_SAY_WHY = "UPDATE backfill SET error = ? WHERE id = ? AND error IS NULL"


class Found(Struct, eq=False):
    """What GitHub tells about a wanted run; `listed` is the attempt up to which its jobs were listed.

    `missed` tells that GitHub did not find something of it, be it the run itself.
    """

    repository: models.Repository
    wanted: WantedRun
    state: RunState
    told: list[facts.Facts] = field(default_factory=list)
    jobs: list[facts.WorkflowJob] = field(default_factory=list)
    listed: int = 0
    missed: bool = False
    gone: bool = False
    had_ended: bool = True

    @property
    def finished(self) -> bool:
        """Whether nothing more is to come of it."""
        jobs_ended = all(job.status == "completed" for job in self.jobs)
        # GitHub may not find for a moment what is there; what it goes on missing is not waited for.
        # Tries at a run that had not ended were not for what it lacks.
        is_whole = not self.missed or (self.had_ended and self.wanted.tries >= MOST_MISSES)
        return self.gone or (is_finished(self.state.status, self.state.conclusion) and jobs_ended and is_whole)


async def look_at_run(
    tools: Tools, client: Client, repository: models.Repository, wanted: WantedRun, state: RunState | None
) -> Found | None:
    """Ask GitHub about a wanted run, of which `state` is known; return what is to be kept, None where it is left out.

    Raises a GitHubError, having changed nothing.
    """
    worth_it = None if state is None else _still_worth(wanted, state, tools.clock.now())
    if state is None or worth_it is None:
        await tools.database.transact(lambda tx: tx.converse(leaving_out(wanted, tools.clock.now())))
        return None
    return await _find(tools, client, repository, worth_it, state)


def _still_worth(wanted: WantedRun, state: RunState, now: datetime) -> WantedRun | None:
    if wanted.urgency < Urgency.FAILED:
        return wanted
    # It may have waited for days, and be worth less by now.
    want = want_of(state, now)
    return None if want is None else msgspec.structs.replace(wanted, with_jobs=want.with_jobs)


def leaving_out(wanted: WantedRun, now: datetime, reason: str | None = None) -> Conversation[None]:
    """Ask no more about a run, and let its backfill do without it; `reason` says why that makes it incomplete."""
    waiting = yield from dropping([wanted])
    if reason is not None:
        yield Statement(
            _SAY_WHY, [(reason, backfill_id) for backfill_id in waiting.values() if backfill_id is not None]
        )
    yield from counting(waiting, {}, now)


async def _find(
    tools: Tools, client: Client, repository: models.Repository, wanted: WantedRun, state: RunState
) -> Found:
    found = Found(repository, wanted, state, had_ended=is_finished(state.status, state.conclusion))
    try:
        if not is_finished(state.status, state.conclusion):
            await _find_run(client, repository, wanted.run_id, found)
        if wanted.with_jobs:
            await _find_jobs(client, repository, wanted.run_id, found)
        await _find_attempts(tools, client, repository, wanted.run_id, found)
    except NotFound:
        found.missed = True
    if found.missed:
        found.gone = await _is_gone(client, repository, wanted.run_id)
    if state.lacks_link and not found.gone:
        await _find_pull_requests(tools, client, repository, wanted.run_id, found)
    return found


async def _find_run(client: Client, repository: models.Repository, run_id: int, found: Found) -> None:
    answer = await runs.get_run(client, repository.full_name, run_id)
    run = read_run(answer.data, repository.repository_id, answer.date)
    if run is not None:
        found.told.append(run)
        found.state = msgspec.structs.replace(
            found.state, status=run.status, conclusion=run.conclusion, run_attempt=run.run_attempt
        )


async def _find_jobs(client: Client, repository: models.Repository, run_id: int, found: Found) -> None:
    found.jobs = await _list_jobs(client, repository, run_id)
    if any((job.run_attempt or 0) > found.state.run_attempt for job in found.jobs):
        # It was run again, and nobody told.
        await _find_run(client, repository, run_id, found)
        found.jobs = await _list_jobs(client, repository, run_id)
    found.listed = found.state.run_attempt


async def _list_jobs(client: Client, repository: models.Repository, run_id: int) -> list[facts.WorkflowJob]:
    pages = runs.job_pages(client, repository.full_name, run_id, "all")
    return [job async for answer in pages for job in read_jobs(answer, repository.repository_id)]


async def _is_gone(client: Client, repository: models.Repository, run_id: int) -> bool:
    """Tell whether it is the run itself that GitHub has no more.

    Raises NotFound when it is the repository that can't be seen, and NameTaken when another one has its name.
    """
    try:
        await runs.get_run(client, repository.full_name, run_id)
    except NotFound:
        await check_name(client, repository)
        return True
    return False


async def _find_attempts(
    tools: Tools, client: Client, repository: models.Repository, run_id: int, found: Found
) -> None:
    """Ask for the earlier attempts whose end is not recorded."""
    if found.state.run_attempt == 1:
        return
    rows = await tools.database.reader.fetch(
        "SELECT run_attempt FROM workflow_run_attempt WHERE run_id = ? AND status = 'completed'"
        " AND COALESCE(conclusion, '') <> 'action_required'",
        run_id,
    )
    ended = {row["run_attempt"] for row in rows}
    for attempt in range(1, found.state.run_attempt):
        if attempt not in ended:
            await _find_attempt(client, repository, run_id, attempt, found)


async def _find_attempt(client: Client, repository: models.Repository, run_id: int, attempt: int, found: Found) -> None:
    try:
        answer = await runs.get_attempt(client, repository.full_name, run_id, attempt)
    except NotFound:
        # Others may be there all the same.
        found.missed = True
        return
    run = read_run(answer.data, repository.repository_id, answer.date)
    if run is not None:
        found.told.append(run)


async def _find_pull_requests(
    tools: Tools, client: Client, repository: models.Repository, run_id: int, found: Found
) -> None:
    """Ask for the pull requests of a fork's commit, where no branch told them either."""
    (head,) = await tools.database.reader.fetch(
        "SELECT head_sha, head_repository_id FROM workflow_run WHERE run_id = ?", run_id
    )
    sha, head_repository = head["head_sha"], head["head_repository_id"]
    if sha is not None:
        numbers = await _ask_for_pull_requests(client, repository, sha, head_repository, found)
        found.told += [
            facts.PullRequestHead(repository.repository_id, sha, head_repository, number) for number in sorted(numbers)
        ]


async def _ask_for_pull_requests(
    client: Client, repository: models.Repository, sha: str, head_repository: int, found: Found
) -> set[int]:
    """Return the numbers of those that hold a commit; GitHub leaves out what was closed without a merge."""
    theirs: list[facts.PullRequest] = []
    try:
        async for answer in pulls.pull_request_pages(client, repository.full_name, sha):
            theirs += read_pull_requests(answer, repository.repository_id)
    except (NotFound, Unprocessable):
        log.info("GitHub does not know a commit any more", extra={"commit": sha})
    except Forbidden as error:
        # Whatever else was found of the run is to be kept, and no other run has to wait for it.
        log.warning("pull requests can't be listed: %s", error, extra={"repository": repository.repository_id})
    found.told += theirs
    return {pull.number for pull in theirs if pull.head_repository_id == head_repository}
