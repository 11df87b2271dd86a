"""Runs that GitHub is to be asked about, kept as rows so that no process has to remember them."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from bot.domain.wanting import RunState, Urgency, want_of
from bot.store.conversation import Among, Conversation, Question
from bot.store.database import Executor, current, to_moment
from bot.store.wanted import COLUMNS, WantedRun, want_runs, wanting
from bot.store.writes import Statement

# What GitHub tells of a run that has just ended may still change.
SETTLED = timedelta(minutes=5)
_STATES = (
    "SELECT run.run_id, run.status, run.conclusion, run.event, run.created_at, run.updated_at,"
    " COALESCE(run.run_started_at, run.created_at), run.run_attempt, run.jobs_attempt,"
    " run.head_repository_id, run.repository_id,"
    " (SELECT count(*) FROM workflow_run_attempt AS attempt WHERE attempt.run_id = run.run_id"
    " AND attempt.status = 'completed' AND COALESCE(attempt.conclusion, '') <> 'action_required'),"
    " EXISTS (SELECT 1 FROM run_pull_request AS link WHERE link.run_id = run.run_id)"
    " FROM workflow_run AS run WHERE run.run_id {among}"
)
_DROP = "DELETE FROM run_wanted WHERE urgency >= ? AND run_id {among} RETURNING run_id, backfill_id"
_POSTPONE = "UPDATE run_wanted SET due_at = ?, tries = tries + 1, urgency = ? WHERE run_id = ? AND urgency >= ?"
_HOLD = "UPDATE run_wanted SET backfill_id = backfill_id WHERE run_id = ? RETURNING run_id, backfill_id"
_LET_GO = "UPDATE run_wanted SET backfill_id = NULL WHERE run_id = ?"


def run_states(run_ids: Sequence[int]) -> Conversation[dict[int, tuple[RunState, datetime]]]:
    """Find what is known of runs, and when GitHub last changed each."""
    if not run_ids:
        return {}
    rows = yield Among(_STATES, run_ids)
    return {run_id: _run_state(*told) for run_id, *told in rows}


def _run_state(*told: Any) -> tuple[RunState, datetime]:
    status, conclusion, event, created_at, updated_at, began_at, run_attempt, jobs_attempt, *others = told
    head_repository_id, repository_id, attempts, linked = others
    created, began, updated = (to_moment(each) for each in (created_at, began_at, updated_at))
    assert created is not None and began is not None and updated is not None  # noqa: S101, PT018  none is ever null
    state = RunState(
        status=status,
        conclusion=conclusion,
        event=event,
        created_at=created,
        began_at=began,
        run_attempt=run_attempt,
        attempts=attempts,
        jobs_attempt=jobs_attempt,
        from_fork=head_repository_id not in {None, repository_id},
        linked=bool(linked),
    )
    return state, updated


def wanting_what_is_worth_it(
    run_ids: Sequence[int], installation_id: int, repository_id: int, backfill_id: int, now: datetime
) -> Conversation[None]:
    """Add those of these runs, just listed and recorded, about which GitHub should be asked for more."""
    states = yield from run_states(run_ids)
    yield wanting(
        WantedRun(
            run_id=run_id,
            installation_id=installation_id,
            repository_id=repository_id,
            backfill_id=backfill_id,
            urgency=want.urgency,
            with_jobs=want.with_jobs,
            run_created_at=state.created_at,
            due_at=max(now, updated_at + SETTLED),
        )
        for run_id, (state, updated_at) in states.items()
        if (want := want_of(state, now)) is not None
    )


async def ask_for_jobs(run_id: int, now: datetime) -> bool:
    """Have the jobs of a run fetched at once; return False where the App can't, as after it was uninstalled."""
    async with current().transaction() as tx:
        rows = await tx.fetch(
            "SELECT run.repository_id, repository.installation_id, run.created_at FROM workflow_run AS run"
            " JOIN repository ON repository.repository_id = run.repository_id"
            " JOIN installation ON installation.installation_id = repository.installation_id"
            " WHERE run.run_id = ? AND repository.hidden_at IS NULL AND installation.state = 'active'"
            " AND (repository.refused_until IS NULL OR repository.refused_until <= ?)",
            run_id,
            now,
        )
        for row in rows:
            created = to_moment(row["created_at"]) or now
            asked = WantedRun(
                run_id, row["installation_id"], row["repository_id"], None, Urgency.ASKED, True, created, now
            )
            await want_runs(tx, [asked])
    return bool(rows)


async def next_wanted(
    executor: Executor, installation_id: int, urgencies: range, now: datetime, limit: int
) -> list[WantedRun]:
    """Return the most urgent runs of an installation that are due and equally urgent, the newest first."""
    for urgency in urgencies:
        # For one urgency at a time the index has the order; there may be many thousands.
        rows = await executor.fetch(
            f"SELECT {', '.join(COLUMNS)} FROM run_wanted WHERE installation_id = ? AND urgency = ? AND due_at <= ?"
            " ORDER BY run_created_at DESC LIMIT ?",
            installation_id,
            urgency,
            now,
            limit,
        )
        if rows:
            return [_wanted_run(row) for row in rows]
    return []


def _wanted_run(row: dict[str, Any]) -> WantedRun:
    times = {name: to_moment(row[name]) for name in ("run_created_at", "due_at")}
    return WantedRun(**row | times | {"with_jobs": bool(row["with_jobs"])})


def dropping(wanted: Iterable[WantedRun]) -> Conversation[dict[int, int | None]]:
    """Let runs be wanted no more, but for those of which somebody has asked for more meanwhile.

    Returns the backfill that waited for each of these, which need not be the one that did when GitHub was asked.
    """
    waiting: dict[int, int | None] = {}
    for urgency, alike in groupby(sorted(wanted, key=_by_urgency), key=attrgetter("urgency")):
        rows = yield Among(_DROP, [each.run_id for each in alike], (urgency,))
        waiting |= {run_id: backfill_id for run_id, backfill_id in rows}  # noqa: C416  # rows are no pairs to mypy
    return waiting


_by_urgency = attrgetter("urgency", "run_id")


def letting_go(wanted: WantedRun) -> Conversation[dict[int, int | None]]:
    """Want a run for nobody in particular, so that no backfill waits for what may take days.

    Returns the backfill that did.
    """
    # Held first: a backfill may come to wait for it at any moment.
    rows = yield Question(_HOLD, (wanted.run_id,))
    yield Statement(_LET_GO, [(wanted.run_id,)])
    return {run_id: backfill_id for run_id, backfill_id in rows}  # noqa: C416


def postponing(wanted: WantedRun, until: datetime) -> Statement:
    """Return what lets a run be looked at again later, unless somebody has asked for more of it meanwhile."""
    # Somebody asked once: from now on it is one of those that take their time.
    later = max(wanted.urgency, Urgency.UNFINISHED)
    return Statement(_POSTPONE, [(until, later, wanted.run_id, wanted.urgency)])
