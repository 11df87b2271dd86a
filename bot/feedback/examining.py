"""Asking GitHub why jobs failed: their annotations, else or besides their logs, else no more than which step it was."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from bot import metrics
from bot.domain.excerpts import Excerpt, find_excerpt
from bot.domain.feedback.remarks import (
    Annotation,
    cut_short,
    exit_code_of,
    need_no_log,
    read_annotations,
    said_by_annotations,
    said_by_both,
)
from bot.domain.feedback.report import NO_LOG, Source
from bot.domain.feedback.said import UNKNOWN, Said, failure_of, said_by_log
from bot.feedback.failures import DueFailure, due_failures, keep_failure, postpone_failure, stop_awaiting
from bot.feedback.logs import LogEnd, log_end
from bot.feedback.tools import Tools
from bot.github import Client, checks
from bot.github.errors import (
    BadRequest,
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    Gone,
    InstallationGone,
    InstallationRefused,
    InstallationSuspended,
    NotFound,
    RateLimited,
    Unauthorized,
    Unprocessable,
)
from bot.logs import Redactor, bound
from bot.store.database import is_unavailable

log = logging.getLogger(__name__)

AT_ONCE = 4
DELAYS = (2, 5, 15)
"""Seconds from one try to the next; after the last of them no more is found out than is known."""
LATER_DELAYS = (120, 780)
"""Seconds from there to two more tries where GitHub had no log, in case it is merely slow with it."""
PATIENCE = 30.0
_MOST_LISTED = 300
# With these nothing can be asked; whatever else goes wrong is about the one job.
NOTHING_CAN_BE_ASKED = (RateLimited, Unauthorized, InstallationGone, InstallationRefused, InstallationSuspended)
# Asking again would not help.
_REFUSED = (BadRequest, Forbidden, Gone, Unprocessable)
_redact = Redactor()
T = TypeVar("T")
# One thread, because finding an excerpt is nothing but computing, and what waits for it holds ten megabytes at most.
_thread = ThreadPoolExecutor(1, "excerpts")


class _EmptyLog(Exception):
    """The log holds nothing, as may be while GitHub still puts it together."""


async def examine_due(tools: Tools, installation_id: int, at_most: int) -> int:
    """Look into the most urgent of an installation's failed jobs that are due; return how many those were.

    Raises a GitHubError of NOTHING_CAN_BE_ASKED once the looks that are under way have ended: what has not been looked
    into stays due.
    """
    due = _next_ones(await due_failures(tools.database.reader, installation_id, tools.clock.now(), at_most))
    client = tools.github.installation(installation_id, patience=PATIENCE)
    left = iter(due)
    ended = await asyncio.gather(*(_work(tools, client, left) for _ in range(AT_ONCE)), return_exceptions=True)
    for fault in ended:
        if fault is not None:
            raise fault
    return len(due)


def _next_ones(due: Sequence[DueFailure]) -> Sequence[DueFailure]:
    """Return what is looked into now: what has been kept only if nothing else is due, a few so that nothing waits."""
    return [each for each in due if not each.is_kept] or due[:AT_ONCE]


async def _work(tools: Tools, client: Client, left: Iterator[DueFailure]) -> None:
    for due in left:
        with bound(repository=due.full_name, job=due.job_id):
            await _examine(tools, client, due)


async def _examine(tools: Tools, client: Client, due: DueFailure) -> None:
    try:
        await _keep(tools, due, await _find(tools, client, due))
    except NOTHING_CAN_BE_ASKED:
        raise
    except Exception as error:
        if is_unavailable(error):
            raise
        _report(error, due)
        await _make_do(tools, due, error)


async def _make_do(tools: Tools, due: DueFailure, error: Exception) -> None:
    """Try again later, or keep what is known; do both where that is that GitHub has no log."""
    # What may be a part of it is better than nothing.
    said = due.noted or _said_of_step(due, error)
    seconds = seconds_to_next_try(due.tries, error, has_no_log=due.is_kept or said.kind == NO_LOG)
    again_at = None if seconds is None else tools.clock.now() + timedelta(seconds=seconds)
    if _is_to_keep(due, error, is_last=again_at is None):
        await _keep(tools, due, said, again_at)
        return
    metrics.count_examined(Source.STEP if again_at is None else "retried")
    if due.is_awaited and (again_at is None or isinstance(error, NotFound)):
        now = tools.clock.now()
        await tools.database.transact(lambda tx: stop_awaiting(tx, due, now, again_at))
    else:
        await postpone_failure(tools.database, due, again_at)


def seconds_to_next_try(tries: int, error: Exception, *, has_no_log: bool) -> int | None:
    """Return after how long a job is looked into again, with so many tries before this one; None where it is not."""
    delays = (*DELAYS, *LATER_DELAYS) if has_no_log else DELAYS
    return None if isinstance(error, _REFUSED) or tries >= len(delays) else delays[tries]


def _is_to_keep(due: DueFailure, error: Exception, *, is_last: bool) -> bool:
    """Tell whether it is time to keep what is known.

    That GitHub has no log stands, unless in the end there is one that nothing can be read in: that excuses nothing.
    """
    if due.is_kept:
        return is_last and not isinstance(error, GitHubError)
    return is_last or due.tries >= len(DELAYS)


def _said_of_step(due: DueFailure, error: Exception) -> Said:
    """Return what is told of a job of which nothing that names a cause could be read, for an error.

    With 404 GitHub says that there is no log, or that the job is not ours to see: not where it shows its annotations.
    """
    kind = NO_LOG if isinstance(error, NotFound) and due.annotations is not None else UNKNOWN
    return Said(source=Source.STEP, kind=kind, exit_code=exit_code_of(due.annotations or ()))


async def _keep(tools: Tools, due: DueFailure, said: Said, again_at: datetime | None = None) -> None:
    failure, now = failure_of(said, due.at, _redact), tools.clock.now()
    if await tools.database.transact(lambda tx: keep_failure(tx, due, failure, now, again_at)):
        # What is looked for again is counted by what is found in the end.
        metrics.count_examined(failure.source if again_at is None else "retried")


def _report(error: Exception, due: DueFailure) -> None:
    if isinstance(error, GitHubError | _EmptyLog):
        log.info("can't tell why a job failed: %s", error, extra={"tries": due.tries + 1})
    else:
        log.error("can't tell why a job failed", exc_info=error, extra={"tries": due.tries + 1})


async def _find(tools: Tools, client: Client, due: DueFailure) -> Said:
    """Return what a job said; raises what stands in the way."""
    if due.annotations is None:
        due.annotations = await _ask_for_annotations(client, due)
    a_step_failed = due.at.step is not None and due.at.step.conclusion != "cancelled"
    annotations = due.annotations or ()
    noted = await _computed(partial(said_by_annotations, annotations, a_step_failed=a_step_failed))
    if due.is_cancelled:
        # Its log tells no more; only what it was ended for matters.
        return noted or Said(source=Source.STEP)
    due.noted = noted
    if noted is not None and need_no_log(noted, a_step_failed=a_step_failed):
        return noted
    excerpt = await _read_log(tools, client, due)
    return said_by_log(excerpt) if noted is None else said_by_both(annotations, noted, excerpt)


async def _ask_for_annotations(client: Client, due: DueFailure) -> tuple[Annotation, ...] | None:
    """Return a job's annotations, None where they can't be had now; the log may tell as much."""
    listed: list[Any] = []
    try:
        async for page in checks.annotation_pages(client, due.full_name, due.job_id):
            listed += page.data
            if len(listed) >= _MOST_LISTED:
                break
    except (NotFound, *_REFUSED) as error:
        log.info("can't read a job's annotations: %s", error)
        return None
    except GitHubUnavailable:
        if due.tries < len(DELAYS):
            raise
        return None
    return await _computed(lambda: read_annotations(_redact.within(cut_short(listed))))


async def _read_log(tools: Tools, client: Client, due: DueFailure) -> Excerpt:
    began_at = due.at.step.started_at if due.at.step else None
    async with log_end(client, due.full_name, due.job_id, tools.clock) as end:
        excerpt = await _computed(partial(_excerpt_of, end, began_at))
    if excerpt is None:
        message = "the log is empty"
        raise _EmptyLog(message)
    return excerpt


async def _computed(work: Callable[[], T]) -> T:
    """Do what takes long where it does not keep others waiting."""
    return await asyncio.get_running_loop().run_in_executor(_thread, work)


def _excerpt_of(end: LogEnd, step_began_at: datetime | None) -> Excerpt | None:
    return find_excerpt(end.take().decode(errors="replace"), step_began_at)
