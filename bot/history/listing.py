"""Listing what a backfill's window holds, page by page.

Each page is one transaction that records what it shows and moves the place on, so that whoever goes on after a crash
asks for one page again at the most.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from bot.domain import facts
from bot.domain.windows import CAP, PER_PAGE, Window, cut
from bot.github import Answer, Client, Json, pulls, runs
from bot.github.errors import NotFound
from bot.history.naming import NotListed, check_name, check_runs
from bot.history.progress import finish_if_done
from bot.history.reading import read_pull_requests, read_runs
from bot.history.requests import OF_REPOSITORY, PULLS, RUNS, Kind, marks_for, urgency_of
from bot.history.silence import note_runs_seen
from bot.history.tools import Tools
from bot.history.wanted import wanting_what_is_worth_it
from bot.recorder import linking_by_branch, record, repository_as_known
from bot.store import models
from bot.store.conversation import Conversation
from bot.store.database import Transaction

log = logging.getLogger(__name__)

_MOVE_ON = "UPDATE backfill_window SET page = page + 1, tries = 0 WHERE id = ? AND page = ?"
_COUNT = (
    "UPDATE backfill SET state = 'running', runs_stored = runs_stored + ?,"
    " runs_at_github = COALESCE(runs_at_github, 0) + ? WHERE id = ?"
)


async def list_page(tools: Tools, client: Client, repository: models.Repository, window: models.BackfillWindow) -> None:
    """Ask for a window's next page and record it. Raises a GitHubError, having changed nothing."""
    list_them = _list_pull_requests if window.what == PULLS else _list_runs
    try:
        await list_them(tools, client, repository, window)
    except NotFound as error:
        # It may be for a moment; whether the repository is there is for itself to say.
        await check_name(client, repository)
        raise NotListed(str(error)) from error


async def _list_runs(
    tools: Tools, client: Client, repository: models.Repository, window: models.BackfillWindow
) -> None:
    filters = runs.RunFilters(created=runs.window(window.since, window.until))
    answer = await runs.list_runs(client, repository.full_name, filters, page=window.page, per_page=PER_PAGE)
    told = read_runs(answer, repository.repository_id)
    check_runs(answer, repository)
    if not answer.data and _tells_of_all(window):
        await check_name(client, repository)
    total = answer.total or 0
    span = Window(window.since, window.until)
    parts = cut(span, total) if window.page == 1 else [span]
    if total >= CAP and span.seconds == 1:
        log.warning("GitHub lists no more than %s of the runs of one second", CAP, extra={"window": str(span)})

    async def keep(tx: Transaction) -> None:
        if not await _is_still_at(tx, window):
            return
        now, marks = tools.clock.now(), await marks_for(tx, window.backfill_id)
        news: list[facts.Facts] = [repository_as_known(repository), *told]
        if len(parts) > 1:
            await record(tx, news, now, marks=marks)
            await _replace(tx, window, parts)
            return
        await record(tx, news, now, marks=marks, then=lambda: _asking_for_more(window, told, now))
        await _take_page(tx, window, answer, told, total, now)

    await tools.database.transact(keep)


def _tells_of_all(window: models.BackfillWindow) -> bool:
    """Tell whether there is nothing before this page, and somebody waits for what is listed: it must not be missed."""
    return window.page == 1 and window.urgency in {urgency_of(kind, window.what) for kind in OF_REPOSITORY}


async def _is_still_at(tx: Transaction, window: models.BackfillWindow) -> bool:
    """Move the window's place on, unless another process, which lost its lease without knowing, has done so."""
    return bool(await tx.execute(_MOVE_ON, window.id, window.page))


async def _replace(tx: Transaction, window: models.BackfillWindow, parts: Sequence[Window]) -> None:
    await window.delete(using_db=tx.client)
    same = {name: getattr(window, name) for name in ("backfill_id", "installation_id", "repository_id", "what")}
    rows = [
        models.BackfillWindow(
            **same,
            urgency=window.urgency,
            since=part.since,
            until=part.until,
            page=1,
            due_at=window.due_at,
            tries=0,
        )
        for part in parts
    ]
    await models.BackfillWindow.bulk_create(rows, using_db=tx.client)


def _asking_for_more(
    window: models.BackfillWindow, told: Sequence[facts.WorkflowRun], now: datetime
) -> Conversation[None]:
    listed = [run.run_id for run in told]
    yield linking_by_branch(listed)
    yield from wanting_what_is_worth_it(listed, window.installation_id, window.repository_id, window.backfill_id, now)


async def _take_page(
    tx: Transaction,
    window: models.BackfillWindow,
    answer: Answer[list[Json]],
    told: Sequence[facts.WorkflowRun],
    total: int,
    now: datetime,
) -> None:
    await tx.execute(_COUNT, len(answer.data), total if window.page == 1 else 0, window.backfill_id)
    if window.urgency == urgency_of(Kind.OVERLAP, RUNS) and told:
        await note_runs_seen(tx, window.installation_id, max(run.created_at for run in told), now)
    if not answer.data or window.page * PER_PAGE >= min(total, CAP):
        await window.delete(using_db=tx.client)
        await finish_if_done(tx, window.backfill_id, now)


async def _list_pull_requests(
    tools: Tools, client: Client, repository: models.Repository, window: models.BackfillWindow
) -> None:
    answer = await pulls.list_pull_requests(client, repository.full_name, page=window.page, per_page=PER_PAGE)
    told = read_pull_requests(answer, repository.repository_id)
    if not told and (answer.data or _tells_of_all(window)):
        await check_name(client, repository)

    async def keep(tx: Transaction) -> None:
        now = tools.clock.now()
        if not await _is_still_at(tx, window):
            return
        marks = await marks_for(tx, window.backfill_id)
        await record(tx, [repository_as_known(repository), *told], now, marks=marks)
        # The list is by the time of the last change, the newest first: what follows is older than what is wanted.
        if len(answer.data) < PER_PAGE or any(pull.updated_at < window.since for pull in told):
            await window.delete(using_db=tx.client)
            await finish_if_done(tx, window.backfill_id, now)

    await tools.database.transact(keep)
