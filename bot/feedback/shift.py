"""The work on what one installation is told: looks as they come, and one write after another, the most urgent first.

GitHub takes a write a second. So what is written is chosen, and rendered from the record, only when it may be sent:
nothing that was superseded while it waited is ever sent.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from cachetools import TTLCache

from bot import metrics
from bot.dispatcher import Assignment
from bot.domain.feedback.pacing import Plan, Urgency
from bot.feedback import check_summary, comment
from bot.feedback.actions import carry_out_due
from bot.feedback.examining import examine_due
from bot.feedback.looking import look_at_comment, look_at_commit
from bot.feedback.pull_requests import Asked
from bot.feedback.reporting import Reporter
from bot.feedback.rows import (
    MOST_FAILURES,
    MOST_TRIES,
    CommentRow,
    Row,
    SummaryRow,
    comments_to_look_at,
    most_urgent,
    put_off,
    put_off_after_failure,
    summaries_to_look_at,
    wait_for_limits,
)
from bot.feedback.tools import Tools
from bot.github.errors import (
    Forbidden,
    GitHubError,
    GitHubUnavailable,
    InstallationGone,
    InstallationRefused,
    InstallationSuspended,
    RateLimited,
    Unauthorized,
)
from bot.store.database import is_unavailable
from bot.store.leases import LeaseLost

log = logging.getLogger(__name__)

LOOKS_AT_ONCE, EXAMINED_AT_ONCE = 20, 20
LOOK_AGAIN = 0.25
# A commit of which much is recorded is looked at no more often than this.
LOOK_SPACING = 1.0
# Longer than that a write does not wait for its turn; another may have its turn before.
PATIENCE = 5.0
NOTHING_CAN_BE_ASKED = (Unauthorized, InstallationGone, InstallationRefused, InstallationSuspended)
REFUSED_FOR = timedelta(minutes=10)
MOST_REFUSALS = 10_000


def assignment_of(installation_id: int) -> Assignment:
    """Return the work of telling an installation anything."""
    return Assignment("feedback", installation_id)


class Memory:
    """What a process remembers from one shift to the next, of all installations.

    `refusals` tells until when nothing is written of a kind, told by a table's name, in a repository where GitHub has
    forbidden it.
    """

    def __init__(self, tools: Tools) -> None:
        self.reporter = Reporter(tools)
        self.asked = Asked(tools.clock)
        self.refusals: TTLCache[tuple[int, str], datetime] = TTLCache(
            MOST_REFUSALS, REFUSED_FOR.total_seconds(), timer=tools.clock.time
        )


class Shift:
    """Works until nothing is due; raises a GitHubError where GitHub can't be asked now."""

    def __init__(self, tools: Tools, installation_id: int, memory: Memory) -> None:
        self._tools = tools
        self._installation_id = installation_id
        self._memory = memory
        self._reporter = memory.reporter
        self._lease = assignment_of(installation_id).lease
        self._client = tools.github.installation(installation_id, patience=PATIENCE)
        self._looked_at: dict[tuple[str, int], float] = {}
        self._beside: dict[str, asyncio.Task[int]] = {}
        self._through: set[str] = set()

    async def work(self) -> None:
        """Do all that is due now, and what becomes due by that."""
        try:
            while await self._step():
                pass
        finally:
            for task in self._beside.values():
                task.cancel()
            await asyncio.gather(*self._beside.values(), return_exceptions=True)

    async def _step(self) -> bool:
        """Return whether there may be more to do."""
        looked, waits_for_look = await self._look()
        wrote, waits_for_write = await self._write()
        if looked or wrote:
            self._through.clear()
        is_asking = self._ask_beside()
        if not (looked or wrote):
            if not (waits_for_look or waits_for_write or is_asking):
                return False
            await self._tools.clock.sleep(LOOK_AGAIN)
        return True

    # Reading goes on beside writing.

    def _ask_beside(self) -> bool:
        """Let logs be fetched and buttons be obeyed; return whether that goes on. Raises what it ended with."""
        work: dict[str, Callable[[], Coroutine[Any, Any, int]]] = {
            "failures": lambda: examine_due(self._tools, self._installation_id, EXAMINED_AT_ONCE),
            "actions": lambda: carry_out_due(self._tools, self._installation_id),
        }
        for name, begin in work.items():
            task = self._beside.get(name)
            if task is not None and task.done():
                del self._beside[name]
                if not task.result():
                    self._through.add(name)
            if name not in self._beside and name not in self._through:
                self._beside[name] = asyncio.create_task(begin(), name=f"{name} of {self._installation_id}")
        return bool(self._beside)

    # Looks

    async def _look(self) -> tuple[bool, bool]:
        """Look at what was marked; return whether anything was, and whether something waits for a later look."""
        reader, now = self._tools.database.reader, self._tools.clock.now()
        summaries = await summaries_to_look_at(reader, self._installation_id, now, LOOKS_AT_ONCE)
        comments = await comments_to_look_at(reader, self._installation_id, now, LOOKS_AT_ONCE)
        rows: list[Row] = [*summaries, *comments]
        due = [row for row in rows if self._is_time(row)]
        for row in due:
            await self._look_at(row)
        return bool(due), len(due) < len(rows)

    def _is_time(self, row: Row) -> bool:
        looked_at = self._looked_at.get((row.table, row.id), -LOOK_SPACING)
        return self._tools.clock.time() >= looked_at + LOOK_SPACING

    async def _look_at(self, row: Row) -> None:
        self._looked_at[row.table, row.id] = self._tools.clock.time()
        try:
            if isinstance(row, SummaryRow):
                await look_at_commit(self._tools, self._client, self._reporter, self._memory.asked, row)
            else:
                await look_at_comment(self._tools, self._reporter, row)
        except (RateLimited, *NOTHING_CAN_BE_ASKED):
            raise
        except Exception as error:
            if is_unavailable(error):
                raise
            # One that can't be read must not keep the others waiting.
            log.warning("feedback can't be worked out", extra=_about(row), exc_info=error)
            now = self._tools.clock.now()
            await put_off_after_failure(self._tools.database, row, now, most=_most_tries(row, error))

    # Writes

    async def _write(self) -> tuple[bool, bool]:
        """Write what is most urgent; return whether anything was done, and whether something waits for its turn."""
        now = self._tools.clock.now()
        row = await most_urgent(self._tools.database.reader, self._installation_id, now)
        if row is None:
            return False, False
        # The moment has moved on since the row was chosen, and a turn that is there now is never before it.
        turn, present = self._client.may_write_at(), self._tools.clock.time()
        if turn > present + PATIENCE:
            raise RateLimited(datetime.fromtimestamp(turn, UTC))
        if turn > present:
            return False, True
        await self._try_to_write(row)
        return True, False

    async def _try_to_write(self, row: Row) -> None:
        refused_until = self._memory.refusals.get((row.repository_id, row.table))
        if refused_until is not None and refused_until > self._tools.clock.now():
            now = self._tools.clock.now()
            await put_off_after_failure(self._tools.database, row, now, refused_until, _most_tries(row))
            return
        if not await self._tools.leases.is_held(self._lease):
            message = f"another process tells installation {self._installation_id} by now"
            raise LeaseLost(message)
        try:
            if isinstance(row, SummaryRow):
                await self._write_check(row)
            else:
                await self._write_comment(row)
            await self._doubt_if_lost(row)
        except asyncio.CancelledError:
            await asyncio.shield(self._doubt_if_lost(row))
            raise
        except NOTHING_CAN_BE_ASKED:
            raise
        except Exception as error:
            if is_unavailable(error):
                raise
            await self._failed(row, error)

    async def _doubt_if_lost(self, row: Row) -> None:
        """Have it looked at again what was written after another process had begun to write here as well.

        A process that was stopped for a while, such as a machine that was asleep, goes on in the middle of a request.
        """
        if not await self._tools.leases.is_held(self._lease):
            sql = f"UPDATE {row.table} SET body_hash = NULL, urgency = 0, due_at = ? WHERE id = ?"
            await self._tools.database.execute(sql, self._tools.clock.now(), row.id)

    async def _write_check(self, row: SummaryRow) -> None:
        what = await check_summary.draft(self._tools, self._reporter, row)
        if what is None or what.plan is None or not self._is_due(row, what.plan):
            await put_off(self._tools.database, row, None if what is None else what.plan)
            return
        await check_summary.write(self._tools, self._client, row, what)
        self._note_wait(row)

    async def _write_comment(self, row: CommentRow) -> None:
        what = await comment.draft(self._tools, self._reporter, row)
        if what is None or not self._is_due(row, what.plan):
            await comment.note_difference(self._tools, row, what)
            return
        await comment.write(self._tools, self._client, row, what)
        self._note_wait(row)

    def _is_due(self, row: Row, plan: Plan) -> bool:
        """Tell whether it is still due, and as urgent as when it was chosen."""
        return plan.at <= self._tools.clock.now() and plan.urgency <= row.urgency

    def _note_wait(self, row: Row) -> None:
        waited = 0.0 if row.due_at is None else (self._tools.clock.now() - row.due_at).total_seconds()
        metrics.FEEDBACK_WAIT_SECONDS.labels(Urgency(row.urgency).name.lower()).observe(max(waited, 0.0))

    async def _failed(self, row: Row, error: Exception) -> None:
        what = "check" if isinstance(row, SummaryRow) else "comment"
        until = None
        now = self._tools.clock.now()
        if isinstance(error, Forbidden):
            until = self._memory.refusals[row.repository_id, row.table] = now + REFUSED_FOR
            # What has been granted since shows in a new token alone.
            self._tools.github.forget(self._installation_id)
        if isinstance(error, GitHubError):
            log.info("feedback is written later: %s", error, extra=_about(row))
        else:
            log.warning("feedback could not be written", extra=_about(row), exc_info=error)
        if isinstance(error, RateLimited):
            given_up = False
            await wait_for_limits(self._tools.database, row, error.until)
        else:
            given_up = await put_off_after_failure(self._tools.database, row, now, until, _most_tries(row, error))
        metrics.count_feedback(what, "given_up" if given_up else "postponed")


def _most_tries(row: Row, error: Exception | None = None) -> int:
    # Whoever has been tried more often than what is refused was so while GitHub was away.
    return MOST_FAILURES if isinstance(error, GitHubUnavailable) or row.tries >= MOST_TRIES else MOST_TRIES


def _about(row: Row) -> dict[str, Any]:
    about = {"commit": row.head_sha} if isinstance(row, SummaryRow) else {"pull_request": row.number}
    return {"repository": row.repository_id, **about}
