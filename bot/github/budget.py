"""Who may ask GitHub next: requests of one installation wait here until the ledger permits them.

Live reads and writes go before backfill, in the order they came. So that backfill never starves, it may send one
request each half minute before theirs, as long as its share of the hour lasts.
"""

import asyncio
import itertools
import logging
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot import metrics
from bot.clock import Clock
from bot.github.answers import Reply, quota_of, retry_after_of
from bot.github.errors import RateLimited
from bot.github.faults import is_rate_limited
from bot.github.ledger import Ask, Figures, Lane, Ledger
from bot.github.rights import PERSON, WriteRights

log = logging.getLogger(__name__)

BACKFILL_PATIENCE = 30.0
# A write that has the right to write waits no longer than this; then others may have the right.
SOON = 5.0
# Shorter sleeps would be rounded to none.
SHORTEST_SLEEP = 0.001


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is left, for whoever plans ahead: infinite where the server sets no limit; times are epoch seconds.

    Backfill may take `backfill_left` more of this hour, `backfill_an_hour` of any other and `backfill_a_minute`.
    """

    limit: float
    remaining: float
    backfill_left: float
    resets_at: float | None
    paused_until: float | None
    backfill_an_hour: float
    backfill_a_minute: float


@dataclass(slots=True, eq=False)
class _Ticket:
    ask: Ask
    number: int
    came: float
    deadline: float
    granted: "asyncio.Future[None]" = field(repr=False)


@dataclass(slots=True)
class Turn:
    """The permission to send one request, now."""

    started: float
    budget: "Budget"
    counted: bool = True

    def heard(self, reply: Reply) -> None:
        """Tell the budget what came back."""
        self.counted = reply.status != 304
        self.budget.hear(reply, self.started)


class Budget:
    """The budget of one installation, or of the App itself. All waiting is on `clock`."""

    def __init__(self, clock: Clock, rights: WriteRights, installation_id: int, figures: Figures | None = None) -> None:
        self._clock = clock
        self._rights = rights
        self._installation_id = installation_id
        self._label = str(installation_id)
        self._figures = figures or Figures()
        self._ledger = Ledger(self._figures)
        self._lanes: dict[Lane, deque[_Ticket]] = {lane: deque() for lane in Lane}
        self._numbers = itertools.count()
        self._backfill_started = -math.inf
        self._writing = asyncio.Lock()
        self._shared_until = -math.inf
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = math.inf

    @asynccontextmanager
    async def turn(self, ask: Ask, patience: float | None = None) -> AsyncIterator[Turn]:
        """Wait until `ask` may be sent; leaving the context says that its answer is complete.

        Raises RateLimited, at once, when that lies more than `patience` seconds ahead; None waits however long.
        """
        came = self._clock.time()
        deadline = math.inf if patience is None else came + patience
        queue = self._turn_to_write if ask.lane is Lane.WRITE else self._turn_to_read
        async with queue(ask, deadline) as turn:
            metrics.GITHUB_WAIT_SECONDS.labels(ask.lane).observe(max(turn.started - came, 0))
            yield turn

    def hear(self, reply: Reply, started: float) -> None:
        """Take in what a reply to a request sent at `started` says about limits."""
        now = self._clock.time()
        ledger, quota = self._ledger, quota_of(reply.headers, now)
        if quota is not None:
            ledger.hour.hear(quota, now)
        elif reply.status < 300 and "X-RateLimit-Limit" not in reply.headers:
            ledger.hour.hear_of_no_limit()
        if is_rate_limited(reply):
            ledger.pause.refuse(self._wait_told(reply, now), started, now)
        elif reply.status == 503 and (wait := retry_after_of(reply.headers, now)) is not None:
            ledger.pause.refuse(wait, started, now)
        elif reply.status < 500:
            ledger.pause.relent(started)
        self._show(now)

    def outlook(self) -> Outlook:
        """Return what is left of the budget."""
        now, hour, pause = self._clock.time(), self._ledger.hour, self._ledger.pause
        return Outlook(
            hour.limit,
            hour.remaining(now),
            hour.backfill_left(now),
            hour.resets_at(now),
            pause.until if pause.until > now else None,
            hour.limit * self._figures.backfill_share,
            self._figures.points_of_backfill,
        )

    def may_write_at(self) -> float:
        """Return the epoch second, now or later, at which a write may be sent, as far as is known here."""
        now = self._clock.time()
        if self._writing.locked():
            return now + self._figures.write_spacing
        return self._ledger.permitted_at(Ask(Lane.WRITE, points=5), now)

    def expect_others(self) -> None:
        """Let backfill send one request alone, whose answer tells what other processes have used."""
        self._ledger.hour.in_doubt = True

    async def heed(self) -> None:
        """Take note of the silence that GitHub has asked another process for."""
        until = await self._rights.silent_until(self._installation_id)
        if until is not None:
            self._ledger.pause.last(until)
            self._shared_until = max(self._shared_until, until)

    async def close(self) -> None:
        """Stop the alarm; nobody may be waiting any more."""
        alarm = self._alarm
        self._disarm()
        if alarm is not None:
            await asyncio.wait([alarm])
        metrics.forget_installation(self._label)

    def _wait_told(self, reply: Reply, now: float) -> float | None:
        wait = retry_after_of(reply.headers, now)
        if wait is not None or reply.headers.get("X-RateLimit-Remaining") != "0":
            return wait
        # What is exhausted is what was just asked for, whichever resource that is.
        quota = quota_of(reply.headers, now, resource=None)
        return quota.resets_at - now if quota is not None and quota.resets_at > now else None

    def _show(self, now: float) -> None:
        remaining = self._ledger.hour.remaining(now)
        # Each person has an hour of their own, and no metric is about persons.
        if math.isfinite(remaining) and self._installation_id != PERSON:
            metrics.GITHUB_BUDGET_REMAINING.labels(self._label).set(remaining)

    async def _share(self) -> None:
        """Let other processes know of the silence that GitHub has asked us for."""
        until = self._ledger.pause.until
        if until <= self._shared_until:
            return
        try:
            await self._rights.ask_for_silence(self._installation_id, until)
            self._shared_until = max(self._shared_until, until)
        except Exception as error:
            # The reply that was heard is worth as much; with the next one it is tried again.
            log.warning("other processes can't be told to wait", exc_info=error)

    # Reading and writing

    @asynccontextmanager
    async def _turn_to_read(self, ask: Ask, deadline: float) -> AsyncIterator[Turn]:
        turn = await self._enter(ask, deadline)
        try:
            yield turn
        finally:
            self._leave(ask, counted=turn.counted)
        await self._share()

    @asynccontextmanager
    async def _turn_to_write(self, ask: Ask, deadline: float) -> AsyncIterator[Turn]:
        async with self._writing:
            while True:
                await self._permitted_soon(ask, deadline)
                async with self._rights.hold(self._installation_id) as written_at:
                    self._ledger.written_at = max(self._ledger.written_at, written_at or -math.inf)
                    await self.heed()
                    turn = await self._enter_soon(ask)
                    if turn is None:
                        continue
                    try:
                        yield turn
                    finally:
                        self._leave(ask, counted=turn.counted)
                    await self._share()
                    return

    async def _permitted_soon(self, ask: Ask, deadline: float) -> None:
        while (at := self._ledger.permitted_at(ask, now := self._clock.time())) > now and math.isfinite(at):
            self._check_patience(at, deadline)
            await self._clock.sleep(max(at - now, SHORTEST_SLEEP))

    async def _enter_soon(self, ask: Ask) -> Turn | None:
        try:
            return await self._enter(ask, self._clock.time() + SOON)
        except RateLimited:
            return None

    def _check_patience(self, at: float, deadline: float) -> None:
        if at > deadline:
            raise RateLimited(datetime.fromtimestamp(at, UTC))

    # The waiting room

    async def _enter(self, ask: Ask, deadline: float) -> Turn:
        now = self._clock.time()
        granted = asyncio.get_running_loop().create_future()
        ticket = _Ticket(ask, next(self._numbers), now, deadline, granted)
        self._lanes[ask.lane].append(ticket)
        while True:
            self._admit()
            try:
                await ticket.granted
            except asyncio.CancelledError:
                self._abandon(ticket)
                raise
            now = self._clock.time()
            if self._ledger.pause.until <= now:
                return Turn(now, self)
            # GitHub asked for silence between the permission and this moment: back to the head of the line.
            self._ledger.end(ask, now, counted=False)
            ticket.granted = asyncio.get_running_loop().create_future()
            self._lanes[ask.lane].appendleft(ticket)

    def _leave(self, ask: Ask, *, counted: bool) -> None:
        self._ledger.end(ask, self._clock.time(), counted=counted)
        self._admit()

    def _abandon(self, ticket: _Ticket) -> None:
        line = self._lanes[ticket.ask.lane]
        if ticket in line:
            line.remove(ticket)
        elif not ticket.granted.cancelled() and ticket.granted.exception() is None:
            self._ledger.end(ticket.ask, self._clock.time(), counted=False)
        self._admit()

    def _admit(self) -> None:
        """Let in whoever may go now, and set the alarm for the next who may."""
        now = self._clock.time()
        while (lane := self._next_lane(now)) is not None:
            ticket = self._lanes[lane].popleft()
            if ticket.granted.cancelled():
                continue
            self._ledger.start(ticket.ask, now)
            if lane is Lane.BACKFILL:
                self._backfill_started = now
            ticket.granted.set_result(None)
        self._arm(now)

    def _next_lane(self, now: float) -> Lane | None:
        heads = [(lane, line[0]) for lane, line in self._lanes.items() if line]
        ready = [(lane, head) for lane, head in heads if self._ledger.permitted_at(head.ask, now) <= now]
        ready.sort(key=lambda each: self._rank(each[0], each[1], now))
        return ready[0][0] if ready else None

    def _rank(self, lane: Lane, head: _Ticket, now: float) -> tuple[bool, int]:
        waits = lane is Lane.BACKFILL and now - max(head.came, self._backfill_started) < BACKFILL_PATIENCE
        return waits, head.number

    def _arm(self, now: float) -> None:
        self._turn_away(now)
        moments = [self._ledger.permitted_at(line[0].ask, now) for line in self._lanes.values() if line]
        at = min(moments, default=math.inf)
        if at == self._alarm_at:
            return
        self._disarm()
        if math.isfinite(at):
            self._alarm_at = at
            self._alarm = asyncio.get_running_loop().create_task(self._ring(at - now))

    def _turn_away(self, now: float) -> None:
        for line in self._lanes.values():
            at = self._ledger.permitted_at(line[0].ask, now) if line else math.inf
            if not math.isfinite(at):
                continue
            for ticket in [each for each in line if at > each.deadline]:
                line.remove(ticket)
                ticket.granted.set_exception(RateLimited(datetime.fromtimestamp(at, UTC)))

    def _disarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_at = None, math.inf

    async def _ring(self, delay: float) -> None:
        await self._clock.sleep(max(delay, SHORTEST_SLEEP))
        self._alarm, self._alarm_at = None, math.inf
        self._admit()
