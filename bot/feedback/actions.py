"""Carries out what is asked for by buttons: each click once, only for those who may write, and within the hour.

The row says what has been asked of GitHub before it is asked, so that whoever goes on after a crash, or after an
answer that never came, looks first whether GitHub has done it.
"""

import logging
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from bot import metrics
from bot.domain import payloads
from bot.domain.feedback.buttons import RERUN_FAILED
from bot.domain.feedback.report import Run
from bot.errors import MalformedPayload
from bot.feedback.commits import read_runs
from bot.feedback.tools import Tools
from bot.github import Client, repositories, runs
from bot.github.errors import (
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    InstallationGone,
    InstallationRefused,
    InstallationSuspended,
    NotFound,
    RateLimited,
    Unauthorized,
)
from bot.store import models
from bot.store.database import Transaction, current, is_unavailable, to_moment
from bot.store.leases import LeaseLost

log = logging.getLogger(__name__)

AT_ONCE = 20
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=5), timedelta(minutes=5)
# Longer than that an action does not wait for its turn in the installation's budget, but steps back.
PATIENCE = 60.0
# What is run again shows within seconds by events of its own, and one new check run is enough for both.
EVENTS_TAKE = timedelta(seconds=5)
MAY_WRITE = frozenset({"admin", "maintain", "write"})
# A run whose workflow file is wrong (startup_failure) has no job that could be run again.
WORTH_RERUNNING = frozenset({"failure", "timed_out", "cancelled"})
# With these nothing can be asked; whatever else goes wrong is about the one thing that was.
NOTHING_CAN_BE_ASKED = (Unauthorized, InstallationGone, InstallationRefused, InstallationSuspended)
NOT_NOW = (GitHubUnavailable, RateLimited)

_DUE = (
    "SELECT action.id, action.kind, action.repository_id, action.head_sha, action.app_id, action.sender_id,"
    " action.sender_login, action.until, action.tries, action.asked, action.outcome, repository.full_name,"
    " repository.hidden_at FROM action JOIN repository ON repository.repository_id = action.repository_id"
    " WHERE repository.installation_id = ? AND action.due_at <= ? ORDER BY action.due_at, action.id LIMIT ?"
)
_BEGIN = (
    "UPDATE action SET generation = COALESCE((SELECT generation FROM check_summary WHERE repository_id = ?"
    " AND head_sha = ?), 0) WHERE id = ? AND generation IS NULL"
)
_ASKED = "UPDATE action SET asked = ? WHERE id = ? AND state = 'wanted'"
_LATER = "UPDATE action SET due_at = ?, tries = tries + 1, outcome = ? WHERE id = ? AND state = 'wanted'"
_END = "UPDATE action SET state = ?, outcome = ?, due_at = NULL WHERE id = ? AND state = 'wanted'"
_EXPIRE = (
    "UPDATE action SET state = 'expired', outcome = COALESCE(outcome, 'nobody could see to it in time'), due_at = NULL"
    " WHERE state = 'wanted' AND due_at IS NOT NULL AND until <= ? RETURNING kind"
)
_RENEW = (
    "INSERT INTO check_summary (repository_id, head_sha, changed_at, due_at, renew_wanted) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (repository_id, head_sha) DO UPDATE SET renew_wanted = excluded.renew_wanted,"
    " revision = check_summary.revision + 1, changed_at = excluded.changed_at, urgency = 0, tries = 0, due_at = CASE"
    " WHEN check_summary.due_at < excluded.due_at THEN check_summary.due_at ELSE excluded.due_at END"
    " WHERE check_summary.generation = (SELECT generation FROM action WHERE id = ?)"
    # What goes on is not made anew.
    " AND COALESCE(check_summary.status, 'completed') = 'completed'"
)


class _Action(Struct, frozen=True):
    """A row of what is due; `asked` has the attempt of each run before GitHub was asked to run it again."""

    id: int
    kind: str
    repository_id: int
    full_name: str
    head_sha: str
    app_id: int
    sender_id: int
    sender_login: str
    until: datetime
    tries: int
    asked: dict[int, int]
    outcome: str | None
    is_hidden: bool


class _End(Struct, frozen=True):
    """What became of an action; `renew_at` is when a new check run is to be made, None where the old one will do."""

    state: str
    outcome: str
    renew_at: datetime | None = None


class _Rerun(StrEnum):
    """What became of one run, as a sentence's end."""

    STARTED = "run again"
    GOES_ON = "going on already"
    PASSED = "not failed any more"


class _Declined(Struct, frozen=True):
    reason: str


async def carry_out_due(tools: Tools, installation_id: int) -> int:
    """Carry out the actions that are due in an installation's repositories; return how many were seen to.

    One process at a time does it; whoever comes second finds nothing to do. What can't be done now is due again after
    a while, until it expires. Raises Unauthorized, InstallationGone, InstallationRefused or InstallationSuspended where
    nothing can be asked for the installation.
    """
    if not await _due(tools, installation_id, 1):
        return 0
    seen_to = 0
    try:
        async with tools.leases.trying(f"actions {installation_id}") as held:
            for action in await _due(tools, installation_id, AT_ONCE) if held else ():
                seen_to += 1
                if not await _see_to(tools, installation_id, action):
                    break
    except LeaseLost as error:
        log.warning("%s", error)
    return seen_to


async def expire_actions(now: datetime) -> int:
    """End the actions whose time is over, also those of installations that nothing can be asked for; return how many.

    `carry_out_due` does the same where it looks.
    """
    async with current().transaction() as tx:
        expired = await tx.fetch(_EXPIRE, now)
    for row in expired:
        metrics.count_action(row["kind"], "expired")
    return len(expired)


async def _due(tools: Tools, installation_id: int, limit: int) -> list[_Action]:
    rows = await tools.database.reader.fetch(_DUE, installation_id, tools.clock.now(), limit)
    return [_action(row) for row in rows]


def _action(row: dict[str, Any]) -> _Action:
    until = to_moment(row["until"])
    assert until is not None  # noqa: S101  the column is never null
    asked = msgspec.json.decode(row["asked"] or "{}", type=dict[int, int])
    is_hidden = row.pop("hidden_at") is not None
    return _Action(**row | {"until": until, "asked": asked, "is_hidden": is_hidden})


async def _see_to(tools: Tools, installation_id: int, action: _Action) -> bool:
    """Bring one action to its end or put it off; return whether it is worth while to go on with the next."""
    if action.until <= tools.clock.now():
        await _end(tools, action, _End("expired", action.outcome or "it came too late"))
        return True
    try:
        await _end(tools, action, await _carry_out(tools, installation_id, action))
    except NOTHING_CAN_BE_ASKED as error:
        await _put_off(tools, action, error)
        raise
    except NOT_NOW as error:
        await _put_off(tools, action, error)
        return False
    except GitHubError as error:
        await _end(tools, action, _End("failed", str(error)))
    except Exception as error:
        if is_unavailable(error):
            raise
        await _put_off(tools, action, error)
    return True


async def _carry_out(tools: Tools, installation_id: int, action: _Action) -> _End:
    """Return what became of an action. Raises a GitHubError."""
    client = tools.github.installation(installation_id, patience=PATIENCE)
    refusal = await _refusal(tools, client, action)
    if refusal is not None:
        return _End("refused", refusal)
    # A new check run that comes of the first re-run does for the whole action, however long the others take.
    await tools.database.execute(_BEGIN, action.repository_id, action.head_sha, action.id)
    if not await _may_rerun(tools, installation_id):
        return _End("done", "the App may not run jobs again here", renew_at=tools.clock.now())
    before = await _failed_runs(tools, action)
    became = [await _rerun(tools, client, installation_id, action, run_id) for run_id in before]
    return _summed_up(action, became, tools.clock.now())


def _summed_up(action: _Action, became: list[_Rerun | _Declined], now: datetime) -> _End:
    declined = [each.reason for each in became if isinstance(each, _Declined)]
    told = [f"{became.count(each)} {each}" for each in _Rerun if each in became]
    goes_on = _Rerun.STARTED in became or _Rerun.GOES_ON in became
    renew_at = None
    if action.kind != RERUN_FAILED:
        # GitHub has taken the suite for begun anew, so whatever came of it there has to be a new check run.
        renew_at = now + EVENTS_TAKE if goes_on else now
    outcome = "; ".join([*told, *declined]) or "nothing had failed"
    return _End("failed" if declined else "done", outcome, renew_at)


async def _refusal(tools: Tools, client: Client, action: _Action) -> str | None:
    """Return why this is not done for whoever wants it, None where it may be."""
    if action.app_id != tools.app_id:
        return "the check belongs to another App"
    if action.is_hidden:
        return "the App does not see the repository any more"
    try:
        told = (await repositories.get_permission(client, action.full_name, action.sender_login)).data
    except NotFound:
        return "GitHub knows nobody of that name there"
    person = told.get("user")
    # The name may have gone to somebody else since.
    if not isinstance(person, dict) or person.get("id") != action.sender_id:
        return "the name is another person's by now"
    return None if told.get("permission") in MAY_WRITE else "whoever pressed it may not write there"


async def _may_rerun(tools: Tools, installation_id: int) -> bool:
    mine = models.Installation.filter(installation_id=installation_id).using_db(tools.database.client)
    installation = await mine.first()
    return installation is not None and (installation.permissions or {}).get("actions") == "write"


async def _failed_runs(tools: Tools, action: _Action) -> list[int]:
    """Return the runs of the commit that are recorded as failed, and those that GitHub was asked for before."""
    runs_there = await read_runs(tools.database.reader, action.repository_id, action.head_sha)
    failed = {run.run_id for run in runs_there if _has_failed(run)}
    return sorted(failed | action.asked.keys())


def _has_failed(run: Run | payloads.WorkflowRun) -> bool:
    return run.status == "completed" and run.conclusion in WORTH_RERUNNING


async def _rerun(
    tools: Tools, client: Client, installation_id: int, action: _Action, run_id: int
) -> _Rerun | _Declined:
    """Have the failed jobs of a run run again, unless that has happened. Raises GitHubUnavailable and its like."""
    try:
        run = await _look(client, action, run_id)
    except NotFound as error:
        return _Declined(str(error))
    became = _became(action, run)
    if became is not None:
        return became
    action.asked[run_id] = run.run_attempt
    if not await tools.database.execute(_ASKED, msgspec.json.encode(action.asked).decode(), action.id):
        return _Declined("another process has seen to it")
    try:
        await runs.rerun_failed_jobs(client, action.full_name, run_id)
    except (*NOTHING_CAN_BE_ASKED, *NOT_NOW):
        raise
    except GitHubError as error:
        # Of what it has begun already GitHub says the same as of what it does not want to begin.
        return _became(action, await _look(client, action, run_id)) or _declined(tools, installation_id, action, error)
    return _Rerun.STARTED


def _declined(tools: Tools, installation_id: int, action: _Action, error: GitHubError) -> _Declined:
    if isinstance(error, Forbidden) and not action.tries:
        # What has been granted since shows in a new token alone.
        tools.github.forget(installation_id)
        raise GitHubUnavailable(str(error), maybe_taken=False) from None
    return _Declined(str(error))


def _became(action: _Action, run: payloads.WorkflowRun) -> _Rerun | None:
    """Return what has become of a run, None where it is still to be run again."""
    if run.run_attempt > action.asked.get(run.id, run.run_attempt):
        return _Rerun.STARTED
    if run.status != "completed":
        return _Rerun.GOES_ON
    return None if _has_failed(run) else _Rerun.PASSED


async def _look(client: Client, action: _Action, run_id: int) -> payloads.WorkflowRun:
    answer = await runs.get_run(client, action.full_name, run_id)
    try:
        return payloads.read(answer.data, payloads.WorkflowRun)
    except MalformedPayload as error:
        message = f"GitHub's answer is not the run that it documents ({error})"
        raise GitHubUnavailable(message, maybe_taken=False) from None


async def _end(tools: Tools, action: _Action, end: _End) -> None:
    """Keep what became of an action, and let a new check run be made where one is due and has not come yet."""

    async def keep(tx: Transaction) -> bool:
        is_mine = bool(await tx.execute(_END, end.state, end.outcome, action.id))
        if is_mine and end.renew_at is not None:
            now = tools.clock.now()
            await tx.execute(_RENEW, action.repository_id, action.head_sha, now, end.renew_at, True, action.id)
        return is_mine

    if await tools.database.transact(keep):
        metrics.count_action(action.kind, end.state)
        about = {"action": action.kind, "repository": action.full_name, "commit": action.head_sha}
        log.info("an action is %s: %s", end.state, end.outcome, extra=about)


async def _put_off(tools: Tools, action: _Action, error: Exception) -> None:
    now = tools.clock.now()
    later = now + min(FIRST_DELAY * 2 ** min(action.tries, 10), LONGEST_DELAY)
    if isinstance(error, RateLimited):
        later = max(later, error.until)
    reason = str(error) if isinstance(error, GitHubError) else f"something went wrong: {type(error).__name__}"
    log.log(
        logging.INFO if isinstance(error, GitHubError) else logging.WARNING,
        "an action is left for later: %s",
        reason,
        extra={"action": action.kind, "repository": action.full_name},
        exc_info=None if isinstance(error, GitHubError) else error,
    )
    await tools.database.execute(_LATER, min(later, action.until), reason, action.id)
