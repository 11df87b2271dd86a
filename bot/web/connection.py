"""A connection on which deliveries come, and until anything else comes nothing but the lane is concerned with it.

Its one reason is what aiohttp's protocol, its task and its copies of each body cost; `bench/ingest` shows what it is
worth.
"""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import cast

from bot.errors import TooMuchWaiting
from bot.inbox import Outcome
from bot.web.head import HeadReader
from bot.web.lane import WANTED, Lane, Passing
from bot.web.webhook import Refused

IDLE_SECONDS = 60.0

TakeOver = Callable[[asyncio.Transport, bytes, Exception | None], asyncio.BaseProtocol]
"""Goes on with a connection, given what came and is not answered and why the first request in it is to be refused."""


class Connection(asyncio.BufferedProtocol):
    """Lets deliveries pass, one at a time and in order.

    The first request that is none, or that is to be refused, is handed on as it came, and so is all after it; so is a
    connection on which nothing more comes.
    """

    def __init__(self, lane: Lane, connections: "set[Connection]", take_over: TakeOver) -> None:
        self._lane = lane
        self._connections = connections
        self._take_over = take_over
        self._heads = HeadReader(WANTED)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._passing: Passing | None = None
        # What came of a delivery that is not whole yet, or else after the one that is in hand.
        self._held = bytearray()
        self._room = lane.receiver.memory.reservation()
        self._deadline: asyncio.TimerHandle | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._is_new, self._is_idle = True, True
        self._is_full = False
        self._stopping = False
        self._stopped: asyncio.Event | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._idle = self._loop.call_later(IDLE_SECONDS, self._look)
        self._connections.add(self)

    def _look(self) -> None:
        """Close a connection on which nothing has come, and hand on one that idles, for which there are rules."""
        if self._is_new:
            transport = self._leave()
            if transport is not None:
                transport.close()
        elif self._is_idle and self._passing is None:
            self._hand_on(b"")
        else:
            self._is_idle = True
            self._idle = self._loop.call_later(IDLE_SECONDS, self._look)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        return self._lane.buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = self._lane.buffer[:nbytes]
        passing = self._passing
        if passing is None:
            self._begin(data)
        elif not passing.is_in_hand:
            self._go_on(passing, data)
        else:
            self._hold(data)

    def _begin(self, data: bytes | memoryview) -> None:
        self._is_new, self._is_idle = False, False
        head = self._heads.find(data)
        passing = None if head is None else self._lane.find_delivery(head)
        if passing is None:
            self._hand_on(data)
            return
        body = data[len(passing.head.raw) :]
        if len(body) >= passing.head.length:
            self._take_in(passing, body)
        else:
            self._passing = passing
            self._deadline = self._loop.call_later(self._lane.receiver.body_seconds, self._give_up, passing)
            self._go_on(passing, body)

    def _go_on(self, passing: Passing, data: bytes | memoryview) -> None:
        """Add to what came of a body."""
        self._held += data
        try:
            self._room.grow(len(data))
        except TooMuchWaiting as error:
            self._refuse(passing, error)
            return
        if len(self._held) >= passing.head.length:
            body = bytes(self._held)
            self._let_go()
            self._take_in(passing, body)

    def _give_up(self, passing: Passing) -> None:
        self._refuse(passing, Refused(408, "refused_slow"))

    def _take_in(self, passing: Passing, data: bytes | memoryview) -> None:
        """Give a delivery to the inbox, now that its body is whole."""
        length = passing.head.length
        passing.body = bytes(data[:length])
        if len(data) > length:
            self._hold(data[length:])
        try:
            self._room.grow(length)
            is_taken = self._lane.take_in(passing, partial(self._settle, passing))
        except Exception as error:  # noqa: BLE001, whatever it is, the route tells it
            self._refuse(passing, error)
            return
        if not is_taken:
            self._hand_on(passing.request + self._held)
            return
        if not passing.head.is_familiar:
            self._heads.remember(passing.head)
        self._passing = passing

    def _hold(self, data: bytes | memoryview) -> None:
        # Nothing more is read until the one in hand is answered, so that nobody fills our memory.
        if self._transport is not None:
            self._transport.pause_reading()
        self._held += data

    def _settle(self, passing: Passing, outcome: Outcome | Exception) -> None:
        try:
            if isinstance(outcome, Exception):
                self._refuse(passing, outcome)
            else:
                self._answer(passing, outcome)
        except Exception:
            # Nobody is to wait for an answer that does not come, nor is what the delivery takes to be held for it.
            self._let_go()
            if self._transport is not None:
                self._transport.abort()
            raise

    def _answer(self, passing: Passing, outcome: Outcome) -> None:
        answer, rest = self._lane.answer(passing, outcome), bytes(self._held)
        self._let_go()
        if self._transport is None or self._transport.is_closing():
            return
        # Nothing waits for the client to read it: whoever can sign is not one that fills our memory with answers.
        self._transport.write(answer)
        if self._stopping:
            self._transport.close()
        elif rest:
            self._transport.resume_reading()
            self._begin(rest)

    def _refuse(self, passing: Passing, error: Exception) -> None:
        """Let the route tell why a delivery is not taken in."""
        self._lane.count_refusal(passing, error)
        self._hand_on(passing.request + self._held, error)

    def _hand_on(self, data: bytes | memoryview, refusal: Exception | None = None) -> None:
        self._let_go()
        transport = self._leave()
        if transport is None or transport.is_closing():
            return
        if self._stopping:
            transport.close()
            return
        successor = self._take_over(transport, bytes(data), refusal)
        if self._is_full:
            successor.pause_writing()

    def _let_go(self) -> None:
        """Forget the delivery, and what is held."""
        self._passing = None
        self._held.clear()
        self._room.give_back()
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._stopped is not None:
            self._stopped.set()

    def _leave(self) -> asyncio.Transport | None:
        transport, self._transport = self._transport, None
        self._connections.discard(self)
        if self._idle is not None:
            self._idle.cancel()
        return transport

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._leave()
        if self._passing is not None and not self._passing.is_in_hand:
            self._refuse(self._passing, Refused(400, "disconnected"))

    def stop(self) -> None:
        """Answer what is in hand, and wait for nothing more."""
        self._stopping = True
        if self._transport is not None and not self._has_in_hand:
            self._transport.close()

    async def stopped(self, seconds: float | None) -> None:
        """Wait for what is in hand to be answered, but no longer than that."""
        if self._has_in_hand:
            self._stopped = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), seconds)
        if self._transport is not None:
            self._transport.close()

    @property
    def _has_in_hand(self) -> bool:
        return self._passing is not None and self._passing.is_in_hand
