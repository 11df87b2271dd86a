"""Hands deliveries over by HTTP, as GitHub does: each once, ten seconds to answer, no retry of its own accord."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import aiohttp

from bot.demo.github.faults import Delay, Duplicate, Fail, Fault, FaultPlan, NeverSent, NoFaults
from bot.demo.github.webhooks.deliveries import Attempt, Delivery, DeliveryLog

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from bot.clock import Clock
    from bot.demo.github.outages import Outages
    from bot.demo.github.state.world import World

_SECONDS_TO_ANSWER = 10
_SECONDS_HELD_FOR_SHUFFLING = 0.2


class Deliverer:
    """Posts deliveries to their Apps' hooks with at most `concurrency` open requests, and plays `faults`.

    Where a hook has no URL, deliveries are made and kept but not sent. Everything is in `log`; what the faults did is
    counted in `log.counts`.
    """

    def __init__(
        self,
        clock: Clock,
        world: World,
        seed: int,
        *,
        faults: FaultPlan | None,
        concurrency: int,
        outages: Outages,
    ) -> None:
        self.faults: FaultPlan = faults or NoFaults()
        self.log = DeliveryLog()
        self.never_sent: dict[str, Delivery] = {}
        self.sending = 0
        self._clock = clock
        self._outages = outages
        self._world = world
        self._random = random.Random(f"deliverer {seed}")
        self._slots = asyncio.Semaphore(concurrency)
        self._held: list[Delivery] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str | None:
        """Where the hook of the newest App leads; to be set only when there is one (LookupError)."""
        return self._world.app.hook.url if self._world.apps else None

    @url.setter
    def url(self, url: str | None) -> None:
        self._world.app.hook.url = url

    def post(self, delivery: Delivery) -> None:
        """Set a new delivery on its way; needs a running loop when its hook has a URL."""
        self.log.add(delivery)
        if delivery.hook.url is None:
            return
        if self.faults.window <= 1 and not self._held:
            self._dispatch(delivery)
            return
        self._held.append(delivery)
        if len(self._held) >= self.faults.window:
            self._release()
        elif len(self._held) == 1:
            asyncio.get_running_loop().call_later(_SECONDS_HELD_FOR_SHUFFLING, self._release)

    def redeliver(self, guid: str) -> None:
        """Send a logged delivery again, with the same GUID and bytes.

        Raises KeyError for a GUID that the log does not have: made up, older than three days, or never sent.
        """
        delivery = self.log.get(guid)
        if guid in self.never_sent:
            raise KeyError(guid)
        self._dispatch(delivery, redelivery=True)

    async def settle(self) -> None:
        """Wait until nothing is held back or in flight; under a manual clock somebody else has to advance it."""
        self._release()
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Drop what is in flight and close the connections."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._held.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _release(self) -> None:
        held, self._held = self._held, []
        self._random.shuffle(held)
        for delivery in held:
            self._dispatch(delivery)

    def _dispatch(self, delivery: Delivery, *, redelivery: bool = False) -> None:
        outage = (Fail(503, "Service Unavailable"),) if self._outages.now else ()
        faults = outage or self.faults.faults_for(delivery, redelivery=redelivery)
        if any(isinstance(fault, NeverSent) for fault in faults):
            self.log.counts["never_sent"] += 1
            self.never_sent[delivery.guid] = delivery
            return
        self._spawn(self._deliver(delivery, faults, redelivery=redelivery))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, delivery: Delivery, faults: Sequence[Fault], *, redelivery: bool) -> None:
        """Make one attempt and its duplicates; a fault that fails lets nothing through, whatever else was asked."""
        delay = sum(fault.seconds for fault in faults if isinstance(fault, Delay))
        note = "delayed" if delay else ""
        if delay:
            self.log.counts["delayed"] += 1
            await self._clock.sleep(delay)
        failure = next((fault for fault in faults if isinstance(fault, Fail)), None)
        if failure is not None:
            self._record(delivery, 0.0, failure.status_code, failure.status, redelivery, "failed")
            return
        await self._attempt(delivery, redelivery, note)
        for _ in range(sum(fault.copies for fault in faults if isinstance(fault, Duplicate))):
            self.log.counts["duplicates"] += 1
            await self._attempt(delivery, redelivery, "duplicate")

    async def _attempt(self, delivery: Delivery, redelivery: bool, note: str) -> None:
        self.sending += 1
        try:
            async with self._slots:
                begun = self._clock.monotonic()
                status_code, status = await self._send(delivery)
        finally:
            self.sending -= 1
        self._record(delivery, self._clock.monotonic() - begun, status_code, status, redelivery, note)

    async def _send(self, delivery: Delivery) -> tuple[int, str]:
        """Return the status code and GitHub's word for it, also where there was no answer."""
        url = delivery.hook.url
        if url is None:
            return 0, "the webhook has no URL"
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS_TO_ANSWER))
        try:
            async with self._session.post(url, data=delivery.body, headers=dict(delivery.headers)) as response:
                await response.read()
        except TimeoutError:
            return 504, "timed out"
        except aiohttp.ClientError:
            return 502, "failed to connect to host"
        return response.status, "OK" if response.ok else f"Invalid HTTP Response: {response.status}"

    def _record(
        self, delivery: Delivery, duration: float, status_code: int, status: str, redelivery: bool, note: str
    ) -> None:
        number = self._world.numbers.next("delivery")
        at = self._clock.now()
        self.log.record(Attempt(number, delivery, at, round(duration, 2), status, status_code, redelivery, note))
